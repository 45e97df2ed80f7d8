"""Changes of bramble.toml and the lock: interrupted, at the same time, against what others do meanwhile."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bramble.cli.environment import read_setting
from bramble.commands.context.setting import Setting
from bramble.commands.packages import changing, updating
from bramble.commands.packages.adding import add
from bramble.commands.packages.updating import update
from bramble.errors import BrambleError
from bramble.project.lockfile import parse_lock
from bramble.project.versions import Version
from tests.cli.world import remove_store
from tests.packages.published import Published, published
from tests.packages.universe import HOST, UNIVERSE, publish_all, read_keys

HEAD = '# Ours.\n[package]\nname = "example.test/app" # so\nversion = "0.1.0"\n\n'
TAIL = '\n# What follows is kept, too.\n[mirror]\n"https://example.org/x" = "x"\n'


@pytest.fixture(scope="module")
def crowd() -> Iterator[Published]:
    base = Path(tempfile.mkdtemp(prefix="bv", dir="/tmp"))
    world = published(base)
    publish_all(world)
    yield world
    remove_store(base)


def fresh(world: Published, dependencies: str = "") -> None:
    shutil.rmtree(world.project)
    world.project.mkdir()
    (world.project / "bramble.toml").write_text(HEAD + "[dependencies]\n" + dependencies + TAIL)


def setting_in(world: Published) -> Setting:
    return read_setting(world.environment(), str(world.project))


def quiet(_: str) -> None:
    pass


def said(world: Published) -> str:
    return (world.project / "bramble.toml").read_text()


def locked(world: Published) -> set[str]:
    return set(parse_lock(world.lock).tables.get("Dependencies", {}))


class Killed(BaseException):
    """What nobody catches: as far as files are concerned, the process ends here."""


def test_a_kill_between_the_files_leaves_what_a_build_takes(
    crowd: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    # spec: packages.change
    fresh(crowd, f'"{HOST}/b" = "1.0.0"\n')
    crowd.write(default=f'load("{HOST}/b")\ndef f():\n    return derivation(b.v, "x")\n')
    assert crowd.evaluated().status == 0
    before = said(crowd)
    steps = [(changing, "change_lock", 0), (changing, "write_file", 0), (changing, "change_lock", 1)]
    for where, name, which in steps:
        count = iter(range(which, -1, -1))
        real = getattr(where, name)

        def killed(*words: Any, _count: Any = count, _real: Any = real, **named: Any) -> Any:
            if not next(_count):
                raise Killed
            return _real(*words, **named)

        with monkeypatch.context() as patch:
            patch.setattr(where, name, killed)
            with pytest.raises(Killed):
                add([f"{HOST}/c"], setting_in(crowd), quiet)
        # Whichever text is there, the lock has all that it needs.
        assert read_keys({"b": "1.0.0"}) <= locked(crowd)
        assert (said(crowd) == before) == ((name, which) != ("change_lock", 1))
        done = crowd.run("build", "--offline", "--locked", "--just-parse", "--json", "./:f")
        assert done.status == 0, done.err
    # The next change tidies what an interrupted one has left.
    assert crowd.run("add", f"{HOST}/early").status == 0
    assert locked(crowd) == read_keys({"b": "1.0.0", "c": "1.0.1", "early": "0.1.0-beta"})


def test_what_cannot_be_written_leaves_both_files(crowd: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh(crowd)

    def full(*_: Any, **__: Any) -> None:
        raise BrambleError("cli.unwritable", "no space left on the device")

    before = said(crowd)
    with monkeypatch.context() as patch:
        patch.setattr(changing, "write_file", full)
        with pytest.raises(BrambleError, match="no space"):
            add([f"{HOST}/c"], setting_in(crowd), quiet)
    assert said(crowd) == before
    assert not (crowd.project / "bramble.lock").exists()


def test_what_another_one_adds_meanwhile_stays(crowd: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    # spec: packages.change
    fresh(crowd)
    real: Callable[..., Any] = changing.chosen
    once = iter([True])

    def meanwhile(*words: Any, **named: Any) -> Any:
        found = real(*words, **named)
        if next(once, False):
            assert crowd.run("add", f"{HOST}/b@1.0.0").status == 0
        return found

    with monkeypatch.context() as patch:
        patch.setattr(changing, "chosen", meanwhile)
        add([f"{HOST}/c@1.0.0"], setting_in(crowd), quiet)
    assert f'"{HOST}/b" = "1.0.0"\n"{HOST}/c" = "1.0.0"\n' in said(crowd)
    assert locked(crowd) == read_keys({"b": "1.0.0", "c": "1.0.0"})


def test_an_entry_that_another_one_changes_is_not_updated(
    crowd: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh(crowd, f'"{HOST}/a" = "1.0.0"\n"{HOST}/b" = "1.0.0"\n')
    real: Callable[..., Any] = updating.change

    def meanwhile(*words: Any, **named: Any) -> Any:
        assert crowd.run("remove", f"{HOST}/a").status == 0
        return real(*words, **named)

    with monkeypatch.context() as patch:
        patch.setattr(updating, "change", meanwhile)
        update([], setting_in(crowd), quiet)
    assert said(crowd) == HEAD + f'[dependencies]\n"{HOST}/b" = "1.2.0"\n' + TAIL


def test_many_processes_add_at_once_and_nothing_is_lost(crowd: Published) -> None:
    # spec: packages.change
    fresh(crowd)
    names = ["a", "c", "d", "m0", "removed"]
    for process in [crowd.start("add", f"{HOST}/{name}@1.0.0") for name in names]:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    for name in names:
        assert f'"{HOST}/{name}" = "1.0.0"\n' in said(crowd)
    assert locked(crowd) == read_keys(dict.fromkeys(names, "1.0.0"))
    assert said(crowd).startswith(HEAD) and said(crowd).endswith(TAIL)


def test_a_tag_that_appears_while_update_runs_does_no_harm(
    crowd: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    # spec: packages.update
    fresh(crowd)
    crowd.publish(f"{HOST}/late", "1.0.0")
    assert crowd.run("add", f"{HOST}/late").status == 0
    crowd.publish(f"{HOST}/late", "1.1.0")
    real: Callable[..., Any] = updating.change

    def meanwhile(*words: Any, **named: Any) -> Any:
        crowd.publish(f"{HOST}/late", "1.2.0")
        return real(*words, **named)

    with monkeypatch.context() as patch:
        patch.setattr(updating, "change", meanwhile)
        update([], setting_in(crowd), quiet)
    assert f'"{HOST}/late" = "1.1.0"\n' in said(crowd)
    assert locked(crowd) == {f"{HOST}/late@1.1.0"}


def test_a_tag_that_was_moved_or_removed_is_said_and_not_taken(crowd: Published) -> None:
    # spec: packages.tags.moved
    fresh(crowd)
    assert crowd.run("add", f"{HOST}/moved", f"{HOST}/removed").status == 0
    before = said(crowd), crowd.lock
    first = crowd.git("rev-parse", "v1.0.0", cwd=crowd.repository(f"{HOST}/moved"))
    second = crowd.publish(f"{HOST}/moved", "1.0.0", default="v = 'evil'\n")
    crowd.git("tag", "-d", "v1.1.0", cwd=crowd.repository(f"{HOST}/removed"))
    for words in (["update"], ["update", "--major"], ["outdated"]):
        done = crowd.run(*words)
        assert done.status == 0, done.err
        assert f"warning: the tag of {HOST}/moved@1.0.0 has been MOVED" in done.err
        assert first in done.err and second in done.err
        assert f"warning: the tag of {HOST}/removed@1.1.0 was removed" in done.err
        assert (said(crowd), crowd.lock) == before
    assert len(crowd.run("update", "--json").json["warnings"]) == 2
    assert "MOVED" in crowd.run("add", f"{HOST}/moved").err
    assert (said(crowd), crowd.lock) == before


def test_a_branch_is_followed_by_update_alone(crowd: Published) -> None:
    # spec: packages.update.revision
    first = crowd.publish(f"{HOST}/branch", "0.1.0")
    fresh(crowd, f'"{HOST}/branch" = {{ rev = "main" }}\n')
    assert crowd.run("deps").status == 0
    second = crowd.publish(f"{HOST}/branch", "0.2.0")
    before = said(crowd), crowd.lock
    assert crowd.run("deps").out.splitlines()[1].startswith(f"└─ {HOST}/branch 0.1.0 (main)")
    assert first[:12] in crowd.run("outdated").out
    assert (said(crowd), crowd.lock) == before
    done = crowd.run("update")
    assert done.out.splitlines()[0] == f"{HOST}/branch commit {first[:12]} → {second[:12]}", done.err
    assert said(crowd) == before[0]
    assert parse_lock(crowd.lock).tables["Commits"] == {f"{HOST}/branch rev=main": second}
    assert crowd.run("deps", "--offline", "--locked").status == 0


def test_files_that_are_links_and_directories_without_a_right(crowd: Published) -> None:
    fresh(crowd)
    (crowd.project / "bramble.toml").rename(crowd.base / "elsewhere.toml")
    (crowd.project / "bramble.toml").symlink_to(crowd.base / "elsewhere.toml")
    before = (crowd.base / "elsewhere.toml").read_text()
    assert crowd.run("add", f"{HOST}/a").codes == ["config.unreadable"]
    assert (crowd.base / "elsewhere.toml").read_text() == before
    if os.geteuid():
        fresh(crowd)
        crowd.project.chmod(0o555)
        try:
            assert crowd.run("add", f"{HOST}/a").codes == ["cli.unwritable"]
        finally:
            crowd.project.chmod(0o755)


def test_ctrl_c_does_not_wait_for_a_server_that_does_not_answer(crowd: Published) -> None:
    fresh(crowd)
    before = said(crowd)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)
        silent.settimeout(60)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/x.git"
        process = crowd.start("add", f"{HOST}/x", "--git", url)
        silent.accept()
        process.send_signal(signal.SIGINT)
        # Without an answer git would be given minutes.
        process.communicate(timeout=15)
    assert process.returncode == 130
    assert said(crowd) == before


_steady = sorted(set(UNIVERSE) - {"moved", "removed", "renamed"})
_name = st.sampled_from(_steady)
_added = _name.flatmap(lambda name: st.tuples(st.just(name), st.sampled_from(sorted(UNIVERSE[name]))))
_operations = st.lists(
    st.one_of(
        st.tuples(st.just("add"), _added),
        st.tuples(st.just("remove"), _name),
        st.tuples(st.just("update"), st.none() | _name),
        st.tuples(st.just("update --major"), st.none() | _name),
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_operations)
def test_after_any_changes_the_lock_names_what_is_read_and_all_else_stays(
    crowd: Published, operations: list[tuple[str, Any]]
) -> None:
    fresh(crowd)
    required: dict[str, str] = {}
    for what, of in operations:
        if what == "add":
            name, version = of
            done = crowd.run("add", f"{HOST}/{name}@{version}")
            required[name] = version
        elif what == "remove":
            done = crowd.run("remove", f"{HOST}/{of}")
            if of not in required:
                assert done.codes == ["packages.not-required"]
                continue
            del required[of]
        else:
            done = crowd.run(*what.split(), *([] if of is None else [f"{HOST}/{of}"]))
            if of is not None and of not in required:
                assert done.codes == ["packages.not-required"]
                continue
            for name in list(required) if of is None else [of]:
                required[name] = newest(name, required[name], "--major" in what)
        assert done.status == 0, done.err
        entries = "".join(f'"{HOST}/{name}" = "{required[name]}"\n' for name in sorted(required))
        assert said(crowd) == HEAD + "[dependencies]\n" + entries + TAIL
        assert locked(crowd) == read_keys(required) == set(parse_lock(crowd.lock).tables.get("Commits", {}))
    before = crowd.lock
    assert crowd.run("deps", "--offline", "--locked").status == 0
    assert crowd.lock == before


def newest(name: str, current: str, any_major: bool) -> str:
    """Return what an update raises a version to: by hand, as the chapter says it."""
    found = [Version.parse(current)]
    known = [Version.parse(text) for text in UNIVERSE[name]]
    for group in ([one for one in known if one.major == found[0].major], known if any_major else []):
        found += [one for one in group if not one.pre_release] or group
    return str(max(found))
