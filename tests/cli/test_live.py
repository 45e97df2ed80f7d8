"""What a terminal shows of a build while it runs, at several widths, and that nothing of it stays."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
import types
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bramble.cli.environment import Surface
from bramble.cli.layout import Job, View, columns, cut, elapsed, folded, lines, spanning
from bramble.cli.live import Graph, Live
from bramble.cli.progress import Display
from bramble.commands.build import (
    Event,
    Failed,
    Finished,
    Output,
    Planned,
    Progress,
    Retrying,
    Started,
    Waiting,
)
from bramble.errors import BrambleError
from tests.cli.screen import Screen, width_of
from tests.cli.world import ROOT, World

WIDTHS = (40, 80, 200)
NEEDS = {
    "app": ["left", "right"],
    "left": ["zlib", "ssl"],
    "right": ["ssl"],
    "zlib": ["libc"],
    "ssl": ["libc"],
}
LONG = f"first line\nsecond 長い line {'x' * 200}\nthi"
HOSTILE = "x\x1b[2J\x1b]0;title\x07\r\n\u202ey\x9b1m"


def view(*jobs: Job, **more: object) -> View:
    names = {id: id for id in (*NEEDS, "libc")}
    parents = spanning(["app"], lambda id: NEEDS.get(id, ()))
    usual = View(jobs, parents, names, 0, 0, 0, 0, 0, 0.0, None)
    return usual._replace(**more)


def shown(seen: View, width: int, height: int, now: float) -> list[str]:
    return [line.text for line in lines(seen, width, height, now)]


def job(id: str, since: float = 0.0, expected: float | None = None, note: str = "", said: str = "") -> Job:
    return Job(id, id, since, expected, note, said)


# --- the layout ----------------------------------------------------------------------


def test_what_runs_stands_below_what_waits_for_it() -> None:
    # spec: cli.progress
    seen = view(job("zlib", said="cc -c inflate.c"), job("ssl", 1.0, 9.0), waiting=3, built=1, cached=2)
    assert shown(seen, 80, 24, 4.2) == [
        "app",
        "└─ left",
        "   ├─ … zlib 4.2s  cc -c inflate.c",
        "   └─ … ssl 3.2s of about 9.0s",
        "2 running, 1 built, 2 cached, 3 waiting - 4.2s",
    ]


def test_what_waits_for_one_thing_alone_is_left_out() -> None:
    assert shown(view(job("libc")), 80, 24, 0.5) == ["app", "└─ … libc 0.5s", "1 running - 0.5s"]
    assert shown(view(job("app")), 80, 24, 0.5) == ["… app 0.5s", "1 running - 0.5s"]
    # What is not in the graph that was asked has a line of its own.
    assert shown(view(job("grown")), 80, 24, 0.5) == ["… grown 0.5s", "1 running - 0.5s"]


def test_of_a_tree_that_is_too_high_the_jobs_alone_are_shown() -> None:
    seen = view(job("zlib"), job("ssl"))
    assert len(shown(seen, 80, 5, 1.0)) == 5 and shown(seen, 80, 5, 1.0)[0] == "app"
    assert shown(seen, 80, 4, 1.0) == ["… zlib 1.0s", "… ssl 1.0s", "2 running - 1.0s"]


def test_a_download_says_how_far_it_is() -> None:
    seen = view(job("a.tar.gz", note="4.2 MiB of 10.0 MiB"), downloaded=4404019, waiting=1)
    assert shown(seen, 80, 24, 1.0) == [
        "… a.tar.gz 1.0s (4.2 MiB of 10.0 MiB)",
        "1 running, 1 waiting, 4.2 MiB downloaded - 1.0s",
    ]


def test_a_narrow_window_has_no_branches_and_cuts_lines() -> None:
    seen = view(job("zlib", said="a line that does not fit into it"), job("ssl"), waiting=3)
    assert shown(seen, 40, 24, 4.2) == [
        "… zlib 4.2s  a line that does not fit …",
        "… ssl 4.2s",
        "2 running, 3 waiting - 4.2s",
    ]


def test_of_300_jobs_those_are_shown_that_fit_and_the_rest_is_counted() -> None:
    # spec: cli.progress
    seen = view(*(job(f"job-{number}") for number in range(300)), left=12.0)
    assert shown(seen, 80, 5, 2.0) == [
        "… job-0 2.0s",
        "… job-1 2.0s",
        "… job-2 2.0s",
        "… and 297 more",
        "300 running - 2.0s, about 12s left",
    ]
    assert shown(seen, 80, 2, 2.0) == ["… and 300 more", "300 running - 2.0s, about 12s left"]
    assert shown(seen, 80, 1, 2.0) == ["300 running - 2.0s, about 12s left"]
    assert shown(seen, 80, 0, 2.0) == [] == shown(seen, 1, 24, 2.0)
    # Just as many as fit.
    assert len(shown(seen, 80, 301, 2.0)) == 301 and "more" not in "".join(shown(seen, 80, 301, 2.0))


@given(
    st.lists(st.text(st.sampled_from("ab 長é́🎉…"), max_size=60), max_size=12),
    st.integers(0, 90),
    st.integers(0, 9),
)
def test_whatever_is_shown_fits_the_window(names: Sequence[str], width: int, height: int) -> None:
    seen = view(*(Job(str(n), name, 0.0, None, "", name) for n, name in enumerate(names)))
    found = shown(seen, width, height, 7.0)
    assert len(found) <= height
    for line in found:
        assert sum(map(width_of, line)) == columns(line) < max(width, 1)


def test_a_wide_character_is_not_cut_in_half() -> None:
    name = "長い名前"
    assert [cut(name, width) for width in (8, 7, 6)] == [name, "長い名…", "長い…"]
    assert cut("abc", 3) == "abc" and cut("abcd", 3) == "ab…" and cut("ab", 1) == "…" and cut("ab", 0) == ""
    assert columns("e\u0301") == 1 and columns("🎉") == 2


def test_a_graph_of_any_depth_is_shown() -> None:
    chain = {str(number): [str(number + 1)] for number in range(5000)}
    parents = spanning(["0"], lambda id: chain.get(id, ()))
    seen = View([job("5000")], parents, {id: id for id in (*chain, "5000")}, 0, 0, 0, 0, 0, 0.0, None)
    assert shown(seen, 80, 24, 1.0)[:2] == ["0", "└─ … 5000 1.0s"]


def test_times_that_go_on_are_short() -> None:
    assert [elapsed(s) for s in (0, 0.44, 9.94, 9.96, 59.4, 59.6, 192, 3599.6, 7500)] == [
        *("0.0s", "0.4s", "9.9s", "10s", "59s", "1m00s", "3m12s", "1h00m", "2h05m")
    ]


def test_a_build_of_several_is_summed_up_in_one_line() -> None:
    # spec: cli.progress.end
    assert folded(view(built=1, cached=9), 3.0) == ""
    seen = view(built=4, cached=2, failed=1, waiting=3, downloaded=5 << 20)
    assert folded(seen, 72.0) == "4 built, 2 cached, 1 failed, 3 not built, 5.0 MiB downloaded - 1m12s"


# --- what is written ------------------------------------------------------------------


class Stage:
    """A display that draws when it is told to, on a terminal whose size and clock the test has."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, width: int = 80, height: int = 24, **more: object
    ) -> None:
        self.now, self.window = 100.0, (width, height)
        self.pieces: list[str] = []
        self.encoding = "utf-8"
        colour = bool(more.pop("colour", False))
        self.forecasts: Mapping[str, float] = {"zlib": 8.0}
        graph = (["app"], lambda id: NEEDS.get(id, ()), lambda id: id, lambda: self.forecasts, 2)
        self.display = Display(Surface(colour, True, True, False, width), graph=graph, **more)  # type: ignore[arg-type]
        self.live = self.display._live = Live(
            colour=colour,
            shorten=self.display._shown,
            graph=Graph(*graph),
            clock=lambda: self.now,
            window=lambda: self.window,
        )
        # Not sys.stderr itself: pytest puts its own there after the fixtures are made.
        monkeypatch.setattr("bramble.cli.live.sys", types.SimpleNamespace(stderr=self))

    def write(self, text: str) -> None:
        self.pieces.append(text)

    def flush(self) -> None:
        pass

    def draw(self, *events: Event, after: float = 0.0) -> str:
        for event in events:
            self.display(event)
        self.now += after
        self.live.draw()
        return self.text

    @property
    def text(self) -> str:
        return Screen(*self.window).feed("".join(self.pieces)).text


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(monkeypatch)


