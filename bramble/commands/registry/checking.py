"""The checks of a version before it is published: the work of one job, in a separate process.

Nothing here adds anything to a registry. The package is fetched from the place of its name, and checked as
a dependency of an empty project: so whatever holds of packages holds here, and nothing but their sources is
read. All public functions that need no arguments are called, and what they return is built twice.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Optional
from urllib.parse import quote

from bramble.build.fetch.address import parse_url
from bramble.build.fetch.connect import addresses_of
from bramble.commands.build import BuildChoices, Event, Limits, build_derivations
from bramble.commands.context.evaluating import evaluate_anew
from bramble.commands.context.evaluation import Evaluated
from bramble.commands.context.limits import bounded
from bramble.commands.context.mirror import read_mirror
from bramble.commands.context.packages import chosen
from bramble.commands.context.setting import Setting
from bramble.commands.packages.obtain import keep_sources, repositories_of
from bramble.commands.packages.registry.describing import documentation_of
from bramble.commands.packages.registry.kept import directory_of
from bramble.commands.packages.registry.trusting import CONFIG
from bramble.commands.packages.registry.writing import read_registry
from bramble.commands.packages.repositories import Repository
from bramble.commands.registry.reach import Places, check_asks, check_place
from bramble.errors import BrambleError
from bramble.packages.names import version_of
from bramble.packages.registry.checkpoint import CHECKPOINT, signer
from bramble.packages.registry.documents import Documentation
from bramble.packages.registry.index import Entry, all_entries
from bramble.packages.registry.releases import broken_release
from bramble.packages.resolve import Ask, Resolution, Tree
from bramble.project.lockfile import COMMITS, DEPENDENCIES, Lock, read_lock, update_lock
from bramble.project.modules import parse_target
from bramble.project.names import CONFIG_NAME, LOCK_NAME
from bramble.project.project import Project, find_project
from bramble.project.versions import Version
from bramble.recall.reads import NOT_NOTED
from bramble.record import NamedTuple, dataclass, replace
from bramble.sandbox.limits.usage import memory_of_machine
from bramble.store.files.remove import remove_tree
from bramble.store.files.small import read_file
from bramble.store.history.failed import forget_failed
from bramble.store.layout.place import place_of_failed
from bramble.store.locks.advisory import lock_briefly

PUBLIC = "public"  # the directory of a registry that everybody may have
_PROJECT = "registry.invalid/check"  # RFC 2606: nobody's
_MACHINE = "host_tools"  # the builder that copies programs of this machine
_NO_VERSION = "0.0.0"
_LOG_SIZE = 1 << 20  # bytes of what one build prints
_MOST_FILES = 1 << 20  # of one build
_HERE_ALONE = ("its log is ", "look inside: ", "its directories are kept", "--keep-failed ")


@dataclass(frozen=True)
class Around:
    """With what a package is checked."""

    setting: Setting
    directory: str  # for the project that requires the package, and its configuration
    registry: Optional[str]  # the directory of the registry; None: no registry
    choices: BuildChoices
    places: Places
    say: Callable[[str], None]
    on_event: Callable[[Event], None]
    cancelled: threading.Event


class Checked(NamedTuple):
    """A version that may be published, or has been."""

    entry: Entry
    already: bool  # it is in the registry, and the same
    documentation: Documentation = Documentation("", "", "", (), ())
    impure: tuple[str, ...] = ()


def choices_of(*, pure: bool, memory: Optional[int], processes: int, output_size: int) -> BuildChoices:
    """Return how packages of strangers are built; sizes are in bytes, and None is half of the machine's."""
    return BuildChoices(
        keep_going=True,
        check=True,
        locked=True,
        pure=pure,
        log_size=_LOG_SIZE,
        limits=Limits(
            memory=memory or memory_of_machine() // 2,
            processes=processes,
            output_size=output_size,
            output_files=_MOST_FILES,
        ),
    )


def places_of(setting: Setting, hosts: Sequence[str]) -> Places:
    """Return from where packages may come: these hosts, or all that are public. Raises fetch.mirror."""
    table = read_mirror(setting.mirror_table) if setting.mirror_table else {}
    return Places(tuple(host.lower() for host in hosts), tuple(table), bool(setting.proxies))


