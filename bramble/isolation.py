"""Where modules come from: Python's own library, and the directory of this package.

`python -m bramble` puts the current directory, and PYTHONPATH, before Python's
library, so that a project's `json.py` would be run in place of Python's. This
module takes them away. It is imported before every other, so it imports only
what is built into the interpreter, and has no `from __future__` line, which
would look for a file too.
"""

import sys


def only_the_library() -> None:
    """Leave in `sys.path` the directories of Python's own library, and nothing else (spec: cli.modules).

    The modules of Bramble itself are found through the package's own
    directory, which `sys.path` has no part in. Where no directory looks like
    the library, as with a Python in an unusual place, what is kept is all but
    the first entry and what PYTHONPATH and the current directory give.
    """
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    names = [f"python{version.replace('.', '')}.zip", f"python{version}", f"python{version}/lib-dynload"]
    prefixes = {sys.base_prefix, sys.base_exec_prefix}
    folders = {
        f"{prefix}/{lib}"
        for prefix in prefixes
        for lib in (getattr(sys, "platlibdir", "lib"), "lib", "lib64")
    }
    library = {f"{folder}/{name}" for folder in folders for name in names}
    kept = [entry for entry in sys.path if entry in library]
    if any(entry.endswith(f"/python{version}") for entry in kept):
        sys.path[:] = kept
    else:
        given = set(_environment("PYTHONPATH").split(":"))
        sys.path[:] = [entry for entry in sys.path[1:] if entry.startswith("/") and entry not in given]


def asked_for() -> bool:
    """Return whether the interpreter is about to run a module of this package as a program, with `-m`.

    While it looks for the module, the first argument is `-m`. A program that
    imports this package as a library keeps its path.
    """
    words = getattr(sys, "orig_argv", ["bramble"])
    named = any(word.replace("-m", "").split(".")[0] == "bramble" for word in words)
    return sys.argv[:1] == ["-m"] and named


def _environment(name: str) -> str:
    posix = sys.modules.get("posix")
    found = getattr(posix, "environ", {}).get(name.encode(), b"")
    return bytes(found).decode("utf-8", "surrogateescape")
