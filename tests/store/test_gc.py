from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bramble.errors import BrambleError
from bramble.store.digest import digest
from bramble.store.disk import Realisation, Store
from bramble.store.gc import collect as collecting
from bramble.store.gc.collect import collect, delete
from bramble.store.gc.mark import Node, choose, last_uses, reachable, referrers_first
from bramble.store.questions.verify import verify
from bramble.store.records.roots import add_root, projects
from tests.store.conftest import publish


def chain(store: Store, *texts: str) -> list[str]:
    """Publish one object for each text, each referring to the one before; return their names."""
    names: list[str] = []
    for text in texts:
        content = " ".join([text, *names[-1:]]).encode()
        names.append(publish(store, {b"f": content}, closure=tuple(names))["out"].name)
    return names


def fresh(store: Store) -> Store:
    """Return the store as another process sees it, after this one has given up what it protects."""
    store.close()
    return Store.open(store.root)


def unused_for(store: Store, name: str, days: float) -> None:
    then = time.time() - days * 86400
    os.utime(f"{store.var}/objects/{name}", (then, then))


def test_what_nobody_needs_goes_and_what_a_project_needs_stays(store: Store, place: str) -> None:
    kept = chain(store, "a", "b", "c")
    gone = chain(store, "x", "y")
    store.record_roots(place, {"m:f": [kept[-1]]})
    store = fresh(store)
    report = collect(store)
    assert store.names() == sorted(kept)
    assert sorted(report.freed) == sorted(gone)
    assert report.freed_size == len("x") + len("y ") + 32
    assert report.kept.objects == 3
    assert sorted(os.listdir(store.var + "/objects")) == sorted(kept)
    assert verify(store).damages == ()


def test_a_referrer_goes_before_what_it_refers_to(store: Store) -> None:
    names = chain(store, "a", "b", "c", "d")
    assert list(collect(fresh(store)).freed) == names[::-1]


def test_nothing_goes_in_a_dry_run(store: Store, place: str) -> None:
    names = chain(store, "a", "b")
    store.record_roots(place + "/gone", {"m:f": names})
    os.makedirs(store.var + "/work/stale")
    before = {path: path.lstat().st_mtime_ns for path in Path(store.root).rglob("*")}
    report = collect(fresh(store), dry_run=True)
    assert sorted(report.freed) == sorted(names)
    assert report.dry_run
    assert report.forgotten == (place + "/gone",)
    after = {path: path.lstat().st_mtime_ns for path in Path(store.root).rglob("*")}
    assert set(after) - set(before) <= {Path(store.var, "locks/gc")}
    assert {path: after[path] for path in before if path.name not in ("locks",)} == {
        path: time_ for path, time_ in before.items() if path.name not in ("locks",)
    }


def test_explicit_roots_keep_their_closure(store: Store) -> None:
    names = chain(store, "a", "b", "c")
    add_root(store, "mine", [names[1]])
    store = fresh(store)
    assert list(collect(store).freed) == [names[2]]


def test_a_project_that_is_gone_is_forgotten_and_charged(store: Store, place: str) -> None:
    os.mkdir(place + "/old")
    names = chain(store, "a", "b")
    store.record_roots(place + "/old", {"m:f": [names[-1]]})
    store = fresh(store)
    assert collect(store).freed == ()
    os.rmdir(place + "/old")
    report = collect(store)
    assert report.forgotten == (place + "/old",)
    assert report.freed_by[place + "/old"].objects == 2
    assert list(projects(store)) == []


def test_who_says_what_a_project_is_may_be_told(store: Store, place: str) -> None:
    names = chain(store, "a")
    store.record_roots(place, {"m:f": names})
    report = collect(fresh(store), is_project=lambda path: os.path.exists(path + "/bramble.toml"))
    assert report.forgotten == (place,)


def test_former_results_are_charged_to_their_project(store: Store, place: str) -> None:
    old, new, other = chain(store, "old")[0], chain(store, "new")[0], chain(store, "nobody's")[0]
    store.record_roots(place, {"m:f": [old]})
    store.record_roots(place, {"m:f": [new]})
    report = collect(fresh(store))
    assert sorted(report.freed) == sorted([old, other])
    assert report.freed_by[place].objects == 1
    assert report.freed_by[""].objects == 1
    assert report.held_by[place] == collecting.Share(1, 3)
    ((_, roots),) = projects(store)
    assert roots.former == ()


