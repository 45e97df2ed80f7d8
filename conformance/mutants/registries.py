"""Deliberate faults of registries: (paragraph, file, text, replacement).

They are what a client believes that does not check, or that goes on elsewhere where it must not.
"""

from __future__ import annotations

_PURE, _CLIENT = "bramble/packages/registry", "bramble/commands/packages"

FAULTS: tuple[tuple[str, str, str, str], ...] = (
    ("registry.signature", f"{_PURE}/checkpoint.py", "if found.key != wanted:", "if False:"),
    ("registry.signature", f"{_PURE}/checkpoint.py", "if not found.is_of(checkpoint.text,", "if not (True,"),
    ("registry.history", f"{_PURE}/checkpoint.py", "if now.origin != before.origin:", "if False:"),
    ("registry.history", f"{_PURE}/checkpoint.py", "if found != before.sha256:", "if False:"),
    (
        "registry.index",
        f"{_PURE}/checkpoint.py",
        "if found != now.sha256:",
        "if False:",
    ),
    ("registry.index.once", f"{_PURE}/index.py", "if release in seen:", "if False:"),
    ("registry.releases", f"{_PURE}/index.py", "broken_release(entry.name, entry.version)", "None"),
    (
        "registry.config.private",
        f"{_PURE}/configured.py",
        "one) for one in self.private):",
        "1) for _ in ()):",
    ),
    ("registry.config.packages", f"{_PURE}/configured.py", "return not self.packages or", "return True or"),
    (
        "registry.config.packages",
        f"{_PURE}/configured.py",
        'startswith(beginning + "/")',
        "startswith(beginning)",
    ),
    (
        "registry.config",
        f"{_CLIENT}/registry/trusting.py",
        "st_mode) & 0o022",
        "st_mode) & 0",
    ),
    ("registry.search", f"{_PURE}/finding.py", "found.append((rank, ", "found.append((0, "),
    ("registry.kept", f"{_CLIENT}/registry/asking.py", "keep(self.directory, signed, index)", "pass"),
    ("registry.lock", f"{_CLIENT}/registry/asking.py", "if ours != theirs:", "if False:"),
    (
        "registry.down",
        f"{_CLIENT}/registry/asking.py",
        'if not error.code.startswith("fetch.") or',
        "if True or",
    ),
    (
        "registry.client.versions",
        f"{_CLIENT}/repositories.py",
        "said = None if git else self.registries.versions(name)",
        "said = None",
    ),
    ("registry.client.entry", f"{_CLIENT}/repositories.py", "if ask.version is None or ask.git:", "if True:"),
)
