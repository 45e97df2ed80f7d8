"""Starlark, projects and derivations brought together: the evaluation of targets (chapter 3)."""

from __future__ import annotations

import os

from conformance.mini import derivation as recipes
from conformance.mini import project as projects
from conformance.mini import toml
from conformance.mini.evaluator import Builtin, Function, Machine
from conformance.mini.library import METHODS, assert_module, builtin, json_module, universe
from conformance.mini.reader import Failure
from conformance.mini.values import Dict, List, Named, items_of, type_name

MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
SEQUENCE = (List, tuple)


class Derivation(Named):
    """A derivation as programs see it: its outputs by name (spec: dialect.derivation.value)."""

    missing = "derivation.unknown-output"

    def __init__(self, key, outputs):
        super().__init__("derivation", {output: f"{{{{ {key}:{output} }}}}" for output in outputs})
        self.key = key

    def text(self):
        return next(iter(self.fields.values()))

    def __eq__(self, other):
        return isinstance(other, Derivation) and self.key == other.key

    def __hash__(self):
        return hash(self.key)


class Evaluation:
    """Evaluates targets of one project; `graph` are all derivations that were made, `places` where."""

    def __init__(self, directory, out, target=None, steps=None):
        self.directory, self.graph, self.places, self.warned, self.tests = directory, {}, {}, set(), []
        self.found = set()  # what files() has returned
        self.main = projects.config(projects.find(directory))
        self.projects, self.modules, self.where, self.busy = projects.packages(self.main), {}, {}, []
        self.platform = "linux-" + MACHINES.get(os.uname().machine, os.uname().machine)
        words = {"arch": self.platform[6:], "os": "linux", "platform": self.platform}
        system = Named("module", words, "sys")
        hidden = Named("module", {**words, "target": target or self.platform}, "sys")
        # `dir` does not list a target that nobody asked for (spec: dialect.sys.target).
        hidden.listed = list(hidden.fields if target else system.fields)
        names = {
            name: Builtin(name, builtin(getattr(self, name)))
            for name in ("derivation", "files", "read", "run", "test")
        }
        decode = Builtin("decode", builtin(self.decode))
        names.update(
            assert_=assert_module(),
            json=json_module(),
            sys=hidden,
            toml=Named("module", {"decode": decode}, "toml"),
        )
        names["assert"] = names.pop("assert_")
        self.target, self.machine = target, Machine({**universe(), **names}, METHODS, self.load, out, steps)

    # Modules

    def load(self, name):
        """Return a module, executed once (spec: dialect.load)."""
        if name[:1] == "/" or not {"", ".", ".."}.isdisjoint(name.split("/")):
            raise Failure("load.relative", f"{name} is relative")
        loader = self.where.get(self.machine.files[-1], (self.main,))[0] if self.machine.files else self.main
        owner = projects.belongs(name, self.projects)
        allowed = {asked.name for asked in loader.requires} | {loader.name}
        if self.machine.files and owner is not None and owner not in allowed:
            raise Failure("load.undeclared", f"bramble.toml of {loader.name} does not require {owner}")
        if name in self.busy:
            raise Failure("load.cycle", " loads ".join([*self.busy, name]))
        if name not in self.modules:
            project, file = projects.module_file(self.projects, name)
            text = projects.read(project.root, file, "load.unreadable", "load.outside")
            place = project.prefix + file
            self.where[place] = (project, os.path.dirname(file))
            self.busy.append(name)
            try:
                text = text.decode()
            except UnicodeDecodeError as problem:
                raise Failure(
                    "syntax.encoding", "not UTF-8", (text[: problem.start].count(b"\n") + 1, 1), place
                ) from None
            tree, names = self.machine.run(text, place, load_module=True)
            self.busy.pop()
            shared = {name: value for name, value in names.items() if name[0] != "_"}
            self.modules[name] = Named("module", shared, name)
            self.modules[name].tree, self.modules[name].file = tree, place
        return self.modules[name]

    # Targets

    def evaluate(self, texts):
        """Return the results of targets and the graph that they need (spec: dialect.target.order)."""
        results, docs = {}, {}
        for text in texts:
            names, function = projects.targets(self.projects, self.main, text, self.directory)
            for name in names:
                module = self.load(name)
                defined = {node.parts[0].parts[0]: node for node in module.tree if node.kind == "def"}
                for one in [function] if function else sorted(defined):
                    value, label = module.fields.get(one), f"{name}:{one}"
                    if not isinstance(value, Function):
                        if function:
                            raise Failure("load.unknown-function", f"{name} has no function {one}")
                        continue
                    node = value.node
                    open_ = [p for p in node.parts[1] if not p[0] and not p[2]]
                    if function and open_:
                        raise Failure("load.parameters", f"{one} needs arguments", node.at, value.file)
                    if label not in results and not open_:
                        results[label] = self.roots(self.machine.call(value), function and value)
                        docs[label] = docstring(node.parts[2])
        keys = [key for keys in results.values() for key in keys]
        graph = recipes.closure(self.graph, [*keys, *self.tests])
        listed = [{"target": label, "derivations": keys} for label, keys in results.items()]
        return listed, graph, {label: doc for label, doc in docs.items() if doc}

    def roots(self, value, function):
        """Return the ids of what a function returned (spec: dialect.target.result)."""
        if isinstance(value, Named) and value.type in ("derivation", "run"):
            return [value.key]
        if value is None or isinstance(value, (Dict, *SEQUENCE)) or type_name(value) == "set":
            items = (
                [one for _, one in value.items.values()]
                if isinstance(value, Dict)
                else value and items_of(value)
            )
            found = [key for item in items or () for key in self.roots(item, function)]
            return list(dict.fromkeys(found))
        if function:
            at, file = function.node.at, function.file
            raise Failure("load.result", f"{function.name} returns a {type_name(value)}", at, file)
        return []

    # What programs call; m is the machine

    def derivation(
        self,
        m,
        name,
        builder,
        args=(),
        sources=(),
        env=None,
        outputs=("out",),
        platform="",
        network=False,
        target="",
    ):
        """spec: dialect.derivation"""
        self.in_function(m)

        def want(parameter, fact):
            if not fact:
                raise Failure("derivation." + parameter, f"derivation: {parameter} has a wrong type")

        def text(parameter, value):
            want(parameter, isinstance(value, (str, Derivation)))
            return value.text() if isinstance(value, Derivation) else value

        env = Dict({}) if env is None else env
        for parameter, value in (("args", args), ("sources", sources), ("outputs", outputs)):
            want(parameter, isinstance(value, SEQUENCE))
        for parameter, value in (("name", name), ("platform", platform), ("target", target)):
            want(parameter, isinstance(value, str))
        want("network", isinstance(network, bool))
        want("outputs", all(isinstance(output, str) for output in items_of(outputs)))
        want("sources", all(isinstance(source, str) for source in items_of(sources)))
        want("env", isinstance(env, Dict) and all(isinstance(key, str) for key in items_of(env)))
        builder, args = text("builder", builder), [text("args", arg) for arg in items_of(args)]
        env = {key: text("env", value) for key, value in env.items.values()}
        files, location = self.sources(m, items_of(sources))
        target = "" if target == (platform or self.platform) else target
        platform = "" if platform == self.platform else platform
        made = recipes.make(
            name, builder, args, env, files, location, items_of(outputs), platform, network, target
        )
        self.known(made["Dependencies"])
        key = recipes.identity(made)
        self.graph[key] = made
        self.places.setdefault(key, (m.files[-1], m.at))
        return Derivation(key, made["Outputs"])

    def in_function(self, m):
        """spec: dialect.derivation.place"""
        if not m.active:
            raise Failure("derivation.misplaced", "it is called outside of a function")

    def known(self, needed):
        """spec: dialect.derivation.references"""
        for one in needed or ():
            if one["Hash"] not in self.graph:
                raise Failure("derivation.unknown-reference", f"there is no derivation {one['Hash']}")
            if one["Output"] not in self.graph[one["Hash"]]["Outputs"]:
                raise Failure("derivation.unknown-output", f"{one['Hash']} has no output {one['Output']}")

    def sources(self, m, texts):
        """Return the files and the location (spec: dialect.derivation.location)."""
        if self.where[m.files[-1]][0] is not self.main and any(
            "//" not in text and text not in self.found for text in texts
        ):
            raise Failure("derivation.sources", "a package names sources as PROJECT//PATH")
        owners = {text.partition("//")[0] if "//" in text and text[0] != "/" else "" for text in texts}
        if len(owners) > 1 or not owners <= {"", *self.projects}:
            raise Failure("derivation.sources", "all sources are files of one project")
        project = self.projects.get(next(iter(owners), ""), self.main)
        paths = [text.rpartition("//")[2] for text in texts] if owners != {""} else texts
        if not all(map(recipes.is_path, paths)):
            raise Failure("derivation.sources", "a source is a path from the root of its project")
        files = [path for path in paths if projects.checked(project.root, path, True, True)]
        files = [
            path
            for path in files
            if os.path.islink(f"{project.root}/{path}") or os.path.isfile(f"{project.root}/{path}")
        ]
        own = (self.where[file][1] for file in reversed(m.files) if self.where[file][0] is project)
        return files, (project.name + "//" if project is not self.main else "") + next(own, "")

    def files(
        self,
        m,
        include: SEQUENCE,
        exclude: SEQUENCE = (),
        exclude_directories: bool = True,
        allow_empty: bool = None,
    ):
        """spec: dialect.files"""
        project, base = self.where[m.files[-1]]
        found, unmatched = projects.sources(
            project.root, base, items_of(include), items_of(exclude), not exclude_directories
        )
        if not found and allow_empty is False:
            raise Failure("load.source-none", "nothing matches")
        for pattern in unmatched if allow_empty is None else ():
            place = f'{m.files[-1]}:{m.at[0]}:{m.at[1]}: no file matches "{pattern}"'
            if place not in self.warned:
                self.warned.add(place)
                m.out("warning: " + place)
        found = [project.name + "//" + path if project.prefix else path for path in found]
        self.found.update(found)
        return List(found)

    def read(self, m, path: str):
        """spec: dialect.read"""
        project, base = self.where[m.files[-1]]
        parts = projects.divided(base, path)
        if projects.is_wild(parts):
            raise Failure("load.source-missing", f"{path} has a wildcard")
        projects.checked(project.root, "/".join(parts), True, False)
        data = projects.read(project.root, "/".join(parts), "load.source-missing")
        try:
            return data[: 1 << 24].decode() if len(data) <= 1 << 24 else b"\xff".decode()
        except UnicodeDecodeError:
            raise Failure("load.source-text", f"{path} is too long, or not UTF-8") from None

    def decode(self, m, text: str, /):
        """spec: dialect.toml"""

        def value(one):
            if isinstance(one, dict):
                return Dict.of((key, value(inner)) for key, inner in one.items())
            return List([value(inner) for inner in one]) if isinstance(one, list) else one

        try:
            return value(toml.loads(text, "eval.toml"))
        except Failure as failure:
            raise Failure(failure.code, failure.message) from None

    def of_derivation(self, value):
        """Return the id of a derivation, given as it is or as one reference."""
        found = recipes.REFERENCE.fullmatch(value) if isinstance(value, str) else None
        if not isinstance(value, Derivation) and not found:
            raise Failure("eval.argument", "a derivation is wanted")
        return found[1] if found else value.key

    def refer(self, texts):
        """Return strings for strings and derivations; their references are to what there is."""
        if not all(isinstance(text, (str, Derivation)) and "\x00" not in str(text) for text in texts):
            raise Failure("eval.argument", "strings and derivations without NUL are wanted")
        texts = [text.text() if isinstance(text, Derivation) else text for text in texts]
        self.known(recipes.dependencies({"Builder": "", "Args": texts, "Env": None}))
        return texts, [found[1] for text in texts for found in recipes.REFERENCE.finditer(text)]

    def run(
        self, m, derivation, cmd: str, args: SEQUENCE = (), paths: SEQUENCE = (),
        read_only_paths: SEQUENCE = (),
        hidden_paths: SEQUENCE = (), network: bool = False, env: Dict = None, closure_path: bool = False,
    ):  # fmt: skip
        """spec: dialect.run, dialect.run.references"""
        value = Named("run", {}, cmd)
        value.key = self.of_derivation(derivation)
        variables = dict(env.items.values()) if env else {}
        places, _ = self.refer(
            [one for some in (paths, read_only_paths, hidden_paths) for one in items_of(some)]
        )
        _, needed = self.refer([*items_of(args), *places, *variables.values()])
        bad = not cmd or "\x00" in cmd or recipes.REFERENCE.search(cmd)
        for path in places:
            found = recipes.REFERENCE.match(path)
            tail = path[found.end() :] if found else ""
            bad = (
                bad
                or recipes.REFERENCE.search(tail if found else path)
                or (tail and (tail[0] != "/" or "/../" in tail + "/"))
            )
        if bad or any(not isinstance(key, str) or not key or "=" in key for key in variables):
            raise Failure("eval.argument", "run: a command, a path or a variable cannot be so")
        self.tests += needed
        return value

    def test(self, m, derivation, args: SEQUENCE = ()):
        """spec: dialect.test"""
        self.in_function(m)
        texts, needed = self.refer(items_of(args))
        if texts and not texts[0]:
            raise Failure("eval.argument", "test: the program is empty")
        self.tests += [self.of_derivation(derivation), *needed]


def docstring(body):
    """Return the string that a body begins with, or an empty one."""
    first = body[0].parts[0] if body and body[0].kind == "expression" else None
    return first.parts[0] if first and first.kind == "literal" and isinstance(first.parts[0], str) else ""