def test_what_targets_were_made_with_is_charged_to_their_project(store: Store, place: str) -> None:
    low, high, lower, higher = (chain(store, name)[0] for name in ("low", "high", "lower", "higher"))
    store.record_roots(place, {"m:f": [high]}, needed=[low])
    store.record_roots(place, {"m:f": [higher]}, needed=[lower])
    report = collect(fresh(store), keep_former=0)
    assert sorted(report.freed) == sorted([low, high])
    assert report.freed_by == {place: collecting.Share(2, report.freed_size)}
    report = collect(fresh(store), is_project=lambda path: False)
    assert sorted(report.freed) == sorted([lower, higher])
    assert report.freed_by == {place: collecting.Share(2, report.freed_size)}


def test_an_idle_project_can_be_forgotten(store: Store, place: str) -> None:
    names = chain(store, "a")
    store.record_roots(place, {"m:f": names})
    ((path, _),) = projects(store)
    os.utime(path, (1, 1))
    store = fresh(store)
    assert collect(store, dry_run=True).last_used == {place: 1.0}
    assert collect(store, forget_idle=86400.0).freed == tuple(names)


def test_what_a_living_process_uses_stays_with_its_closure(store: Store) -> None:
    names = chain(store, "a", "b", "c")
    other = Store.open(store.root)
    store.close()
    other.protect([names[1]])
    store = Store.open(store.root)
    assert list(collect(store).freed) == [names[2]]
    other.close()
    assert list(collect(Store.open(store.root)).freed) == [names[1], names[0]]


def test_what_the_collecting_process_uses_stays_too(store: Store) -> None:
    names = chain(store, "a", "b")
    assert collect(store).freed == ()
    assert store.names() == sorted(names)


def test_only_what_was_not_used_for_long_goes(store: Store) -> None:
    young, old = chain(store, "young")[0], chain(store, "old")[0]
    below, above = chain(store, "below", "above")
    store = fresh(store)
    for name in (old, below):
        unused_for(store, name, 40)
    report = collect(store, older_than=30 * 86400.0)
    # `below` was last used when `above` was, which needs it.
    assert report.freed == (old,)
    assert store.names() == sorted([young, below, above])


def test_only_as_much_goes_as_brings_the_store_down_to_its_size(store: Store) -> None:
    names = [publish(store, {b"f": bytes(1000) + b"%d" % n})["out"].name for n in range(5)]
    store = fresh(store)
    for days, name in enumerate(names):
        unused_for(store, name, 10 + days)
    report = collect(store, max_size=3003)
    assert report.freed == (names[4], names[3])
    assert report.kept.size == 3003
    assert collect(store, max_size=10**9).freed == ()


