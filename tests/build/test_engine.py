"""Building graphs, with a real store and builders that are Python functions: no process is started."""

from __future__ import annotations

import os
import threading
from unittest import mock

from bramble.build.events import Event, Finished, Planned, Started
from bramble.derivation.template import OutputRef
from bramble.sandbox.launch import Outcome
from bramble.sandbox.spec import Limits
from bramble.store.digest import digest
from bramble.store.disk import Store
from tests.build.world import FakeBuild, World, derivation, ref, until_cancelled


class Building(World):
    def test_what_is_needed_is_built_before_what_needs_it(self) -> None:
        a = derivation("a", args=["a"])
        b = derivation("b", args=["b", ref(a)])
        c = derivation("c", args=["c", ref(a)])
        d = derivation("d", args=["d", ref(b), ref(c)])
        report = self.built(d, among=[a, b, c])
        self.assertEqual(self.launcher.ran[0], "a")
        self.assertEqual(self.launcher.ran[-1], "d")
        self.assertEqual(sorted(self.launcher.ran), ["a", "b", "c", "d"])
        self.assertEqual(self.events[0], Planned(4))
        self.assertEqual(len(report.built), 4)
        self.assertEqual(self.file(report, d), "d")

    def test_with_one_job_the_same_graph_tells_the_same_story(self) -> None:
        leaves = [derivation(f"leaf{at}", args=[f"leaf{at}"]) for at in range(5)]
        top = derivation("top", args=["top", *(ref(leaf) for leaf in leaves)])
        stories = []
        for _ in range(2):
            self.setUp()
            self.built(top, among=leaves, jobs=1)
            stories.append(self.story())
        self.assertEqual(stories[0], stories[1])
        self.assertEqual(stories[0][-2:], ["start top", "built top"])

    def test_building_again_touches_nothing_and_starts_nothing(self) -> None:
        a = derivation("a", args=["a"])
        b = derivation("b", args=["b", ref(a)])
        first = self.built(b, among=[a])
        before = {
            name: os.stat(os.path.join(self.store.directory, name))
            for name in os.listdir(self.store.directory)
        }
        second = self.built(b, among=[a])
        self.assertEqual((self.launchers, len(self.launcher.ran)), (1, 2))
        self.assertEqual(self.story(), ["cached a", "cached b"])
        self.assertEqual((second.built, len(second.cached)), ((), 2))
        self.assertEqual(first.names, second.names)
        after = {
            name: os.stat(os.path.join(self.store.directory, name))
            for name in os.listdir(self.store.directory)
        }
        self.assertEqual(before, after)

    def test_no_launcher_is_started_for_nothing(self) -> None:
        self.built()
        self.assertEqual((self.launchers, self.events), (0, [Planned(0)]))

    def test_the_launcher_is_closed_at_the_end(self) -> None:
        self.built(derivation("a", args=["a"]))
        self.assertTrue(self.launcher.closed)

    def test_an_input_that_comes_out_the_same_rebuilds_nothing_above_it(self) -> None:
        def same(it: FakeBuild) -> None:
            it.write("the same")

        self.launcher.scripts = {"one": same, "two": same}
        one, two = derivation("a", args=["one"]), derivation("a", args=["two"])
        self.built(derivation("b", args=["b", ref(one)]), among=[one])
        report = self.built(derivation("b", args=["b", ref(two)]), among=[two])
        self.assertEqual(self.story(), ["start a", "built a", "cached b"])
        self.assertEqual(len(report.built), 1)

    def test_two_derivations_that_come_to_the_same_are_built_once(self) -> None:
        self.launcher.scripts = {name: lambda it: it.write("the same") for name in ("one", "two")}
        one, two = derivation("a", args=["one"]), derivation("a", args=["two"])
        above = [derivation("b", args=["b", ref(one)]), derivation("b", args=["b", ref(two)])]
        report = self.built(*above, among=[one, two], jobs=4)
        self.assertEqual(self.launcher.ran.count("b"), 1)
        self.assertEqual((len(report.built), len(report.cached)), (3, 1))

    def test_as_many_are_built_at_once_as_there_are_jobs(self) -> None:
        gate = threading.Barrier(3, timeout=20)

        def meet(it: FakeBuild) -> None:
            gate.wait()
            it.write(it.spec.argv[1])

        names = [f"n{at}" for at in range(9)]
        self.launcher.scripts = {name: meet for name in names}
        self.built(*(derivation(name, args=[name]) for name in names), jobs=3)
        self.assertEqual(self.launcher.most, 3)

    def test_every_output_is_an_object_of_its_own(self) -> None:
        a = derivation("a", args=["a"], outputs=("out", "doc"))
        b = derivation("b", args=["b", ref(a, "doc")])
        report = self.built(b, a, among=[])
        self.assertEqual(
            set(report.outputs), {OutputRef(a.id, "out"), OutputRef(a.id, "doc"), OutputRef(b.id, "out")}
        )
        self.assertEqual(self.file(report, a, output="doc"), "a")

    def test_outputs_may_name_one_another_and_themselves(self) -> None:
        def cross(it: FakeBuild) -> None:
            env = dict(it.spec.env)
            it.write(env["out"] + " " + env["doc"], output="out")
            it.write("nothing", output="doc")

        self.launcher.scripts = {"a": cross}
        a = derivation("a", args=["a"], outputs=("out", "doc"))
        report = self.built(a)
        out, doc = (self.store.object_path(report.names[OutputRef(a.id, name)]) for name in ("out", "doc"))
        self.assertEqual(self.file(report, a), f"{out} {doc}")

    def test_references_are_found_in_the_whole_closure(self) -> None:
        self.launcher.scripts = {
            "b": lambda it: it.write(it.spec.argv[2]),
            "c": lambda it: os.symlink(self.found(it), it.outputs["out"] + "/link"),
        }
        a = derivation("a", args=["a"])
        b = derivation("b", args=["b", ref(a)])
        c = derivation("c", args=["c", ref(b)])
        report = self.built(c, among=[a, b])
        names = [report.names[OutputRef(it.id, "out")] for it in (a, b, c)]
        # c was given b alone, and read a's path in it.
        self.assertEqual(self.store.references(names[2]), (names[0],))

    def found(self, it: FakeBuild) -> str:
        with open(it.spec.argv[2] + "/file") as file:
            return file.read()

    def test_the_record_names_what_was_built(self) -> None:
        a = derivation("a", args=["a"])
        b = derivation("b", args=["b", ref(a)], env={"low": "1"})
        report = self.built(b, among=[a])
        name = report.derivations[b.id]
        self.assertTrue(name.endswith("-b.drv"))
        self.assertIn(report.names[OutputRef(b.id, "out")].encode(), self.store.read_derivation(name))
        self.assertNothingLeft()


