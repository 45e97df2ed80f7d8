"""The house stands as its plan says: who imports whom, what is pure, how large a room may grow.

Every rule is a table or a number at the top of this file; the tests below only
read the sources.
"""

from __future__ import annotations

import ast
import fnmatch
import os
import re
import sys
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Optional

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LONGEST_FILE = 600
FULLEST_FOLDER = 25

# Room → what its modules may import of bramble, besides their own room. A name with a dot is one
# module of a room. `bramble` itself is the version; it makes the path of modules safe first.
MAY_IMPORT = {
    "": ("isolation",),
    "errors": (),
    "interpreter": (),
    "record": (),
    "recall": (),
    "starlark": (),
    "store": ("errors",),
    "derivation": ("errors", "store.digest", "store.path"),
    "sandbox": ("", "errors", "interpreter"),
    "library": (),
    "signatures": (),
    "packages": ("errors", "project", "signatures", "recall"),
    "project": ("errors", "library", "recall"),
    "lang": ("errors", "starlark", "derivation", "project", "library", "recall"),
    "build": ("", "errors", "interpreter", "store", "derivation", "sandbox"),
    "cache": ("errors", "store", "derivation"),
    "remote": ("errors", "derivation", "build"),
    "image": ("errors", "store"),
    "self": ("", "errors", "project.toml", "store.digest"),
    "serving": ("errors",),
    # It starts whatever the file holds.
    "self.boot": ("__main__",),
    "commands": (
        *("", "errors", "self", "starlark", "store", "derivation", "sandbox", "project", "lang", "build"),
        *("cache", "remote", "image", "recall", "packages", "serving"),
    ),
    "cli": ("", "errors", "interpreter", "commands", "recall"),
    "isolation": (),
    "__main__": ("isolation", "cli"),
}

# What classes are made of, in every room but the language, which has its own: it can be published alone.
FOR_ALL_ROOMS, BUT_FOR = ("record",), ("starlark",)

# What every floor of the store speaks of; and what those that keep something in it stand on.
STORE_SPEAKS_OF = ("store.digest", "store.shape", "store.path", "store.model", "store.late")
STORE_KEEPS = (
    *(*STORE_SPEAKS_OF, "store.files", "store.objects", "store.tree"),
    *("store.trust", "store.locks", "store.layout"),
)

# Floor of a room → what its modules may import of that room, besides their own floor: floors and modules.
FLOORS = {
    "starlark.syntax": (
        *("starlark.record", "starlark.errors", "starlark.source", "starlark.spell", "starlark.dialect"),
    ),
    "starlark.runtime": ("starlark.record", "starlark.errors", "starlark.spell", "starlark.late"),
    "starlark.compile": (
        *("starlark.record", "starlark.errors", "starlark.source", "starlark.spell", "starlark.dialect"),
        *("starlark.syntax", "starlark.runtime"),
    ),
    # It is compared with the compiler, and knows nothing of it.
    "starlark.reference": (
        *("starlark.record", "starlark.errors", "starlark.source", "starlark.spell", "starlark.dialect"),
        *("starlark.syntax", "starlark.runtime"),
    ),
    "starlark.compile.facts": ("starlark.syntax",),
    "starlark.compile.constructs": (
        *("starlark.errors", "starlark.syntax", "starlark.runtime"),
        *("starlark.compile.facts", "starlark.compile.context", "starlark.compile.python_tree"),
    ),
    "store.files": ("store.path",),
    "store.objects": ("store.digest", "store.path"),
    "store.tree": (*STORE_SPEAKS_OF, "store.files", "store.objects"),
    "store.trust": (*STORE_SPEAKS_OF, "store.files"),
    "store.locks": (*STORE_SPEAKS_OF, "store.files"),
    "store.layout": (*STORE_SPEAKS_OF, "store.files", "store.trust", "store.locks"),
    "store.records": STORE_KEEPS,
    "store.history": (*STORE_KEEPS, "store.records"),
    "store.gc": (*STORE_KEEPS, "store.records", "store.history"),
    "store.publish": (*STORE_KEEPS, "store.records", "store.gc.removal"),
    "store.questions": (*STORE_KEEPS, "store.records", "store.history", "store.gc"),
    "store.transfer": (*STORE_KEEPS, "store.records", "store.gc", "store.publish"),
}
# The annotations of a floor may name the types of these, too.
FLOORS_NAME = {"starlark.runtime": ("starlark.thread",)}

# Floors whose classes have no bases of another file: a long class cut into files by inheritance is no floor.
COMPOSED = ("starlark.compile",)

