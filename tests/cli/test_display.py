"""What is shown of a build, event by event, without one."""

from __future__ import annotations

import pytest

from bramble.cli.environment import Surface
from bramble.cli.progress import Display
from bramble.cli.quantities import age, byte_count, count, log_bytes, memory_bytes
from bramble.cli.render import duration, harmless, several, size
from bramble.commands.build import Failed, Finished, Hidden, Impure, Output, Retrying
from bramble.errors import BrambleError
from bramble.store.model import HiddenName
from tests.cli.world import World

PLAIN = Surface(colour=False, live=False, attached=False, json_errors=False, width=80)
LIVE = Surface(colour=True, live=True, attached=True, json_errors=False, width=40)


def shown(surface: Surface, capsys: pytest.CaptureFixture[str], *events: object, **options: object) -> str:
    display = Display(surface, **options)  # type: ignore[arg-type]
    for event in events:
        display(event)  # type: ignore[arg-type]
    display.close()
    return capsys.readouterr().err


def test_what_is_built_has_a_tick_a_name_and_a_duration(capsys: pytest.CaptureFixture[str]) -> None:
    event = Finished("a" * 32, "busybox", 0.0881, False, ())
    assert shown(PLAIN, capsys, event) == "✔ busybox - 88.1ms\n"


def test_what_was_built_before_is_named_when_it_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    root, other = Finished("r", "root", 0.0, True, ()), Finished("o", "other", 0.0, True, ())
    assert shown(PLAIN, capsys, other, root, roots=frozenset("r")) == "✔ root (cached)\n"


def test_lines_of_different_builds_do_not_mix(capsys: pytest.CaptureFixture[str]) -> None:
    events = [
        Output("a", "one", b"first "),
        Output("b", "two", b"other\n"),
        Output("a", "one", b"half\nrest"),
        Finished("a", "one", 1.0, False, ()),
    ]
    assert shown(PLAIN, capsys, *events, verbose=True) == (
        "two> other\none> first half\none> rest\n✔ one - 1.00s\n"
    )


def test_one_name_is_said_once_to_copy_programs(capsys: pytest.CaptureFixture[str]) -> None:
    # As where two builds have tools of their own, called alike.
    events = [Impure("a", "tools"), Impure("b", "tools"), Impure("c", "gcc")]
    lines = "! tools copies programs of this machine\n! gcc copies programs of this machine\n"
    assert shown(PLAIN, capsys, *events) == lines


def test_a_download_that_is_tried_again_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    event = Retrying("a", "a", "https://example.com/a sent nothing for 30 seconds", 0.5)
    line = "! https://example.com/a sent nothing for 30 seconds; again in 500.0ms\n"
    assert shown(PLAIN, capsys, event) == line


@pytest.mark.parametrize(
    ("found", "owner", "text"),
    [
        (
            HiddenName("out", "m/x.gz", "gzip", "o" * 32, "out"),
            "p",
            "p: m/x.gz names its own path in what gzip packed",
        ),
        (HiddenName("dev", "x", "utf-16", "o" * 32, "out"), "p", 'p.dev: x names its output "out" as UTF-16'),
        (
            HiddenName("out", "x\x1b", "zip", "o" * 32, ""),
            "lib",
            'p: x\\x1b names "lib" in a member of a zip file',
        ),
        (HiddenName("out", "x", "zip", "o" * 32, ""), "", f"p: x names {'o' * 32} in a member of a zip file"),
    ],
)
def test_a_name_that_is_hidden_is_one_line(
    found: HiddenName, owner: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line = f"! {text}: this reference is not detected\n"
    assert shown(PLAIN, capsys, Hidden("p" * 32, "p", found, owner)) == line


def test_output_cannot_command_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    log = b"\x1b[2J\x07\xff\r\x9b31m\xe2\x80\xae"
    event = Failed("a", "x\x1b[1m", BrambleError("build.failed", "…"), log, None, None)
    text = shown(PLAIN, capsys, event)
    assert all(char.isprintable() or char == "\n" for char in text)
    assert "\\x1b[2J\\x07\\xff\\x0d" in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0.0ms"), (0.9994, "999.4ms"), (1.0, "1.00s"), (59.99, "59.99s"), (192, "3m12s")],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (5 << 40, "5120.0 GiB")]
)
def test_sizes_are_short(number: int, text: str) -> None:
    assert size(number) == text


