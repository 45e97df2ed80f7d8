"""The records of builds: complete, bounded, and believed only if they have their form."""

from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path
from typing import Optional

import pytest

from bramble.errors import BrambleError
from bramble.store.digest import digest
from bramble.store.disk import Store
from bramble.store.history import form, records
from bramble.store.history.model import Build, Ended, Facts, SourceFile
from bramble.store.history.records import Entry, builds, durations, facts_of, forget_histories, record_build

A, B, C = (digest(text) for text in (b"1", b"2", b"3"))
FACTS = Facts(
    id=A,
    name="one",
    place="default.bramble:3:4",
    resolved=B,
    builder="{{ " + B + ":out }}/bin/sh",
    args=("-c", "echo \udcff"),
    env=(("PATH", "/x"),),
    outputs=(("out", C), ("lib", "")),
    inputs=((B, "out"),),
    project="",
    source=C,
    files=(SourceFile("a/b", A, "x"),),
    rest=(("target", "linux-arm64"),),
)


def a_build(project: str = "/p", name: str = "one", milliseconds: int = 1500) -> Build:
    return Build(0, project, 5, 7, {"p:one": (A,)}, (Ended(A, name, milliseconds),), (), 0, 0, False)


def an_entry(facts: Facts = FACTS, stamp: str = B) -> Entry:
    return Entry(facts.id, stamp, lambda before: facts)


def directory(store: Store, project: str = "/p") -> Path:
    return Path(store.var, "history", digest(os.fsencode(project)))


# spec: store.records.history
def test_builds_are_told_the_newest_first_with_their_facts(store: Store) -> None:
    assert list(builds(store, "/p")) == []
    assert [record_build(store, a_build(name=name), [an_entry()]) for name in ("a", "b")] == [1, 2]
    newest, oldest = builds(store, "/p")
    assert (newest.number, newest.built[0].name, oldest.number) == (2, "b", 1)
    assert facts_of(store, newest) == {A: FACTS}
    assert list(builds(store, "/other")) == []


# spec: store.records.history.facts
def test_facts_that_are_as_they_were_are_copied_and_others_see_what_was_before(store: Store) -> None:
    record_build(store, a_build(), [an_entry()])
    seen: list[Optional[Facts]] = []

    def make(before: Optional[Facts]) -> Facts:
        seen.append(before)
        return FACTS._replace(name="new")

    record_build(store, a_build(), [Entry(A, B, make)])
    assert seen == []
    assert facts_of(store, next(builds(store, "/p")))[A].name == "one"
    record_build(store, a_build(), [Entry(A, C, make)])
    assert seen == [FACTS]
    assert facts_of(store, next(builds(store, "/p")))[A].name == "new"


def test_the_last_time_that_a_name_took_counts(store: Store) -> None:
    record_build(store, a_build(name="a", milliseconds=1000), [])
    record_build(store, a_build(name="b", milliseconds=2500), [])
    record_build(store, a_build(name="a", milliseconds=4000), [])
    assert durations(store, "/p") == {"a": 4.0, "b": 2.5}


def test_only_so_many_are_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MOST_BUILDS", 3)
    for _ in range(5):
        record_build(store, a_build(), [an_entry()])
    assert [build.number for build in builds(store, "/p")] == [5, 4, 3]
    assert sorted(os.listdir(directory(store))) == ["3", "3.facts", "4", "4.facts", "5", "5.facts"]


def test_only_so_much_is_kept_but_always_the_last_two(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MOST_BYTES", 10)
    for _ in range(4):
        record_build(store, a_build(), [an_entry()])
    assert [build.number for build in builds(store, "/p")] == [4, 3]


def test_facts_whose_build_was_never_recorded_are_removed(store: Store) -> None:
    record_build(store, a_build(), [])
    (directory(store) / "7.facts").write_text("x")
    record_build(store, a_build(), [])
    assert sorted(os.listdir(directory(store))) == ["1", "1.facts", "2", "2.facts"]


def _record_ten(root: str, name: str) -> None:
    store = Store.open(root)
    for _ in range(10):
        record_build(store, a_build(name=name), [an_entry()])


def test_several_processes_lose_nothing(store: Store) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_record_ten, args=(store.root, name)) for name in "abc"]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    found = list(builds(store, "/p"))
    assert [build.number for build in found] == list(range(30, 0, -1))
    assert sorted(build.built[0].name for build in found) == sorted("abc" * 10)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"version": 1}', "[" * 100_000])
