from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from bramble.errors import BrambleError
from bramble.store.digest import digest
from bramble.store.disk import Store
from bramble.store.files import sync, walk
from bramble.store.files.remove import remove_tree
from bramble.store.files.small import read_file, unique, write_file
from bramble.store.files.spool import Spool
from bramble.store.gc.optimise import OPEN_DIRECTORIES
from bramble.store.layout.workspace import remove_stale
from bramble.store.locks import advisory as locks_module
from bramble.store.locks.advisory import LockFile, byte_of
from bramble.store.locks.holders import holder as who

NAME, OTHER = digest(b"one"), digest(b"two")

HOLD = """
import sys, time
from bramble.store.locks.advisory import LockFile
locks = LockFile(sys.argv[1])
getattr(locks, sys.argv[2])(sys.argv[3])
print("held", flush=True)
time.sleep(60)
"""

HOLD_WHOLE = """
import fcntl, sys, time
file = open(sys.argv[1], "wb")
fcntl.flock(file, fcntl.LOCK_EX)
print(flush=True)
time.sleep(60)
"""


def hold(path: str, how: str, name: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, path, how, name],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_a_lock_dies_with_its_process(place: str) -> None:
    locks = LockFile(place + "/locks")
    holder = hold(place + "/locks", "exclusive", NAME)
    assert not locks.try_exclusive(NAME)
    assert locks.try_exclusive(OTHER)
    end(holder)
    assert locks.try_exclusive(NAME)
    locks.close()


def test_many_may_share_what_one_cannot_have_alone(place: str) -> None:
    first, second, third = (LockFile(place + "/locks") for _ in range(3))
    first.share(NAME)
    second.share(NAME)
    assert not third.try_exclusive(NAME)
    first.close()
    assert not third.try_exclusive(NAME)
    second.release(NAME)
    assert third.try_exclusive(NAME)
    for locks in (second, third):
        locks.close()


def test_closing_another_descriptor_of_the_file_gives_up_nothing(place: str) -> None:
    # What classic POSIX locks would do.
    first, second = LockFile(place + "/locks"), LockFile(place + "/locks")
    first.share(NAME)
    LockFile(place + "/locks").close()
    Path(place, "locks").read_bytes()
    assert not second.try_exclusive(NAME)
    first.close()
    second.close()


def test_every_name_has_a_byte_that_a_file_can_have() -> None:
    assert byte_of("a" * 32) < byte_of("z" * 32) < 2**63
    assert byte_of("2" * 32) != byte_of("3" * 32)
    assert byte_of("a" * 11 + "b" * 21) != byte_of("a" * 32)


def test_two_threads_build_one_after_the_other(store: Store) -> None:
    waits: list[str] = []
    order: list[str] = []

    def build() -> None:
        with store.building(NAME, lambda: waits.append("waits")):
            order.append("second")

    with store.building(NAME):
        thread = threading.Thread(target=build)
        thread.start()
        while not waits:
            time.sleep(0.01)
        with store.building(OTHER):
            order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_waiting_for_a_build_can_be_ended(store: Store) -> None:
    def give_up() -> None:
        raise KeyboardInterrupt

    with store.building(NAME), pytest.raises(KeyboardInterrupt), store.building(NAME, give_up):
        pytest.fail("held twice")
    with store.building(NAME):
        pass


def test_a_workspace_is_private_and_gone_at_the_end(store: Store) -> None:
    with store.workspace() as work, store.workspace() as other:
        assert work.path != other.path
        assert os.stat(work.path).st_mode & 0o777 == 0o700
        assert os.stat(work.path).st_dev == os.stat(store.directory).st_dev
    assert os.listdir(store.var + "/work") == []


def test_a_workspace_can_be_kept(store: Store, place: str) -> None:
    with store.workspace() as work:
        Path(work.path, "f").touch()
        kept = work.keep()
    assert os.listdir(kept) == ["f"]
    with store.workspace() as work:
        assert work.keep(place + "/mine") == place + "/mine"
    assert os.path.isdir(place + "/mine")
    assert os.listdir(store.var + "/work") == []


def test_a_living_workspace_is_not_taken_for_a_stale_one(store: Store) -> None:
    os.makedirs(store.var + "/work/stale/d")
    os.chmod(store.var + "/work/stale", 0)
    with store.workspace() as work:
        assert remove_stale(store.var) == 1
        assert os.listdir(store.var + "/work") == [os.path.basename(work.path)]


def test_any_tree_can_be_removed(place: str) -> None:
    os.makedirs(place + "/t/a/b/c")
    Path(place, "t/a/b/f").write_text("x")
    os.symlink("/etc", place + "/t/a/l")
    os.mkfifo(place + "/t/a/p")
    for below in ("t/a/b/c", "t/a/b", "t/a", "t"):
        os.chmod(f"{place}/{below}", 0)
    remove_tree(place + "/t")
    assert os.listdir(place) == []
    remove_tree(place + "/t")
    Path(place, "f").touch()
    os.symlink("f", place + "/l")
    remove_tree(place + "/l")
    remove_tree(place + "/f")
    assert os.listdir(place) == []


