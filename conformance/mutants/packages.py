"""Deliberate faults of packages: what is chosen, what is locked, and whom a package can lead where."""

from __future__ import annotations

Fault = tuple[str, str, str, str]


def _in(path: str, *faults: tuple[str, str, str]) -> tuple[Fault, ...]:
    """Return the faults of one file."""
    return tuple((f"packages.{topic}", f"bramble/{path}.py", old, new) for topic, old, new in faults)


FAULTS: tuple[Fault, ...] = (
    *_in(
        "packages/names",
        ("names.tag", "return None if found.build else found", "return found"),
        ("names.place", "for depth in range(len(parts), 1, -1))", "for depth in range(2, len(parts) + 1))"),
        ("names.place", '"github.com": 3', '"github.com": 2'),
        (
            "names.git",
            "RepositoryPlace(head + _SUFFIX, directory)",
            'RepositoryPlace(head + _SUFFIX, "")',
        ),
    ),
    *_in(
        "packages/select",
        ("selection", "slot: max(slots[slot], key=_version)", "slot: min(slots[slot], key=_version)"),
        ("majors", "return Slot(release.name, release.version.major)", "return Slot(release.name, 0)"),
        ("selection.places", "if greatest.release.version > own.version:", "if False:"),
        ("selection.places", "if other is not None and not (first is None and own.source):", "if False:"),
    ),
    *_in(
        "packages/resolve",
        ("name.agrees", "if config.name != ask.name:", "if False:"),
        ("tag.agrees", "if config.version != str(ask.version):", "if False:"),
        ("place.one", "if known != one.git and first:", "if False:"),
        ("place.asked", "return git in own or _REACHED.match(git) is not None", "return True"),
        ("itself", "if release.version > own:", "if False:"),
        ("resolve", "if one.path and (root or one.version is None):", "if one.path:"),
        ("errors", "one.place = one.place or self.entries.get(one.about)", "pass"),
    ),
    *_in(
        "packages/edit",
        ("edit", "elif [key for _, key in starts] == sorted(known) and name < ", "elif '~' < "),
    ),
    *_in("build/fetch/references", ("references", "found[2][: -len(_PEELED)] if", "found[2] if")),
    *_in(
        "commands/context/packages",
        ("lock", "COMMITS: {key: one.commit for key, one in added.items()},", "COMMITS: {},"),
    ),
    *_in(
        "commands/packages/obtain",
        ("lock.mismatch", 'env["hash"] = known.digest', "pass"),
        ("kept", "{PACKAGES: resolution.objects}", "{PACKAGES: ()}"),
    ),
    *_in(
        "commands/packages/repositories",
        ("newest", "[version for version in known if not version.pre_release] or known", "known"),
        ("obtain", "if known is not None and known.commit:", "if False:"),
    ),
    *_in(
        "commands/packages/changing",
        ("lock.tidy", "change_lock(path, lambda lock: tidied(lock, needed))", "pass"),
    ),
    *_in(
        "commands/packages/updating",
        ("update", "if best != current:", "if False:"),
        ("update.revision", "elif was and was != now:", "elif False:"),
        ("update.unusable", "unusable = {} if names else _unusable(error, versions)", "unusable = {}"),
        ("update.json", "if newest is not None and newest.major > best.major:", "if False:"),
    ),
    *_in("commands/packages/asking", ("tags.moved", "elif now != commits[key]:", "elif False:")),
    *_in(
        "commands/packages/adding",
        ("add.secrets", "if redact(git) != git:", "if False:"),
        ("add.version", "if not one.version and current is not None and current.version", "if False"),
    ),
)