def started(*ids: str) -> list[Event]:
    return [Started(id, id) for id in ids]


def finished(id: str, seconds: float = 1.0) -> Finished:
    return Finished(id, id, seconds, False, ())


def story(stage: Stage) -> list[str]:
    """Play a build; return the pictures."""
    return [
        stage.draw(Planned(6), *started("libc"), after=1.0),
        stage.draw(finished("libc", 1.1), *started("zlib", "ssl"), after=2.0),
        stage.draw(Output("zlib", "zlib", LONG.encode()), Progress("ssl", "ssl", 3 << 20, None)),
        stage.draw(finished("zlib", 2.5), finished("ssl", 0.0881), *started("left"), after=0.5),
    ]


def test_a_build_is_drawn_over_and_over_in_its_place(stage: Stage) -> None:
    # spec: cli.progress
    first, second, third, fourth = story(stage)
    assert first == "app\n└─ … libc 1.0s\n1 running, 5 waiting - 1.0s"
    assert second == (
        "✔ libc - 1.10s\napp\n└─ left\n   ├─ … zlib 2.0s of about 8.0s\n   └─ … ssl 2.0s\n"
        "2 running, 1 built, 3 waiting - 3.0s"
    )
    assert "   ├─ … zlib 2.0s of about 8.0s  second 長い line xxx" in third and third.count("\n") == 5
    assert "   └─ … ssl 2.0s (3.0 MiB)" in third and "3.0 MiB downloaded" in third
    assert fourth == (
        "✔ libc - 1.10s\n✔ zlib - 2.50s\n✔ ssl - 88.1ms\napp\n└─ … left 0.5s\n"
        "1 running, 3 built, 2 waiting, 3.0 MiB downloaded - 3.5s"
    )
    stage.display.close()
    assert stage.text == (
        "✔ libc - 1.10s\n✔ zlib - 2.50s\n✔ ssl - 88.1ms\n3 built, 2 not built, 3.0 MiB downloaded - 3.5s"
    )