# Modules that are functions of their arguments: no files, no clocks, no processes, no chance.
PURE = (
    *("errors", "record"),
    *("starlark.record", "starlark.errors", "starlark.source", "starlark.spell", "starlark.dialect"),
    "starlark.late",
    "starlark.syntax.*",
    "starlark.compile.facts.*",
    "derivation.*",
    *("store.digest", "store.shape", "store.path", "store.model", "store.objects.*"),
    *("store.gc.mark", "store.trust.schema"),
    *("store.history.model", "store.history.changes"),
    *("sandbox.spec", "sandbox.steps", "sandbox.layout", "sandbox.vocabulary", "sandbox.wire"),
    "sandbox.walls.*",
    *("self.metadata", "self.sdist"),
    "signatures.*",
    *("packages.edit", "packages.names", "packages.select", "packages.registry.*"),
    *("project.lockedit", "project.names", "project.packages", "project.toml", "project.toml_scalars"),
    *("project.versions", "serving.request", "serving.answer"),
    *("build.events", "build.plan"),
)
IMPURE_IMPORTS = frozenset(
    {
        *("os", "posix", "io", "pathlib", "glob", "shutil", "tempfile", "fcntl", "mmap", "stat", "platform"),
        *("socket", "ssl", "http", "urllib.request", "select", "selectors", "subprocess", "multiprocessing"),
        *("signal", "ctypes", "threading", "asyncio", "concurrent", "queue", "time", "datetime"),
        *("random", "secrets", "uuid", "locale", "getpass", "pwd", "resource", "sys", "logging"),
    }
)
# Modules that import by name what is seldom needed: commands, built-in builders, the sandbox's launcher.
# Every name of a module that stands in them as text counts as an import.
MAY_IMPORT_BY_NAME = (
    *("cli.first", "cli.invocation", "cli.main", "cli.table", "cli.building", "cli.progress"),
    *("cli.verbs.build", "cli.verbs.completion", "cli.verbs.run", "cli.verbs.test", "self.boot"),
    *("cli.verbs.self.command", "cli.verbs.store.command", "cli.verbs.packages.registry.command"),
    *("commands.build", "commands.context.packages", "commands.context.evaluation", "starlark"),
    *("commands.context.visits", "commands.again", "lang.failure", "lang.loader", "sandbox.refusals"),
    *("build.builder", "build.maker", "build.builtin", "build.pins", "store.late", "store.locks.uses"),
    *("project.lockfile", "sandbox.start", "sandbox.launch", "sandbox.running"),
    *("starlark.late", "starlark.startup"),
)
MODULE_NAME = re.compile(r"bramble(\.[A-Za-z_][A-Za-z0-9_]*)+")
FORBIDDEN_WORDS = ("TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK")


@dataclass(frozen=True)
class Module:
    """One source file: its name without `bramble.`, and what it says."""

    name: str
    path: str
    text: str
    tree: ast.Module

    @property
    def room(self) -> str:
        return self.name.partition(".")[0]

    @property
    def is_door(self) -> bool:
        return os.path.basename(self.path) == "__init__.py"


@dataclass(frozen=True)
class Import:
    """One import of one module: what it names, where, and how."""

    target: str  # absolute, with dots
    line: int
    in_function: bool
    for_types: bool  # under `if TYPE_CHECKING`
    by_name: bool = False  # a text in a module that imports by name


def sources(*tops: str) -> Iterator[str]:
    for top in tops:
        for directory, names, files in os.walk(os.path.join(TOP, top)):
            # Templates are data: a program in Python among them is somebody's first project.
            data = "templates" if directory.endswith("/commands") else "__pycache__"
            names[:] = sorted(name for name in names if not name.startswith((".", "__pycache__", data)))
            for name in sorted(files):
                if name.endswith(".py"):
                    yield os.path.join(directory, name)


def read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def load(package: str) -> dict[str, Module]:
    found = {}
    for path in sources(package):
        relative = os.path.relpath(path, os.path.join(TOP, package))[: -len(".py")]
        parts = [part for part in relative.split(os.sep) if part != "__init__"]
        text = read(path)
        found[".".join(parts)] = Module(".".join(parts), path, text, ast.parse(text, path))
    return found


BRAMBLE = load("bramble")
CONFORMANCE = load("conformance")


