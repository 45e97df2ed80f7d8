"""From targets to derivations: what every command about targets begins with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Optional

from bramble.derivation.graph import DerivationGraph
from bramble.derivation.template import OutputRef, Template
from bramble.errors import BrambleError, Place, nearest
from bramble.lang.failure import place_of
from bramble.lang.loader import LoadedModule, Loader
from bramble.lang.results import Evaluation, TargetResult
from bramble.lang.session import Session
from bramble.lang.values import DerivationValue, RunValue
from bramble.project.modules import ModuleFile, ModuleRoots, Target
from bramble.project.packages import NO_PACKAGES, Packages
from bramble.project.project import Project
from bramble.recall.reads import NOT_NOTED, Reads
from bramble.starlark import Function, Set, StarlarkError, call, type_name
from bramble.starlark.kept import Kept

if TYPE_CHECKING:
    from bramble.derivation.document import Lent


def evaluate(
    project: Project,
    targets: Sequence[Target],
    *,
    packages: Packages = NO_PACKAGES,
    platform: str,
    on_print: Callable[[str], None],
    cache: Optional[Kept] = None,
    max_steps: Optional[int] = None,
    keep_going: bool = False,
    lent: Optional[Lent] = None,
    built_for: str = "",
    reads: Reads = NOT_NOTED,
) -> Evaluation:
    """Call the functions that the targets mean, and return the derivations that come of it.

    `packages` are those that modules can load from, `platform` is
    this machine's (`linux-amd64`), `on_print` gets each line that a program
    prints, `cache` is for compiled modules (None: no
    cache), `max_steps` ends programs after so many loop rounds and calls (None: they
    are not counted, which is faster). With `keep_going` modules and functions that cannot be evaluated are
    passed over, and `errors` says which. `lent` is what of a graph around them the modules may use, if a
    builder wrote them, `built_for` the target that they see ("": this machine's platform). `reads` notes what
    decides the result. Nothing is written
    elsewhere, and nothing is read but files of the project and the packages. Raises BrambleError of the
    phases syntax, resolve, eval, load and derivation.
    """
    session = Session(ModuleRoots(project, packages, reads), platform, built_for, lent)
    if lent is not None:
        session.derivations.update(lent.graph.derivations)
    loader = Loader(session, on_print, cache, max_steps)
    results: dict[str, TargetResult] = {}
    passed_over = _PassedOver(keep_going)
    for target in targets:
        for file in passed_over.modules(session, target):
            with passed_over:
                for module, function, named in _functions(session, loader, target, file):
                    name = f"{module.file.name}:{target.function or function.name}"
                    if name not in results:
                        with passed_over:
                            # spec: dialect.target.order
                            results[name] = _call(session, loader, name, function, named)
    roots = [ref.derivation for result in results.values() for ref in result.roots]
    roots += [ref.derivation for result in results.values() for ref in result.needs]
    for test in session.tests:
        references = [ref for word in test.args for ref in Template.parse(word).references]
        roots += [ref.derivation for ref in (test.derivation, *references)]
    made = DerivationGraph(session.derivations)
    # spec: dialect.target.roots
    graph = made.closure(dict.fromkeys(roots))
    return Evaluation(
        graph=graph,
        results=tuple(results.values()),
        tests=tuple(session.tests),
        source_roots={"": project.root, **packages.directories},
        places={key: session.places[key] for key in graph.derivations if key in session.places},
        warnings=(*project.config.warnings, *session.warnings),
        errors=tuple(passed_over.errors),
    )


class _PassedOver:
    """A block that an error only ends, and not the program, where that is wanted; the error is kept."""

    def __init__(self, wanted: bool) -> None:
        self.errors: list[BrambleError] = []
        self._wanted = wanted

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: Optional[BaseException], _trace: object) -> bool:
        # spec: cli.build.keep-going
        # A function that exceeds a limit would exceed it again in each target.
        if not self._wanted or not isinstance(error, BrambleError) or error.code == "eval.limit":
            return False
        # A module that cannot be loaded fails each that loads it.
        if not any(_same(error, other) for other in self.errors):
            self.errors.append(error)
        return True

    def modules(self, session: Session, target: Target) -> Iterable[ModuleFile]:
        """Return the modules that a target means; none if there are none, and that is passed over."""
        with self:
            return _modules(session, target)
        return ()


def _same(one: BrambleError, other: BrambleError) -> bool:
    return (one.code, one.message, one.place) == (other.code, other.message, other.place)


def _modules(session: Session, target: Target) -> Iterable[ModuleFile]:
    roots = session.roots
    if target.kind == "path":
        return roots.below_path(target.name) if target.recursive else [roots.of_path(target.name)]
    try:
        return roots.below_module(target.name) if target.recursive else [roots.locate(target.name)]
    except BrambleError as error:
        if error.code == "load.unknown-package":
            if roots.is_here(target.name):
                error.remedy = f"a path begins with ./ or ../: write ./{target.text}"
            elif target.text.isidentifier():
                error.remedy = f"a function of this directory is the target ./:{target.text}; {error.remedy}"
            elif "." in target.name.partition("/")[0]:
                # spec: internet.in-project
                error.remedy = f"{error.remedy}; without that, name a version of it: {target.name}@latest"
        raise


def _functions(
    session: Session, loader: Loader, target: Target, file: ModuleFile
) -> Iterable[tuple[LoadedModule, Function, bool]]:
    """Yield the functions of a module that a target means; True beside one that it names."""
    module = loader.load(file)
    if target.function is not None:
        yield module, _named(session, module, target.function), True
        return
    # spec: dialect.target.all
    for name in sorted(summary.name for summary in module.program.functions):
        function = module.module.globals[name]
        if isinstance(function, Function) and not _required(function):
            yield module, function, False


def _required(function: Function) -> list[str]:
    return [
        parameter.name
        for parameter in function.info.parameters
        if parameter.kind in ("positional", "keyword-only") and not parameter.has_default
    ]


def _named(session: Session, module: LoadedModule, name: str) -> Function:
    # spec: dialect.target.function
    found = module.module.globals.get(name)
    place = Place(session.name_of(module.file))
    if name.startswith("_") or not isinstance(found, Function):
        raise _unknown_function(module, name, found, place)
    missing = _required(found)
    if missing:
        raise BrambleError(
            "load.parameters",
            f"{name}({found.info.text}) needs arguments, and a target gives none",
            place=place_of(found.position),
            remedy=f"give defaults to {', '.join(missing)}, or write a function that calls {name}(…)",
        )
    return found


def _unknown_function(module: LoadedModule, name: str, found: Any, place: Place) -> BrambleError:
    functions = [
        key
        for key, value in module.module.globals.items()
        if isinstance(value, Function) and not key.startswith("_")
    ]
    meant = nearest(name, functions)
    if name in module.module.globals and name.startswith("_"):
        fact = f'"{name}" is private to the module "{module.file.name}"'
    elif name in module.module.globals:
        fact = (
            f'"{name}" of the module "{module.file.name}" is of type {type_name(found)}, and not a function'
        )
    else:
        fact = f'the module "{module.file.name}" has no function "{name}"'
    if meant is not None:
        remedy = f'did you mean "{meant}"?'
    elif functions:
        remedy = f"it has: {', '.join(sorted(functions))}"
    else:
        remedy = f"write a function: def {name.lstrip('_')}(): …"
    return BrambleError("load.unknown-function", fact, place=place, remedy=remedy)


def _call(session: Session, loader: Loader, name: str, function: Function, named: bool) -> TargetResult:
    session.target = name
    known = len(session.tests)
    try:
        value = call(loader.thread, function)
    except StarlarkError as error:
        # What a function registered that then failed is not used.
        del session.tests[known:]
        raise session.error_of(error) from error
    run = value.request if isinstance(value, RunValue) else None
    roots, needs = _returned(value, name, function, named)
    keys = tuple(roots.values()) if any(roots.values()) else ()
    return TargetResult(name, tuple(roots), run, function.docstring or "", needs, keys)


def _returned(
    value: Any, name: str, function: Function, named: bool
) -> tuple[dict[OutputRef, Optional[str]], tuple[OutputRef, ...]]:
    """Return the outputs that a function's value means, and what its run() values need besides: each once.

    Each output has its key, where it is the value of a text in a dict.
    """
    # spec: dialect.target.result, cli.build.results
    roots: dict[OutputRef, Optional[str]] = {}
    needs: dict[OutputRef, None] = {}
    seen: set[int] = set()
    waiting: list[tuple[Any, Optional[str]]] = [(value, None)]
    while waiting:
        item, key = waiting.pop()
        if isinstance(item, DerivationValue):
            roots.setdefault(item.derivation.default_output, key)
        elif isinstance(item, RunValue):
            roots.setdefault(item.request.derivation, key)
            needs.update(dict.fromkeys(item.request.needs))
        elif isinstance(item, (tuple, list, dict)):
            if id(item) not in seen:
                seen.add(id(item))
                # Sets are Python's dicts as well.
                table = isinstance(item, dict) and not isinstance(item, Set)
                inner = list(item.items()) if table else [(None, one) for one in item]  # type: ignore[union-attr]
                waiting += [(one, key if isinstance(key, str) else None) for key, one in reversed(inner)]
        elif item is not None and named:
            within = "" if item is value else f" in a {type_name(value)}"
            raise BrambleError(
                "load.result",
                f"{name} returns a value of type {type_name(item)}{within}, which cannot be built",
                place=place_of(function.position),
                remedy="return a derivation, a run() value, or a list of them",
            )
    return roots, tuple(ref for ref in needs if ref not in roots)