def test_each_picture_is_one_write_and_events_write_nothing(stage: Stage) -> None:
    # spec: cli.progress.rate
    for number in range(5000):
        stage.display(Output("libc", "libc", b"x\n" * 50))
        stage.display(Progress("libc", "libc", number, None))
    assert stage.pieces == []
    stage.draw(*started("libc"))
    assert len(stage.pieces) == 1


def test_lines_that_stay_are_not_held_back_without_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, verbose=True)
    stage.display(Started("a", "a"))
    stage.display(Output("a", "a", b"line\n" * 2500))
    assert 2 <= len(stage.pieces) <= 3 and stage.text.count("a> line") > 2000


def test_a_forecast_of_the_whole_needs_one_of_each_part(stage: Stage) -> None:
    stage.forecasts = dict.fromkeys(("app", "left", "right", "zlib", "ssl", "libc"), 2.0)
    assert stage.draw(Planned(6), *started("libc"), after=1.0).endswith(", about 5.5s left")
    # Two at once, and nothing is quicker than what takes longest.
    stage.draw(*(finished(id) for id in ("libc", "zlib", "ssl", "left", "right")), *started("app"), after=0.5)
    assert stage.text.endswith("- 1.5s, about 1.5s left")


def test_a_store_that_cannot_be_asked_is_no_error_of_the_display(stage: Stage) -> None:
    def failing() -> Mapping[str, float]:
        raise BrambleError("store.unreadable", "…")

    stage.live._graph = stage.live._graph._replace(forecasts=failing)
    assert stage.draw(*started("libc")).startswith("app\n└─ … libc 0.0s")


