"""Which program is `/bin/sh`, and which `/usr/bin/env`: a function of the wish, not of the machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bramble.sandbox import programs
from bramble.sandbox.spec import Mount, SandboxSpec
from tests.sandbox.world import World


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """Directories a to d with an executable `sh` each, in what is shown as /s; `beside` is not."""
    for name in ("s/a", "s/b", "s/c", "s/d", "beside"):
        (tmp_path / name).mkdir(parents=True)
        program(tmp_path / name / "sh")
    return tmp_path


def program(path: Path, mode: int = 0o755) -> None:
    path.write_text("")
    path.chmod(mode)


def found(tools: Path, path: str, *more: Mount, writable: bool = False) -> dict[str, str]:
    mounts = (Mount(str(tools / "s"), "/s", writable), *more)
    return dict(programs.links(SandboxSpec(("/s/a/sh",), (("PATH", path),), "/", mounts)))


def test_the_first_directory_of_path_that_has_it_counts(tools: Path) -> None:
    program(tools / "s" / "c" / "env")
    assert found(tools, "/s/none:/s/b:/s/a:/s/c") == {"/bin/sh": "/s/b/sh", "/usr/bin/env": "/s/c/env"}
    assert found(tools, "/s/b//") == {"/bin/sh": "/s/b/sh"}


def test_what_cannot_be_executed_does_not_count(tools: Path) -> None:
    (tools / "s" / "a" / "sh").chmod(0o644)
    (tools / "s" / "b" / "sh").unlink()
    (tools / "s" / "b" / "sh").mkdir()
    assert found(tools, "/s/a:/s/b:/s/c") == {"/bin/sh": "/s/c/sh"}


@pytest.mark.parametrize("path", ["", "s/a", ".", "a:s/a", "/beside", "/s/../beside", "/s/a/sh"])
def test_what_is_not_shown_does_not_count(tools: Path, path: str) -> None:
    assert found(tools, path) == {}


def test_what_the_program_may_write_does_not_count(tools: Path) -> None:
    assert found(tools, "/s/a", writable=True) == {}
    (tools / "s" / "a" / "sh").unlink()
    (tools / "s" / "a" / "sh").symlink_to("/w/sh")
    assert found(tools, "/s/a", Mount(str(tools / "beside"), "/w", writable=True)) == {}
    assert found(tools, "/s/a", Mount(str(tools / "beside"), "/w")) == {"/bin/sh": "/s/a/sh"}


@pytest.mark.parametrize(
    "target, leads",
    [
        ("real", True),
        ("../d/./sh", True),
        ("/s/d/sh", True),
        ("../../s/d/sh", True),
        ("../../../../s/d/sh", True),
        ("/s/way/sh", True),
        ("sh", False),
        ("nothing", False),
        ("real/..", False),
        ("../../nowhere/../s/d/sh", False),
        ("/bin/sh", False),
    ],
)
def test_a_link_counts_when_it_leads_to_a_program_inside(tools: Path, target: str, leads: bool) -> None:
    program(tools / "s" / "a" / "real")
    (tools / "s" / "way").symlink_to("d")
    (tools / "s" / "a" / "sh").unlink()
    (tools / "s" / "a" / "sh").symlink_to(target)
    assert found(tools, "/s/a:/s/b") == {"/bin/sh": "/s/a/sh" if leads else "/s/b/sh"}


def test_a_link_out_of_what_is_shown_leads_nowhere_though_the_host_has_it(tools: Path) -> None:
    (tools / "s" / "a" / "sh").unlink()
    (tools / "s" / "a" / "sh").symlink_to(tools / "beside" / "sh")
    assert os.path.exists(tools / "s" / "a" / "sh")
    assert found(tools, "/s/a") == {}


@pytest.mark.parametrize("target", ["/bin", "/bin/sh", "/bin/sh/x"])
def test_where_a_mount_concerns_the_path_nothing_is_added(tools: Path, target: str) -> None:
    assert found(tools, "/s/a", Mount(str(tools / "beside"), target)) == {}


def test_a_mount_beside_it_is_not_in_the_way(tools: Path) -> None:
    assert found(tools, "/s/a", Mount(str(tools / "beside"), "/bin/x")) == {"/bin/sh": "/s/a/sh"}


def test_the_links_are_there_and_work(here: World) -> None:
    wish = {
        "mounts": (Mount(f"{here.asker.home}/programs", "/s/bin"), *here.mounts()[1:]),
        "env": (("PATH", "/out:/none:/s/bin:/input"),),
    }
    (here.input / "env").symlink_to("/s/bin/busybox")
    (here.out / "sh").write_text("#!/nothing")
    (here.out / "sh").chmod(0o755)
    shown = "readlink /bin/sh; readlink /usr/bin/env; ls /bin /usr /usr/bin"
    (here.input / "script").write_text(f"#!/usr/bin/env sh\n{shown}\n")
    (here.input / "script").chmod(0o755)
    here.settle()
    result = here.execute(("/bin/sh", "-c", "/input/script"), **wish)
    assert result.text == "/s/bin/sh\n/input/env\n/bin:\nsh\n\n/usr:\nbin\n\n/usr/bin:\nenv\n"
    assert here.execute(("/s/bin/touch", "/bin/x"), **wish).code == 1