class Sandboxes(World):
    def test_a_build_sees_its_closure_its_directory_and_its_outputs(self) -> None:
        self.launcher.scripts = {"b": lambda it: it.write(it.spec.argv[2])}
        stranger = derivation("stranger", args=["stranger"])
        a = derivation("a", args=["a"])
        b = derivation("b", args=["b", ref(a)])
        c = derivation(
            "c", builder=ref(b) + "/bin/x", args=["c"], env={"x": "1 " + ref(b)}, outputs=("out", "dev")
        )
        report = self.built(c, stranger, among=[a, b])
        spec = next(it for it in self.launcher.specs if it.argv[1] == "c")
        key = next(iter(report.derivations[c.id].split("-")))
        directory = self.store.directory
        names = {it.name: report.names[OutputRef(it.id, "out")] for it in (a, b)}
        out = digest(f"output:{key}:out".encode())
        dev = digest(f"output:{key}:dev".encode())
        cwd = digest(f"build:{key}".encode())
        self.assertEqual(spec.argv, (f"{directory}/{names['b']}/bin/x", "c"))
        self.assertEqual(spec.cwd, f"{directory}/{cwd}")
        self.assertEqual(
            spec.env,
            (
                ("dev", f"{directory}/{dev}"),
                ("out", f"{directory}/{out}"),
                ("x", f"1 {directory}/{names['b']}"),
            ),
        )
        writable = [mount.target for mount in spec.mounts if mount.writable]
        readable = [mount.target for mount in spec.mounts if not mount.writable]
        self.assertEqual(writable, [f"{directory}/{name}" for name in (cwd, out, dev)])
        self.assertEqual(readable, [f"{directory}/{name}" for name in sorted(names.values())])
        self.assertTrue(all(mount.source == mount.target for mount in spec.mounts if not mount.writable))
        self.assertFalse(spec.network)

    def test_sources_are_a_writable_copy_and_the_build_starts_beside_its_file(self) -> None:
        self.source("lib/part/build", "#!/bin/sh\n", 0o700)
        self.source("lib/common/x.c", "int x;", 0o600)
        seen: dict[str, str] = {}
        tops: list[int] = []

        def look(it: FakeBuild) -> None:
            tops.extend(os.stat(path).st_mode & 0o7777 for path in (it.directory, it.outputs["out"]))
            for top, directories, files in os.walk(it.directory):
                for name in directories + files:
                    path = os.path.join(top, name)
                    seen[os.path.relpath(path, it.directory)] = oct(os.stat(path).st_mode & 0o7777)
            it.write("done")

        self.launcher.scripts = {"a": look}
        files = ["lib/part/build", "lib/common/x.c"]
        a = derivation("a", args=["a"], files=files, location="lib/part")
        previous = os.umask(0o077)
        try:
            self.built(a)
        finally:
            os.umask(previous)
        self.assertEqual(
            seen,
            {"part": "0o755", "common": "0o755", "part/build": "0o755", "common/x.c": "0o644"},
        )
        self.assertEqual(tops, [0o755, 0o755])
        self.assertTrue(self.launcher.specs[0].cwd.endswith("/part"))
        self.assertEqual(self.launcher.specs[0].argv[0], "./build")

    def test_sources_that_many_derivations_have_are_handled_once(self) -> None:
        self.source("build", "#!/bin/sh\n", 0o700)
        self.source("x.c", "int x;")
        many = [derivation(f"d{at}", args=[f"d{at}"], files=["build", "x.c"]) for at in range(8)]
        with mock.patch.object(Store, "add_sources", autospec=True, side_effect=Store.add_sources) as added:
            report = self.built(*many, jobs=4)
        self.assertEqual(len(report.built), 8)
        self.assertEqual(added.call_count, 1)

    def test_a_build_starts_beside_its_file_even_if_no_source_lies_there(self) -> None:
        self.source("common/x", "1")
        there: list[bool] = []
        self.launcher.scripts = {
            "a": lambda it: (there.append(os.path.isdir(it.directory + "/lib/deep")), it.write("1"))[1]
        }
        self.built(derivation("a", args=["a"], files=["common/x"], location="lib/deep"))
        self.assertEqual(there, [True])
        self.assertTrue(self.launcher.specs[0].cwd.endswith("/lib/deep"))

    def test_a_builder_without_a_slash_is_a_source_and_not_looked_for(self) -> None:
        self.source("go", "", 0o755)
        self.built(derivation("a", builder="go", args=["a"], files=["go"]))
        self.assertEqual(self.launcher.specs[0].argv[0], "./go")

    def test_a_builder_of_the_machine_is_refused(self) -> None:
        error = self.failure(derivation("a", builder="/bin/sh"), "derivation.builder")
        self.assertIn("/bin/sh", error.message)

    def test_an_output_hides_a_variable_of_its_name(self) -> None:
        self.built(derivation("a", args=["a"], env={"out": "mine"}))
        self.assertNotIn("mine", dict(self.launcher.specs[0].env).values())

    def test_limits_reach_the_sandbox(self) -> None:
        limits = Limits(seconds=5.0, memory=1 << 30)
        self.built(derivation("a", args=["a"]), limits=limits)
        self.assertEqual(self.launcher.specs[0].limits, limits)

    def test_a_weaker_sandbox_gets_real_paths_and_is_reported_ever_after(self) -> None:
        seen: list[bool] = []

        def look(it: FakeBuild) -> None:
            seen.append(all(mount.source == mount.target for mount in it.spec.mounts))
            it.write(dict(it.spec.env)["out"])

        self.launcher.scripts = {"a": look}
        a = derivation("a", args=["a"])
        report = self.built(a, sandbox="none")
        self.assertEqual((seen, report.sandboxes), ([True], {a.id: "none"}))
        self.assertNothingLeft()
        report = self.built(a)
        self.assertEqual((self.story(), report.sandboxes), (["cached a"], {a.id: "none"}))
        # Nobody who wants to be sure takes it over.
        report = self.built(a, pure=True)
        self.assertEqual((self.story(), report.sandboxes), (["start a", "built a"], {}))

    def test_what_a_crash_left_in_the_way_is_put_aside(self) -> None:
        b = derivation("b", args=["b"])
        self.launcher.scripts = {"b": until_cancelled}
        timer = threading.Timer(0.2, self.cancelled.set)
        timer.start()
        self.build(b, sandbox="none")
        timer.join()
        out = dict(self.launcher.specs[-1].env)["out"]
        self.cancelled.clear()
        os.mkdir(out)
        with open(out + "/rubbish", "w"):
            pass
        self.launcher.scripts = {}
        report = self.built(b, sandbox="none")
        self.assertEqual(os.listdir(self.store.object_path(report.names[OutputRef(b.id, "out")])), ["file"])
        self.assertNothingLeft()