def test_what_a_build_waits_for_is_said(stage: Stage) -> None:
    assert "(another bramble is building it)" in stage.draw(*started("libc"), Waiting("libc", "libc"))
    stage.draw(Retrying("libc", "libc", "https://example.com sent nothing", 2.0))
    assert "! https://example.com sent nothing; again in 2.00s\n" in stage.text
    assert "(failed; will be tried again)" in stage.text


def test_a_failure_stays_and_the_picture_goes(stage: Stage) -> None:
    failed = Failed("zlib", "zlib", BrambleError("build.failed", "…"), b"why\n", None, None)
    stage.draw(*started("zlib", "ssl"), failed, after=1.0)
    assert stage.text == "✘ zlib\n  why\napp\n└─ … ssl 1.0s\n1 running, 1 failed - 1.0s"
    stage.display.close()
    assert stage.text == "✘ zlib\n  why"


@pytest.mark.parametrize("width", WIDTHS)
def test_names_and_output_cannot_command_the_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch, width)
    # The screen of the tests fails for what Bramble does not write of its own accord.
    picture = stage.draw(Started("x", HOSTILE), Output("x", HOSTILE, HOSTILE.encode() + b"\xff\n"))
    assert picture.count("\n") == 1 and "\\u{1b}[2J" in picture
    stage.display(Finished("x", HOSTILE, 1.0, False, ()))
    stage.display.close()
    assert "\\x1b[2J" in stage.text


def test_the_last_line_of_a_build_is_short_and_whole(stage: Stage) -> None:
    # spec: cli.failed-log
    store = "/home/maxm/bramble/bramble_store_padding/bramble_/" + "a2" * 16
    for data in (b"one\ntw", b"o 10%\rtwo " + store.encode() + b"/x\n\n  \nthr", b"ee"):
        stage.display(Output("zlib", "zlib", data))
    stage.draw(*started("zlib"))
    assert "two" not in stage.text
    for data in (b"one\ntw", b"o 10%\rtwo " + store.encode() + b"/x\n\n  \nthr", b"ee"):
        stage.display(Output("zlib", "zlib", data))
    assert "zlib 0.0s of about 8.0s  two …/x\n" in stage.draw()


def test_colours_change_nothing_but_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, coloured = Stage(monkeypatch), Stage(monkeypatch, colour=True)
    pictures = []
    for stage in (plain, coloured):
        monkeypatch.setattr("bramble.cli.live.sys", types.SimpleNamespace(stderr=stage))
        pictures.append(story(stage))
    assert pictures[0] == pictures[1]
    assert "\x1b[1m" in "".join(coloured.pieces) and "\x1b[1m" not in "".join(plain.pieces)


def test_a_window_without_room_for_a_picture_shows_what_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    for window in ((80, 2), (1, 24), (0, 0)):
        stage = Stage(monkeypatch, *window)
        stage.live.draw()
        stage.display(Started("a", "a"))
        stage.live.draw()
        assert stage.pieces == []
        stage.display(finished("a"))
        stage.display.close()
        assert "".join(stage.pieces) == "✔ a - 1.00s\n"


