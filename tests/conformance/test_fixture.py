"""The fixture is what its source says, byte for byte, and does what the chapter says."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from conformance.changes import FIXTURES, fixture_path
from conformance.fixtures.assemble import A64, X86, AssemblyError, assemble, fixtures

BUILDER = fixture_path("builder")
here = pytest.mark.skipif(not os.path.exists(BUILDER), reason="no fixture for this machine")


@pytest.mark.parametrize("name", sorted(fixtures()))
def test_the_script_makes_the_same_bytes_again(name: str) -> None:
    with open(os.path.join(FIXTURES, name), "rb") as file:
        assert file.read() == fixtures()[name]


def test_the_source_and_the_chapter_know_the_same_commands() -> None:
    with open(os.path.join(FIXTURES, "builder.asm"), encoding="utf-8") as file:
        known = {line.split('"')[1] for line in file if line.strip().startswith("match ")}
    chapter = os.path.join(os.path.dirname(os.path.dirname(FIXTURES)), "spec", "13-conformance.md")
    with open(chapter, encoding="utf-8") as file:
        table = file.read().partition("| command | effect |")[2].partition("\n\n")[0]
    told = {part.split("`")[0].split()[0] for row in table.splitlines() for part in row.split("| `")[1:2]}
    told |= {piece.split()[0] for row in table.splitlines() for piece in row.split("`")[1::2]}
    assert known == {word for word in told if word.islower()}


def test_a_line_that_is_no_instruction_is_refused() -> None:
    for machine in (X86(), A64()):
        with pytest.raises(AssemblyError):
            assemble("start:\n    fly r0, r1\n", machine)
    with pytest.raises(AssemblyError):
        assemble("start:\n    jump nowhere\n", X86())


def run(directory: Path, *arguments: str, **environment: str) -> tuple[int, bytes, bytes]:
    done = subprocess.run(
        [BUILDER, *arguments],
        cwd=directory,
        env=environment,
        capture_output=True,
        check=False,
        input=b"given",
    )
    return done.returncode, done.stdout, done.stderr


@here
def test_commands_are_carried_out_in_order(tmp_path: Path) -> None:
    status, stdout, stderr = run(
        tmp_path,
        *("mkdir", "$out", "write", "$out/f", "a$x-$out!", "append", "$out/f", " more", "show", "$out/f"),
        *(
            "say",
            "",
            "warn",
            "w $x",
            "copy",
            "$out/f",
            "g",
            "link",
            "f",
            "$out/l",
            "hard",
            "g",
            "h",
            "chmod",
            "0751",
            "g",
        ),
        *("fifo", "p", "exists", "p", "remove", "p", "absent", "p", "stdin", "cwd", "environ"),
        out=str(tmp_path / "o"),
        x="1",
    )
    o = str(tmp_path / "o")
    assert (status, stderr) == (0, b"w 1\n")
    assert stdout == f"a1-{o}! more\ngiven{tmp_path}\nout={o}\nx=1\n".encode()
    assert (tmp_path / "g").read_bytes() == f"a1-{o}! more".encode()
    assert (tmp_path / "h").stat().st_ino == (tmp_path / "g").stat().st_ino
    assert (tmp_path / "g").stat().st_mode & 0o7777 == 0o751
    assert os.readlink(tmp_path / "o" / "l") == "f"


@here
@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("fly",), 126, b"builder: there is no command fly\n"),
        (("write", "f"), 126, b"builder: an operand is missing: write\n"),
        (("say", "a $xy"), 124, b"builder: a variable is not set: say\n"),
        (("say", "a $"), 124, b"builder: a variable is not set: say\n"),
        (("mkdir", "/proc/x"), 125, b"builder: refused by the system: mkdir\n"),
        (("exists", "nothing"), 125, b"builder: refused by the system: exists\n"),
        (("absent", "/"), 125, b"builder: refused by the system: absent\n"),
        (("exit", "123", "say", "no"), 123, b""),
        (("kill", "9"), -9, b""),
        (("sleep", "0"), 0, b""),
        ((), 0, b""),
    ],
)
def test_what_goes_wrong_has_a_status(
    arguments: tuple[str, ...], status: int, message: bytes, tmp_path: Path
) -> None:
    assert run(tmp_path, *arguments, x="1") == (status, b"", message)


@here
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers of system calls are those of x86-64")
@pytest.mark.parametrize(
    ("operands", "status"),
    [
        (("0", "39", "0", "0", "0", "0", "0"), 0),  # getpid
        (("2", "257", "-100", "$no", "0", "0", "0"), 0),  # openat: ENOENT
        (("0", "257", "-100", "$no", "0", "0", "0"), 125),
        (("1", "257", "-100", "$no", "0", "0", "0"), 125),
        (("2", "257", "-100", "/", "0", "0", "0"), 125),
        (("22", "157", "99999", "1", "2", "3", "4"), 0),  # prctl: EINVAL
        (("0", "39", "0", "0", "0", "0"), 126),
    ],
)
def test_a_system_call_ends_as_it_is_said(operands: tuple[str, ...], status: int, tmp_path: Path) -> None:
    assert run(tmp_path, "call", *operands, no="/proc/no")[0] == status


@here
def test_exec_passes_arguments_as_they_are(tmp_path: Path) -> None:
    assert run(tmp_path, "exec", "$me", "say", "$x", me=BUILDER, x="1")[1] == b"1\n"
    assert run(tmp_path, "exec", "/bin/echo", "$x", me=BUILDER, x="1")[1] == b"$x\n"


@here
def test_standard_output_can_go_to_a_file(tmp_path: Path) -> None:
    assert run(tmp_path, "say", "a", "to", "f", "say", "b", "to", "g", "say", "c", "to", "f", "say", "d") == (
        0,
        b"a\n",
        b"",
    )
    assert ((tmp_path / "f").read_text(), (tmp_path / "g").read_text()) == ("b\nd\n", "c\n")


@here
def test_connecting_needs_somebody_who_listens(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        assert run(tmp_path, "connect", "$at", at=address)[0] == 0
    assert run(tmp_path, "connect", "$at", at=address)[0] == 125


@here
def test_ids_are_decimal_numbers(tmp_path: Path) -> None:
    user, group, process, parent = run(tmp_path, "ids")[1].split()
    assert (int(user), int(group), int(parent)) == (os.getuid(), os.getgid(), os.getpid())
    assert int(process) > 1


@here
def test_a_long_text_is_written_whole(tmp_path: Path) -> None:
    text = "x" * 100_000
    run(tmp_path, "write", "f", text + "$v", v="y" * 50_000)
    assert (tmp_path / "f").read_text() == text + "y" * 50_000
