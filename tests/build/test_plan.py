"""The plan of a build: no processes, no disk, only ids."""

from __future__ import annotations

import unittest
from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from bramble.build.plan import Plan, State


def plan(dependencies: Mapping[str, Sequence[str]]) -> Plan:
    """A plan of a graph whose keys are written in dependency order."""
    return Plan(tuple(dependencies), dependencies)


def run(the_plan: Plan, broken: frozenset[str] = frozenset()) -> list[str]:
    """Take everything out, one at a time; return the order of taking."""
    taken = []
    while True:
        key = the_plan.take()
        if key is None:
            return taken
        taken.append(key)
        if key in broken:
            the_plan.fail(key)
        else:
            the_plan.done(key)


class Again(unittest.TestCase):
    """What was done is done once more when something else cannot go on without what it made."""

    def test_what_waits_goes_on_when_all_that_it_waits_for_is_done_once_more(self) -> None:
        it = plan({"a": (), "b": (), "c": ("a", "b")})
        self.assertEqual(run_until(it, "c"), ["a", "b"])
        self.assertEqual(it.wait("c", ["a", "b"]), ())
        self.assertFalse(it.finished)
        self.assertEqual((it.take(), it.take(), it.take()), ("a", "b", None))
        it.done("b")
        self.assertIsNone(it.take())
        it.done("a")
        self.assertEqual(run(it), ["c"])
        self.assertTrue(it.finished)

    def test_those_who_had_what_they_needed_are_not_disturbed(self) -> None:
        it = plan({"a": (), "b": ("a",), "c": ("a",), "d": ("a", "b")})
        self.assertEqual(run_until(it, "c"), ["a", "b"])
        it.wait("c", ["a"])
        self.assertEqual((it.take(), it.take()), ("a", "d"))
        it.done("d")
        it.done("a")
        self.assertEqual(run(it), ["c"])
        self.assertTrue(it.finished)

    def test_two_may_wait_for_one(self) -> None:
        it = plan({"a": (), "b": ("a",), "c": ("a",)})
        self.assertEqual(run_until(it, "b"), ["a"])
        it.wait("b", ["a"])
        self.assertEqual((it.take(), it.take()), ("a", "c"))
        it.wait("c", ["a"])
        self.assertIsNone(it.take())
        it.done("a")
        self.assertEqual(run(it), ["b", "c"])

    def test_what_waits_for_one_that_fails_now_is_skipped(self) -> None:
        it = plan({"a": (), "b": ("a",), "c": ("b",), "d": ("a",)})
        self.assertEqual(run_until(it, "b"), ["a"])
        it.wait("b", ["a"])
        self.assertEqual(it.take(), "a")
        self.assertEqual(it.fail("a"), ("b", "c"))
        # It needs a name only, which is known.
        self.assertEqual(run(it), ["d"])
        self.assertTrue(it.finished)

    def test_what_is_skipped_is_told_in_dependency_order(self) -> None:
        it = plan({"a": (), "b": ("a",), "c": ("a",), "d": ("b",), "e": ("c",)})
        self.assertEqual(it.take(), "a")
        self.assertEqual(it.fail("a"), ("b", "c", "d", "e"))

    def test_whoever_asks_for_one_that_has_failed_is_skipped_and_nothing_is_done_for_it(self) -> None:
        it = plan({"a": (), "b": ("a",), "x": (), "c": ("a", "x"), "d": ("c",)})
        self.assertEqual(run_until(it, "c"), ["a", "x"])
        self.assertEqual(it.take(), "b")
        it.wait("b", ["a"])
        self.assertEqual(it.take(), "a")
        it.fail("a")
        self.assertEqual(it.wait("c", ["a", "x"]), ("c", "d"))
        self.assertIsNone(it.take())
        self.assertIs(it.state("x"), State.DONE)
        self.assertTrue(it.finished)

    def test_what_is_found_to_be_gone_is_done_again_and_nobody_waits_for_it(self) -> None:
        it = plan({"a": (), "b": ("a",), "c": ("b",)})
        self.assertEqual(run(it), ["a", "b", "c"])
        it.again("b")
        self.assertEqual((it.finished, it.state("b"), it.unfinished()), (False, State.READY, ("b",)))
        self.assertEqual(run(it), ["b"])
        self.assertTrue(it.finished)

    def test_what_is_done_again_may_fail_and_only_those_who_wait_for_it_then_are_skipped(self) -> None:
        it = plan({"a": (), "b": ("a",), "c": ("a",)})
        self.assertEqual(run_until(it, "c"), ["a", "b"])
        it.again("a")
        self.assertEqual(it.take(), "a")
        self.assertEqual(it.wait("c", ["a"]), ())
        self.assertEqual(it.fail("a"), ("c",))
        self.assertTrue(it.finished)
        self.assertEqual(it.unfinished(), ("c",))


def run_until(the_plan: Plan, last: str) -> list[str]:
    """Take out and do everything before `last`, which is then running."""
    taken = []
    while True:
        key = the_plan.take()
        assert key is not None
        if key == last:
            return taken
        taken.append(key)
        the_plan.done(key)


