"""What the vectors are about: small inputs, a corner of a rule each. The oracle computes their results."""

from __future__ import annotations

import base64
from typing import Any

from conformance.oracle import PREFIX_OF_RECORD

Entry = dict[str, Any]

TEMPORARY = "soen6obfffrahna6ojyc2cgxjx7jcmhv"
OTHER = "uyfzbklpblwxplhwei63mtj3pnh2w3yr"
_RECORD = PREFIX_OF_RECORD.decode()
_ELSEWHERE = "/opt/x/bramble_store_padding/bramble_store_paddin"
_HERE = "/srv/store/bramble_store_padding/bramble_store_pa"


def text64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def file(path: str, content: str = "", mode: str = "0644") -> Entry:
    return {"path": path, "kind": "file", "mode": mode, "content64": text64(content)}


def directory(path: str, mode: str = "0755") -> Entry:
    return {"path": path, "kind": "directory", "mode": mode}


def link(path: str, target: str) -> Entry:
    return {"path": path, "kind": "link", "target64": text64(target)}


def odd(name: bytes, content: str) -> Entry:
    coded = base64.b64encode(name).decode()
    return {"path64": coded, "kind": "file", "mode": "0644", "content64": text64(content)}


DIGESTS = {
    "nothing": b"",
    "two letters": b"hi",
    "every byte": bytes(range(256)),
    "a thousand letters": b"a" * 1000,
}

ROOTS = {
    "one letter": "/b",
    "a home": "/home/maxm/bramble",
    "40 bytes": "/" + "r" * 39,
    "where the cut leaves a slash": "/" + "r" * 25,
    "46 bytes": "/" + "r" * 45,
    "47 bytes, the longest": "/" + "r" * 46,
    "48 bytes": "/" + "r" * 47,
    "two bytes a letter": "/" + "é" * 23,
}

TREES: dict[str, list[Entry]] = {
    "nothing": [],
    "one file": [file("hi.txt", "hi")],
    "an empty file": [file("a")],
    "511, 512 and 513 bytes": [file("a", "x" * 511), file("b", "x" * 512), file("c", "x" * 513)],
    "directories before what is in them": [directory("a"), directory("a/b"), file("a/b/c", "1")],
    "an empty directory": [directory("a")],
    "names in the order of bytes, not paths": [
        file("A", "4"), directory("a"), file("a/b", "1"), file("a-b", "3"), file("a.b", "2"), file("a0", "5"),
        directory("z"), file("z/é", "6"),
    ],
    "modes": [
        file("r", "1", "0444"), file("x", "2", "0755"), file("g", "3", "0654"), file("s", "4", "4755"),
        file("o", "5", "0401"), directory("d", "0700"),
    ],
    "links": [link("a", "b"), link("b", "nowhere"), link("c", "/etc/passwd"), link("d", "../" * 20)],
    "a name of 99 bytes": [file("n" * 98, "1")],
    "a name of 100 bytes": [file("n" * 99, "1")],
    "a name of 101 bytes": [file("n" * 100, "1")],
    "a long path that is divided": [directory("d" * 90), file("d" * 90 + "/" + "f" * 60, "1")],
    "a long path that cannot be": [directory("d" * 160), file("d" * 160 + "/f", "1")],
    "a directory of 100 bytes": [directory("d" * 98)],
    "a link of 100 bytes": [link("l", "t" * 100)],
    "a link of 101 bytes": [link("l", "t" * 101)],
    "letters beyond ASCII": [file("é", "1"), link("ü", "ö")],
    "names that are no UTF-8": [odd(b"\xff", "1"), odd(b"a\xe9", "2")],
    "blanks and newlines": [file("a b", "1"), file("a\nb", "2")],
    "a file that is larger than a block of reading": [file("a", "0123456789abcdef" * 5000)],
}  # fmt: skip

OBJECTS: dict[str, tuple[str, list[Entry]]] = {
    "without references": (_HERE, [file("hi.txt", "hi")]),
    "its own name, once": (_HERE, [file("me", f"{_HERE}/{TEMPORARY}/bin")]),
    "its own name, elsewhere": (_ELSEWHERE, [file("me", f"{_ELSEWHERE}/{TEMPORARY}/bin")]),
    "zeros in its place": (_HERE, [file("me", f"{_HERE}/" + "\0" * 32 + "/bin")]),
    "its own name without a path": (_HERE, [file("me", f"x{TEMPORARY}y")]),
    "its own name, twice": (_HERE, [file("me", f"{TEMPORARY} {TEMPORARY}")]),
    "its own name in a name": (_HERE, [file(f"lib{TEMPORARY}.so", "1")]),
    "its own name in a link": (_HERE, [link("me", f"{_HERE}/{TEMPORARY}/x")]),
    "its own name across blocks": (_HERE, [file("me", "x" * 65520 + TEMPORARY + "x" * 65520 + TEMPORARY)]),
    "another object": (_HERE, [file("dep", f"{_HERE}/{OTHER}/lib")]),
    "another object, elsewhere": (_ELSEWHERE, [file("dep", f"{_ELSEWHERE}/{OTHER}/lib")]),
    "the store without an object": (_HERE, [file("store", _HERE)]),
    "the beginning of the store alone": (_HERE, [file("store", _HERE[:-1])]),
    "modes that are not kept": (_HERE, [file("x", "1", "0777"), directory("d", "0700")]),
    "its own name in a long name": (_HERE, [file("n" * 80 + TEMPORARY, "1")]),
    "its own name where a header cuts a path": (
        _HERE, [directory("d" * 90), file("d" * 90 + "/" + "é" + "n" * 70 + TEMPORARY, "1")],
    ),
}  # fmt: skip


