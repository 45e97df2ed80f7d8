"""Rust: programs that find the library of the language relative to their own library."""

from __future__ import annotations

from collections.abc import Mapping

from bramble.build.tools.contents import Contents, Take, Trial
from bramble.build.tools.libraries import unsupported
from bramble.build.tools.machine import Machine, tree

_NAMES = frozenset({"cargo", "rustc", "rustdoc"})
_LIBRARY = 'pub fn said(word: &str) -> String { format!("{} works", word) }\n'
_LEFT_OUT = ("src/", "etc/")


def is_rust(machine: Machine, name: str, real: str) -> bool:
    """Return whether the program is one of Rust's."""
    return name in _NAMES


def gather(machine: Machine, tools: Mapping[str, str]) -> Contents:
    """Return the programs, and with a compiler `lib/rustlib`. Raises build.host-tool-unsupported."""
    # spec: build.host-tools.rust
    takes = [Take(real, f"bin/{name}", program=True) for name, real in sorted(tools.items())]
    trials = [
        Trial((f"{{out}}/bin/{name}", "--version"), name, env={"HOME": "/tmp"}, about="say its version")
        for name in sorted(tools)
    ]
    compiler = tools.get("rustc", tools.get("rustdoc", ""))
    if compiler:
        root = machine.ask([compiler, "--print", "sysroot"]).out.strip()
        if not root or not machine.is_directory(f"{root}/lib/rustlib"):
            raise unsupported(compiler, "it does not say where its library is (rustc --print sysroot)")
        top = machine.real(f"{root}/lib/rustlib")
        for path in tree(machine, top):
            below = path[len(top) + 1 :]
            if not below.startswith(_LEFT_OUT):
                takes.append(Take(path, f"lib/rustlib/{below}", lenient=True))
    if "rustc" in tools:
        trials.append(
            Trial(
                ("{out}/bin/rustc", "--crate-type=lib", "--emit=obj", "-o", "hello.o", "hello.rs"),
                files={"hello.rs": _LIBRARY},
                about="compile a library",
            )
        )
    return Contents(tuple(takes), trials=tuple(trials))
