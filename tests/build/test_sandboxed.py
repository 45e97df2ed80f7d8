"""Builds for real: programs in sandboxes, objects in a store, and what bad builds do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

from bramble.build.engine import BuildReport
from bramble.build.events import Event, Failed, Output
from bramble.derivation.model import Derivation
from bramble.derivation.template import OutputRef
from bramble.sandbox.spec import Limits
from bramble.store.disk import Store
from bramble.store.questions.verify import verify
from bramble.store.transfer.relocate import relocate
from tests.build.world import World, derivation, ref
from tests.sandbox.processes import alive, given, mark

TOOLS = derivation(
    "tools", "host_tools", env={"tools": "sh mkdir cat ls chmod ln sleep cp rm mv env kill mkfifo python3"}
)
SMALL = derivation(
    "small", "host_tools", env={"tools": "sh mkdir cat ls chmod ln sleep cp rm mv env kill mkfifo"}
)


def shell(name: str, script: str, tools: Derivation = SMALL, **more: Any) -> Derivation:
    env = {"PATH": ref(tools) + "/bin", **more.pop("env", {})}
    return derivation(name, ref(tools) + "/bin/sh", ["-e", "-c", script], env=env, **more)


class RealWorld(World):
    real = True

    def make(self, *roots: Derivation, **more: Any) -> BuildReport:
        among = [SMALL, TOOLS, *more.pop("among", ())]
        return self.built(*roots, among=among, **more)

    def fails(self, code: str, script: str, **more: Any) -> Any:
        it = shell("bad", script, **more.pop("derivation", {}))
        return self.failure(it, code, among=[SMALL, TOOLS], **more)


class NotFound(RealWorld):
    def test_a_program_that_was_not_found_is_told(self) -> None:
        error = self.fails("build.failed", "no-such-program")
        self.assertIn("the build calls no-such-program, which no directory of its PATH has", error.remedy)
        self.assertIn('add "no-such-program" to `tools` of host_tools', error.remedy)
        self.assertNotIn("/home/bramble/", error.remedy)

    def test_a_file_of_the_project_that_is_no_source_is_told(self) -> None:
        self.source("a.txt")
        error = self.fails("build.failed", ". ./a.txt")
        self.assertIn("the project has a.txt,", error.remedy)


class Building(RealWorld):
    def test_hello(self) -> None:
        self.source(
            "script.sh", 'echo "#!$shell" > $out/bin/hello; echo "echo Hello World!" >> $out/bin/hello\n'
        )
        hello = shell(
            "hello",
            "mkdir $out/bin; . ./script.sh; chmod +x $out/bin/hello; $out/bin/hello",
            files=["script.sh"],
            env={"shell": ref(SMALL) + "/bin/sh"},
        )
        report = self.make(hello)
        self.assertEqual([event.data for event in self.said(Output)], [b"Hello World!\n"])
        path = self.store.object_path(report.outputs[OutputRef(hello.id, "out")].name)
        # The machine runs it as well as the sandbox does.
        ran = subprocess.run([path + "/bin/hello"], capture_output=True, text=True, env={})
        self.assertEqual(ran.stdout, "Hello World!\n", ran.stderr)
        self.assertEqual(
            report.outputs[OutputRef(hello.id, "out")].references, (report.names[OutputRef(SMALL.id, "out")],)
        )

    def test_a_build_sees_its_variables_and_nothing_of_the_machine(self) -> None:
        os.environ["LEAK"] = "1"
        self.addCleanup(os.environ.pop, "LEAK")
        it = shell("env", "env > $out/file; ls / > $out/root; ls ${out%/*} > $out/store", env={"a": "1"})
        report = self.make(it)
        names = {line.partition("=")[0] for line in self.file(report, it).splitlines()}
        self.assertEqual(names - {"PWD", "OLDPWD", "SHLVL", "_"}, {"PATH", "a", "out"})
        # Its PATH has a shell and an env, which are shown as /bin/sh and /usr/bin/env.
        self.assertEqual(self.file(report, it, "root").split(), ["bin", "dev", "etc", "proc", "tmp", "usr"])
        # Its inputs, its directory, its output: three names, and nobody else's.
        self.assertEqual(len(self.file(report, it, "store").split()), 3)

    def test_inputs_cannot_be_written_to(self) -> None:
        low = shell("low", "echo 1 > $out/file")
        it = shell("high", f"(echo 2 > {ref(low)}/file) 2>/dev/null || cat {ref(low)}/file > $out/file")
        report = self.make(it, among=[low])
        self.assertEqual(self.file(report, it), "1\n")

    def test_the_build_directory_is_fixed_and_erased_from_what_is_stored(self) -> None:
        it = shell("where", "echo $PWD > $out/file")
        report = self.make(it)
        self.assertEqual(self.file(report, it), f"{self.store.directory}/{'x' * 32}\n")

    def test_outputs_that_hold_their_own_name_still_hold_it_under_the_final_one(self) -> None:
        it = shell(
            "self",
            "echo $out $doc > $out/file; echo text > $doc/file; ln -s $out/file $out/$(echo link)",
            outputs=("out", "doc"),
        )
        report = self.make(it)
        out, doc = (self.store.object_path(report.names[OutputRef(it.id, name)]) for name in ("out", "doc"))
        self.assertEqual(self.file(report, it), f"{out} {doc}\n")
        self.assertEqual(os.readlink(out + "/link"), out + "/file")

    def test_modes_and_times_are_made_plain(self) -> None:
        it = shell(
            "modes",
            "echo > $out/f; chmod 4711 $out/f || chmod 711 $out/f; mkdir $out/d; "
            "echo > $out/d/g; chmod 0 $out/d/g $out/d",
        )
        report = self.make(it)
        top = self.store.object_path(report.names[OutputRef(it.id, "out")])
        modes = {name: oct(os.stat(f"{top}/{name}").st_mode & 0o7777) for name in ("f", "d", "d/g")}
        self.assertEqual(modes, {"f": "0o555", "d": "0o555", "d/g": "0o444"})

    def test_checking_finds_what_depends_on_the_time(self) -> None:
        good = shell("good", "echo $out $PWD > $out/file")
        self.assertEqual(self.make(good, check=True).checked, {good.id: "elsewhere"})
        bad = derivation(
            "bad",
            ref(TOOLS) + "/bin/python3",
            ["-c", "import os, time; open(os.environ['out'] + '/t', 'w').write(repr(time.time()))"],
        )
        error = self.failure(bad, "build.not-reproducible", among=[TOOLS], check=True)
        self.assertIn("differs t", error.detail)

    def test_the_weaker_rungs_build_the_same(self) -> None:
        it = shell("weak", "echo $out $PWD > $out/file")
        strong = self.make(it).names
        for rung in ("landlock", "none"):
            with self.subTest(rung):
                self.setUp()
                report = self.make(it, sandbox=rung)
                self.assertEqual(report.names[OutputRef(it.id, "out")], strong[OutputRef(it.id, "out")])
                self.assertEqual(report.sandboxes, {it.id: rung})
                self.assertNothingLeft()


class Moving(RealWorld):
    def test_what_was_built_runs_and_is_known_after_the_store_has_moved(self) -> None:
        script = (
            'mkdir $out/bin; echo "#!$sh" > $out/bin/hi; echo "cat $out/bin/text" >> $out/bin/hi; '
            'echo "hello from $out" > $out/bin/text; chmod +x $out/bin/hi'
        )
        it = shell("hi", script, env={"sh": ref(SMALL) + "/bin/sh"})
        before = self.make(it).names
        for place in ("a-much-longer-name/store", "t"):
            new = os.path.join(self.top, place)
            os.makedirs(os.path.dirname(new), exist_ok=True)
            self.store.close()
            os.rename(self.store.root, new)
            relocate(new)
            self.store = Store.open(new)
            self.addCleanup(self.store.close)
            self.assertEqual(verify(self.store).damages, ())
            report = self.make(it)
            self.assertEqual((report.names, report.built), (before, ()))
            again = shell("again", f"PATH=$PATH {ref(it)}/bin/hi > $out/file")
            report = self.make(again, among=[it])
            path = self.store.object_path(before[OutputRef(it.id, "out")])
            self.assertEqual(self.file(report, again), f"hello from {path}\n")
            tools = self.store.object_path(before[OutputRef(SMALL.id, "out")])
            ran = subprocess.run(
                [path + "/bin/hi"], env={"PATH": tools + "/bin"}, capture_output=True, text=True
            )
            self.assertEqual(ran.stdout, f"hello from {path}\n", ran.stderr)


class Bad(RealWorld):
    def test_a_build_that_exits_with_a_status(self) -> None:
        error = self.fails("build.failed", "echo out; echo err >&2; exit 7")
        self.assertIn("7", error.message)
        self.assertEqual(self.said(Failed)[0].log, b"out\nerr\n")

    def test_a_build_that_is_killed(self) -> None:
        for number, name in ((9, "SIGKILL"), (11, "SIGSEGV"), (6, "SIGABRT")):
            error = self.fails("build.killed", f"kill -{number} $$")
            self.assertIn(name, error.message)

    def test_a_build_that_writes_nothing(self) -> None:
        self.fails("build.empty-output", "true")
        self.fails("build.empty-output", "echo 1 > $out/file", derivation={"outputs": ("out", "doc")})

    def test_a_build_that_leaves_what_no_object_can_hold(self) -> None:
        self.fails("store.special-file", "mkfifo $out/fifo")
        short = "import os, socket; os.chdir(os.environ['out']); socket.socket(socket.AF_UNIX).bind('s')"
        self.failure(
            derivation("bad", ref(TOOLS) + "/bin/python3", ["-c", short]), "store.special-file", among=[TOOLS]
        )

    def test_a_device_cannot_even_be_made(self) -> None:
        script = (
            "import os, stat; os.mknod(os.environ['out'] + '/null', 0o666 | stat.S_IFCHR, os.makedev(1, 3))"
        )
        it = derivation("bad", ref(TOOLS) + "/bin/python3", ["-c", script])
        self.failure(it, "build.failed", among=[TOOLS])
        self.assertIn(b"PermissionError", self.said(Failed)[0].log)

    def test_a_builder_that_is_not_there(self) -> None:
        self.failure(derivation("bad", ref(SMALL) + "/bin/none"), "sandbox.builder-missing", among=[SMALL])
        self.failure(derivation("bad", "./none"), "sandbox.builder-missing")
        self.failure(derivation("bad", "none"), "sandbox.builder-missing")

    def test_a_builder_that_cannot_be_executed(self) -> None:
        self.source("build", "#!/bin/sh\n", 0o644)
        self.failure(derivation("bad", "./build", files=["build"]), "sandbox.builder-not-executable")
        self.failure(derivation("bad", ref(SMALL) + "/bin"), "sandbox.builder-not-executable", among=[SMALL])

    def test_a_source_that_needs_an_interpreter_of_the_machine(self) -> None:
        self.source("build", "#!/bin/sh\n", 0o755)
        error = self.failure(derivation("bad", "./build", files=["build"]), "sandbox.builder-missing")
        self.assertIn("/bin/sh", error.message)

    def test_an_output_that_was_put_aside(self) -> None:
        self.fails("build.output-replaced", "rm -r $out; ln -s /etc $out", sandbox="none")

    def test_a_build_that_takes_too_long(self) -> None:
        self.fails("build.timeout", "sleep 60", limits=Limits(seconds=0.3))
        self.fails("build.timeout", "echo working; sleep 60", limits=Limits(silence=0.3))

    def test_nothing_that_a_build_started_outlives_it(self) -> None:
        number = mark()
        it = shell("daemon", f"(sleep {number} &) ; echo 1 > $out/file")
        self.make(it)
        self.assertEqual(alive(number), [])


class Stopping(RealWorld):
    def test_a_cancelled_build_leaves_nothing_running(self) -> None:
        def on_event(event: Event) -> None:
            self.events.append(event)
            if isinstance(event, Output):
                self.cancelled.set()

        self.on_event = on_event
        number = mark()
        report = self.build(shell("long", f"echo here; sleep {number}"), among=[SMALL])
        self.assertTrue(report.cancelled)
        self.assertEqual(alive(number), [])
        self.assertNothingLeft()

    def test_an_interrupt_leaves_nothing_running(self) -> None:
        def on_event(event: Event) -> None:
            if isinstance(event, Output):
                raise KeyboardInterrupt

        self.on_event = on_event
        number = mark()
        with self.assertRaises(KeyboardInterrupt):
            self.build(*(shell(f"long{at}", f"echo here; sleep {number}") for at in range(3)), among=[SMALL])
        self.assertEqual(alive(number), [])
        self.assertNothingLeft()

    def script(self, *names: str, sleep: str = "0.5") -> list[str]:
        """A command that builds some slow derivations in this test's store, in a process of its own."""
        code = f"""
import sys
sys.path.insert(0, {os.getcwd()!r})
from tests.build.test_sandboxed import SMALL, RealWorld, shell
from bramble.store.disk import Store
import threading
it = RealWorld()
it.top, it.project, it.store = {self.top!r}, {self.project!r}, Store.open({self.store.root!r})
it.events, it.launchers, it.cancelled, it.on_event = [], 0, threading.Event(), lambda event: None
report = it.make(*(shell(name, "echo " + name + " > $out/file; sleep {sleep}") for name in {names!r}), jobs=4)
print(len(report.built), len(report.cached))
"""
        return [sys.executable, "-c", code]

    def test_a_killed_process_takes_its_builds_with_it_and_blocks_nobody(self) -> None:
        self.make(SMALL)
        number = mark()
        process = subprocess.Popen(self.script("a", "b", sleep=number))
        try:
            self.wait_for(lambda: given(number))
        finally:
            process.kill()
            process.wait()
        self.wait_for(lambda: not alive(number))
        done = subprocess.run(self.script("a", "b"), capture_output=True, text=True)
        self.assertEqual(done.stdout, "2 1\n", done.stderr)

    def test_processes_that_build_the_same_build_it_once(self) -> None:
        self.make(SMALL)
        processes = [
            subprocess.Popen(self.script("a", "b", "c"), stdout=subprocess.PIPE, text=True) for _ in range(3)
        ]
        counts = [process.communicate()[0].split() for process in processes]
        self.assertEqual(sum(int(built) for built, _ in counts), 3)
        self.assertEqual(sum(int(cached) for _, cached in counts), 9)

    def test_a_signal_to_the_program_of_a_person_reaches_the_builds_through_it_alone(self) -> None:
        self.make(SMALL)
        number = mark()
        command = self.script("a", sleep=number)
        process = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)
        self.wait_for(lambda: given(number))
        # As a terminal does it: to the whole process group.
        os.killpg(process.pid, signal.SIGINT)
        said = process.communicate(timeout=30)[1]
        self.assertIn(b"KeyboardInterrupt", said)
        self.assertEqual(alive(number), [])
        self.assertNothingLeft()