def test_the_thread_that_draws_ends_with_the_display(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch)
    stage.live.start()
    stage.display(Planned(1))
    stage.display(Started("app", "app"))
    deadline = time.monotonic() + 60
    while not stage.pieces and time.monotonic() < deadline:
        time.sleep(0.01)
    stage.display.close()
    assert not any(thread.name == "display" for thread in threading.enumerate())
    assert stage.pieces and stage.text == ""


def test_what_draws_is_loaded_when_something_is_built_and_knows_what_was_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage(monkeypatch)
    made: list[str] = []

    def drawing(*_: object) -> Live:
        made.append("")
        return stage.live

    monkeypatch.setattr("bramble.cli.progress._drawing", drawing)
    stage.display._live = None
    stage.display(Planned(6))
    for id in ("libc", "zlib"):
        stage.display(Finished(id, id, 0.0, True, ()))
    assert made == []
    stage.display(Started("ssl", "ssl"))
    assert made == [""] and stage.live._painter.is_alive()
    assert stage.draw().endswith("1 running, 2 cached, 3 waiting - 0.0s")
    stage.display.close()


def test_a_terminal_that_is_gone_ends_the_drawing_and_not_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(monkeypatch)

    def gone(text: str) -> None:
        raise OSError(5, "Input/output error")

    faults: list[object] = []
    monkeypatch.setattr(threading, "excepthook", faults.append)
    stage.write = gone  # type: ignore[method-assign]
    stage.live.start()
    stage.display(Started("app", "app"))
    stage.live._painter.join(60)
    assert not stage.live._painter.is_alive()
    assert faults == []
    stage.display(Output("app", "app", b"more\n"))


# --- terminals ------------------------------------------------------------------------


class Tmux:
    """A server of tmux of its own, with one window."""

    def __init__(self, directory: Path, width: int, height: int, command: str) -> None:
        self._socket = str(directory / "tmux")
        self("new-session", "-d", "-x", str(width), "-y", str(height), command)

    def __call__(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-f", "/dev/null", "-S", self._socket, *words],
            stdout=subprocess.PIPE,
            env={
                "PATH": "/usr/local/bin:/usr/bin:/bin",
                "LC_ALL": "C.UTF-8",
                "TERM": "xterm-256color",
                "HOME": "/none",
                "SHELL": "/bin/sh",
            },
            text=True,
            encoding="utf-8",
            check=True,
        )
        return done.stdout

    def picture_with(self, *wanted: str, without: str = "\0") -> str:
        """Wait until all of `wanted` is on the screen and `without` is not, and return what is."""
        deadline = time.monotonic() + 60
        while True:
            rows = self("capture-pane", "-p").splitlines()
            picture = "\n".join(row.rstrip() for row in rows).rstrip("\n")
            if all(one in picture for one in wanted) and without not in picture:
                return picture
            assert time.monotonic() < deadline, picture
            time.sleep(0.05)

    def close(self) -> None:
        self("kill-server")


needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