def check(name: str, reference: str, around: Around) -> Checked:
    """Check one version of a package. Raises BrambleError for whatever speaks against it.

    `reference` is a version or its tag, "" for the newest version.
    """
    # spec: registry.publish
    wrong = broken_release(name, _NO_VERSION)
    if wrong is not None:
        raise BrambleError("registry.request", wrong, remedy="name a package by its address: example.com/lib")
    check_place(name, around.places, addresses_of)
    published = published_in(around.registry)
    with _impersonal(around) as setting:
        around = replace(around, setting=setting)
        version, commit = _wanted(name, reference, around)
        around.say(f"{name}@{version} is commit {commit}")
        known = published.get((name, str(version)))
        if known is not None:
            if known.commit != commit:
                raise changed(known, commit)
            around.say("it is published already")
            return Checked(known, True)
        return _checked(name, version, commit, published, around)


def published_in(registry: Optional[str]) -> Mapping[tuple[str, str], Entry]:
    """Return what is published in the registry in a directory, by name and version. Raises registry.*."""
    if registry is None:
        return {}
    _, index = read_registry(os.path.join(registry, PUBLIC))
    return {(one.name, one.version): one for one in all_entries(index)}


@contextmanager
def _impersonal(around: Around) -> Iterator[Setting]:
    """Give the setting without what a user has in it: passwords, grants, registries but this one."""
    # spec: registry.publish.places, registry.publish.requires
    config = _directory(around, "config")
    root = "" if around.registry is None else f"{around.registry}/{PUBLIC}"
    url = parse_url(f"file://{quote(root)}").geturl() if root else ""
    if root:
        key = signer(read_file(f"{root}/{CHECKPOINT}") or b"")
        with open(os.path.join(config, CONFIG), "w", encoding="utf-8") as file:
            file.write(f'[registries]\n"{url}" = "{key}"\n')
    try:
        yield replace(
            around.setting,
            netrc=None,
            ssh_agent=None,
            config=config,
            public_but=around.places.hosts,
        )
    finally:
        store = around.setting.store_root
        if url and os.path.isdir(f"{store}/var"):
            # A client keeps the state of a registry. This registry may be created again by its owner.
            remove_tree(directory_of(f"{store}/var", url))
        # Nobody looks at what builds of strangers have left.
        forget_failed(place_of_failed(store, _project_in(around)))


def changed(known: Entry, commit: str) -> BrambleError:
    """Return the error for a version that is published, and would be another one now."""
    # spec: registry.publish.once
    return BrambleError(
        "registry.exists",
        f"{known.release} is published with commit {known.commit}, and its tag means {commit} now",
        remedy="a version never changes: make a new one, and a tag for it",
    )


def _wanted(name: str, reference: str, around: Around) -> tuple[Version, str]:
    """Return the version that is asked for, and its commit."""
    with repositories_of(_project(around, {}), around.setting) as (_, repositories):
        repository = repositories.of(name)
        version = _version(name, reference, repository)
        _, commit = repositories.commit(Ask(name, version), None)
    return version, commit


def _version(name: str, reference: str, repository: Repository) -> Version:
    if reference:
        found = version_of(repository.place.directory, reference) or version_of("", reference)
        version = found or _parsed(reference)
    else:
        newest = repository.newest()
        if newest is None:
            raise BrambleError(
                "packages.unknown-version",
                f'the package "{name}" has no versions',
                remedy="make a tag for one, as in: git tag v1.0.0 && git push --tags",
            )
        version = newest
    wrong = broken_release(name, str(version))
    if wrong is not None:
        raise BrambleError("registry.request", wrong, remedy="publish a version without it")
    return version


def _parsed(reference: str) -> Version:
    try:
        return Version.parse(reference)
    except BrambleError:
        raise BrambleError(
            "registry.request",
            f"{ascii(reference)} is neither a version nor the tag of one",
            remedy="only versions are published: 1.2.0, or its tag v1.2.0",
        ) from None