def draw_graph(data: st.DataObject) -> dict[str, tuple[str, ...]]:
    """A graph of up to thirty, each after what it needs."""
    graph: dict[str, tuple[str, ...]] = {}
    for at in range(data.draw(st.integers(0, 30))):
        below = data.draw(st.sets(st.integers(0, at - 1), max_size=4)) if at else set()
        graph[str(at)] = tuple(str(one) for one in sorted(below))
    return graph


DIAMOND = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")}


class Planning(unittest.TestCase):
    def test_nothing_to_build_is_finished_at_once(self) -> None:
        self.assertTrue(plan({}).finished)
        self.assertIsNone(plan({}).take())

    def test_a_derivation_is_ready_when_all_its_dependencies_are_done(self) -> None:
        it = plan(DIAMOND)
        self.assertEqual(it.take(), "a")
        self.assertIsNone(it.take())
        it.done("a")
        self.assertEqual((it.take(), it.take(), it.take()), ("b", "c", None))
        it.done("c")
        self.assertIsNone(it.take())
        it.done("b")
        self.assertEqual(it.take(), "d")
        self.assertFalse(it.finished)
        it.done("d")
        self.assertTrue(it.finished)

    def test_what_holds_up_the_longest_chain_is_taken_first(self) -> None:
        it = plan({"lone": (), "first": (), "second": ("first",), "third": ("second",)})
        self.assertEqual(run(it), ["first", "second", "lone", "third"])

    def test_equals_are_taken_in_the_order_of_the_graph(self) -> None:
        self.assertEqual(run(plan({"z": (), "a": (), "m": ()})), ["z", "a", "m"])

    def test_a_failure_skips_everything_above_it_and_nothing_else(self) -> None:
        it = plan({"a": (), "b": (), "c": ("a",), "d": ("c",), "e": ("b",)})
        self.assertEqual(it.take(), "a")
        self.assertEqual(it.fail("a"), ("c", "d"))
        self.assertEqual(it.state("d"), State.SKIPPED)
        self.assertEqual(run(it), ["b", "e"])
        self.assertTrue(it.finished)
        self.assertEqual(it.unfinished(), ("c", "d"))

    def test_what_needs_two_failures_is_skipped_once(self) -> None:
        it = plan({"a": (), "b": (), "top": ("a", "b")})
        it.take()
        it.take()
        self.assertEqual(it.fail("b"), ("top",))
        self.assertEqual(it.fail("a"), ())
        self.assertTrue(it.finished)

    def test_a_skipped_derivation_stays_skipped_when_its_other_dependency_is_done(self) -> None:
        it = plan({"a": (), "b": (), "top": ("a", "b")})
        it.take()
        it.take()
        it.fail("a")
        it.done("b")
        self.assertIsNone(it.take())
        self.assertEqual(it.state("top"), State.SKIPPED)

    def test_what_was_never_started_is_unfinished(self) -> None:
        it = plan(DIAMOND)
        it.take()
        it.fail("a")
        self.assertEqual(it.unfinished(), ("b", "c", "d"))

    @given(st.data())
    def test_what_is_done_before_is_not_taken_and_the_rest_is_in_the_same_order(
        self, data: st.DataObject
    ) -> None:
        graph = draw_graph(data)
        done: set[str] = set()
        for key, needed in graph.items():
            if done.issuperset(needed) and data.draw(st.booleans()):
                done.add(key)
        it, whole = Plan(tuple(graph), graph, done), plan(graph)
        self.assertEqual(it.unfinished(), tuple(key for key in graph if key not in done))
        left = set(graph) - done
        for key in run(it):
            ready = [one for one in left if left.isdisjoint(graph[one])]
            self.assertEqual(key, min(ready, key=whole.rank))
            left.remove(key)
        self.assertEqual((left, it.finished), (set(), True))

    def test_what_is_done_before_may_have_to_be_done_once_more(self) -> None:
        it = Plan(tuple(DIAMOND), DIAMOND, {"a", "b"})
        self.assertEqual(it.take(), "c")
        self.assertEqual(it.wait("c", ["a"]), ())
        self.assertEqual(run(it), ["a", "c", "d"])
        self.assertTrue(it.finished)

    @given(st.data())
    def test_every_derivation_is_taken_once_and_after_what_it_needs(self, data: st.DataObject) -> None:
        graph = draw_graph(data)
        broken = frozenset(data.draw(st.sets(st.sampled_from(sorted(graph) or ["none"]))))
        it = plan(graph)
        order = run(it, broken)
        self.assertEqual(len(order), len(set(order)))
        for at, key in enumerate(order):
            self.assertLessEqual(set(graph[key]), set(order[:at]) - broken)
        self.assertTrue(it.finished)
        self.assertEqual(set(order) | set(it.unfinished()), set(graph))


class Scale(unittest.TestCase):
    def test_fifty_thousand_derivations_are_planned_at_once(self) -> None:
        # A quadratic plan would need many minutes for these.
        wide = {"base": (), **{str(at): ("base",) for at in range(50_000)}}
        deep: dict[str, tuple[str, ...]] = {"0": ()}
        for at in range(1, 50_000):
            deep[str(at)] = (str(at - 1),)
        self.assertEqual(len(run(plan(wide))), 50_001)
        self.assertEqual(len(run(plan(deep))), 50_000)
        it = plan(deep)
        it.take()
        self.assertEqual(len(it.fail("0")), 49_999)
