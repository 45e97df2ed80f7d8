"""Go: a tree that stands where it likes, and is found from the program in it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping

from bramble.build.tools.contents import Contents, Link, Take, Trial
from bramble.build.tools.libraries import unsupported
from bramble.build.tools.machine import Machine, tree

_GO = re.compile(r"(go|gofmt)(-[0-9.]+)?")
_LEFT_OUT = re.compile(r"(test|doc|api|misc|\.git)/.*|.*/testdata/.*")
_HELLO = 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("works") }\n'
_ENV = {
    "GOCACHE": "/tmp/go-cache",
    "GOPATH": "/tmp/go",
    "GOFLAGS": "-mod=mod",
    "GO111MODULE": "off",
    "CGO_ENABLED": "0",
    "HOME": "/tmp",
}


def is_go(machine: Machine, name: str, real: str) -> bool:
    """Return whether the program is one of Go's."""
    return _GO.fullmatch(name) is not None and "/go" in real


def gather(machine: Machine, tools: Mapping[str, str]) -> Contents:
    """Return the whole tree, in `lib/go`. Raises build.host-tool-unsupported."""
    # spec: build.host-tools.go
    driver = next((real for name, real in sorted(tools.items()) if name.startswith("go")), "")
    beside = posixpath.join(posixpath.dirname(driver), "go")
    root = machine.ask([beside, "env", "GOROOT"]).out.strip()
    if not root or not machine.is_directory(root):
        raise unsupported(driver, "it does not say where its tree is (go env GOROOT)")
    root = machine.real(root)
    takes = [
        Take(path, f"lib/go/{path[len(root) + 1 :]}", lenient=True)
        for path in tree(machine, root)
        if _LEFT_OUT.fullmatch(path[len(root) + 1 :]) is None
    ]
    links = [Link(f"bin/{name}", f"lib/go/bin/{name.partition('-')[0]}") for name in sorted(tools)]
    trials = (
        Trial(
            ("{out}/bin/go", "build", "-o", "hello-go", "hello.go"),
            files={"hello.go": _HELLO},
            env=_ENV,
            about="build a program",
        ),
        Trial(("./hello-go",), says="works", about="run a program that it built"),
    )
    return Contents(tuple(takes), links=tuple(links), trials=trials if "go" in tools else ())
