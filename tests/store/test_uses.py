"""What a process uses is said with a bounded number of locks, and a collector hears it.

All orders of what both do are run by `test_interleavings.py`; `tests/bench/bench_uses.py` says what it costs.
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bramble.errors import BrambleError
from bramble.store.digest import digest
from bramble.store.disk import Store
from bramble.store.gc.collect import collect, delete
from bramble.store.gc.dismantle import dismantle
from bramble.store.locks import uses
from bramble.store.locks.uses import MOST_BYTES, Leases
from tests.store.conftest import publish

USE = """
import sys
from bramble.store.disk import Store
store = Store.open(sys.argv[1])
store.protect(sys.argv[2:])
print(flush=True)
sys.stdin.read()
"""


def many(count: int, mark: str = "m") -> list[str]:
    return [digest(f"{mark}{number}".encode()) for number in range(count)]


def made(store: Store, text: bytes = b"1") -> str:
    """Publish an object that nothing needs, and give up the use of it."""
    name = publish(store, {b"f": text})["out"].name
    store.close()
    return name


def locks_held(path: str) -> int:
    """Return how many locks this process has on files in a directory, as the kernel counts them."""
    count = 0
    for fd in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{fd}").startswith(path):
                lines = Path(f"/proc/self/fdinfo/{fd}").read_text("ascii", "replace").splitlines()
                count += sum(line.startswith("lock:") for line in lines)
        except FileNotFoundError:
            continue
    return count


def leases(store: Store) -> list[str]:
    return [name for name in os.listdir(store.var + "/locks") if name.startswith("uses-")]


@contextmanager
def another(store: Store, names: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Let another process use objects."""
    process = subprocess.Popen(
        [sys.executable, "-c", USE, store.root, *names],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == b"\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_the_number_of_locks_does_not_grow_with_the_graph(store: Store) -> None:
    # spec: store.locks.uses
    names = many(3000)
    store.protect(names[:MOST_BYTES])
    assert locks_held(store.var) == MOST_BYTES and leases(store) == []
    for name in names:
        store.protect([name])
        assert locks_held(store.var) <= MOST_BYTES
    assert locks_held(store.var) == 1
    assert Leases(store.var).names() == set(names)
    store.close()
    assert locks_held(store.var) == 0 and leases(store) == []


def test_what_another_process_uses_stays(store: Store) -> None:
    name = made(store)
    with another(store, [*many(MOST_BYTES), name]):
        assert collect(store).freed == ()
        with pytest.raises(BrambleError) as caught:
            delete(store, [name])
        assert caught.value.code == "store.in-use" and "a running process" in caught.value.message
    assert collect(store).freed == (name,)


def test_a_closure_is_used_with_its_object(store: Store) -> None:
    base = publish(store, {b"f": b"1"})["out"].name
    top = publish(store, {b"f": base.encode()}, closure=[base])["out"].name
    store.close()
    with another(store, [*many(MOST_BYTES), top]):
        assert collect(store).freed == ()


def test_a_killed_process_keeps_nothing_and_a_stopped_one_keeps_what_it_uses(store: Store) -> None:
    name = made(store)
    with another(store, [*many(MOST_BYTES), name]) as process:
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        assert collect(store).freed == ()
        process.kill()
        process.wait()
        assert len(leases(store)) == 1
        assert collect(store, dry_run=True).freed == (name,) and len(leases(store)) == 1
        report = collect(store)
        assert report.freed == (name,) and report.leftovers == 1 and leases(store) == []


def test_who_makes_a_lease_removes_those_of_the_dead(store: Store) -> None:
    for _ in range(3):
        with another(store, many(MOST_BYTES + 1)):
            pass
        assert len(leases(store)) == 1
    store.protect(many(MOST_BYTES + 1))
    assert len(leases(store)) == 1
    store.close()
    assert leases(store) == []


def test_a_process_that_ends_without_a_word_leaves_no_lease(store: Store) -> None:
    script = USE.replace("sys.stdin.read()\n", "")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", script, store.root, *many(MOST_BYTES + 1)]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    assert leases(store) == []


def test_a_forked_child_does_not_remove_the_lease(store: Store) -> None:
    store.protect(many(MOST_BYTES + 1))
    child = os.fork()
    if not child:
        try:
            store.close()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert len(leases(store)) == 1 and Leases(store.var).in_use(many(1)[0])


def test_who_only_reads_has_one_lock_on_everything(store: Store) -> None:
    name = made(store)
    reader = Store.open(store.root, read_only=True)
    reader.protect([*many(MOST_BYTES - 1), name])
    assert locks_held(store.var) == MOST_BYTES and collect(store).freed == ()
    reader.protect(many(1000, "more"))
    assert locks_held(store.var) == 1 and leases(store) == []
    assert collect(store).freed == ()
    reader.close()
    assert collect(store).freed == (name,)


@pytest.mark.parametrize("call", ["open", "write"])
def test_a_full_disk_keeps_nobody_from_using_objects(
    store: Store, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = made(store)
    real = getattr(os, call)

    def full(first: Any, *rest: Any, **options: Any) -> Any:
        if call == "write" or (rest and rest[0] & os.O_CREAT):
            raise OSError(errno.ENOSPC, "full")
        return real(first, *rest, **options)

    user = Store.open(store.root)
    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        user.protect([*many(MOST_BYTES), name])
        user.protect(many(10, "more"))
    assert locks_held(store.var) == 1 and collect(store).freed == ()
    user.close()
    assert collect(store).freed == (name,) and leases(store) == []


def test_half_a_name_counts_when_it_is_whole(store: Store) -> None:
    one, two = many(2)
    lease = uses.Lease(store.var)
    told = Leases(store.var)
    lease.write([one])
    os.write(lease._fd, two[:20].encode())
    assert told.names() == {one}
    os.write(lease._fd, f"{two[20:]}\n".encode())
    assert told.names() == {one, two} and told.in_use(two)
    lease.close()
    assert told.names() == set()


def test_a_lease_that_was_taken_for_a_dead_one_is_made_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = uses.lock_whole
    removed: list[int] = []

    def slow(fd: int, path: str) -> None:
        if not removed:
            removed.append(uses.remove_dead(store.var))
        real(fd, path)

    monkeypatch.setattr(uses, "lock_whole", slow)
    store.protect(many(MOST_BYTES + 1))
    assert removed == [1] and len(leases(store)) == 1 and Leases(store.var).in_use(many(1)[0])


def test_what_is_about_to_be_published_is_no_leftover(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uses, "MOST_BYTES", 0)
    name = many(1)[0]
    staged = f"{store.directory}/.new-{name}-1-{'a' * 16}"
    os.mkdir(staged)
    Path(f"{store.var}/objects/{name}").write_text("{}")
    with another(store, [*many(MOST_BYTES, "x"), name]):
        collect(store)
        assert os.path.isdir(staged) and os.path.exists(f"{store.var}/objects/{name}")
    collect(store)
    assert not os.path.exists(staged) and not os.path.exists(f"{store.var}/objects/{name}")


def test_a_store_of_which_somebody_has_a_lease_is_not_removed(store: Store) -> None:
    with another(store, many(MOST_BYTES + 1)) as process:
        with pytest.raises(BrambleError) as caught:
            dismantle(store)
        assert caught.value.code == "store.in-use" and f"process {process.pid} holds" in caught.value.message
    dismantle(store)


def test_two_threads_use_objects_of_one_store(store: Store) -> None:
    parts = [many(300, mark) for mark in "abcd"]

    def use(names: list[str]) -> None:
        for name in names:
            store.protect([name])

    threads = [threading.Thread(target=use, args=(names,)) for names in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Leases(store.var).names() == {name for names in parts for name in names}
    store.close()


def test_a_lease_ends_with_its_process_however_quickly_that_ends(store: Store) -> None:
    ends = (
        "import sys; from bramble.cli.first import _ended; from bramble.store.locks.uses import Lease; "
        "kept = Lease(sys.argv[1]); _ended(0)"
    )
    subprocess.run(
        [sys.executable, "-c", ends, store.var],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}, check=True, timeout=60,
    )  # fmt: skip
    assert leases(store) == []
