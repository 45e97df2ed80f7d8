"""The command line: reads arguments and environment, prints results and errors (chapters 9 and 13)."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from functools import partial

from conformance.mini import derivation, project, store
from conformance.mini.dialect import Evaluation, docstring
from conformance.mini.evaluator import Builtin, Machine
from conformance.mini.library import METHODS, assert_module, json_module, struct, universe
from conformance.mini.reader import Failure, Reader
from conformance.mini.resolver import Failures
from conformance.mini.values import Named

VALUES = ("-C", "--target", "--eval-steps", "--graph", "--root", "--store-of")
ALLOWED = tuple("--allow-" + name for name in ("recursion", "while", "global-reassign", "toplevel-control"))
FLAGS = (*ALLOWED, "--json", "--just-parse", "--offline", "--each", "--no-cache", "--version", "-V")
HELLO = 'def hello_world():\n    return derivation("hello", "host_tools", env={"tools": "sh"})\n'


class Usage(Exception):
    """A command line that cannot be understood: a code and a message."""


def options(words):
    """Return the options and the operands of a command line (spec: cli.usage)."""
    found, operands, words = {}, [], iter(words)
    for word in words:
        if word in VALUES:
            found[word] = next(words, None)
            if not found[word]:
                raise Usage("cli.usage", f"{word} needs a value")
        elif word in FLAGS:
            found[word] = True
        elif word.startswith("-") and word != "-":
            raise Usage("cli.unknown-option", f"there is no option {word}")
        else:
            operands.append(word)
    return found, operands


def evaluation(chosen):
    steps = chosen.get("--eval-steps") or os.environ.get("BRAMBLE_EVAL_STEPS")
    if steps and not (steps.isascii() and steps.isdigit()):
        raise Usage("cli.usage", f"{steps} is not a number of steps")
    target = chosen.get("--target")
    return Evaluation(
        os.getcwd(), lambda text: print(text, file=sys.stderr), target, int(steps) if steps else None
    )


def evaluated(chosen, operands):
    """Return the document that `graph` prints (spec: cli.build.just-parse, derivation.document)."""
    if "--graph" in chosen:
        if operands:
            raise Failure("graph.targets", "a graph and a target are both given")
        if not os.path.isdir(chosen.get("--root", ".")):
            raise Failure("graph.root", f"{chosen['--root']} is no directory")
        try:
            file = 0 if chosen["--graph"] == "-" else chosen["--graph"]
            with open(file, "rb") as opened:
                results, graph = derivation.read_document(opened.read())
        except OSError as problem:
            raise Failure("graph.unreadable", str(problem)) from None
        wanted = [key for one in results for key in one["derivations"]]
        return {"version": 1, "results": results, "graph": derivation.closure(graph, wanted)}
    if not operands:
        raise Usage("cli.usage", "a target is missing")
    work = evaluation(chosen)
    results, graph, docs = work.evaluate(operands)
    places = {
        key: dict(zip(("file", "line", "column"), (work.places[key][0], *work.places[key][1])))
        for key in graph
    }
    return {"version": 1, "results": results, "graph": graph, "places": places, "docs": docs}


def build(chosen, operands):
    if "--just-parse" not in chosen:
        raise Usage("cli.usage", "this implementation builds nothing")
    document = evaluated(chosen, operands)
    if "--json" in chosen:
        print(json.dumps({key: document[key] for key in ("version", "results", "graph")}))


def graph(chosen, operands):
    print(json.dumps(evaluated(chosen, operands)))


def ls(chosen, operands):
    """spec: cli.ls, dialect.ls"""
    main = project.config(project.find(os.getcwd()))
    path, recursive, _ = (operands[0] if operands else ".").partition("/...")
    if not os.path.isdir(path):
        raise Failure("cli.no-directory", f"{path} is not a directory")
    top = os.path.relpath(os.path.realpath(path), main.root)
    names = sorted(os.listdir(os.path.join(main.root, top)))
    # First the module of the directory, then the others in it, then the top modules of the directories in it.
    files = [
        "default.bramble",
        *(name for name in names if name.endswith(".bramble") and name != "default.bramble"),
    ]
    files += [name + "/default.bramble" for name in names]
    files = [os.path.normpath(os.path.join(top, file)) for file in files]
    if recursive:
        found = project.modules_below(main, "" if top == "." else top)
        bases = [name[len(main.name) + 1 :] for name in found]
        files = [
            file for base in bases for file in (os.path.join(base, "default.bramble"), base + ".bramble")
        ]
    modules, failures = [], []
    for file in files:
        above = os.path.dirname(file)
        foreign = above and os.path.lexists(os.path.join(main.root, above, "bramble.toml"))
        if not os.path.isfile(os.path.join(main.root, file)) or foreign:
            continue
        name = re.sub(r"/default\.bramble$|\.bramble$", "", main.name + "/" + file)
        try:
            text = project.read(main.root, file, "load.unreadable").decode()
            tree = Reader(text, load_module=True).file()
        except Failure as failure:
            failures.append(Failure(failure.code, failure.message, failure.at, file))
            continue
        defined = [node for node in tree if node.kind == "def" and node.parts[0].parts[0][0] != "_"]
        functions = [
            {
                "name": node.parts[0].parts[0],
                "parameters": written(text, node),
                "doc": docstring(node.parts[2]),
            }
            for node in defined
        ]
        modules.append({"name": name, "doc": docstring(tree).strip(), "functions": functions})
    if "--json" in chosen:
        print(json.dumps({"version": 1, "modules": modules}))
    for module in modules if "--json" not in chosen else ():
        print(f"Module: {module['name']}\n{module['doc']}\n")
        for function in module["functions"]:
            print(f"    def {function['name']}({function['parameters']})")
            print(f'        """{function["doc"]}"""\n' if function["doc"] else "")
    if failures:
        raise Failures(failures)


def written(text, node):
    """Return the parameters of a `def` as they are written, with the blanks of `a, b=1`."""
    lines = text.splitlines(keepends=True)[node.at[0] - 1 :]
    rest = "".join(lines)[node.at[1] - 1 :].partition("(")[2]
    depth, quote, end = 0, "", 0
    for place, char in enumerate(rest):
        end = place
        if not quote and char == ")" and depth == 0:
            break
        depth += 0 if quote else (char in "([{") - (char in ")]}")
        quote = ("" if quote == char else quote) if quote else char * (char in "\"'")
    return re.sub(r"\s*=\s*", "=", re.sub(r",?\s*$", "", re.sub(r",\s*", ", ", rest[:end].strip())))


def init(chosen, operands):
    """spec: cli.init"""
    directory = operands[0] if operands else "."
    os.makedirs(directory, exist_ok=True)
    name = os.path.basename(os.path.realpath(directory))
    texts = {"bramble.toml": f'[package]\nname = "{name}"\nversion = "0.0.1"\n', "default.bramble": HELLO}
    left = [file for file in texts if not os.path.lexists(os.path.join(directory, file))]
    if not left:
        raise Failure("init.exists", "every file exists already")
    for file in left:
        with open(os.path.join(directory, file), "x") as opened:
            opened.write(texts[file])
        print(file)


def star(chosen, operands):
    """spec: conformance.contract.star, conformance.contract.batch"""
    failed, allowed = False, [flag[len("--allow-") :] for flag in ALLOWED if flag in chosen]
    for file in operands:
        printed, errors = [], []
        names = {
            **universe(),
            "assert": assert_module(),
            "json": json_module(),
            "struct": Builtin("struct", struct),
        }
        machine = Machine(names, METHODS, None, printed.append, None, allowed, loads_first=False)
        machine.load = partial(loaded, machine, {os.path.normpath(file): None})
        try:
            with open(file, encoding="utf-8", newline="") as opened:
                machine.run(opened.read(), file)
        except OSError as problem:
            errors = [Failure("cli.no-file", str(problem))]
        except UnicodeDecodeError:
            errors = [Failure("syntax.encoding", "the text is not UTF-8", (1, 1), file)]
        except Failures as failures:
            errors = failures.errors
        except Failure as failure:
            errors = [failure]
        failed = failed or bool(errors)
        if "--each" in chosen:
            report = {
                "file": file,
                "status": int(bool(errors)),
                "errors": list(map(as_json, errors)),
                "printed": printed,
            }
            print(json.dumps(report))
            continue
        print("".join(line + "\n" for line in printed), end="", file=sys.stderr)
        report_errors(errors)
    return int(failed and "--each" not in chosen)


def loaded(machine, modules, name):
    """Return what a file of `star` loads, run once (spec: starlark.load.command, starlark.load.failure)."""
    path = os.path.normpath(os.path.join(os.path.dirname(machine.files[-1]), name))
    try:
        if path in modules and modules[path] is None:
            raise Failure("eval.load", "cycle in load graph")
        if path not in modules:
            modules[path] = None
            with open(path, encoding="utf-8", newline="") as opened:
                modules[path] = Named("module", machine.run(opened.read(), path)[1], name)
    except (OSError, UnicodeDecodeError, Failure, Failures) as problem:
        problem = problem.errors[0] if isinstance(problem, Failures) else problem
        raise Failure("eval.load", f"cannot load {name}: {problem}") from None
    return modules[path]


def store_command(chosen, operands):
    """`store hash`, and what looks at the place of a store (spec: conformance.contract.hash)."""
    user = chosen.get("--store-of") or os.environ.get("BRAMBLE_STORE_OF")
    if operands[:1] == ["hash"] and len(operands) == 2:
        if not os.path.isdir(operands[1]):
            raise Failure("store.not-a-directory", f"{operands[1]} is no directory")
        print(store.hash_of(operands[1]))
    elif operands == ["path"]:
        print(store.opened(os.environ, user, create=False))
    elif operands in (["optimise"], ["import"]):
        store.opened(os.environ, user)
    else:
        raise Usage(
            "cli.unknown-command" if operands else "cli.usage", "store hash DIR, path, optimise or import"
        )


def gc(chosen, operands):
    if operands:
        raise Usage("cli.usage", "gc takes no operand")
    store.opened(os.environ)


def version(chosen, operands):
    print(json.dumps({"version": 1, "bramble": "mini"}) if "--json" in chosen else "bramble mini")


COMMANDS = {
    "build": build,
    "graph": graph,
    "ls": ls,
    "init": init,
    "star": star,
    "store": store_command,
    "gc": gc,
}
COMMANDS["version"] = version


def as_json(failure):
    """spec: cli.errors.json"""
    at = ":".join(map(str, [failure.file, *(failure.at or ())])) if failure.file else None
    return {"error": failure.code, "at": at, "message": failure.message, "remedy": None, "detail": None}


def report_errors(errors):
    for failure in errors:
        print(json.dumps(as_json(failure)), file=sys.stderr)


def change_directory(path):
    """spec: cli.invocation"""
    try:
        os.chdir(path)
    except OSError as problem:
        raise Failure("cli.no-directory", str(problem)) from None


def main(words):
    """Carry out a command line and return the exit status (spec: cli.exit-status)."""
    try:
        chosen, operands = options(words)
        if "-C" in chosen:
            change_directory(chosen["-C"])
        command = "version" if {"--version", "-V"} & chosen.keys() else operands.pop(0) if operands else ""
        if command not in COMMANDS:
            raise Usage("cli.unknown-command", f"there is no command {command}")
        return COMMANDS[command](chosen, operands) or 0
    except Usage as problem:
        report_errors([Failure(*problem.args)])
        return 2
    except Failures as failures:
        report_errors(failures.errors)
    except Failure as failure:
        report_errors([failure])
    return 1


def start(words):
    """Run with a deep stack, and end the process."""
    statuses = []
    sys.setrecursionlimit(20000)
    threading.stack_size(256 << 20)
    thread = threading.Thread(target=lambda: statuses.append(main(words)))
    thread.start()
    thread.join()
    sys.stdout.flush()
    os._exit(statuses[0] if statuses else 70)