def test_an_object_that_appears_meanwhile_keeps_what_it_needs(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed, other = chain(store, "needed")[0], chain(store, "other")[0]
    store = fresh(store)
    real = collecting._Collector.sweep

    def sweep(self: collecting._Collector, *arguments: object) -> list[str]:
        # Another process builds on what is about to go, and ends, before anything has gone.
        builder = Store.open(store.root)
        builder.protect([needed])
        made = publish(builder, {b"f": b"on " + needed.encode()}, closure=(needed,))["out"]
        assert made.references == (needed,)
        builder.close()
        return real(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(collecting._Collector, "sweep", sweep)
    assert collect(store).freed == (other,)
    assert verify(store).damages == ()


def test_an_object_that_was_about_to_appear_keeps_what_it_needs(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The collection begins between the moment at which a publication writes the record and the one at
    # which the object gets its name, and the publishing process ends before the collection removes anything.
    needed = chain(store, "needed")[0]
    above = publish(store, {b"f": b"on " + needed.encode()}, closure=(needed,))["out"].name
    store = fresh(store)
    staged = f"{store.directory}/.new-{above}-1"
    os.rename(store.object_path(above), staged)
    real = collecting._Collector.sweep
    monkeypatch.setattr(collecting, "remove_leftovers", lambda _: 0)

    def sweep(self: collecting._Collector, *arguments: object) -> list[str]:
        os.rename(staged, store.object_path(above))
        return real(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(collecting._Collector, "sweep", sweep)
    assert collect(store).freed == ()
    assert verify(store).damages == ()


def test_a_reference_that_is_found_meanwhile_keeps_what_it_names(
    store: Store, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The same bytes are made once more, by a build that knows what the name in them means.
    needed = chain(store, "needed")[0]
    above = publish(store, {b"f": b"on " + needed.encode()})["out"].name
    store.record_roots(place, {"m:f": [above]})
    store = fresh(store)
    real = collecting._Collector.sweep

    def sweep(self: collecting._Collector, *arguments: object) -> list[str]:
        builder = Store.open(store.root)
        builder.protect([needed])
        assert publish(builder, {b"f": b"on " + needed.encode()}, closure=(needed,))["out"].references
        builder.close()
        return real(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(collecting._Collector, "sweep", sweep)
    assert collect(store).freed == ()
    assert verify(store).damages == ()


def test_a_root_that_appears_meanwhile_keeps_what_it_names(
    store: Store, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = chain(store, "a", "b")
    store = fresh(store)
    real = collecting._Collector.sweep

    def sweep(self: collecting._Collector, *arguments: object) -> list[str]:
        builder = Store.open(store.root)
        builder.record_roots(place, {"m:f": [names[1]]})
        builder.close()
        return real(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(collecting._Collector, "sweep", sweep)
    assert collect(store).freed == ()


def test_a_use_that_begins_meanwhile_keeps_what_is_used(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = chain(store, "a", "b", "c")
    store = fresh(store)
    user = Store.open(store.root)
    real = collecting._Collector.sweep

    def sweep(self: collecting._Collector, *arguments: object) -> list[str]:
        user.protect([names[1]])
        return real(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(collecting._Collector, "sweep", sweep)
    assert collect(store).freed == (names[2],)
    user.close()


def test_what_was_built_stays_known_for_what_stays_and_what_it_was_made_from(
    store: Store, place: str
) -> None:
    tool, result, stray = (chain(store, text)[0] for text in ("tool", "result", "stray"))
    drvs = {}
    for label, name, inputs in (("tool", tool, []), ("result", result, ["tool"]), ("stray", stray, [])):
        resolved = digest(label.encode())
        drvs[label] = f"{resolved}-{label}.drv"
        dependencies = [{"Filename": drvs[other], "OutputName": "out"} for other in inputs]
        store.write_derivation(drvs[label], json.dumps({"Dependencies": dependencies or None}).encode())
        store.record_realisation(Realisation(resolved, drvs[label], (("out", name),)))
        Path(store.log_path(resolved)).write_text("log")
        for old in (store.log_path(resolved), f"{store.directory}/{drvs[label]}"):
            os.utime(old, (1, 1))
    store.record_roots(place, {"m:f": [result]})
    store = fresh(store)
    assert sorted(collect(store).freed) == sorted([tool, stray])
    assert sorted(os.listdir(store.var + "/realisations")) == sorted(map(digest, (b"tool", b"result")))
    assert not os.path.exists(f"{store.directory}/{drvs['stray']}")
    assert os.path.exists(f"{store.directory}/{drvs['tool']}")
    assert sorted(os.listdir(store.var + "/logs")) == sorted(map(digest, (b"tool", b"result")))
    assert store.realisation(digest(b"tool")) is None
    assert store.realisation(digest(b"result")) is not None


def test_what_crashed_processes_left_is_removed_and_what_living_ones_do_is_not(store: Store) -> None:
    name, staged = chain(store, "a")[0], digest(b"staged")
    os.makedirs(f"{store.directory}/.old-{name}-1/d")
    os.makedirs(f"{store.directory}/.new-{name}-2/d")
    os.makedirs(f"{store.directory}/.new-{staged}-3/d")
    os.makedirs(f"{store.var}/work/stale")
    Path(store.directory, ".tmp-old").touch()
    os.utime(f"{store.directory}/.tmp-old", (1, 1))
    Path(store.var, "realisations/.tmp-young").touch()
    Path(store.var, "objects", digest(b"orphan")).write_text('{"version": 1, "references": [], "size": 1}')
    other = Store.open(store.root)
    other.protect([staged])
    report = collect(fresh(store))
    assert report.leftovers == 4
    left = [entry for entry in os.listdir(store.directory) if entry.startswith(".")]
    assert left == [f".new-{staged}-3"]
    assert os.listdir(store.var + "/realisations") == [".tmp-young"]
    assert os.listdir(store.var + "/objects") == []
    other.close()


def test_a_live_object_whose_record_is_lost_keeps_what_it_refers_to(store: Store, place: str) -> None:
    names = chain(store, "a", "b")
    store.record_roots(place, {"m:f": [names[1]]})
    store = fresh(store)
    os.unlink(f"{store.var}/objects/{names[1]}")
    assert collect(store).freed == ()
    assert Store.open(store.root).references(names[1]) == (names[0],)


def test_a_collection_that_is_interrupted_leaves_a_store(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = chain(store, *"abcdefgh")
    store = fresh(store)
    monkeypatch.setattr(collecting, "_BATCH", 2)
    calls = 0

    def interrupt(path: str) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(collecting, "remove_tree", interrupt)
    with pytest.raises(KeyboardInterrupt):
        collect(store)
    monkeypatch.undo()
    assert store.names() == sorted(names[:4])
    assert verify(store).damages == ()
    assert sorted(collect(store).freed) == sorted(names[:4])
    assert [entry for entry in os.listdir(store.directory) if entry.startswith(".")] == []


def test_a_store_that_is_only_read_is_not_collected(store: Store) -> None:
    with pytest.raises(BrambleError) as caught:
        collect(Store.open(store.root, read_only=True))
    assert caught.value.code == "store.read-only"


def test_certain_objects_can_be_deleted(store: Store) -> None:
    names = chain(store, "a", "b", "c")
    store = fresh(store)
    assert delete(store, [names[1], names[2]]).freed == (names[2], names[1])
    assert store.names() == [names[0]]


def test_what_is_needed_cannot_be_deleted(store: Store, place: str) -> None:
    names = chain(store, "a", "b", "c")
    store.record_roots(place, {"m:f": [names[2]]})
    store = fresh(store)
    user = Store.open(store.root)
    loose = publish(user, {b"f": b"loose"})["out"].name
    for name, why in ((names[0], names[1]), (names[2], "a project"), (loose, "process")):
        with pytest.raises(BrambleError) as caught:
            delete(store, [name])
        assert caught.value.code == "store.in-use"
        assert why in caught.value.message
    with pytest.raises(BrambleError) as caught:
        delete(store, [digest(b"nothing")])
    assert caught.value.code == "store.unknown-object"
    user.close()


def test_two_collections_at_once_do_no_harm(store: Store) -> None:
    names = chain(store, *"abcdefghijklmnop")
    store = fresh(store)
    program = (
        "import sys; from bramble.store.disk import Store; from bramble.store.gc.collect import collect\n"
    )
    program += "print(len(collect(Store.open(sys.argv[1])).freed))"
    path = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", program, store.root]
    processes = [subprocess.Popen(command, env=path, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert sum(int(process.communicate()[0]) for process in processes) == len(names)
    assert store.names() == []


def node(number: int) -> st.SearchStrategy[tuple[set[int], int]]:
    below = st.integers(0, number - 1) if number else st.nothing()
    return st.tuples(st.sets(below), st.integers(0, 9))


graphs = st.integers(0, 12).flatmap(lambda count: st.tuples(*map(node, range(count))))


def nodes_of(graph: tuple[tuple[set[int], int], ...]) -> dict[str, Node]:
    return {
        str(n): Node(tuple(str(other) for other in sorted(references)), 10, float(used))
        for n, (references, used) in enumerate(graph)
    }


@given(graph=graphs, roots=st.sets(st.integers(0, 11)), since=st.integers(0, 9), limit=st.integers(0, 120))
def test_what_is_chosen_leaves_no_reference_dangling_at_any_moment(
    graph: tuple[tuple[set[int], int], ...], roots: set[int], since: int, limit: int
) -> None:
    nodes = nodes_of(graph)
    live = reachable(nodes, map(str, roots))
    for unused_since, max_size in ((None, None), (float(since), None), (None, limit), (float(since), limit)):
        left = set(nodes)
        for name in choose(nodes, live, unused_since=unused_since, max_size=max_size):
            assert name not in live
            left.remove(name)
            assert all(reference in left for kept in left for reference in nodes[kept].references)


@given(graph=graphs)
def test_all_that_is_reachable_from_everything_is_everything(graph: tuple[tuple[set[int], int], ...]) -> None:
    nodes = nodes_of(graph)
    assert reachable(nodes, nodes) == set(nodes)
    order = referrers_first(nodes, nodes)
    assert sorted(order) == sorted(nodes)
    uses = last_uses(nodes, order)
    for name, node in nodes.items():
        assert uses[name] >= node.used
        assert all(uses[reference] >= uses[name] for reference in node.references)


def test_a_damaged_graph_with_a_circle_is_ordered_somehow() -> None:
    nodes = {"a": Node(("b",), 1, 0.0), "b": Node(("a",), 1, 0.0), "c": Node(("gone", "a"), 1, 0.0)}
    assert reachable(nodes, ["c", "nothing"]) == {"a", "b", "c"}
    assert sorted(referrers_first({name: nodes[name] for name in "ab"}, "ab")) == ["a", "b"]
