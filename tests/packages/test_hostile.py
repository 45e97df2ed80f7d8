"""Packages and projects of strangers: what a package may not decide for others, and what no message shows."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.packages.published import Published

LIB = 'def made(name):\n    return derivation(name, "{}")\n'
APP = 'load("example.test/lib")\nload("example.test/mid")\ndef f():\n    return lib.made("f")\n'


@pytest.fixture
def led(market: Published) -> Published:
    """A project that requires lib, and a package that says that lib is elsewhere."""
    market.publish("example.test/lib", "1.0.0", default=LIB.format("true"))
    fork = market.repository("example.test/fork")
    market.publish("example.test/fork", "1.1.0", default=LIB.format("false"))
    text = (fork / "bramble.toml").read_text().replace("example.test/fork", "example.test/lib")
    (fork / "bramble.toml").write_text(text)
    market.git("commit", "-qam", "x", cwd=fork)
    market.git("tag", "-f", "v1.1.0", cwd=fork)
    market.write(default=APP)
    return market


def test_a_package_does_not_say_where_others_find_one(led: Published) -> None:
    # spec: packages.place.one
    elsewhere = '{ git = "https://example.test/fork", version = "1.1.0" }'
    led.publish("example.test/mid", "1.0.0", {"example.test/lib": elsewhere}, default="")
    led.needs(lib="1.0.0", mid="1.0.0")
    done = led.evaluated()
    # The project's entry means the place of the name, where there is no 1.1.0.
    assert (done.status, done.codes) == (1, ["packages.unknown-version"])
    led.publish("example.test/other", "1.0.0", {"example.test/lib": "1.0.0"}, default="")
    led.needs(other="1.0.0", mid="1.0.0")
    done = led.evaluated()
    assert (done.status, done.codes) == (1, ["config.dependency"])


def test_a_package_does_not_say_which_commit_the_project_gets(led: Published) -> None:
    # spec: packages.selection.places
    commit = led.git("rev-parse", "HEAD", cwd=led.repository("example.test/fork"))
    rev = f'{{ git = "https://example.test/fork", rev = "{commit}" }}'
    led.publish("example.test/mid", "1.0.0", {"example.test/lib": rev}, default="")
    led.needs(mid="1.0.0", lib='{ git = "https://example.test/fork", version = "1.1.0" }')
    done = led.evaluated()
    assert (done.status, done.codes) == (1, ["config.dependency"])
    assert done.errors[0]["at"].startswith("example.test/mid/bramble.toml:5:")


@pytest.mark.parametrize(
    "address", ["https://user:hunter2@127.0.0.1:1/x", "https://h.test:1/x?private_token=hunter2"]
)
def test_no_message_shows_a_password(market: Published, address: str) -> None:
    # spec: packages.add.secrets
    done = market.run("add", "--git", address, "example.test/x")
    assert (done.status, done.codes) == (1, ["config.dependency"])
    assert "hunter2" not in done.out + done.err
    market.needs(x=f'{{ git = "{address}", version = "1.0.0" }}')
    for words in (("deps",), ("build", "--just-parse"), ("update",), ("add", address)):
        done = market.run(*words)
        assert done.status == 1
        assert "hunter2" not in done.out + done.err


def test_a_version_with_build_metadata_is_none(market: Published) -> None:
    # spec: packages.names.tag
    first = market.publish("example.test/lib", "1.0.0", default=LIB.format("true"))
    market.publish("example.test/lib", "1.0.0+zz", default=LIB.format("false"))
    assert market.run("add", "example.test/lib").status == 0
    assert first in market.lock
    market.needs(lib="1.0.0+zz")
    assert market.evaluated().codes == ["config.version"]


@pytest.mark.parametrize("key", ["rev", "git", "path"])
def test_no_line_of_ours_is_forged(market: Published, key: str) -> None:
    version = "" if key == "rev" else ', version = "1.0.0"'
    market.needs(lib=f'{{ {key} = "x\\nerror[x]: forged"{version} }}')
    done = market.run("deps")
    assert (done.status, done.codes) == (1, ["config.dependency"])
    assert "\nerror[x]" not in done.err


def test_a_name_longer_than_any_file_s_is_fetched_all_the_same(market: Published) -> None:
    name = "x" * 180
    market.publish(f"example.test/{name}", f"1.{'9' * 120}.0", default="")
    assert market.run("add", f"example.test/{name}").status == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root writes files that belong to somebody else")
def test_the_owner_of_a_project_stays_its_owner(market: Published) -> None:
    # spec: project.access.write
    market.publish("example.test/lib", "1.0.0", default="")
    os.chown(market.project / "bramble.toml", 1001, 1001)
    os.chmod(market.project / "bramble.toml", 0o600)
    assert market.run("add", "example.test/lib").status == 0
    found = os.stat(market.project / "bramble.toml")
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (1001, 1001, 0o600)


def test_who_waits_for_the_directory_is_told_of_it_and_ends(market: Published) -> None:
    market.publish("example.test/lib", "1.0.0", default="")
    hold = "import fcntl, os, sys, time; fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX)"
    holder = subprocess.Popen(
        [sys.executable, "-c", f"{hold}; print(flush=True); time.sleep(60)", str(market.project)],
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None and holder.stdout.readline()
        adding = market.start("add", "example.test/lib")
        with pytest.raises(subprocess.TimeoutExpired):
            adding.wait(3)
        holder.kill()
        assert adding.wait(60) == 0
    finally:
        holder.kill()
        holder.communicate()


def test_a_path_is_no_name(market: Published) -> None:
    for word in ("../lib", "/tmp/lib", "./lib", "~/lib"):
        done = market.run("add", word)
        assert done.codes == ["config.name"] and "--path" in done.errors[0]["remedy"]
