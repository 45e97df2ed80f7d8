"""Deliberate faults of the reference implementation, each of which some case must catch.

`python3 -m conformance.mutants [PARAGRAPH…]` copies the implementation, puts one fault into
the copy, runs the cases of the paragraphs that it breaks, and demands that one of them fails.
Where two walls stand behind each other (a read-only root and Landlock, a process 1 that hides and one that
Landlock hides) a fault in one is caught by the tests of the room and by no case.
A fault that no longer fits the source is an error too: the list cannot rot. It is run by hand, since it
follows the text of the implementation, which the rest of the suite does not know.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

from conformance import fetch_faults, language_faults, runner
from conformance.casefile import LEVELS, Case
from conformance.claims import Rules, claimed_capabilities
from conformance.outcome import FAILED
from conformance.places import HOME
from conformance.session import Implementation

TOP = os.path.dirname(HOME)
# What belongs to the source: an implementation that writes itself as one file needs all of it.
_SOURCE = ("LICENSE", "README.md", "bramble", "pyproject.toml", "spec")


@dataclass(frozen=True)
class Mutant:
    """One fault: the paragraph that it breaks, and the text in its place; the old one stands once."""

    paragraph: str
    path: str
    old: str
    new: str


MUTANTS: tuple[Mutant, ...] = (
    *(Mutant(*fault) for fault in (*language_faults.FAULTS, *fetch_faults.FAULTS)),
    Mutant(
        "derivation.json.empty",
        "bramble/derivation/gojson.py",
        'return "[" + listed + "]" if listed else NULL',
        'return "[" + listed + "]"',
    ),
    Mutant(
        "derivation.json.strings",
        "bramble/derivation/gojson.py",
        '"[<>&',
        '"[<>',
    ),
    Mutant(
        "derivation.dependencies",
        "bramble/derivation/model.py",
        "return tuple(sorted(found))",
        "return tuple(sorted(found, reverse=True))",
    ),
    Mutant(
        "derivation.store.digest",
        "bramble/derivation/resolve.py",
        '"" if output else filename',
        "filename",
    ),
    Mutant(
        "objects.archive.split",
        "bramble/store/objects/archive.py",
        "PREFIX_FIELD + 1)",
        "PREFIX_FIELD - 80)",
    ),
    Mutant(
        "objects.archive.extended",
        "bramble/store/objects/archive.py",
        "return len(text) > NAME_FIELD or not text.isascii()",
        "return len(text) > NAME_FIELD",
    ),
    Mutant(
        "objects.identity.positions",
        "bramble/store/objects/identity.py",
        'batch.append(b"|%d" % place)',
        'batch.append(b"|")',
    ),
    Mutant(
        "objects.references.pieces",
        "bramble/store/objects/pieces.py",
        "if before < 0 or at >= wholes[before] + STORE_DIR_LENGTH:",
        "if False:",
    ),
    Mutant(
        "objects.references.pieces",
        "bramble/store/objects/pieces.py",
        "if block[at + STORE_DIR_LENGTH] != 0x2F or name not in self._names:",
        "if False:",
    ),
    Mutant(
        "objects.references.pieces",
        "bramble/store/objects/pieces.py",
        "self._free = offset + DIGEST_LENGTH - PIECE + 1",
        "pass",
    ),
    Mutant(
        "objects.references.hidden",
        "bramble/store/objects/hidden.py",
        "return beginning.startswith((_GZIP, _ZIP))",
        "return beginning.startswith(_ZIP)",
    ),
    Mutant(
        "objects.references.hidden",
        "bramble/store/objects/identity.py",
        'self._needle = utf_16_needle(meaning.directory) if pieces else b""',
        'self._needle = b""',
    ),
    Mutant(
        "cli.build.json",
        "bramble/cli/verbs/build.py",
        'target.checked == "elsewhere"}',
        "False}",
    ),
    Mutant(
        "cli.size",
        "bramble/commands/size.py",
        "if other != name and other not in left:",
        "if other not in left:",
    ),
    Mutant(
        "build.check.elsewhere",
        "bramble/build/maker.py",
        'seen = _elsewhere("other_directory")(seen)',
        "pass",
    ),
    Mutant(
        "build.check.elsewhere",
        "bramble/build/maker.py",
        '_elsewhere("bring_back")(path, self._store.directory, seen)',
        "pass",
    ),
    Mutant(
        "build.allowed-pieces",
        "bramble/store/publish/publication.py",
        "file == word or not word",
        "word in file or not word",
    ),
    Mutant(
        "build.restrictions",
        "bramble/build/restrictions.py",
        "if rule == DISALLOWED_CLOSURE else made.references",
        "if rule != ALLOWED else made.references",
    ),
    Mutant(
        "build.restrictions",
        "bramble/build/restrictions.py",
        "found - named if rule == ALLOWED else",
        "set() if rule == ALLOWED else",
    ),
    Mutant(
        "build.sources.object",
        "bramble/store/publish/originals.py",
        "size, executable = before.st_size, bool(before.st_mode & stat.S_IXUSR)",
        "size, executable = before.st_size, False",
    ),
    Mutant(
        "build.environment",
        "bramble/build/naming.py",
        "return tuple(sorted(variables.items()))",
        'return tuple(sorted({"HOME": "/", **variables}.items()))',
    ),
    Mutant(
        "build.directory",
        "bramble/build/naming.py",
        'start += "/" + resolved.source.relative_build_path',
        "pass",
    ),
    Mutant(
        "build.sandbox",
        "bramble/build/naming.py",
        "mounts = [Mount(directories.build, f",
        'mounts = [Mount("/usr", "/usr"), Mount(directories.build, f',
    ),
    Mutant(
        "sandbox.mounts.read-only",
        "bramble/build/naming.py",
        "Mount((inputs or seen)[name], path)",
        "Mount((inputs or seen)[name], path, True)",
    ),
    *(
        Mutant(paragraph, "bramble/sandbox/steps.py", old, new)
        for paragraph, old, new in (
            ("sandbox.seccomp", '*(() if spec.rung == "none" else (filter_step(spec, facts),)),', ""),
            ("sandbox.capabilities", ', Step("no-capabilities"))', ")"),
            # Without it the kernel takes no filter from a program without rights; so neither is there.
            ("sandbox.capabilities", '(Step("no-new-privileges"), *landlock', "(*landlock"),
            ("sandbox.proc.hidden", 'done += [Step("cover-file"', '_ = [Step("cover-file"'),
            ("sandbox.proc.read-only", "if name in facts.proc:\n", "if False:\n"),
            ("sandbox.environment", "env = sorted(spec.env,", 'env = sorted((*spec.env, ("HOME", "/")),'),
            (
                "sandbox.environment",
                "sorted(spec.env, key=lambda",
                "sorted(spec.env, reverse=True, key=lambda",
            ),
            ("sandbox.network", 'name != "net" or not spec.network)', 'name != "net")'),
            (
                "sandbox.tree",
                'Step("tmpfs", (layout.TEMPORARY, 0o1777, size, inodes)),',
                'Step("directory", ("/tmp/x", 0o755)), Step("bind", ("/tmp", "/tmp")),',
            ),
            (
                "sandbox.constants.addresses",
                "if build else ()),\n        Step(",
                "if False else ()),\n        Step(",
            ),
            (
                "sandbox.constants.process",
                'Step("umask", (0o022,)),\n        Step("private',
                'Step("umask", (0o077,)),\n        Step("private',
            ),
            ("sandbox.identity.user", "UID = 1000", "UID = 0"),
            ("sandbox.identity.machine", 'Step("hostname", ("localhost",))', 'Step("hostname", ("host",))'),
        )
    ),
    Mutant("sandbox.devices", "bramble/sandbox/wire.py", ', "tty": (5, 0)', ""),
    Mutant(
        "sandbox.special", "bramble/sandbox/walls/seccomp.py", "SETUID_SETGID = 0o6000", "SETUID_SETGID = 0"
    ),
    Mutant(
        "sandbox.end.status",
        "bramble/sandbox/pid1.py",
        'os.write(job.link, b"X\\0%d" % status)',
        'os.write(job.link, b"X\\0%d" % 0)',
    ),
    Mutant(
        "sandbox.limits.output",
        "bramble/sandbox/running.py",
        "if status is not None and self.measures:",
        "if False:",
    ),
    Mutant(
        "build.limits.output",
        "bramble/sandbox/running.py",
        "elif self.measures and now >= self.next_look and self.ended is None:",
        "elif False:",
    ),
    Mutant(
        "sandbox.limits.output", "bramble/sandbox/limits/measure.py", "self.size += size", "self.size = size"
    ),
    Mutant(
        "build.demand",
        "bramble/build/builder.py",
        "return made.present or not demanded",
        "return made.present",
    ),
    Mutant(
        "build.demand.pinned",
        "bramble/build/builder.py",
        'return Made(resolved, (("out", want),), cached=True, present=False)',
        "return None",
    ),
    Mutant(
        "store.complete",
        "bramble/build/builder.py",
        "return self._store.is_complete(names)",
        "return all(map(self._store.contains, names))",
    ),
    Mutant(
        "store.verify.repair",
        "bramble/commands/verify.py",
        "demand=frozenset([name])",
        "demand=frozenset()",
    ),
    Mutant(
        "store.gc.records",
        "bramble/store/gc/trim.py",
        "recipe = recipe_of(objects, filename)",
        "recipe = Recipe()",
    ),
    Mutant("store.gc.former", "bramble/store/records/roots.py", "if no_longer:", "if False:"),
    Mutant("store.owner", "bramble/store/trust/owner.py", "if not mode & _OTHERS_WRITE:", "if True:"),
    Mutant(
        "store.owner.sticky",
        "bramble/store/trust/owner.py",
        "if (above or is_root) and mode & stat.S_ISVTX:",
        "if above and mode & stat.S_ISVTX:",
    ),
    Mutant(
        "store.no-links",
        "bramble/store/trust/owner.py",
        "if not stat.S_ISDIR(status.st_mode):\n        what",
        "if False:\n        what",
    ),
    Mutant(
        "build.fetch.changed",
        "bramble/build/builder.py",
        "if changed and self._options.refresh and is_pinned(env):",
        "if False:",
    ),
    Mutant(
        "build.fetch.changed",
        "bramble/build/stamps.py",
        'if last[0] != "sha256" or all(',
        "if True or all(",
    ),
    *(
        Mutant(f"vendor.{topic}", path, old, new)
        for topic, path, old, new in (
            ("objects", "bramble/build/builder.py", "if self._options.fetch.vendor is None:", "if True:"),
            ("downloads", "bramble/build/fetch/from_url.py", "        if vendored:\n", "        if False:\n"),
            ("which", "bramble/commands/build.py", "    if setting.vendor:\n", "    if False:\n"),
            (
                "own",
                "bramble/packages/vendor.py",
                "    return _OWN.fullmatch(path) is not None\n",
                "    return True\n",
            ),
            (
                "own",
                "bramble/commands/packages/vendoring.py",
                "        if not known:\n",
                "        if False:\n",
            ),
            (
                "incremental",
                "bramble/packages/vendor.py",
                "if not present.get(path)))",
                "if path not in present))",
            ),
            ("incremental", "bramble/packages/vendor.py", "if path not in needed and", "if False and"),
        )
    ),
    Mutant(
        "project.files.vendor",
        "bramble/project/files.py",
        "if VENDOR_NAME in found.entries(directory):",
        "if False:",
    ),
)


class Stale(Exception):
    """A fault that does not fit the source any more."""


def mutated(text: str, mutant: Mutant) -> str:
    """Return the text with the fault in it. Raises Stale."""
    if text.count(mutant.old) != 1:
        raise Stale(f"{mutant.paragraph}: {mutant.path} holds {text.count(mutant.old)} times: {mutant.old}")
    return text.replace(mutant.old, mutant.new)


def cases_of(mutant: Mutant, cases: Sequence[Case]) -> Sequence[Case]:
    """Return the cases that check the paragraph which a fault breaks."""
    return [case for case in cases if mutant.paragraph in case.spec]


def survivors(mutants: Sequence[Mutant], cases: Sequence[Case], source: str) -> list[str]:
    """Return, one line each, the faults that no case catches. Raises Stale."""
    found = []
    for mutant in mutants:
        chosen = cases_of(mutant, cases)
        with tempfile.TemporaryDirectory(prefix="bm-") as copy:
            for name in _SOURCE:
                put = shutil.copytree if os.path.isdir(os.path.join(source, name)) else shutil.copy
                put(os.path.join(source, name), os.path.join(copy, name))
            path = os.path.join(copy, mutant.path)
            with open(path, encoding="utf-8") as file:
                text = mutated(file.read(), mutant)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            outcomes = runner.run(
                chosen,
                Implementation((sys.executable, "-m", "bramble"), (("PYTHONPATH", copy),)),
                Rules(claimed_capabilities([])),
                levels=LEVELS,
                jobs=os.cpu_count() or 1,
            )
        if not any(outcome.status == FAILED for outcome in outcomes):
            found.append(
                f"{mutant.paragraph}: none of {len(chosen)} cases notices {mutant.new!r} in {mutant.path}"
            )
    return found


def main(paragraphs: Sequence[str]) -> int:
    """Run the faults of the paragraphs named, or all; return 1 when one survives or is stale."""
    chosen = [mutant for mutant in MUTANTS if not paragraphs or mutant.paragraph in paragraphs]
    try:
        alive = survivors(chosen, runner.load(), TOP)
    except Stale as problem:
        print(f"stale: {problem}")
        return 1
    for line in alive:
        print(f"survives: {line}")
    print(f"{len(chosen) - len(alive)} of {len(chosen)} faults caught")
    return 1 if alive or not chosen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
