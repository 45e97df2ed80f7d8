"""What two builds differ in: from recorded facts alone, whatever they say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Optional

from hypothesis import given
from hypothesis import strategies as st

from bramble.store.digest import digest
from bramble.store.history.changes import Change, match, reasons
from bramble.store.history.model import Facts, SourceFile


def key(text: str) -> str:
    return digest(text.encode())


def some(
    id: str, name: str = "", *, needs: Iterable[str] = (), came: Optional[str] = None, **more: object
) -> Facts:
    facts = Facts(
        id=key(id),
        name=name or id,
        place="default.bramble:1:1",
        resolved=key("resolved " + id),
        builder="./b",
        args=(),
        env=(),
        outputs=(("out", key("out " + id) if came is None else came and key(came)),),
        inputs=tuple((key(one), "out") for one in needs),
        project="",
        source="",
        files=(),
        rest=(),
    )
    return facts._replace(**more)  # type: ignore[arg-type]


def build(*all: Facts) -> dict[str, Facts]:
    return {one.id: one for one in all}


def changes(now: Facts, before: Facts) -> list[Change]:
    return list(reasons(now.id, build(now), build(before))[0].changes)


def test_each_part_of_a_recipe_is_compared() -> None:
    old = some("a", args=("x", "y"), env=(("A", "1"), ("B", "2")), rest=(("target", "t"),))
    new = old._replace(
        builder="./c",
        args=("x", "z", "w"),
        env=(("B", "3"), ("C", "4")),
        outputs=(("out", key("o")), ("dev", key("d"))),
        rest=(),
    )
    assert changes(new, old) == [
        Change("builder", "", "./b", "./c"),
        Change("argument", "2", "y", "z"),
        Change("argument", "3", None, "w"),
        Change("variable", "A", "1", None),
        Change("variable", "B", "2", "3"),
        Change("variable", "C", None, "4"),
        Change("setting", "target", "t", None),
        Change("outputs", "", "out", "out dev"),
    ]


def test_of_texts_with_lines_the_first_that_differs_is_told() -> None:
    def one(text: str) -> Facts:
        return some("a", args=(text,))

    assert changes(one("a\nB\nc"), one("a\nb\nd")) == [Change("argument", "1", "b", "B", 2)]
    assert changes(one("a\nb"), one("a")) == [Change("argument", "1", None, "b", 2)]
    assert changes(one("a\n"), one("a\n\n")) == [Change("argument", "1", "", None, 3)]


def test_sources_are_compared_file_by_file() -> None:
    def one(source: str, *files: SourceFile) -> Facts:
        return some("a", source=key(source), files=files)

    before = one(
        "1", SourceFile("a", key("a"), ""), SourceFile("b", key("b"), ""), SourceFile("c", key("c"), "")
    )
    now = one(
        "2", SourceFile("a", key("A"), "x"), SourceFile("b", key("b"), "x"), SourceFile("d", key("d"), "")
    )
    assert changes(now, before) == [
        Change("source", "a", key("a"), key("A")),
        Change("source", "b", "a file", "an executable file"),
        Change("source", "c", key("c"), None),
        Change("source", "d", None, key("d")),
    ]
    assert changes(one("3"), before) == [Change("source", "", key("1"), key("3"))]
    assert changes(some("a"), before) == [
        Change("source", "a", key("a"), None),
        Change("source", "b", key("b"), None),
        Change("source", "c", key("c"), None),
    ]


def test_another_id_of_an_input_is_no_change_where_the_same_came_out() -> None:
    old, new = some("l1", "lib", came="same"), some("l2", "lib", came="same", args=("comment",))

    def top(id: str, lib: Facts) -> Facts:
        return some(
            id, "top", needs=[lib.id], env=(("lib", "{{ " + lib.id + ":out }}/x"),), inputs=((lib.id, "out"),)
        )

    before, now = top("t1", old), top("t2", new)
    (only,) = reasons(now.id, build(new, now), build(old, before))
    assert (only.word, only.changes) == ("absent", ())
    changed = new._replace(outputs=(("out", key("other")),))
    first, second = reasons(now.id, build(changed, now), build(old, before))
    assert first.changes == (Change("input", "lib", key("same"), key("other")),)
    assert (second.facts.name, second.changes) == ("lib", (Change("argument", "1", None, "comment"),))


def test_what_has_no_change_says_why() -> None:
    tools, again = some("tools", came="one"), some("tools", came="two")
    top, other = some("top", needs=["tools"]), some("top", needs=["tools"], came="2")
    assert [one.word for one in reasons(other.id, build(again, other), build(tools, top))] == ["", "unstable"]
    assert [one.word for one in reasons(top.id, build(tools, top), {})] == ["new"]
    failed = top._replace(outputs=(("out", ""),))
    assert [one.word for one in reasons(top.id, build(tools, top), build(tools, failed))] == ["failed"]
    assert [one.word for one in reasons(top.id, build(tools, top), build(tools, top))] == ["absent"]


def test_a_long_chain_and_many_ways_take_no_time_and_each_is_told_once() -> None:
    def made(mark: str) -> dict[str, Facts]:
        found: list[Facts] = []
        for number in range(3000):
            needs = [str(near) for near in (number - 1, number - 2) if near >= 0]
            found.append(some(str(number), needs=needs, came=f"{mark}{number}"))
        return build(*found)

    told = reasons(key("2999"), made("new"), made("old"))
    assert [one.facts.name for one in told] == [str(number) for number in range(2999, -1, -1)]


def test_names_that_are_taken_twice_go_by_place_and_then_by_order() -> None:
    a, b = some("1", "f", place="x:1:1"), some("2", "f", place="x:2:1")
    c, d = some("3", "f", place="x:9:1"), some("4", "f", place="x:1:1")
    assert match(build(c, d), build(a, b)) == {d.id: a.id, c.id: b.id}
    assert match(build(a, c), build(a, b)) == {a.id: a.id, c.id: b.id}
    assert match(build(a), build(b._replace(name="g"))) == {}


IDS = [key(text) for text in "abcd"]


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(IDS),
            st.lists(st.tuples(st.sampled_from(IDS), st.sampled_from(["out", "x"])), max_size=4),
            min_size=1,
        ),
        min_size=2,
        max_size=2,
    )
)
def test_any_facts_can_be_compared_be_they_a_cycle_or_full_of_holes(
    graphs: list[dict[str, list[tuple[str, str]]]],
) -> None:
    now, before = (
        {
            id: some("a", name="n", came=str(at))._replace(id=id, inputs=tuple(needs))
            for id, needs in graph.items()
        }
        for at, graph in enumerate(graphs)
    )
    for id in now:
        told = reasons(id, now, before)
        assert told[0].facts.id == id
        assert len({one.facts.id for one in told}) == len(told)