def imports(module: Module, package: str = "bramble") -> Iterator[Import]:
    """Yield every import, wherever it stands; relative ones are made absolute."""

    def walk(node: ast.AST, in_function: bool, for_types: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            inside = in_function or isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            types_only = for_types or (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test))
            if isinstance(child, ast.Import):
                for alias in child.names:
                    yield Import(alias.name, child.lineno, in_function, for_types)
            elif isinstance(child, ast.Constant) and module.name in MAY_IMPORT_BY_NAME:
                if MODULE_NAME.fullmatch(str(child.value)):
                    yield Import(str(child.value), child.lineno, False, for_types, True)
            elif isinstance(child, ast.Call) and ast.unparse(child.func) == "late":
                target = f"bramble.{module.room}.{ast.literal_eval(child.args[0])}"
                yield Import(target, child.lineno, False, for_types, True)
            elif isinstance(child, ast.ImportFrom):
                base = absolute(module, package, child)
                for alias in child.names:
                    yield Import(
                        f"{base}.{alias.name}" if base else alias.name, child.lineno, in_function, for_types
                    )
            yield from walk(child, inside, types_only)

    return walk(module.tree, False, False)


def absolute(module: Module, package: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    whole = [package, *(module.name.split(".") if module.name else [])]
    folder = whole if module.is_door else whole[:-1]
    folder = folder[: len(folder) - node.level + 1]
    return ".".join([*folder, *([node.module] if node.module else [])])


def module_of(target: str) -> Optional[str]:
    """Return the module of bramble that an import means: the longest beginning of it that is one."""
    if target != "bramble" and not target.startswith("bramble."):
        return None
    parts = target.split(".")[1:]
    while parts and ".".join(parts) not in BRAMBLE and ".".join(parts) not in MAY_IMPORT:
        parts.pop()
    return ".".join(parts)


def allowed(module: Module, target: str) -> bool:
    if target == module.name or (target.partition(".")[0] == module.room and target):
        return True
    if target in FOR_ALL_ROOMS and module.room not in BUT_FOR:
        return True
    for name in (*MAY_IMPORT.get(module.room, ()), *MAY_IMPORT.get(module.name, ())):
        if target == name or (name and target.startswith(name + ".")):
            return True
    return False


def where(module: Module, line: int) -> str:
    return f"{os.path.relpath(module.path, TOP)}:{line}"


def is_pure(module: Module) -> bool:
    return any(
        module.name == name or (name.endswith(".*") and module.name.startswith(name[:-1])) for name in PURE
    )


def none(wrong: Sequence[str]) -> None:
    """Demand that nothing is wrong; say all that is."""
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


def test_every_room_stands_in_the_table() -> None:
    assert sorted({module.room for module in BRAMBLE.values()} - set(MAY_IMPORT)) == []


def test_rooms_import_only_the_rooms_below_them() -> None:
    wrong = []
    for module in BRAMBLE.values():
        for one in imports(module):
            target = module_of(one.target)
            if target is not None and not allowed(module, target):
                wrong.append(
                    f"{where(module, one.line)}: {module.room or 'bramble'} imports bramble.{target}"
                )
    none(wrong)


def test_floors_import_only_the_floors_below_them() -> None:
    wrong = []
    for module in BRAMBLE.values():
        for floor, below in FLOORS.items():
            if not inside(module.name, floor):
                continue
            for one in imports(module):
                target = module_of(one.target) or ""
                known = (floor, *below, *(FLOORS_NAME.get(floor, ()) if one.for_types else ()))
                if target.partition(".")[0] == module.room and not any(inside(target, n) for n in known):
                    wrong.append(f"{where(module, one.line)}: {floor} imports bramble.{target}")
    none(wrong)


def test_what_is_loaded_late_is_there() -> None:
    wrong = [
        f"{where(module, one.line)}: {one.target}"
        for module in BRAMBLE.values()
        for one in imports(module)
        if one.by_name and one.target.startswith("bramble.st") and one.target[8:] not in BRAMBLE
    ]
    none(wrong)


def test_no_class_of_the_compiler_is_continued_in_another_file() -> None:
    wrong = []
    for module in BRAMBLE.values():
        if any(inside(module.name, floor) for floor in COMPOSED):
            here = {node.name for node in module.tree.body if isinstance(node, ast.ClassDef)}
            for node in ast.walk(module.tree):
                bases = [ast.unparse(base) for base in node.bases] if isinstance(node, ast.ClassDef) else []
                wrong += [
                    f"{where(module, node.lineno)}: {base}"
                    for base in bases
                    if base not in (*here, "Exception")
                ]
    none(wrong)


def inside(name: str, place: str) -> bool:
    return name == place or name.startswith(f"{place}.")


def test_the_language_knows_nothing_of_bramble_and_imports_relatively() -> None:
    wrong = []
    for module in BRAMBLE.values():
        if module.room == "starlark":
            for node in ast.walk(module.tree):
                named = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom):
                    whole = absolute(module, "bramble", node)
                    inside = node.level and f"{whole}.".startswith("bramble.starlark.")
                    named = ["" if inside else whole]
                wrong += [
                    f"{where(module, getattr(node, 'lineno', 0))}: {name}"
                    for name in named
                    if name.split(".")[0] == "bramble"
                ]
    none(wrong)


