"""`bramble doctor`: what it says of the machine, and of the file system of the store."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import Any

import pytest

from bramble.commands.doctor import medium_findings
from bramble.store.layout.medium import TRIALS, Medium
from tests.cli.world import World


def about(findings: dict[str, Any]) -> list[dict[str, Any]]:
    return [finding for finding in findings["findings"] if finding["topic"] == "file system"]


def test_the_file_system_of_the_store_is_named_and_nothing_is_left(world: World) -> None:
    before = sorted(os.listdir(world.base))
    ran = world.run("doctor", "--json")
    assert ran.status == (0 if ran.json["healthy"] else 1)
    assert about(ran.json)[0]["fact"].split()[0]
    assert not world.store.exists() and sorted(os.listdir(world.base)) == before
    assert world.run("store", "import", stdin=b"").status == 1 and world.store.exists()
    assert about(world.run("doctor", "--json").json)
    assert [path.name for path in (world.store / "var/work").iterdir()] == []
    assert "file system" in world.run("doctor").out


@pytest.mark.parametrize("area", ["dev/shm", "proc", "sys"])
def test_a_store_where_no_build_can_see_it_is_found(world: World, area: str) -> None:
    ran = world.run("doctor", "--json", BRAMBLE_PATH=f"/{area}/nothing-is-made")
    (store,) = [finding for finding in ran.json["findings"] if finding["topic"] == "store"]
    assert (store["good"], store["remedy"]) == (False, "set BRAMBLE_PATH to a directory elsewhere")
    assert ran.status == 1 and not os.path.lexists(f"/{area}/nothing-is-made")


@pytest.mark.parametrize("what", TRIALS)
def test_what_a_file_system_lacks_is_said_with_a_way_out(what: str) -> None:
    _, lack = medium_findings(Medium("odd", ("rw",), (what,)))
    assert lack.remedy and lack.good is (None if what == "hard links" else False)


@pytest.mark.parametrize("kind", ["nfs4", "9p", "overlay", "tmpfs", "fuse.sshfs", "fuseblk"])
def test_a_kind_that_matters_is_a_warning(kind: str) -> None:
    first, warning = medium_findings(Medium(kind))
    assert kind in first.fact and warning.good is None and warning.remedy


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "zfs", "f2fs"])
def test_a_common_kind_is_none(kind: str) -> None:
    assert len(medium_findings(Medium(kind, ("rw",)))) == 1


def test_a_store_where_nothing_can_be_executed_is_in_the_way(world: World) -> None:
    unshare = shutil.which("unshare")
    world.store.mkdir()
    inside = f'mount -t tmpfs -o noexec,mode=755 none {world.store} && exec "$@"'
    command = [unshare or "", "-Urm", "sh", "-c", inside, "sh"]
    if unshare is None or subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here: it takes unshare(1) and user namespaces")
    ran = subprocess.run(
        [*command, *world.command("doctor", "--json")],
        cwd=world.project,
        env=world.environment(),
        capture_output=True,
        check=False,
    )
    said = json.loads(ran.stdout)
    assert ran.returncode == 1 and not said["healthy"]
    assert [finding["good"] for finding in about(said)] == [None, False, None]