class Cancelling(World):
    def assertStopped(self) -> None:
        self.assertEqual(self.launcher.running, 0)
        self.assertTrue(self.launcher.closed)
        self.assertNothingLeft()
        names = [thread.name for thread in threading.enumerate()]
        self.assertFalse([name for name in names if name.startswith("build-")])

    def test_a_cancelled_build_stops_what_runs_and_begins_nothing_more(self) -> None:
        both = threading.Barrier(3)

        def begun(it: FakeBuild) -> Outcome:
            both.wait(60)
            return until_cancelled(it)

        self.launcher.scripts = {"a": begun, "b": begun}
        a, b, c = (derivation(name, args=[name]) for name in "abc")
        threading.Thread(target=lambda: (both.wait(60), self.cancelled.set())).start()
        report = self.build(a, b, c)
        self.assertTrue(report.cancelled)
        self.assertEqual((sorted(self.launcher.ran), report.failures), (["a", "b"], ()))
        self.assertEqual(report.skipped, (a.id, b.id, c.id))
        self.assertStopped()

    def test_a_build_that_was_over_before_was_not_cancelled(self) -> None:
        a = derivation("a", args=["a"])
        self.launcher.scripts = {"a": lambda it: (it.write("1"), self.cancelled.set())[0]}
        self.assertFalse(self.build(a).cancelled)

    def test_an_interrupt_stops_what_runs_and_goes_on(self) -> None:
        for kind in (KeyboardInterrupt, BrokenPipeError):
            with self.subTest(kind):
                self.setUp()
                self.launcher.scripts = {"a": until_cancelled, "b": until_cancelled}
                self.on_event = self.interrupting(kind)
                with self.assertRaises(kind):
                    self.build(*(derivation(name, args=[name]) for name in "abc"))
                self.assertStopped()

    def interrupting(self, kind: type[BaseException]) -> object:
        def on_event(event: Event) -> None:
            self.events.append(event)
            if len(self.said(Started)) == 2:
                raise kind

        return on_event

    def test_an_interrupt_reaches_builds_that_talk_without_end(self) -> None:
        def talk(it: FakeBuild) -> Outcome:
            assert it.cancelled is not None
            while not it.cancelled.is_set():
                it.say(b"blah\n")
            return Outcome("cancelled", 9)

        self.launcher.scripts = {"a": talk, "b": talk}

        def on_event(event: Event) -> None:
            self.events.append(event)
            if len(self.events) == 500:
                raise KeyboardInterrupt

        self.on_event = on_event
        with self.assertRaises(KeyboardInterrupt):
            self.build(derivation("a", args=["a"]), derivation("b", args=["b"]))
        self.assertStopped()

    def test_what_was_finished_before_is_kept(self) -> None:
        self.launcher.scripts = {"b": until_cancelled}
        a = derivation("a", args=["a"])
        b = derivation("b", args=["b", ref(a)])

        def on_event(event: Event) -> None:
            self.events.append(event)
            if isinstance(event, Started) and event.name == "b":
                self.cancelled.set()

        self.on_event = on_event
        self.assertEqual(self.build(b, among=[a]).built, (a.id,))
        self.cancelled.clear()
        self.launcher.scripts = {}
        self.assertEqual(self.built(b, among=[a]).cached, (a.id,))