def test_a_record_that_is_none_is_passed_over_and_its_number_not_given_again(store: Store, text: str) -> None:
    record_build(store, a_build(name="a"), [an_entry()])
    record_build(store, a_build(name="b"), [an_entry()])
    (directory(store) / "2").write_text(text)
    assert [build.built[0].name for build in builds(store, "/p")] == ["a"]
    assert record_build(store, a_build(name="c"), [an_entry()]) == 3


@pytest.mark.parametrize("other", [{"number": 9}, {"project": "/q"}])
def test_a_record_of_another_build_is_passed_over(store: Store, other: dict[str, object]) -> None:
    record_build(store, a_build(), [an_entry()])
    path = directory(store) / "1"
    path.write_text(json.dumps({**json.loads(path.read_text()), **other}))
    assert list(builds(store, "/p")) == []


@pytest.mark.parametrize("field", Facts._fields)
@pytest.mark.parametrize("value", [None, 5, {"a": 1}, [["x"]], "\0", "../x", [[1, 2]], [["a", "b", "c"]]])
def test_each_field_of_facts_has_its_type(field: str, value: object) -> None:
    fields = {**FACTS._asdict(), "files": A, field: value}
    try:
        read = form.facts(json.dumps(fields).encode(), {A: FACTS.files}.get)
    except form.Malformed:
        return
    assert isinstance(getattr(read, field), str) and isinstance(value, str) and "\0" not in value
    assert field in ("name", "place", "builder", "project")


def test_lines_that_are_no_facts_are_left_out(store: Store) -> None:
    record_build(store, a_build(), [an_entry(), an_entry(FACTS._replace(id=B))])
    path = directory(store) / "1.facts"
    files, first, second, _ = path.read_bytes().split(b"\n")
    another = second.replace(B.encode(), C.encode(), 1)
    path.write_bytes(b"\n".join([files, first[:-9], b"\xff" * 80, second, another]))
    assert list(facts_of(store, next(builds(store, "/p")))) == [B]
    for broken in (b"", files[:-1], files[:-2], files + b"x", b"files ", b"files x"):
        path.write_bytes(b"\n".join([broken, second]))
        assert facts_of(store, next(builds(store, "/p"))) == {}


# spec: store.records.history.facts
def test_files_that_many_derivations_have_are_recorded_once(
    store: Store,
) -> None:
    other = FACTS._replace(id=B, files=(*FACTS.files, SourceFile("c", B, "")))
    none = FACTS._replace(id=C, source="", files=())
    same = FACTS._replace(id=digest(b"4"), files=(SourceFile("a/b", A, "x"),))
    entries = [an_entry(facts) for facts in (FACTS, other, none, same)]
    for _ in range(2):
        record_build(store, a_build(), entries)
        found = facts_of(store, next(builds(store, "/p")))
        assert found == {facts.id: facts for facts in (FACTS, other, none, same)}
    assert (directory(store) / "2.facts").read_bytes().count(b'["a/b","' + A.encode()) == 2
    record_build(store, a_build(), [an_entry(none), Entry(A, C, lambda before: before or none)])
    assert facts_of(store, next(builds(store, "/p"))) == {C: none, A: FACTS}
    assert b'["c"' not in (directory(store) / "3.facts").read_bytes()


# spec: store.no-links
def test_a_link_in_the_place_of_the_directory_is_not_followed(store: Store, tmp_path: Path) -> None:
    os.symlink(tmp_path, directory(store))
    for act in (lambda: record_build(store, a_build(), []), lambda: list(builds(store, "/p"))):
        with pytest.raises(BrambleError) as caught:
            act()
        assert caught.value.code == "store.foreign-entry"
    assert os.listdir(tmp_path) == []


# spec: store.gc.projects
def test_what_is_recorded_of_projects_that_are_gone_is_removed(store: Store) -> None:
    for project in ("/p", "/q", "/r"):
        record_build(store, a_build(project), [])
    (directory(store, "/r") / "1").write_text("")
    forget_histories(store, lambda project, last: project == "/q" and last == 0.005)
    assert os.listdir(Path(store.var, "history")) == [directory(store).name]