def test_a_tree_deeper_than_any_path_can_be_removed(place: str) -> None:
    os.mkdir(place + "/t")
    at = os.open(place + "/t", os.O_RDONLY)
    for _ in range(300):
        for name in ("e", "d" * 20):
            os.mkdir(name, dir_fd=at)
        below = os.open("d" * 20, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)
    remove_tree(place + "/t")
    assert os.listdir(place) == []


def test_a_tree_can_be_removed_by_several_at_once(place: str) -> None:
    for number in range(200):
        os.makedirs(f"{place}/t/{number % 7}/{number}/x/y")
    errors: list[BaseException] = []

    def remove() -> None:
        try:
            remove_tree(place + "/t")
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=remove) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert os.listdir(place) == []


def test_small_files_are_replaced_whole(place: str) -> None:
    path = place + "/f"
    assert read_file(path) is None
    write_file(path, b"one", sync=True)
    with pytest.raises(TypeError):
        write_file(path, None, sync=True)  # type: ignore[arg-type]
    assert read_file(path) == b"one"
    write_file(path, b"x" * 200000, sync=False, mode=0o444)
    assert read_file(path) == b"x" * 200000
    assert os.listdir(place) == ["f"]
    assert unique() != unique()


def test_what_is_no_file_holds_nothing_and_nobody_waits_for_it(place: str) -> None:
    os.symlink("/etc/hostname", place + "/link")
    os.symlink("loop", place + "/loop")
    os.mkdir(place + "/directory")
    os.mkfifo(place + "/pipe")
    for name in ("link", "loop", "directory", "pipe", "loop/f"):
        assert read_file(f"{place}/{name}") == b"", name
    write_file(place + "/file", b"1", sync=False)
    assert read_file(place + "/file/f") is None


def test_a_list_of_numbers_goes_to_disk_and_comes_back(place: str) -> None:
    spool = Spool(place, limit=100)
    numbers = [n * n for n in range(20011)]
    for number in numbers:
        spool.append(number)
    assert list(spool) == list(spool) == numbers
    assert len(spool) == len(numbers)
    assert os.listdir(place) == []
    spool.close()


def test_a_directory_that_was_moved_under_a_deep_walk_is_noticed(place: str) -> None:
    names = [b"d%d" % number for number in range(60)]
    os.makedirs(os.fsencode(place) + b"/t/" + b"/".join(names))
    top = os.open(place + "/t", os.O_RDONLY)
    way = walk.Descent(top)
    for name in names:
        way.enter(name)
    os.rename(os.fsencode(place) + b"/t/d0/d1", place + "/elsewhere")
    with pytest.raises(BrambleError) as caught:
        while way.depth:
            way.leave()
    assert caught.value.code == "store.changed-while-read"
    way.close()
    os.close(top)