class Checking(World):
    def test_a_build_that_repeats_itself_is_reproducible(self) -> None:
        self.launcher.scripts = {"a": lambda it: it.write(dict(it.spec.env)["out"] + it.spec.cwd)}
        low, a = derivation("low", args=["low"]), derivation("a", args=["a"])
        a = derivation("a", args=["a", ref(low)])
        report = self.built(a, among=[low], check=True)
        self.assertEqual(list(report.checked), [a.id])
        self.assertEqual(self.launcher.ran, ["low", "a", "a"])
        directories = [dict(spec.env)["out"] for spec in self.launcher.specs[1:]]
        self.assertNotEqual(*directories)
        # Also when it was built before.
        self.assertEqual(list(self.built(a, among=[low], check=True).checked), [a.id])
        self.assertEqual(self.launcher.ran.count("a"), 3)
        self.assertEqual([event.cached for event in self.said(Finished)], [True, True])

    def test_a_build_that_does_not_is_shown_where(self) -> None:
        rounds: list[int] = []

        def vary(it: FakeBuild) -> None:
            rounds.append(1)
            os.mkdir(it.outputs["out"] + "/d")
            it.write("the same", "same")
            it.write(dict(it.spec.env)["out"] + " stands before the end of this file", "self")
            os.symlink(dict(it.spec.env)["out"] + "/self", it.outputs["out"] + "/link")
            it.write(str(len(rounds)), "d/differs")
            it.write("x", f"only-{len(rounds)}")

        self.launcher.scripts = {"a": vary}
        error = self.failure(derivation("a", args=["a"]), "build.not-reproducible", check=True)
        lines = [line.split()[-1] for line in error.detail.splitlines() if "differs " in line]
        self.assertEqual(lines, ["d/differs", "only-1", "only-2"])

    def test_the_first_result_stays(self) -> None:
        rounds: list[int] = []
        self.launcher.scripts = {"a": lambda it: (rounds.append(1), it.write(str(len(rounds))))[1]}
        a = derivation("a", args=["a"])
        self.failure(a, "build.not-reproducible", check=True)
        report = self.built(a)
        self.assertEqual((self.story(), self.file(report, a)), (["cached a"], "1"))