def test_imports_stand_at_the_top_of_a_module() -> None:
    wrong = [
        f"{where(module, one.line)}: imports {one.target} within a function"
        for modules in (BRAMBLE, CONFORMANCE)
        for module in modules.values()
        for one in imports(module)
        if one.in_function
    ]
    none(wrong)


def test_only_modules_of_the_list_import_by_name() -> None:
    wrong = []
    for module in BRAMBLE.values():
        for node in ast.walk(module.tree):
            if isinstance(node, (ast.Name, ast.Attribute)):
                name = node.id if isinstance(node, ast.Name) else node.attr
                if name in ("__import__", "import_module") and module.name not in MAY_IMPORT_BY_NAME:
                    wrong.append(f"{where(module, node.lineno)}: {name}")
    none(wrong)


def run_by(module: Module) -> list[str]:
    """Return the modules that importing this one runs, and of other rooms those that its types name, too.

    Within a room two modules may name each other's types: nothing runs in a circle.
    """
    found = set()
    for one in imports(module):
        target = module_of(one.target)
        if target is None or target == module.name or one.by_name:
            continue
        if not one.for_types or target.partition(".")[0] != module.room:
            found.add(target)
    return sorted(found)


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = {module.name: run_by(module) for module in BRAMBLE.values()}
    # A door imports nothing, but for the language's, which shows what stands behind it.
    graph.pop("starlark", None)
    done: set[str] = set()
    cycles = []

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            cycles.append(" → ".join([*path[path.index(name) :], name]))
        elif name not in done:
            for target in graph.get(name, ()):
                visit(target, (*path, name))
            done.add(name)

    for name in sorted(graph):
        visit(name, ())
    none(cycles)


def test_pure_modules_reach_for_nothing_outside() -> None:
    wrong = []
    for module in BRAMBLE.values():
        if not is_pure(module):
            continue
        for one in imports(module):
            outside = {".".join(one.target.split(".")[:n]) for n in (1, 2)} & IMPURE_IMPORTS
            target = module_of(one.target)
            if outside:
                wrong.append(f"{where(module, one.line)}: a pure module imports {one.target}")
            elif (
                target and target in BRAMBLE and not BRAMBLE[target].is_door and not is_pure(BRAMBLE[target])
            ):
                wrong.append(
                    f"{where(module, one.line)}: a pure module imports bramble.{target}, which is not"
                )
        wrong += [
            f"{where(module, node.lineno)}: a pure module calls {node.func.id}()"
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("open", "print", "input")
        ]
    none(wrong)


def test_the_list_of_pure_modules_names_modules_that_exist() -> None:
    assert [name for name in PURE if not any(is_pure_by(name, module) for module in BRAMBLE)] == []


def is_pure_by(name: str, module: str) -> bool:
    return module == name or (name.endswith(".*") and module.startswith(name[:-1]))


def test_doors_import_nothing() -> None:
    wrong = [
        f"{where(module, one.line)}: imports {one.target}"
        for package, modules in (("bramble", BRAMBLE), ("conformance", CONFORMANCE))
        for module in modules.values()
        if module.is_door and module.name != "starlark"
        for one in imports(module, package)
        if not one.target.startswith(("__future__", "bramble.isolation"))
    ]
    none(wrong)


def test_every_room_has_a_door_with_a_sign() -> None:
    wrong = []
    for package, modules in (("bramble", BRAMBLE), ("conformance", CONFORMANCE)):
        for directory in sorted({os.path.dirname(module.path) for module in modules.values()}):
            name = os.path.relpath(directory, os.path.join(TOP, package)).replace(os.sep, ".")
            door = modules.get("" if name == "." else name)
            if door is None or not ast.get_docstring(door.tree):
                wrong.append(os.path.relpath(directory, TOP))
    none(wrong)


def test_the_suite_knows_nothing_of_the_implementation() -> None:
    paths = [*sources("conformance"), *sources(os.path.join("tests", "conformance"))]
    wrong = []
    for path in paths:
        for node in ast.walk(ast.parse(read(path), path)):
            named = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            named += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            wrong += [
                f"{os.path.relpath(path, TOP)}: {name}" for name in named if name.split(".")[0] == "bramble"
            ]
    none(wrong)