def _checked(
    name: str, version: Version, commit: str, published: Mapping[tuple[str, str], Entry], around: Around
) -> Checked:
    project = _project(around, {name: str(version)})
    with bounded(around.setting.limits):
        resolution = _resolution(project, published, around)
    tree = _tree(resolution, Ask(name, version))
    if tree.commit != commit:
        raise BrambleError(
            "registry.moved",
            f"the tag of {name}@{version} was moved from {commit} to {tree.commit} while it was checked",
            remedy="a version never changes: make a new one, and a tag for it",
        )
    entry = Entry(name, str(version), commit, tree.digest)
    around.say(f"its sources are {tree.digest}")
    _pin_as(tree, project)
    evaluated, roots = _evaluated(name, project, resolution, around)
    impure = _impure(evaluated, roots)
    if roots:
        result = build_derivations(
            evaluated, roots, around.setting, around.choices, around.on_event, around.cancelled
        )
        if result.failures:
            raise _failed(result.failures)
        if result.cancelled:
            raise BrambleError("registry.interrupted", "the work was ended", remedy="ask for it again")
        around.say(f"{len(roots)} derivations had the same results when they were built again")
    with bounded(around.setting.limits):
        docs = documentation_of(tree.directory, entry.name, entry.version, impure)
    return Checked(entry, False, docs, impure)


def _failed(failures: Sequence[BrambleError]) -> BrambleError:
    """Return the errors of builds as one, without the ways to look at what they have left here."""
    for error in failures:
        lines = (error.remedy or "").splitlines()
        error.remedy = "\n".join(line for line in lines if not line.startswith(_HERE_ALONE))
    failures[0].others = tuple(failures[1:])
    return failures[0]


def _project(around: Around, requires: Mapping[str, str]) -> Project:
    lines = ["[package]", f'name = "{_PROJECT}"', 'version = "0.0.0"', "[dependencies]"]
    lines += [f'"{name}" = "{version}"' for name, version in requires.items()]
    directory = _directory(around, "project")
    with open(os.path.join(directory, CONFIG_NAME), "w", encoding="utf-8") as file:
        file.write("\n".join([*lines, ""]))
    return find_project(directory)


def _directory(around: Around, name: str) -> str:
    path = os.path.join(around.directory, name)
    os.makedirs(path, 0o700, exist_ok=True)
    return path


def _project_in(around: Around) -> str:
    return os.path.realpath(os.path.join(around.directory, "project"))


def _resolution(project: Project, published: Mapping[tuple[str, str], Entry], around: Around) -> Resolution:
    """Return the packages that are needed: what the registry has of them is what it says."""
    # spec: registry.publish.requires
    tables: dict[str, dict[str, str]] = {DEPENDENCIES: {}, COMMITS: {}}
    for (name, version), entry in published.items():
        tables[DEPENDENCIES][f"{name}@{version}"] = entry.digest
        tables[COMMITS][f"{name}@{version}"] = entry.commit

    def allow(asks: Sequence[Ask]) -> None:
        check_asks(asks, around.places, addresses_of)

    found = chosen(project, around.setting, Lock(tables), around.say, allow=allow).resolution
    keep_sources(project, around.setting, found)
    return found


def _tree(resolution: Resolution, wanted: Ask) -> Tree:
    return next(
        tree
        for ask, tree in resolution.trees.items()
        if (ask.name, ask.version) == (wanted.name, wanted.version)
    )


def _pin_as(tree: Tree, project: Project) -> None:
    """Take over what the package's own lock says of downloads, and nothing else of it."""
    # spec: registry.publish.pins
    own = os.path.join(tree.directory, LOCK_NAME)
    if os.path.lexists(own):
        path = os.path.join(project.root, LOCK_NAME)
        update_lock(path, read_lock(own).url_hashes, take=lock_briefly)


def _evaluated(
    name: str, project: Project, resolution: Resolution, around: Around
) -> tuple[Evaluated, tuple[str, ...]]:
    """Call the public functions of the package; return what came of it and the derivations that they mean."""
    # spec: registry.publish.functions
    packages = resolution.of_modules()
    evaluation = evaluate_anew(
        *(project, packages, [parse_target(f"{name}/...")], around.setting),
        *(lambda line: around.say(f"print: {line}"), True, NOT_NOTED),
    )
    if evaluation.errors:
        error = evaluation.errors[0]
        error.others = evaluation.errors[1:]
        raise error
    refs = [ref for result in evaluation.results for ref in (*result.roots, *result.needs)]
    roots = tuple(dict.fromkeys(ref.derivation for ref in refs))
    around.say(f"{len(evaluation.results)} functions return {len(roots)} derivations")
    return Evaluated(project, packages, evaluation), roots


def _impure(evaluated: Evaluated, roots: Sequence[str]) -> tuple[str, ...]:
    graph = evaluated.evaluation.graph
    names = {graph.get(id).name for id in graph.order(roots) if graph.get(id).builder.text == _MACHINE}
    return tuple(sorted(names))
