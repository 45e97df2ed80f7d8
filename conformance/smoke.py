"""The first case of each level: small, generated for each run, and hard to pass without an implementation.

A level whose first case fails is not run: a program that cannot start, or knows nothing of the level, is
told so immediately, and once. The values in the first cases (numbers, names, texts) are random, and what
must come of it is computed here and by the oracle; so answers that were recorded are of no use
(spec: conformance.smoke).

Pure: from a seed to cases.
"""

from __future__ import annotations

from random import Random

from conformance import oracle
from conformance.casefile import LEVELS, Case, parse_case_file, parse_star_file

_LETTERS = "abcdefghijklmnopqrstuvwxyz"

_PROJECT = """\
-- bramble.toml --
[package]
name = "example.test/{package}"
version = "0.0.1"
-- default.bramble --
"""
_EVALUATE = """\
# A function with a name of this run makes a derivation whose id is the digest of its canonical bytes.
spec: derivation.id, dialect.derivation
level: {level}

run   build --just-parse --json ./:{function}
json  results.0.target example.test/{package}:{function}
json  results.0.derivations ["{id}"]
json  graph.{id}.Args ["{argument}"]
{project}def {function}():
    return derivation("{name}", "{builder}", ["{argument}"])
"""
_STORE = """\
# The plain archive of a file with a text of this run has the digest that the oracle computes.
spec: objects.archive
level: store

write tree tree @tree
run   store hash tree
text  stdout is {digest}
-- @tree --
file 0644 {name} text "{argument}"
"""
_BUILD = """\
# A text of this run is written by a program in a sandbox, and is found in an object with the right name.
spec: build.environment, objects.identity
level: build
need: fixture

write builder fixture builder
run   build --json ./:{function}
json  built ["{name}"]
json  results.0.outputs.out.name {digest}
tree  $STORE/{digest} @tree
-- @tree --
file 0444 {name} text "{argument}"
{project}def {function}():
    return derivation("{name}", "./builder", ["write", "$out/{name}", "{argument}"], files(["builder"]))
"""
_LANGUAGE = """\
# Numbers of this run are computed, and one sum is wrong in one of two programs.
# spec: starlark.int.literals

def {function}(x, y = {two}):
    return [x * y + i for i in range(3)]

assert.eq({function}({one}), [{first}, {first} + 1, {first} + 2])
assert.eq("{name}" + "{argument}", "{name}{argument}")
"""


def smoke(seed: str) -> dict[str, Case]:
    """Return the first case of each level; `seed` decides what it asks for."""
    chance = Random(f"{seed} smoke")
    words = {
        key: "".join(chance.choices(_LETTERS, k=8))
        for key in ("package", "function", "name", "builder", "argument")
    }
    one, two = chance.randrange(1000), chance.randrange(1000)
    values = {**words, "one": one, "two": two, "first": one * two}
    values["project"] = _PROJECT.format(**words)
    values["id"] = oracle.derivation_id(_derivation(words))
    member = oracle.Member(f"/{words['name']}".encode(), b"0", 0o644, words["argument"].encode())
    values["digest"] = oracle.digest(oracle.archive([member]))
    scripts = {
        "evaluate": _EVALUATE.format(level="evaluate", **values),
        "store": _STORE.format(**values),
        "build": _BUILD.format(**values),
        "exchange": _EVALUATE.format(level="exchange", **values),
    }
    chunk = parse_star_file("smoke.star", _LANGUAGE.format(**values), "smoke/language")[0]
    found: dict[str, Case] = {"language": chunk}
    for level, text in scripts.items():
        found[level] = parse_case_file("smoke.txt", text, f"smoke/{level}")
    return {level: found[level] for level in LEVELS}


def _derivation(words: dict[str, str]) -> dict[str, object]:
    return {
        "Args": [words["argument"]],
        "Builder": words["builder"],
        "Dependencies": None,
        "Env": None,
        "Name": words["name"],
        "Outputs": ["out"],
        "Platform": "",
        "Sources": {"Files": None, "Location": ""},
    }