def test_quantities_are_read_as_people_write_them() -> None:
    assert byte_count("10G") == 10 << 30 and byte_count("5") == 5 and byte_count("2k") == 2048
    assert age("30d") == 30 * 86400 and age("12h") == 12 * 3600
    for wrong in ("", "G", "-1G", "1.5.G", "10X"):
        with pytest.raises(Exception, match="is not a size"):
            byte_count(wrong)
    with pytest.raises(Exception, match="is not an age"):
        age("30")


def test_quantities_that_nothing_can_be_done_with_are_refused_or_cut() -> None:
    for endless in ("9" * 5000, "9" * 5000 + "T", "99999999999T"):
        assert byte_count(endless) == 1 << 60 == memory_bytes(endless)
    assert count("9" * 5000) == 1 << 60 and age("9" * 5000 + "d") > 1 << 60
    assert byte_count("0" * 5000 + "7") == 7 and byte_count("0") == 0
    assert log_bytes("4K") == 4096 and memory_bytes("1M") == 1 << 20
    for read, text in ((log_bytes, "4095"), (log_bytes, "0"), (memory_bytes, "1023K"), (memory_bytes, "0")):
        with pytest.raises(Exception, match="is less than"):
            read(text)
    with pytest.raises(Exception, match="from 1 up"):
        count("0" * 5000)


def test_ordinary_text_is_left_alone() -> None:
    assert harmless("größer → 大\n\tx") == "größer → 大\n\tx"


STORE = "/home/maxm/bramble/bramble_store_padding/bramble_/" + "a2" * 16


def test_a_terminal_shows_the_end_of_a_long_log_and_short_store_paths(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = b"".join(b"%d %s/bin/ld\n" % (number, STORE.encode()) for number in range(100))
    event = Failed("a", "a", BrambleError("build.failed", "…"), log, "/var/log", None)
    live = shown(LIVE, capsys, event).splitlines()[1:]
    assert live[0] == "  … 70 lines more in /var/log"
    assert live[1:] == [f"  {number} …/bin/ld" for number in range(70, 100)]
    whole = shown(PLAIN, capsys, event).splitlines()[1:]
    assert whole == [f"  {number} {STORE}/bin/ld" for number in range(100)]


def test_a_check_says_what_it_did(capsys: pytest.CaptureFixture[str]) -> None:
    same = shown(PLAIN, capsys, Finished("a", "a", 1.0, True, (), "elsewhere", 2))
    assert same == "✔ a (the same, 2 builds) - 1.00s\n"
    assert (
        shown(PLAIN, capsys, Finished("a", "a", 1.0, False, (), "here", 5))
        == "✔ a (the same, 5 builds) - 1.00s\n"
    )


def test_no_name_of_a_directory_reaches_the_terminal_as_it_is(world: World) -> None:
    # spec: cli.harmless-output
    module = world.project / "d\x1b]0;title\x07\n" / "default.bramble"
    module.parent.mkdir()
    module.write_text('def f():\n    return derivation("n\u202e", "./x")\n')
    listed = world.run("build", "--just-parse", "./...").out
    assert "d\\u{1b}]0;title\\u{7}\\u{a}:f n\\u{202e} " in listed and len(listed.splitlines()) == 1


def test_one_thing_is_not_several() -> None:
    assert [several(number, "object") for number in (0, 1, 2)] == ["0 objects", "1 object", "2 objects"]