def test_a_file_system_without_locks_is_told(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    def refuse(*_: object) -> None:
        raise OSError(37, "No locks available")

    store = Store.open(place + "/s")
    monkeypatch.setattr(fcntl, "fcntl", refuse)
    store.protect([NAME])
    with pytest.raises(BrambleError) as caught, store.building(NAME):
        pass
    assert caught.value.code == "store.locks-unsupported"


def test_threads_that_ask_at_the_same_time_share_a_sync(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    began, ready = threading.Event(), threading.Event()
    count = 0

    def syncfs(fd: int) -> bool:
        nonlocal count
        count += 1
        began.set()
        ready.wait()
        return True

    monkeypatch.setattr(sync, "_syncfs", syncfs)
    syncer = sync.Syncer(place)
    threads = [threading.Thread(target=syncer.sync)]
    threads[0].start()
    began.wait()
    # These come while the first is under way: what they have written may be too late for it.
    threads += [threading.Thread(target=syncer.sync) for _ in range(5)]
    for thread in threads[1:]:
        thread.start()
    time.sleep(0.1)
    ready.set()
    for thread in threads:
        thread.join()
    assert count == 2
    syncer.sync()
    assert count == 3


def test_a_sync_that_failed_is_not_shared(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync, "_syncfs", lambda _: (_ for _ in ()).throw(OSError(28, "full")))
    syncer = sync.Syncer(place)
    for _ in range(2):
        with pytest.raises(OSError):
            syncer.sync()


def test_what_was_lost_stays_lost_when_the_next_sync_goes_well(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Linux reports a failure once for each descriptor.
    answers = [OSError(5, "lost"), None]
    monkeypatch.setattr(sync, "_syncfs", lambda _: _raised(answers.pop(0)))
    syncer = sync.Syncer(place)
    for _ in range(2):
        with pytest.raises(OSError) as caught:
            syncer.sync()
        assert caught.value.errno == 5


def _raised(error: OSError | None) -> bool:
    if error is not None:
        raise error
    return True


def test_a_failure_of_which_somebody_else_was_told_is_reported(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Linux: a descriptor is told of failures since it was opened, and of those of which nobody was told.
    failed, told = 0, 0
    since: dict[int, int] = {}
    real = os.open

    def opened(*arguments: Any, **options: Any) -> int:
        fd: int = real(*arguments, **options)
        since[fd] = told
        return fd

    def syncfs(fd: int) -> bool:
        nonlocal told
        before, since[fd] = since[fd], failed
        told = failed
        if before < failed:
            raise OSError(5, "lost")
        return True

    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(sync, "_syncfs", syncfs)
    store = Store.open(place + "/s")
    store.write_derivation("a" * 32 + "-x.drv", b"{}")
    failed += 1
    with pytest.raises(OSError):
        syncfs(opened(place, os.O_RDONLY))
    with pytest.raises(OSError):
        store.sync()


def test_old_kernels_are_asked_for_every_file(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    os.makedirs(place + "/t/d")
    for name in ("t/f", "t/d/g"):
        Path(place, name).touch()
    asked: list[str] = []
    monkeypatch.setattr(sync, "_kernel", lambda: (4, 18))
    monkeypatch.setattr(os, "fsync", lambda fd: asked.append(os.readlink(f"/proc/self/fd/{fd}")))
    sync.Syncer(place).sync([place + "/t"])
    assert sorted(asked) == [f"{place}/t{below}" for below in ("", "/d", "/d/g", "/f")]


def test_a_workspace_has_the_name_that_is_asked_for_unless_somebody_uses_it(store: Store) -> None:
    with store.workspace("name") as work, store.workspace("name") as other:
        assert [os.path.basename(one.path) for one in (work, other)] == ["name", "name-2"]
        Path(work.path, "file").write_text("x")
        kept = other.keep()
    assert os.path.basename(kept) not in ("name", "name-2")
    # What a process that is gone has left is nobody's.
    os.mkdir(f"{store.var}/work/name")
    Path(store.var, "work", "name", "left").write_text("x")
    with store.workspace("name") as work:
        assert os.path.basename(work.path) == "name" and os.listdir(work.path) == []


def test_who_holds_a_lock_is_named(tmp_path: Path) -> None:
    # spec: store.locks.told
    path = str(tmp_path / "l")
    with open(path, "wb") as whole:
        fcntl.flock(whole, fcntl.LOCK_EX)
        held = LockFile(path)
        assert held.try_exclusive("a" * 32)
        # A lock is a descriptor's: the child has it as soon as it is there, and keeps it when we close ours.
        # While it starts another program, the kernel shows its descriptors to nobody: it says when it runs.
        child = subprocess.Popen(
            [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)"],
            pass_fds=(whole.fileno(), held._fd),
            stdout=subprocess.PIPE,
        )
        assert child.stdout is not None and child.stdout.readline() == b"\n"
        held.close()
    try:
        byte = byte_of("a" * 32)
        assert who(path) == who(path, byte) == f"process {child.pid} holds {path}"
        child.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)
        assert who(path, byte) == f"process {child.pid}, which is stopped (kill -CONT), holds {path}"
        assert who(path, byte + 1) == f"another bramble holds {path} (see: fuser {path})"
    finally:
        child.kill()
        child.communicate()


def test_a_descriptor_that_is_closed_meanwhile_hides_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # spec: store.locks.told
    path = str(tmp_path / "l")
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD_WHOLE, path], stdout=subprocess.PIPE, stdin=subprocess.PIPE
    )
    real = os.stat

    def stat(name: str, **options: Any) -> os.stat_result:
        if str(name) in (f"/proc/{child.pid}/fd/{number}" for number in (0, 1, 2)):
            raise FileNotFoundError(name)
        return real(name, **options)

    try:
        assert child.stdout is not None and child.stdout.readline() == b"\n"
        monkeypatch.setattr(os, "stat", stat)
        assert who(path) == f"process {child.pid} holds {path}"
    finally:
        child.kill()
        child.communicate()


def test_a_lock_that_is_never_given_up_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # spec: store.locks.patience
    monkeypatch.setattr(locks_module, "_PATIENCE", 0)
    holder, waiter = LockFile(str(tmp_path / "l")), LockFile(str(tmp_path / "l"))
    assert holder.try_exclusive("a" * 32)
    with pytest.raises(BrambleError) as caught:
        waiter.share("a" * 32)
    assert caught.value.code == "store.locked" and caught.value.remedy
    holder.release("a" * 32)
    waiter.share("a" * 32)
    holder.close()
    waiter.close()


def test_a_fifo_in_the_place_of_a_lock_is_not_waited_for(tmp_path: Path) -> None:
    # spec: store.no-links
    script = (
        "import sys, types; from bramble.store.gc.optimise import closed_directories as closed\n"
        "with closed(types.SimpleNamespace(var=sys.argv[1])): pass"
    )
    (tmp_path / "locks").mkdir()
    os.mkfifo(tmp_path / OPEN_DIRECTORIES)
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], timeout=30, check=True)