def derivation(**values: object) -> dict[str, object]:
    """Return a derivation's document with these values, and those of one that says nothing else."""
    empty = {
        "Args": None, "Builder": "ho", "Dependencies": None, "Env": None, "Name": "hi", "Outputs": ["out"],
        "Platform": "", "Sources": {"Files": None, "Location": ""},
    }  # fmt: skip
    return {**empty, **values}


_A = "uyfzbklpblwxplhwei63mtj3pnh2w3yr"
DERIVATIONS = {
    "name and builder": derivation(),
    "three outputs": derivation(Outputs=["a", "b", "c"]),
    "a": derivation(Name="a", Builder="a"),
    "a reference": derivation(
        Name="b", Builder=f"{{{{ {_A}:out }}}}", Args=[f"{{{{ {_A}:out }}}}"],
        Dependencies=[{"Hash": _A, "Output": "out"}],
    ),
    "variables in the order of their names": derivation(Env={"b": "2", "a": "1", "B": "3", "é": "4"}),
    "arguments": derivation(Args=["", "a b", "-c"]),
    "a platform": derivation(Platform="linux-arm64"),
    "the network": derivation(Builder="derivation_output", Args=["true"], Network=True),
    "a target": derivation(Target="js-wasm"),
    "sources": derivation(Sources={"Files": ["a.c", "lib/b.c"], "Location": "lib"}),
    "characters that JSON need not escape": derivation(Args=["<>&", "\u2028\u2029", "é😿", "\x7f"]),
    "characters that it must": derivation(Args=["\x01\x1f", "\b\f\n\r\t", '"\\']),
    "half of a pair": derivation(Args=["\ufffd"]),
}  # fmt: skip


def store_derivation(**values: object) -> dict[str, object]:
    """Return a store derivation's document with these values."""
    empty = {
        "Args": None, "Builder": "fetch_url", "Env": None, "Dependencies": None, "Name": "hi",
        "OutputNames": ["out"], "Outputs": None, "Platform": "linux-amd64",
        "Source": {"RelativeBuildPath": "", "Path": ""},
    }  # fmt: skip
    return {**empty, **values}


_INPUT = {"Filename": f"{TEMPORARY}-dep.drv", "OutputName": "out", "Output": OTHER}
STORE_DERIVATIONS = {
    "nothing but a name": store_derivation(),
    "a download": store_derivation(Env={"url": "https://example.test/hi.txt"}),
    "on another platform": store_derivation(
        Env={"url": "https://example.test/hi.txt"}, Platform="linux-arm64"
    ),
    "built: the key stays": store_derivation(
        Env={"url": "https://example.test/hi.txt"},
        Outputs=[{"Path": "5fpq3tqlfd3r5ncyxwapgu5m7ahehe6r", "Dependencies": None}],
    ),
    "an input": store_derivation(
        Builder=f"{_RECORD}/{OTHER}/bin/sh", Args=["-c", f"echo {_RECORD}/{OTHER}"], Dependencies=[_INPUT]
    ),
    "the same input, made by another": store_derivation(
        Builder=f"{_RECORD}/{OTHER}/bin/sh", Args=["-c", f"echo {_RECORD}/{OTHER}"],
        Dependencies=[{**_INPUT, "Filename": f"{OTHER}-dep.drv"}],
    ),
    "inputs in the order of their objects": store_derivation(
        Dependencies=[
            {**_INPUT, "Output": "zyfzbklpblwxplhwei63mtj3pnh2w3yr"}, _INPUT, {**_INPUT, "OutputName": "lib"},
        ]
    ),
    "sources": store_derivation(Source={"RelativeBuildPath": "lib", "Path": f"{_RECORD}/{OTHER}"}),
    "outputs that refer": store_derivation(
        OutputNames=["out", "doc"],
        Outputs=[
            {"Path": OTHER, "Dependencies": [TEMPORARY, OTHER]},
            {"Path": TEMPORARY, "Dependencies": None},
        ],
    ),
    "the network and a target": store_derivation(Network=True, Target="js-wasm"),
}  # fmt: skip
