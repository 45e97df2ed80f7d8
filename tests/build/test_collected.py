"""What is known stays known when its objects have been collected; what is needed comes back, and no more."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from typing import Any
from unittest import mock

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bramble.build.builder import Builder
from bramble.build.engine import BuildReport
from bramble.build.events import Finished, Skipped
from bramble.build.plan import Plan
from bramble.build.sources import recall_sources
from bramble.derivation.model import Derivation
from bramble.derivation.template import OutputRef
from bramble.sandbox.launch import Outcome
from bramble.store.disk import Store
from bramble.store.gc.collect import collect
from tests.build.world import FakeBuild, World, derivation, ref, remove


def holding(it: FakeBuild) -> None:
    """A build whose output refers to its first input."""
    it.write(f"{it.spec.argv[1]} {it.spec.argv[2]}")


class Collected(World):
    def setUp(self) -> None:
        super().setUp()
        self.tool = derivation("tool", args=["tool"])
        self.compiler = derivation("compiler", args=["compiler", ref(self.tool)])
        self.top = derivation("top", args=["top", ref(self.compiler)])
        self.inputs = [self.tool, self.compiler]

    def fresh(self) -> None:
        """Go on as another process, which protects nothing yet."""
        self.store.close()
        self.store = Store.open(self.store.root)
        self.launcher.ran.clear()

    def collect(self, report: BuildReport, *kept: Derivation) -> None:
        """Collect, with all outputs of these derivations as the only roots."""
        names = [name for at, name in report.names.items() if at.derivation in {it.id for it in kept}]
        self.store.record_roots(self.project, {"m:f": names})
        self.fresh()
        collect(self.store)
        self.fresh()

    def lose(self, report: BuildReport, of: Derivation) -> str:
        """Remove an object by hand, as nothing and nobody should; return its name."""
        name = report.names[OutputRef(of.id, "out")]
        os.chmod(self.store.object_path(name), 0o700)
        remove(self.store.object_path(name))
        self.fresh()
        return name

    def there(self, report: BuildReport, *of: Derivation) -> list[bool]:
        return [self.store.contains(report.names[OutputRef(it.id, "out")]) for it in of]

    def test_what_is_up_to_date_is_so_without_what_it_was_made_from(self) -> None:
        first = self.built(self.top, among=self.inputs)
        self.collect(first, self.top)
        self.assertEqual(self.there(first, *self.inputs, self.top), [False, False, True])
        again = self.built(self.top, among=self.inputs)
        self.assertEqual((again.built, self.launcher.ran), ((), []))
        self.assertEqual(len(again.cached), 3)
        self.assertEqual(again.names, first.names)
        self.assertEqual(sorted(self.story()), ["cached compiler", "cached tool", "cached top"])
        self.assertEqual(self.there(first, *self.inputs, self.top), [False, False, True])

    def test_where_nothing_is_built_no_input_is_looked_for_and_nothing_is_planned(self) -> None:
        self.source("text", "hello")
        os.utime(f"{self.project}/text", (1, 1))
        self.wait_for(lambda: self.settled("text"))
        low = derivation("low", args=["low"], files=["text"])
        top = derivation("top", args=["top", ref(low)])
        self.built(top, among=[low])
        self.fresh()
        never = mock.Mock(side_effect=AssertionError)
        with (
            mock.patch.object(self.store, "all_there", never),
            mock.patch.object(Plan, "done", never),
            mock.patch.multiple(Builder, resolve=never, known=never),
        ):
            report = self.built(top, among=[low])
        self.assertEqual(report.cached, (low.id, top.id))
        self.assertEqual(report.resolved, {id: name[:32] for id, name in report.derivations.items()})
        self.assertEqual(self.story(), ["cached low", "cached top"])
        self.assertEqual([name is not None for name in report.sources.values()], [True])
        # Nothing is built, but what is used stays.
        self.assertLessEqual(set(report.names.values()), self.store.in_use())

    def test_what_has_sources_is_not_taken_for_the_same_without_them(self) -> None:
        self.source("text", "hello")
        bare, it = derivation("it", args=["it"]), derivation("it", args=["it"], files=["text"])
        self.built(bare)
        self.fresh()
        self.assertEqual(self.built(it).built, (it.id,))

    def test_sources_of_what_is_not_known_are_looked_at_once_before_and_again_when_it_is_built(self) -> None:
        for name in ("one", "two"):
            self.source(name, "before")
            os.utime(f"{self.project}/{name}", (1, 1))
            self.wait_for(lambda name=name: self.settled(name))

        def edit(it: FakeBuild) -> None:
            self.source("two", "after")
            it.write("edited")

        def copy(it: FakeBuild) -> None:
            with open(f"{it.directory}/two") as file:
                it.write(file.read())

        self.launcher.scripts = {"edit": edit, "copy": copy}
        first = derivation("a", args=["edit"], files=["one"])
        more = [derivation(f"b{number}", args=["copy", f"{number}"], files=["two"]) for number in range(3)]
        with mock.patch("bramble.build.sources.recall_sources", side_effect=recall_sources) as recalled:
            report = self.built(first, *more, jobs=1)
        # Each before anything is built, and each when it is first needed.
        self.assertEqual(recalled.call_count, 4)
        self.assertEqual([self.file(report, it) for it in more], ["after"] * 3)

    def test_nobody_asks_what_is_known_after_an_interruption(self) -> None:
        self.built(self.top, among=self.inputs)
        self.on_event = lambda event: self.cancelled.set()
        report = self.build(self.top, among=self.inputs)
        self.assertEqual((report.cancelled, report.cached, len(report.skipped)), (True, (), 3))

    def test_an_input_comes_back_when_something_must_be_made_of_it(self) -> None:
        first = self.built(self.top, among=self.inputs)
        self.collect(first, self.top)
        other = derivation("other", args=["other", ref(self.compiler)])
        report = self.built(self.top, other, among=self.inputs, jobs=1)
        self.assertEqual(self.launcher.ran, ["tool", "compiler", "other"])
        self.assertEqual([self.story().count("cached " + name) for name in ("top", "tool")], [1, 0])
        self.assertEqual(len(report.built), 3)
        self.assertEqual(report.cached, (self.top.id,))

    def test_what_an_input_was_made_from_stays_away_when_the_input_is_there(self) -> None:
        first = self.built(self.top, among=self.inputs)
        self.collect(first, self.top, self.compiler)
        self.built(derivation("other", args=["other", ref(self.compiler)]), among=self.inputs)
        self.assertEqual(self.launcher.ran, ["other"])
        self.assertEqual(self.there(first, *self.inputs), [False, True])

    def test_a_root_that_is_gone_is_made_again(self) -> None:
        first = self.built(self.top, among=self.inputs)
        self.collect(first)
        again = self.built(self.top, among=self.inputs)
        self.assertEqual(self.launcher.ran, ["tool", "compiler", "top"])
        self.assertEqual(again.names, first.names)

    def test_a_result_is_not_there_while_something_that_it_refers_to_is_missing(self) -> None:
        self.launcher.scripts = {"compiler": holding, "top": holding}
        first = self.built(self.top, among=self.inputs)
        lost = self.lose(first, self.tool)
        again = self.built(self.top, among=self.inputs)
        self.assertEqual(self.launcher.ran, ["tool"])
        self.assertTrue(self.store.contains(lost))
        self.assertEqual(again.names, first.names)

    def test_what_a_collector_removes_while_names_are_found_is_made_again(self) -> None:
        roots = [self.top, *(derivation(f"r{number}", args=[f"r{number}"]) for number in range(3))]
        first = self.built(*roots, among=self.inputs)
        gone = first.names[OutputRef(roots[2].id, "out")]
        self.fresh()
        protect = self.store._protect

        def collected_before(names: Sequence[str]) -> list[str]:
            # As a collector may that took its lock before anybody said that the object is used.
            if gone in names and not self.launcher.ran and self.store.contains(gone):
                os.chmod(self.store.object_path(gone), 0o700)
                remove(self.store.object_path(gone))
            return protect(names)

        with mock.patch.object(self.store, "_protect", collected_before):
            again = self.built(*roots, among=self.inputs)
        self.assertEqual(self.launcher.ran, ["r1"])
        self.assertEqual((again.names, again.built), (first.names, (roots[2].id,)))
        self.assertTrue(self.store.contains(gone))
        self.assertEqual(sorted(self.story()).count("cached r1"), 0)

    def test_all_that_are_known_are_protected_before_anybody_looks_and_all_at_once(self) -> None:
        roots = [derivation(f"r{number}", args=[f"r{number}", ref(self.tool)]) for number in range(70)]
        self.built(*roots, among=[self.tool])
        self.fresh()
        asked: list[Sequence[str]] = []
        protect, there, object = self.store._protect, self.store.all_there, self.store._is_there

        def protected(names: Sequence[str]) -> list[str]:
            asked.append(list(names))
            return protect(names)

        def looked(names: Sequence[str]) -> bool:
            self.assertLessEqual(set(names), self.store.in_use())
            return there(names)

        def looked_at(name: str) -> bool:
            self.assertIn(name, self.store.in_use())
            return object(name)

        patches = {"_protect": protected, "all_there": looked, "_is_there": looked_at}
        with mock.patch.multiple(self.store, **patches):
            report = self.built(*roots, among=[self.tool])
        self.assertEqual(len(report.cached), 71)
        self.assertEqual(sorted(map(len, filter(None, asked))), [1, 70])
        self.assertEqual(sorted(self.story()), sorted(["cached tool", *(f"cached r{n}" for n in range(70))]))

    def test_a_root_that_is_gone_is_not_said_to_be_there_when_another_one_fails(self) -> None:
        lost, there = derivation("lost", args=["lost"]), derivation("there", args=["there"])
        above = derivation("above", args=["above", ref(lost)])
        first = self.built(lost, there, above)
        os.unlink(f"{self.store.var}/objects/{self.lose(first, lost)}")
        self.launcher.scripts = {
            "bad": lambda it: Outcome("exited", 1),
            "lost": lambda it: Outcome("exited", 1),
        }
        bad = derivation("bad", args=["bad"])
        for keep_going in (False, True):
            report = self.build(bad, lost, there, above, keep_going=keep_going, jobs=1)
            failed = {it.name for it in report.failures}
            self.assertEqual(failed, {"bad", "lost"} if keep_going else {*failed} & {"bad", "lost"})
            # What was made of it is there all the same.
            self.assertEqual({ref.derivation for ref in report.outputs}, {there.id, above.id})
            self.assertEqual(set(report.cached), {there.id, above.id})
            self.assertEqual({event.name for event in self.said(Finished)}, {"there", "above"})
            for ref_, it in report.outputs.items():
                self.assertEqual(it.name, first.names[ref_])

    def test_a_root_that_comes_out_otherwise_counts_for_the_roots_that_need_it(self) -> None:
        count = [0]

        def unsteady(it: FakeBuild) -> None:
            count[0] += 1
            it.write(f"low {count[0]}")

        self.launcher.scripts = {"low": unsteady}
        low = derivation("low", args=["low"])
        high = derivation("high", args=["high", ref(low)])
        self.lose(self.built(low, high), low)
        report = self.built(low, high, jobs=1)
        self.assertEqual(self.launcher.ran, ["low", "high"])
        self.assertEqual(self.file(report, low), "low 2")
        self.assertEqual(self.built(low, high).built, ())

    def test_a_result_whose_record_is_lost_is_made_again(self) -> None:
        first = self.built(self.top, among=self.inputs)
        os.unlink(f"{self.store.var}/objects/{first.names[OutputRef(self.top.id, 'out')]}")
        self.fresh()
        again = self.built(self.top, among=self.inputs)
        self.assertEqual(self.launcher.ran, ["top"])
        self.assertEqual(again.names, first.names)

    def test_what_can_not_be_made_whole_is_said_and_not_built_for_ever(self) -> None:
        self.launcher.scripts = {"holder": holding}
        one = derivation("one", args=["one"])
        holder = derivation("holder", args=["holder", ref(one)])
        # The same bytes, made without knowing what they refer to; and then the object that they name is lost.
        first = self.built(holder, among=[one])
        with open(self.store.object_path(first.names[OutputRef(holder.id, "out")]) + "/file") as file:
            text = file.read()
        self.launcher.scripts["copy"] = lambda it: it.write(text)
        copy = derivation("copy", args=["copy"])
        self.lose(first, one)
        above = derivation("above", args=["above", ref(copy)])
        report = self.build(above, among=[copy])
        self.assertEqual([(it.name, it.error.code) for it in report.failures], [("copy", "store.incomplete")])
        self.assertEqual([event.name for event in self.said(Skipped)], ["above"])

    def test_recipes_that_came_to_the_same_stay_known(self) -> None:
        self.launcher.scripts = {name: lambda it: it.write("the same") for name in ("one", "two")}
        one, two = derivation("a", args=["one"]), derivation("a", args=["two"])
        above = [derivation("b", args=["b", ref(of)]) for of in (one, two)]
        self.built(above[0], among=[one])
        report = self.built(above[1], among=[two])
        self.collect(report, above[1])
        for at, below in enumerate((one, two)):
            self.built(above[at], among=[below])
        self.assertEqual(self.launcher.ran, [])

    def test_an_input_that_comes_out_otherwise_counts_for_all_that_need_it(self) -> None:
        count = [0]

        def unsteady(it: FakeBuild) -> None:
            count[0] += 1
            it.write(f"tool {count[0]}")

        def reading(it: FakeBuild) -> None:
            with open(it.spec.argv[2] + "/file") as file:
                it.write(it.spec.argv[1] + " with " + file.read())

        self.launcher.scripts = {"tool": unsteady, "one": reading, "two": reading}
        one, two = (derivation(name, args=[name, ref(self.tool)]) for name in ("one", "two"))
        first = self.built(one, among=[self.tool])
        self.collect(first, one)
        report = self.built(one, two, among=[self.tool], jobs=1)
        self.assertEqual([self.file(report, it) for it in (one, two)], ["one with tool 2", "two with tool 2"])
        self.assertEqual(self.launcher.ran, ["tool", "one", "two"])
        self.assertEqual((len(report.built), report.cached), (3, ()))
        self.built(one, two, among=[self.tool])
        self.assertEqual(self.launcher.ran, ["tool", "one", "two"])

    def test_what_failed_is_not_tried_again_when_the_walk_begins_anew(self) -> None:
        count = [0]

        def unsteady(it: FakeBuild) -> None:
            count[0] += 1
            it.write(f"tool {count[0]}")

        self.launcher.scripts = {"tool": unsteady, "bad": lambda it: Outcome("exited", 1)}
        one, two = (derivation(name, args=[name, ref(self.tool)]) for name in ("one", "two"))
        bad = derivation("bad", args=["bad"])
        worse = derivation("worse", args=["worse", ref(bad)])
        first = self.built(one, among=[self.tool])
        self.collect(first, one)
        report = self.build(bad, worse, one, two, among=[self.tool], keep_going=True, jobs=1)
        self.assertEqual(sorted(self.launcher.ran), ["bad", "one", "tool", "two"])
        self.assertEqual(([it.name for it in report.failures], report.skipped), (["bad"], (worse.id,)))
        self.assertFalse(report.cancelled)

    def test_an_input_that_can_not_be_made_again_stops_only_what_needs_it(self) -> None:
        first = self.built(self.top, among=self.inputs)
        self.collect(first, self.top)
        self.launcher.scripts = {"tool": lambda it: Outcome("exited", 1)}
        other = derivation("other", args=["other", ref(self.compiler)])
        later = derivation("later", args=["later", ref(other)])
        report = self.build(self.top, later, among=[*self.inputs, other], keep_going=True)
        self.assertEqual([it.name for it in report.failures], ["tool"])
        self.assertEqual(report.skipped, (self.compiler.id, other.id, later.id))
        self.assertIn(OutputRef(self.top.id, "out"), report.outputs)
        # Known it is all the same: what does not need it can be had.
        self.assertEqual(self.built(self.top, among=self.inputs).built, ())

    def test_one_of_several_outputs_is_enough_where_it_alone_is_needed(self) -> None:
        both = derivation("both", args=["both"], outputs=("out", "doc"))
        self.launcher.scripts = {"both": lambda it: [it.write(name, output=name) for name in it.outputs][0]}
        first = self.built(both)
        name = first.names[OutputRef(both.id, "doc")]
        os.chmod(self.store.object_path(name), 0o700)
        remove(self.store.object_path(name))
        self.fresh()
        self.built(derivation("user", args=["user", ref(both)]), among=[both])
        self.assertEqual(self.launcher.ran, ["user"])
        self.built(derivation("reader", args=["reader", ref(both, "doc")]), among=[both])
        self.assertEqual(self.launcher.ran, ["user", "both", "reader"])

    def test_sources_are_neither_read_nor_copied_for_what_is_built(self) -> None:
        self.source("text", "hello")
        os.utime(f"{self.project}/text", (1, 1))
        self.wait_for(lambda: self.settled("text"))
        it = derivation("it", args=["it"], files=["text"])
        first = self.built(it)
        self.collect(first, it)
        names = self.store.names()
        self.assertEqual(names, [first.names[OutputRef(it.id, "out")]])
        self.assertEqual(self.built(it).built, ())
        self.assertEqual(self.store.names(), names)
        self.built(derivation("more", args=["more"], files=["text"]))
        self.assertEqual(self.launcher.ran, ["more"])
        self.assertEqual(len(self.store.names()), 3)

    def settled(self, name: str) -> bool:
        """Whether a file was left alone for so long that the store trusts its stamps."""
        self.store.add_sources(self.project, [name])
        return bool(self.store.recall_sources(self.project, [name]))

    def test_a_download_that_is_pinned_has_a_name_before_it_is_there(self) -> None:
        url = "http://example.test/tool.txt"
        local = os.path.join(self.top_directory, "tool.txt")
        with open(local, "w") as out:
            out.write("a tool")
        download = derivation("tool", "fetch_url", env={"url": url})
        it = derivation("it", args=["it", ref(download)])
        first = self.built(it, among=[download], fetch={"mirror": {url: local}})
        pins = first.new_pins
        self.collect(first, it)
        offline: Mapping[str, Any] = {"offline": True}
        self.assertEqual(self.built(it, among=[download], pins=pins, fetch=offline).built, ())
        shutil.rmtree(f"{self.store.var}/realisations")
        os.mkdir(f"{self.store.var}/realisations")
        self.fresh()
        report = self.build(it, among=[download], pins=pins, fetch=offline)
        self.assertEqual([(it.name, it.error.code) for it in report.failures], [("tool", "fetch.offline")])
        # The result was recorded by nobody now, so it has to be made, and the download is demanded.
        self.built(it, among=[download], pins=pins, fetch={"mirror": {url: local}})
        self.assertEqual(self.launcher.ran, ["it"])
        os.unlink(f"{self.store.var}/realisations/{self.resolved(first, download)}")
        self.collect(first, it)
        self.assertEqual(self.built(it, among=[download], pins=pins, fetch=offline).built, ())

    def resolved(self, report: BuildReport, of: Derivation) -> str:
        return report.derivations[of.id][:32]

    @property
    def top_directory(self) -> str:
        return os.path.dirname(self.project)

    def test_a_check_brings_the_inputs_back(self) -> None:
        first = self.built(self.top, among=self.inputs)
        self.collect(first, self.top)
        report = self.built(self.top, among=self.inputs, check=True, jobs=1)
        self.assertEqual(self.launcher.ran, ["tool", "compiler", "top"])
        self.assertEqual(list(report.checked), [self.top.id])

    def test_an_object_can_be_demanded_whoever_makes_it(self) -> None:
        first = self.built(self.top, among=self.inputs)
        self.collect(first, self.top)
        name = first.names[OutputRef(self.tool.id, "out")]
        self.built(self.top, among=self.inputs, demand=frozenset([name]))
        self.assertEqual(self.launcher.ran, ["tool"])
        self.assertTrue(self.store.contains(name))

    def test_a_collection_beside_a_build_leaves_what_may_still_be_needed(self) -> None:
        first = self.built(self.top, among=self.inputs)

        def collecting(it: FakeBuild) -> None:
            other = Store.open(self.store.root)
            collect(other)
            other.close()
            it.write("slow")

        self.fresh()
        self.launcher.scripts["slow"] = collecting
        slow = derivation("slow", args=["slow"])
        last = derivation("last", args=["last", ref(slow), ref(self.compiler)])
        self.built(last, among=[*self.inputs, slow])
        self.assertEqual(self.launcher.ran, ["slow", "last"])
        self.assertEqual(self.there(first, self.compiler, self.top), [True, False])


def world() -> Collected:
    it = Collected("test_an_object_can_be_demanded_whoever_makes_it")
    it.setUp()
    return it


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_is_lost_the_next_build_is_whole_and_the_one_after_it_has_nothing_to_do(data: Any) -> None:
    it = world()
    try:
        graph: list[Derivation] = []
        for at in range(data.draw(st.integers(1, 7))):
            below: Sequence[Derivation] = (
                data.draw(st.lists(st.sampled_from(graph), unique_by=id, max_size=3)) if graph else ()
            )
            graph.append(derivation(f"n{at}", args=[f"n{at}", *map(ref, below)]))
        count = [0]
        unsteady = data.draw(st.sets(st.sampled_from([each.name for each in graph])))

        def script(build: FakeBuild) -> None:
            count[0] += build.spec.argv[1] in unsteady
            read = []
            for path in build.spec.argv[2:]:
                with open(path + "/file") as file:
                    read.append(file.read())
            salt = count[0] if build.spec.argv[1] in unsteady else 0
            build.write(f"{build.spec.argv[1:]} {salt} {read}")

        it.launcher.scripts = {each.name: script for each in graph}
        roots = data.draw(st.lists(st.sampled_from(graph), unique_by=id, min_size=1))
        first = it.built(*graph)
        for lost in data.draw(st.lists(st.sampled_from(graph), unique_by=id)):
            it.lose(first, lost)
        it.fresh()
        second = it.built(*roots, among=graph)
        names = [made.name for made in second.outputs.values()]
        it.fresh()
        assert it.store.is_complete(names)
        third = it.built(*roots, among=graph)
        assert (third.built, it.launcher.ran) == ((), [])
        assert third.names == second.names
        if not unsteady:
            assert all(first.names[at] == name for at, name in second.names.items())
    finally:
        it.doCleanups()