@needs_tmux
@pytest.mark.parametrize("width", WIDTHS)
def test_a_terminal_shows_what_the_screen_of_these_tests_shows(
    width: int, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # spec: cli.progress
    stage = Stage(monkeypatch, width, 24, colour=True)
    pictures = story(stage)
    stage.display(Started("wide", "長い名前 " * 30))
    pictures.append(stage.draw())
    assert len(pictures[-1].splitlines()) == len(pictures[-2].splitlines()) + 1
    (world.base / "written").write_text("".join(stage.pieces) + "END", encoding="utf-8")
    tmux = Tmux(world.base, width, 24, f"cat {world.base}/written; sleep 1000")
    try:
        assert tmux.picture_with("END") == stage.text.replace("END", "") + "\nEND"
    finally:
        tmux.close()


SIZES = ((80, 24), (40, 24), (200, 24), (60, 24), (33, 24), (81, 24))
RESIZED = """
import os, sys, time
from bramble.cli.live import Graph, Live
from bramble.commands.build import Finished, Planned, Started
graph = Graph(["job-0"], lambda id: (), lambda id: id, dict)
live = Live(colour=True, shorten=str, graph=graph)
for number in range(6):
    live.note(Started(f"job-{number}", f"job-{number} " + "with-a-long-name-" * 4))
live.say("above\\n")
print("READY", file=sys.stderr)
for line in iter(sys.stdin.readline, "last\\n"):
    while os.get_terminal_size(2).columns != int(line):
        time.sleep(0.01)
    live.draw()
    print(f"drawn for {line.strip()}", end="\\r", file=sys.stderr, flush=True)
live.close()
print("CLOSED", file=sys.stderr)
sys.stdin.readline()
"""


@needs_tmux
def test_a_window_that_changes_its_size_is_drawn_anew_in_its_place(world: World) -> None:
    # spec: cli.progress
    (world.base / "resized.py").write_text(RESIZED)
    command = f"stty -echo; PYTHONPATH={ROOT} {sys.executable} {world.base}/resized.py"
    tmux = Tmux(world.base, 80, 24, command)
    try:
        tmux.picture_with("READY")
        for width, height in SIZES:
            tmux("resize-window", "-x", str(width), "-y", str(height))
            tmux("send-keys", "-l", f"{width}\n")
            picture = tmux.picture_with(f"drawn for {width}")
            assert picture.count("6 running") == 1 and picture.count("job-0") == 1, (width, picture)
            assert max(map(len, picture.splitlines())) < width
        tmux("send-keys", "-l", "last\n")
        # A terminal that has to break lines moves what is above out of the window, which stays as it is.
        assert "job-" not in tmux.picture_with("CLOSED")
        assert tmux("capture-pane", "-p", "-S", "-").startswith("READY\nabove\n")
    finally:
        tmux.close()


SCRIPT = 'load("example.com/p/tools")\ndef f():\n    return tools.script("x", "{}")\n'


def on_terminal(world: World, *words: str, until: str, send: bytes, width: int = 80) -> tuple[int, str]:
    """Run a command on a terminal, send it bytes when `until` is seen; return its status and all it wrote."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        world.command(*words),
        cwd=world.project,
        env=world.environment(TERM="xterm", BRAMBLE_ERROR_FORMAT=""),
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
        preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),
    )
    os.close(follower)
    said, sent, deadline = b"", False, time.monotonic() + 100
    while time.monotonic() < deadline:
        if select.select([leader], [], [], 0.2)[0]:
            try:
                said += os.read(leader, 65536)
            except OSError:  # EIO: all have closed it
                break
        if not sent and until in said.decode("utf-8", "replace"):
            os.write(leader, send)
            sent = True
    os.close(leader)
    return process.wait(30), said.decode("utf-8", "replace")


def test_ctrl_c_leaves_a_clean_terminal(tooled: World) -> None:
    # spec: cli.progress.end, cli.interrupt
    tooled.write(default=SCRIPT.format("echo begun; sleep 1000"))
    status, said = on_terminal(tooled, "build", "./:f", until="  begun", send=b"\x03")
    assert status == 128 + signal.SIGINT
    # `^C` is what the terminal itself shows of the key, in the picture, which is gone.
    text = Screen(80, 24).feed(said.replace("\r\n", "\n")).text
    assert "begun" not in text and "running" not in text and text.splitlines()[-1] == "interrupted", text


def test_without_a_terminal_nothing_is_drawn_even_with_colours(tooled: World) -> None:
    # spec: cli.colour
    tooled.write(default=SCRIPT.format("echo 1 > $out/x"))
    done = tooled.run("build", "./:f", CLICOLOR_FORCE="1", TERM="xterm")
    assert "\x1b[32m✔\x1b[0m x" in done.err and not {"\x1b[J", "\r"} & set(done.err.split())
    assert "\x1b" not in tooled.run("build", "./:f", CLICOLOR_FORCE="1", NO_COLOR="1").err
