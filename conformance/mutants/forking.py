"""A process that imports an implementation in Python once and forks for each command of it.

Most of a small command's time is the start of an interpreter, and a fault needs many commands. The process is
started with a socket and the directory in which the implementation is. A first child is made for each fault:
it puts the functions with the fault in the place of those without, and forks in turn for each command. It is
the caller that knows the names of modules; nothing here does.

Run as a program: `python3 forking.py DESCRIPTOR DIRECTORY ENTRY ROOM…`, where the module ENTRY has
`start()`, and the modules of the packages ROOM are imported beforehand.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import marshal
import os
import resource
import signal
import socket
import sys
import threading
import types
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn, Optional

LARGEST = 1 << 20  # bytes of a request
CPU_SECONDS = 20
Key = tuple[str, int]


def main(words: list[str]) -> None:
    """Serve requests for faults; in a child of a child, be a command."""
    channel = socket.socket(fileno=int(words[0]))
    directory, entry, *rooms = words[1:]
    sys.path[0] = directory
    for name in sorted(name for room in rooms for name in _modules(directory, room)):
        # What cannot be imported fails again where a command imports it.
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    start = importlib.import_module(entry).start
    functions = _functions(directory)
    gc.freeze()
    request = _serve_faults(channel, functions)
    if request is None:
        return
    _become(request, os.path.join(directory, entry.replace(".", "/") + ".py"))
    if request["lines"]:
        _record(directory, request["lines"])
    _end(start())


def _modules(directory: str, package: str) -> Iterator[str]:
    for top, names, files in os.walk(os.path.join(directory, package)):
        names.sort()
        for file in files:
            if file.endswith(".py") and file != "__main__.py":
                path = os.path.relpath(os.path.join(top, file), directory)[:-3]
                yield path.replace(os.sep, ".").replace(".__init__", "")


def _functions(directory: str) -> Mapping[str, list[types.FunctionType]]:
    found: dict[str, list[types.FunctionType]] = {}
    for one in gc.get_objects():
        if isinstance(one, types.FunctionType) and one.__code__.co_filename.startswith(directory):
            found.setdefault(one.__code__.co_filename, []).append(one)
    return found


def _serve_faults(
    channel: socket.socket, functions: Mapping[str, list[types.FunctionType]]
) -> Optional[dict[str, Any]]:
    """Fork for each fault. In a child of a child return a request, at the end of all requests None."""
    while True:
        message, given, _, _ = socket.recv_fds(channel, LARGEST, 1)
        if not message:
            return None
        child = os.fork()
        if child == 0:
            channel.close()
            fault = json.loads(message)
            if fault["code"]:
                _put_in(fault["code"], functions)
            return _serve(socket.socket(fileno=given[0]), fault)
        os.close(given[0])
        os.waitpid(child, 0)
        channel.send(b"end")


def _put_in(path: str, functions: Mapping[str, list[types.FunctionType]]) -> None:
    """Give the functions of one file the code that stands, marshalled, in the file `path`."""
    with open(path, "rb") as file:
        whole = marshal.load(file)
    new = dict(_codes(whole))
    for function in functions.get(whole.co_filename, ()):
        code = new.get(_key(function.__code__))
        if code is not None and code.co_freevars == function.__code__.co_freevars:
            function.__code__ = code


def _codes(code: types.CodeType) -> Iterator[tuple[Key, types.CodeType]]:
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield _key(constant), constant
            yield from _codes(constant)


def _key(code: types.CodeType) -> Key:
    return getattr(code, "co_qualname", code.co_name), code.co_firstlineno


def _serve(channel: socket.socket, fault: Mapping[str, Any]) -> dict[str, Any]:
    """Fork for each command. In a child return the request; at their end this process ends."""
    while True:
        message, streams, _, _ = socket.recv_fds(channel, LARGEST, 3)
        if not message:
            os._exit(0)
        child = os.fork()
        if child == 0:
            channel.close()
            request: dict[str, Any] = json.loads(message)
            os.setsid()
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
                os.close(stream)
            return {**request, "lines": fault["lines"]}
        for stream in streams:
            os.close(stream)
        channel.send(str(child).encode())
        _, status = os.waitpid(child, 0)
        channel.send(str(os.waitstatus_to_exitcode(status)).encode())


def _become(request: Mapping[str, Any], program: str) -> None:
    """Make this process what an interpreter is that has just been started so."""
    os.umask(0o022)
    os.chdir(request["directory"])
    os.environ.clear()
    os.environ.update(request["environment"])
    if "LC_ALL" not in os.environ:
        os.environ["LC_CTYPE"] = "C.UTF-8"
    sys.argv[:] = [program, *request["words"]]
    text: Any = {"encoding": "utf-8", "errors": "surrogateescape", "closefd": False}
    sys.stdin = sys.__stdin__ = os.fdopen(0, "r", **text)  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = os.fdopen(1, "w", **text)  # type: ignore[misc]
    text["errors"] = "backslashreplace"
    sys.stderr = sys.__stderr__ = os.fdopen(2, "w", buffering=1, **text)  # type: ignore[misc]
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, hard))


def _record(directory: str, into: str) -> None:
    """Write the lines of the implementation that this process runs into a file below `into`, at its end."""
    lines: set[tuple[str, int]] = set()
    watch = sys.monitoring  # type: ignore[attr-defined]

    def line(code: types.CodeType, number: int) -> object:
        if code.co_filename.startswith(directory):
            lines.add((code.co_filename[len(directory) + 1 :], number))
        return watch.DISABLE

    watch.use_tool_id(watch.COVERAGE_ID, "conformance")
    watch.register_callback(watch.COVERAGE_ID, watch.events.LINE, line)
    watch.set_events(watch.COVERAGE_ID, watch.events.LINE)
    leave, raising = os._exit, signal.raise_signal

    def keep() -> None:
        with contextlib.suppress(OSError), open(f"{into}/{os.getpid()}", "a", encoding="utf-8") as file:
            file.writelines(f"{path}:{number}\n" for path, number in sorted(lines))

    def ending(status: int) -> NoReturn:
        keep()
        leave(status)

    def signalling(number: int) -> None:
        keep()
        raising(number)

    # A command ends by one of these, or by a signal that it does not expect.
    os._exit = ending  # type: ignore[assignment]
    signal.raise_signal = signalling


def _end(status: int) -> NoReturn:
    """End as an interpreter does, without freeing each object."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    with contextlib.suppress(OSError, ValueError):
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        os._exit(status & 0xFF)
    os._exit(120)


if __name__ == "__main__":
    main(sys.argv[1:])
