"""`derivation()`: from the arguments of a call to a derivation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from bramble.derivation.graph import unknown_output, unknown_reference
from bramble.derivation.model import NO_SOURCES, Derivation, Sources
from bramble.derivation.rules import check, is_relative_path, suggest_builder
from bramble.derivation.template import OutputRef, Template, references_in
from bramble.errors import BrambleError
from bramble.lang.arguments import Checker, bind
from bramble.lang.failure import refuse, refuse_as
from bramble.lang.session import Caller, Session, session_of
from bramble.lang.values import DerivationValue
from bramble.project.files import check_source, is_directory
from bramble.project.modules import ModuleFile
from bramble.starlark import Position, Thread

# spec: dialect.derivation
PARAMETERS: dict[str, Any] = {
    "name": None,
    "builder": None,
    "args": (),
    "sources": (),
    "env": {},
    "outputs": ("out",),
    "platform": "",
    "network": False,
    "target": "",
}
_CHECK = Checker("derivation", "derivation.{}")
_parse = Template.parse


def derivation(thread: Thread, args: tuple[Any, ...], kwargs: dict[str, Any]) -> DerivationValue:
    """Make a derivation; see spec/03-dialect.md."""
    session = session_of(thread)
    caller = session.caller(thread)
    caller.within_function("derivation")
    given = bind("derivation", PARAMETERS, args, kwargs, required=2)
    env = _CHECK.mapping("env", given["env"])
    platform, target = _CHECK.string("platform", given["platform"]), _CHECK.string("target", given["target"])
    parse = _parse if session.lent is None else session.template
    made = Derivation(
        name=_CHECK.string("name", given["name"]),
        builder=parse(_CHECK.text("builder", "builder", given["builder"])),
        args=tuple([parse(text) for text in _CHECK.texts("args", given["args"])]),
        env=tuple([(key, parse(_CHECK.text("env", f'env["{key}"]', env[key]))) for key in sorted(env)]),
        sources=_sources(session, caller, _CHECK.strings("sources", given["sources"])),
        outputs=_CHECK.strings("outputs", given["outputs"]),
        # spec: dialect.derivation.platform
        platform="" if platform == session.platform else platform,
        network=_CHECK.boolean("network", given["network"]),
        # spec: dialect.derivation.target
        target="" if target == (platform or session.platform) else target,
    )
    try:
        check(made)
        _link(session, made)
    except BrambleError as error:
        refuse_as(error)
    _warn_of_builder(session, made, caller.position)
    return session.make(made, caller)


def _link(session: Session, made: Derivation) -> None:
    """Let a derivation have the dependencies that its texts name; refuse what is none."""
    references, known = made.dependency_texts, session.references
    for reference in references:
        if reference not in known:
            known[reference] = _output(session, made, *references_in(reference))
    made.dependencies = tuple([known[reference] for reference in references])


def _output(session: Session, made: Derivation, ref: OutputRef) -> OutputRef:
    """Return the output that a reference of `made` names."""
    # spec: dialect.derivation.references
    found = session.derivations.get(ref.derivation)
    if found is None:
        raise unknown_reference(str(ref), made, None)
    if ref.output not in found.outputs:
        raise unknown_output(found, ref, made.name, None)
    return OutputRef(found.id, ref.output)


def _warn_of_builder(session: Session, made: Derivation, position: Position) -> None:
    """A misspelt built-in builder is a file name like any other, and would fail as a missing file."""
    builder = str(made.builder)
    meant = suggest_builder(builder) if not made.sources.files and "/" not in builder else None
    if meant is not None:
        session.warn(f'{position}: there is no builder "{builder}"; did you mean "{meant}"?')


def _sources(session: Session, caller: Caller, files: tuple[str, ...]) -> Sources:
    # spec: dialect.derivation.sources
    if session.lent is not None and files:
        return _lent(session, files)
    # Most derivations of a project have the same names, tens of thousands perhaps: they are looked at once.
    named = session.named.get(files) or _named(session, caller, files)
    if not named:
        return NO_SOURCES
    if len(named) > 1:
        refuse(
            "derivation.sources",
            "the sources are of several projects: "
            + ", ".join(sorted(project or session.roots.project.name for project in named)),
            "make one derivation for the sources of each project, and refer to them",
        )
    ((project, paths),) = named.items()
    made = Sources(project=project, location=_location(session, caller, project), files=paths)
    return session.sources.setdefault(made, made)


def _named(session: Session, caller: Caller, files: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    """Return the files that are named, by their project: sorted paths relative to it, no directories.

    Raises for a name that is not a source.
    """
    # spec: dialect.derivation.directories
    all_found = session.found.issuperset(files)
    if all_found:
        names = set(files) - session.found_directories
    else:
        names = {file for file in files if _is_source(session, caller, file)}
    if "//" in "\n".join(names):
        split = [name.rpartition("//")[::2] for name in names]
        named = {
            project: tuple(sorted({path for other, path in split if other == project}))
            for project in {project for project, _ in split}
        }
    else:
        named = {"": tuple(sorted(names))} if names else {}
    if all_found:
        session.named[files] = named
    return named


def _is_source(session: Session, caller: Caller, file: str) -> bool:
    """Return whether a name among sources is a file's and no directory's; refuse one that is not a source."""
    if file in session.found:
        return file not in session.found_directories
    project, _, path = file.rpartition("//")
    root = session.root_of(project)
    _check_written(session, caller.module, file, path, root)
    return root is not None and not is_directory(session.listings(root), path)


def _lent(session: Session, files: Sequence[str]) -> Sources:
    """Return sources of a module that a builder wrote: those of that builder, and no others."""
    # spec: build.generated.sources
    own = session.lent.sources if session.lent is not None else None
    given = own or NO_SOURCES
    unseen = sorted(set(files) - set(given.files))
    if unseen:
        refuse(
            "graph.sources",
            f'"{unseen[0]}" is not among the sources that the builder was given',
            "add it to the sources of the derivation that writes this graph, and write it as in that list",
        )
    return Sources(given.project, given.location, tuple(sorted(set(files))))


def _check_written(session: Session, module: ModuleFile, file: str, path: str, root: Optional[str]) -> None:
    """Check a source that the program wrote itself: files() has checked the others."""
    unrooted = file.startswith("//") or (session.project_of(module) and path == file)
    if not is_relative_path(path) or unrooted:
        refuse(
            "derivation.sources",
            f'"{file}" is not a source: sources are named from the root of the project',
            f'write sources=files(["{file}"])',
        )
    if root is None:
        refuse("derivation.sources", f'"{file}" is of a project that is not known', "use files()")
    try:
        check_source(session.listings(root), path)
    except BrambleError as error:
        refuse_as(error)


def _location(session: Session, caller: Caller, project: str) -> str:
    """Return where the build starts: the directory of the innermost caller in the sources' project."""
    # spec: dialect.derivation.location
    if session.project_of(caller.module) == project:
        return caller.module.directory
    for frame in caller.calls:
        module = session.files.get(frame.position.file) if frame.position is not None else None
        if module is not None and session.project_of(module) == project:
            return module.directory
    return ""