@pytest.mark.skipif(sys.version_info < (3, 10), reason="the interpreter cannot list its library")
def test_nothing_but_the_standard_library_is_needed() -> None:
    known = {*getattr(sys, "stdlib_module_names", ()), "bramble", "conformance", "tomllib"}
    wrong = []
    for package, modules in (("bramble", BRAMBLE), ("conformance", CONFORMANCE)):
        for module in modules.values():
            wrong += [
                f"{where(module, one.line)}: {one.target}"
                for one in imports(module, package)
                if one.target.split(".")[0] not in known and not one.for_types
            ]
    none(wrong)


def test_no_file_is_longer_than_one_can_read_in_a_sitting() -> None:
    lengths = {
        os.path.relpath(path, TOP): read(path).count("\n")
        for path in sources("bramble", "conformance", "tests")
    }
    none([f"{path} has {length} lines" for path, length in lengths.items() if length > LONGEST_FILE])


def test_no_folder_is_fuller_than_one_can_look_through() -> None:
    wrong = []
    for directory in sorted({os.path.dirname(path) for path in sources("bramble", "conformance")}):
        shown = os.path.relpath(directory, TOP)
        files = [name for name in os.listdir(directory) if os.path.isfile(os.path.join(directory, name))]
        if len(files) > FULLEST_FOLDER:
            wrong.append(f"{shown}: {len(files)} files")
    none(wrong)


def test_no_folder_of_tests_is_passed_by(pytestconfig: pytest.Config) -> None:
    passed_by = [
        os.path.relpath(os.path.join(directory, name), TOP)
        for directory, names, _files in os.walk(os.path.join(TOP, "tests"))
        for name in names
        if name != "__pycache__"
        and any(fnmatch.fnmatch(name, pattern) for pattern in pytestconfig.getini("norecursedirs"))
    ]
    assert passed_by == []


def test_nothing_is_left_for_later() -> None:
    wrong = []
    for path in sources("bramble", "conformance", "tests"):
        for number, line in enumerate(read(path).splitlines(), 1):
            wrong += [
                f"{os.path.relpath(path, TOP)}:{number}: {word}"
                for word in FORBIDDEN_WORDS
                if word in line.split()
            ]
            wrong += [
                f"{os.path.relpath(path, TOP)}:{number}: {word}"
                for word in FORBIDDEN_WORDS
                if f"{word}:" in line
            ]
    none(wrong)


def constants(code: types.CodeType) -> Iterator[object]:
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from constants(constant)
        elif isinstance(constant, (tuple, frozenset)):
            yield from constant
        else:
            yield constant


def test_the_prefix_of_record_stands_whole_nowhere_in_the_program() -> None:
    # Relocating the program itself would rewrite it there (spec: store.prefix-of-record).
    prefix = "/".join(("", "home", "bramble", "bramble", "bramble_store_padding", "bramb"))
    wrong = []
    for directory, _, files in os.walk(os.path.join(TOP, "bramble")):
        for name in files:
            if not name.endswith(".pyc"):
                with open(os.path.join(directory, name), "rb") as file:
                    if prefix.encode() in file.read():
                        wrong.append(os.path.join(directory, name))
    for module in BRAMBLE.values():
        for constant in constants(compile(module.text, module.path, "exec")):
            text = constant.decode("latin-1") if isinstance(constant, bytes) else str(constant)
            if prefix in text:
                wrong.append(f"{module.path} (compiled)")
    none(wrong)


def test_every_module_is_python_3_9_with_annotations_that_cost_nothing() -> None:
    wrong = []
    for modules in (BRAMBLE, CONFORMANCE):
        for module in modules.values():
            try:
                ast.parse(module.text, module.path, feature_version=(3, 9))
            except SyntaxError as problem:
                wrong.append(f"{where(module, problem.lineno or 0)}: {problem.msg}")
            # Those that run before the path of modules is safe look for no file (spec: cli.modules), and a
            # Python that is too old has to be able to read the first of all.
            early = modules is BRAMBLE and module.name in (
                "isolation",
                "interpreter",
                "__main__",
                "self.boot",
                "self.main",
            )
            if not module.is_door and not early and "from __future__ import annotations\n" not in module.text:
                wrong.append(f"{where(module, 1)}: from __future__ import annotations")
    none(wrong)


def test_a_python_that_is_too_old_can_read_what_the_one_file_starts_with() -> None:
    for name in ("self.boot", "self.main"):
        ast.parse(BRAMBLE[name].text, feature_version=(3, 4))