class Processes(World):
    def test_what_another_builds_meanwhile_is_waited_for_and_not_built(self) -> None:
        entered, leave = threading.Event(), threading.Event()

        def slow(it: FakeBuild) -> None:
            entered.set()
            leave.wait(20)
            it.write("1")

        self.launcher.scripts = {"a": slow}
        a = derivation("a", args=["a"])
        other = threading.Thread(target=lambda: World.build(self, a))
        other.start()
        entered.wait(20)
        twin = type(self)("test_what_another_builds_meanwhile_is_waited_for_and_not_built")
        twin.store, twin.project, twin.launcher = self.store, self.project, self.launcher
        twin.events, twin.launchers, twin.cancelled = [], 0, threading.Event()

        def on_event(event: Event) -> None:
            twin.events.append(event)
            if type(event).__name__ == "Waiting":
                leave.set()

        twin.on_event = on_event
        report = twin.built(a)
        other.join()
        self.assertEqual(self.launcher.ran, ["a"])
        self.assertEqual((twin.story(), report.built), (["start a", "cached a"], ()))

    def test_waiting_for_another_can_be_cancelled(self) -> None:
        a = derivation("a", args=["a"])
        report = self.built(a)
        key = report.derivations[a.id].split("-")[0]
        os.unlink(os.path.join(self.store.var, "realisations", key))
        with self.store.building(key):
            threading.Timer(0.3, self.cancelled.set).start()
            self.assertTrue(self.build(a).cancelled)


class Many(World):
    def test_a_long_chain_and_a_wide_graph_are_walked(self) -> None:
        base = derivation("base", args=["base"])
        wide = [derivation(f"w{at}", args=["w", ref(base), str(at)]) for at in range(60)]
        chain = [base]
        for at in range(60):
            chain.append(derivation(f"c{at}", args=["c", ref(chain[-1])]))
        report = self.built(*wide, chain[-1], among=chain[:-1], jobs=4)
        self.assertEqual(len(report.built), 121)
        self.assertEqual(len(self.built(*wide, chain[-1], among=chain[:-1]).cached), 121)
