"""Builds that fail, and what is left of them; a real store and builders that are Python functions."""

from __future__ import annotations

import os
import tempfile
import threading

import pytest

from bramble.build.events import Event, Failed, Output, Skipped
from bramble.build.sources import fill_build_directory
from bramble.build.verdict import verdict
from bramble.derivation.resolve import SourceObject
from bramble.errors import BrambleError
from bramble.sandbox.launch import Outcome
from tests.build.world import FakeBuild, World, derivation, ref


def failing(it: FakeBuild) -> Outcome:
    it.say(b"I am going to fail\n")
    return Outcome("exited", 3)


class Failing(World):
    def test_a_failure_says_what_it_was_and_keeps_the_log(self) -> None:
        self.launcher.scripts = {"a": failing}
        self.failure(derivation("a", args=["a"]), "build.failed")
        (failed,) = self.said(Failed)
        self.assertEqual(failed.log, b"I am going to fail\n")
        with open(failed.log_path, "rb") as file:
            self.assertEqual(file.read(), failed.log)
        self.assertEqual([event.data for event in self.said(Output)], [failed.log])

    def test_each_way_to_end_has_a_code(self) -> None:
        for outcome, code in (
            (Outcome("exited", 1), "build.failed"),
            (Outcome("signalled", 11), "build.killed"),
            (Outcome("timeout", 9, "seconds"), "build.timeout"),
            (Outcome("timeout", 9, "silence"), "build.timeout"),
            (Outcome("limit", 9, "memory"), "build.limit"),
            (Outcome("limit", 0, "output_size"), "build.output-too-large"),
            (Outcome("limit", 9, "output_files"), "build.output-too-many-files"),
        ):
            with self.subTest(code):
                self.launcher.scripts = {"a": lambda it, outcome=outcome: outcome}
                self.failure(derivation("a", args=["a"]), code)

    def test_a_log_of_any_bytes_is_kept_as_it_is(self) -> None:
        noise = bytes(range(256)) * 100

        def talk(it: FakeBuild) -> Outcome:
            for at in range(0, len(noise), 1000):
                it.say(noise[at : at + 1000])
            return Outcome("exited", 1)

        self.launcher.scripts = {"a": talk}
        self.failure(derivation("a", args=["a"]), "build.failed")
        self.assertEqual(self.said(Failed)[0].log, noise)

    def test_of_a_huge_log_the_end_is_shown_and_all_is_kept(self) -> None:
        def talk(it: FakeBuild) -> Outcome:
            for _ in range(10):
                it.say(b"x" * (1 << 20))
            it.say(b"the end")
            return Outcome("exited", 1)

        self.launcher.scripts = {"a": talk}
        self.failure(derivation("a", args=["a"]), "build.failed")
        (failed,) = self.said(Failed)
        self.assertLess(len(failed.log), 9 << 20)
        self.assertTrue(failed.log.endswith(b"the end"))
        self.assertEqual(os.path.getsize(failed.log_path), (10 << 20) + 7)

    def test_the_log_of_an_earlier_failure_is_not_shown_again(self) -> None:
        a = derivation("a", args=["a"])
        self.launcher.scripts = {"a": failing}
        self.failure(a, "build.failed")
        self.launcher.scripts = {"a": lambda it: Outcome("exited", 1)}
        self.failure(a, "build.failed")
        self.assertEqual((self.said(Failed)[0].log, self.said(Failed)[0].log_path), (b"", None))
        # It is the previous one now (spec: store.logs).
        (left,) = os.listdir(os.path.join(self.store.var, "logs"))
        self.assertTrue(left.endswith(".previous"))

    def test_a_failed_build_can_be_built_again(self) -> None:
        a = derivation("a", args=["a"])
        self.launcher.scripts = {"a": failing}
        self.failure(a, "build.failed")
        self.launcher.scripts = {}
        self.assertEqual(len(self.built(a).built), 1)

    def test_what_needs_a_failure_is_skipped_and_the_rest_is_not_begun(self) -> None:
        self.launcher.scripts = {"a": failing}
        a, z = derivation("a", args=["a"]), derivation("z", args=["z"])
        b = derivation("b", args=["b", ref(a)])
        report = self.build(b, z, among=[a], jobs=1)
        self.assertEqual(self.launcher.ran, ["a"])
        self.assertEqual([failure.name for failure in report.failures], ["a"])
        self.assertEqual(report.skipped, (b.id, z.id))
        self.assertEqual(self.said(Skipped), [Skipped(b.id, "b", a.id)])

    def test_keep_going_builds_what_it_can(self) -> None:
        self.launcher.scripts = {"a": failing, "c": failing}
        a, c, z = (derivation(name, args=[name]) for name in "acz")
        b = derivation("b", args=["b", ref(a), ref(c)])
        report = self.build(b, z, among=[a, c], jobs=1, keep_going=True)
        self.assertEqual(sorted(self.launcher.ran), ["a", "c", "z"])
        self.assertEqual(sorted(failure.name for failure in report.failures), ["a", "c"])
        self.assertEqual((report.skipped, report.built), ((b.id,), (z.id,)))
        self.assertEqual(len(self.said(Skipped)), 1)

    def test_what_runs_when_another_fails_is_finished(self) -> None:
        begun, over = threading.Event(), threading.Event()

        def slow(it: FakeBuild) -> None:
            begun.set()
            over.wait(20)
            it.write("done")

        def fail(it: FakeBuild) -> Outcome:
            begun.wait(20)
            return Outcome("exited", 1)

        def on_event(event: Event) -> None:
            self.events.append(event)
            if isinstance(event, Failed):
                over.set()

        self.on_event = on_event
        self.launcher.scripts = {"slow": slow, "bad": fail}
        slow_one, bad = derivation("slow", args=["slow"]), derivation("bad", args=["bad"])
        report = self.build(slow_one, bad)
        self.assertEqual(report.built, (slow_one.id,))

    def test_an_output_with_nothing_in_it_is_a_failure(self) -> None:
        self.launcher.scripts = {"a": lambda it: None}
        self.failure(derivation("a", args=["a"]), "build.empty-output")
        self.launcher.scripts = {"b": lambda it: it.write("1", output="out")}
        error = self.failure(derivation("b", args=["b"], outputs=("out", "doc")), "build.empty-output")
        self.assertIn('"doc"', error.message)

    def test_an_output_that_is_no_directory_any_more_is_a_failure(self) -> None:
        def removed(it: FakeBuild) -> None:
            os.rmdir(it.outputs["out"])

        def replaced(it: FakeBuild) -> None:
            os.rmdir(it.outputs["out"])
            os.symlink("/etc", it.outputs["out"])

        self.launcher.scripts = {"a": removed, "b": replaced}
        self.failure(derivation("a", args=["a"]), "build.output-replaced")
        self.failure(derivation("b", args=["b"]), "build.output-replaced")
        self.failure(derivation("b", args=["b"]), "build.output-replaced", sandbox="none")

    def test_what_no_object_can_hold_is_a_failure(self) -> None:
        self.launcher.scripts = {"a": lambda it: os.mkfifo(it.outputs["out"] + "/fifo")}
        self.failure(derivation("a", args=["a"]), "store.special-file")

    def test_outputs_that_need_each_other_in_a_circle_are_a_failure(self) -> None:
        def circle(it: FakeBuild) -> None:
            env = dict(it.spec.env)
            it.write(env["doc"], output="out")
            it.write(env["out"], output="doc")

        self.launcher.scripts = {"a": circle}
        self.failure(derivation("a", args=["a"], outputs=("out", "doc")), "store.output-cycle")

    def test_the_directories_of_a_failure_are_kept_when_asked_for(self) -> None:
        self.source("src/main.c", "int main;")

        def fail(it: FakeBuild) -> Outcome:
            it.write("half")
            return Outcome("exited", 1)

        self.launcher.scripts = {"a": fail}
        a = derivation("a", args=["a"], files=["src/main.c"])
        report = self.build(a, keep_failed=True)
        kept = report.failures[0].kept
        assert kept is not None
        found = {name for _, _, files in os.walk(kept) for name in files}
        self.assertEqual(found, {"main.c", "file"})
        self.assertEqual(self.said(Failed)[0].kept, kept)

    def test_what_this_version_cannot_do_is_refused(self) -> None:
        self.failure(derivation("a", args=["a"], network=True), "derivation.network")
        self.failure(derivation("a", args=["a"], platform="linux-sparc"), "build.platform")
        self.failure(derivation("a", builder="fetch_url"), "derivation.env")
        self.failure(derivation("a", builder="host_tools"), "derivation.env")
        self.failure(
            derivation("a", builder="host_tools", env={"tools": "sh"}, outputs=("out", "b")),
            "derivation.outputs",
        )

    def test_a_pure_build_refuses_the_machine_s_programs(self) -> None:
        self.failure(derivation("a", builder="host_tools", env={"tools": "sh"}), "build.impure", pure=True)

    def test_a_source_that_is_not_there_is_a_failure(self) -> None:
        self.failure(derivation("a", args=["a"], files=["none"]), "store.source-missing")

    def test_a_graph_that_is_none_is_refused_before_anything_is_built(self) -> None:
        missing = derivation("missing")
        with self.assertRaises(BrambleError) as caught:
            self.build(derivation("a", args=[ref(missing)]))
        self.assertEqual(caught.exception.code, "derivation.unknown-reference")

    def test_where_nothing_can_be_built_the_whole_build_ends(self) -> None:
        def refuse(it: FakeBuild) -> Outcome:
            raise BrambleError("sandbox.unavailable", "no", remedy="do")

        self.launcher.scripts = {"a": refuse}
        with self.assertRaises(BrambleError) as caught:
            self.build(derivation("a", args=["a"]), derivation("b", args=["b"]), keep_going=True)
        self.assertEqual(caught.exception.code, "sandbox.unavailable")
        self.assertNothingLeft()

    def test_a_full_disk_is_no_fault_of_ours(self) -> None:
        def full(it: FakeBuild) -> Outcome:
            raise OSError(28, "No space left on device", "/x")

        self.launcher.scripts = {"a": full}
        self.failure(derivation("a", args=["a"]), "store.disk-full")

    def test_a_fault_of_ours_keeps_its_traceback(self) -> None:
        def broken(it: FakeBuild) -> Outcome:
            raise ZeroDivisionError

        self.launcher.scripts = {"a": broken}
        with self.assertRaises(ZeroDivisionError):
            self.build(derivation("a", args=["a"]))
        self.assertNothingLeft()

    def test_sources_in_which_a_pipe_stands_are_not_waited_for(self) -> None:
        damaged = self.store.object_path("a" * 32)
        os.mkdir(damaged)
        os.mkfifo(damaged + "/file")
        with pytest.raises(BrambleError) as caught:
            fill_build_directory(SourceObject("a" * 32, ""), self.store, tempfile.mkdtemp(dir=self.top))
        self.assertEqual(caught.value.code, "store.system")

    def test_sources_that_cannot_be_copied_are_an_error_of_the_store(self) -> None:
        def refused(path: object) -> object:
            raise PermissionError(13, "Permission denied", path)

        os.mkdir(self.store.object_path("a" * 32))
        with pytest.MonkeyPatch.context() as patched, pytest.raises(BrambleError) as caught:
            # In place of a mode, which does not hold root.
            patched.setattr(os, "scandir", refused)
            fill_build_directory(SourceObject("a" * 32, ""), self.store, self.top)
        self.assertEqual(caught.value.code, "store.permission")


def remedy_of(status: int, search: str | None, *missed: str) -> str:
    with pytest.raises(BrambleError) as caught:
        verdict("d", Outcome("exited", status), "/log", search, missed)
    return caught.value.remedy or ""


def test_a_program_that_a_shell_did_not_find_is_looked_for_where_the_derivation_says() -> None:
    assert "the build has no PATH" in remedy_of(127, None)
    assert "PATH, which is /s/x/bin:" in remedy_of(127, "/s/x/bin")
    assert "PATH" not in remedy_of(1, None) and "/log" in remedy_of(127, None)


def test_a_file_of_the_project_that_is_no_source_is_named() -> None:
    assert "has a.txt, b.txt, but not among the sources" in remedy_of(1, None, "a.txt", "b.txt")
    assert "sources" not in remedy_of(1, None)
