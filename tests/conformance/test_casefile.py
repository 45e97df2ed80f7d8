"""The parser of cases: what it reads, and what it refuses to read in silence."""

from __future__ import annotations

import re

import pytest

from conformance.casefile import (
    CaseError,
    Chunk,
    Script,
    label,
    parse_case_file,
    parse_chapter,
    parse_star_file,
    parse_table_file,
)
from conformance.script import Command, Error, Json, Signal

GOOD = """# A store path that is not an input
# does not hide one that is.
spec:  store.scan, build.references
level: build
need:  host-tools

run build --json ./:hello
json results.0.name hello
# The mistake has a place.
fail build ./:broken
error derivation.unknown-output at default.bramble:7:12
-- default.bramble --
def hello(): pass
-- sub/other --
"""


def broken(text: str, message: str) -> None:
    with pytest.raises(CaseError) as caught:
        parse_case_file("c.txt", text, "c")
    assert message in caught.value.message, caught.value.message


def with_script(script: str) -> str:
    return "# A sentence.\nspec: store.padding\nlevel: store\n\n" + script


def test_a_case_file_becomes_header_steps_and_files() -> None:
    case = parse_case_file("c.txt", GOOD, "c")
    assert case.sentence == "A store path that is not an input does not hide one that is."
    assert case.spec == ("store.scan", "build.references")
    assert (case.level, case.need, case.audit) == ("build", ("host-tools",), True)
    assert [type(step.action) for step in case.steps] == [Command, Json, Command, Error]
    assert [step.line for step in case.steps] == [7, 8, 10, 11]
    assert [step.phase for step in case.steps] == [
        "",
        "",
        "The mistake has a place.",
        "The mistake has a place.",
    ]
    assert [(section.name, section.content, section.line) for section in case.sections] == [
        ("default.bramble", "def hello(): pass\n", 13),
        ("sub/other", "", 15),
    ]


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("level: build", "level: built", "level"),
        ("level: build\n", "", "names its level"),
        ("spec:  store.scan, build.references\n", "", "names the paragraphs"),
        ("store.scan", "Store.Scan", "is not the id"),
        ("store.scan, build.references", "store.scan, store.scan", "twice"),
        ("need:  host-tools", "needs: host-tools", "unknown header key 'needs'"),
        ("need:  host-tools", "need: hosttools", "unknown capability"),
        ("need:  host-tools", "level: store", "occurs twice"),
        ("need:  host-tools", "audit: maybe", "yes or no"),
        ("need:  host-tools", "some words", "not a header line"),
        ("need:  host-tools", "# another sentence", "before the keys"),
        ("run build --json ./:hello", "runs build", "unknown verb 'runs'"),
        ("run build --json ./:hello", "run build 'open", "never closed"),
        ("run build --json ./:hello", "run build $ x", "lone '$'"),
        ("run build --json ./:hello", "run build $nothing", "$nothing has no value"),
        ("error derivation.unknown-output at default.bramble:7:12\n", "", "followed by the error"),
        ("error derivation", "error Derivation", "followed by a code"),
        (":7:12", ":seven", "not a place"),
        ("-- sub/other --", "-- default.bramble --", "occurs twice"),
        ("-- sub/other --", "-- default.bramble/x --", "cannot both be files"),
        ("-- sub/other --", "-- /etc/passwd --", "bad path"),
        ("-- sub/other --", "-- sub/../../other --", "bad path"),
        ("-- sub/other --", "-- sub//other --", "bad path"),
        ("-- sub/other --", "-- @aside --", "never used"),
    ],
)
def test_a_mistake_in_a_case_is_named(before: str, after: str, message: str) -> None:
    assert before in GOOD
    broken(GOOD.replace(before, after), message)


def test_a_mistake_has_the_line_in_which_it_stands() -> None:
    with pytest.raises(CaseError) as caught:
        parse_case_file("c.txt", GOOD.replace("json results", "jsn results"), "c")
    assert str(caught.value).startswith("c.txt:8: unknown verb 'jsn'")


@pytest.mark.parametrize(
    "step",
    [
        *(
            "signal",
            "signal INT",
            "signal INT when",
            "signal SIGINT when exists x",
            "signal STOP when exists x",
        ),
        *(
            "signal int when exists x",
            "signal 2 when exists x",
            "signal INT if exists x",
            "signal INT when x",
        ),
        *(
            "signal INT when exists",
            "signal INT when exists x y",
            "signal INT when asked",
            "signal INT when gone x",
        ),
        *("signal INT when stdout", "signal INT when stdout line", "signal INT when stdout x"),
        *("signal INT when stderr holds x", "signal INT when exists $nothing", "signal INT when exists 'x"),
    ],
)
def test_a_signal_has_its_shape(step: str) -> None:
    with pytest.raises(CaseError) as caught:
        parse_case_file("c.txt", with_script(f"{step}\nfail 130 b\n"), "c")
    assert caught.value.line == 5


def test_a_signal_has_a_name_a_condition_and_a_command_that_gets_it() -> None:
    script = "signal INT when exists 'a b'\nsignal KILL when stderr line a  $WORK 'b\nfail 137 b\n"
    case = parse_case_file("c.txt", with_script(script), "c")
    actions = [step.action for step in case.steps[:2]]
    assert [(one.name, one.how, str(one.what)) for one in actions if isinstance(one, Signal)] == [
        ("INT", "exists", "a b"),
        ("KILL", "stderr", "a  $WORK 'b"),
    ]
    message = "a signal is followed by the command"
    broken(with_script("run a\nsignal INT when exists a\n"), message)
    broken(with_script("signal INT when exists a\nwrite a text b\nrun a\n"), message)


def test_a_case_without_a_sentence_is_refused() -> None:
    broken("spec: store.padding\nlevel: store\n\nrun x\n", "begins with a comment")


def test_a_script_that_runs_nothing_is_refused() -> None:
    broken(with_script("write a text b\n"), "runs something")


def test_every_failure_is_named_before_the_next_command() -> None:
    broken(with_script("fail a\nrun b\nerror eval.fail\n"), "followed by the error")


def test_a_failure_with_a_status_of_its_own_needs_no_error() -> None:
    assert len(parse_case_file("c.txt", with_script("fail 2 a\n"), "c").steps) == 1


def test_a_name_has_a_value_only_after_it_was_given_one() -> None:
    parse_case_file("c.txt", with_script("run a\njson x $y\nrun b $y\n"), "c")
    broken(with_script("run b $y\njson x $y\n"), "$y has no value here")


def test_a_section_that_is_not_there_is_missed() -> None:
    broken(with_script("run a\ntext stdout like @b\n"), "no section '@b'")


@pytest.mark.parametrize(
    "script",
    [
        "serve web @s\nrun a\n-- @s --\n/a teapot\n",
        "serve web @s tls\nrun a\n-- @s --\n/a file f\n",
        "serve web @s ssl f\nrun a\n-- @s --\n/a file f\n",
        "serve web @s\nrun a\n-- @s --\n/a file f if\n",
        "serve web @s\nrun a\n-- @s --\n/a file if X y\n",
        "serve web @s\nrun a\n-- @s --\nx.test file f\n",
        "run a\nserve web @s\nrun $other_at\n-- @s --\n/a file f\n",
        "serve web @s\nrun a\n-- @s --\n",
        "write t tree @s\nrun a\n-- @s --\nfile hi\n",
        'write t.tar archive @s\nrun a\n-- @s --\nfile 0644 hi text open"\nfolder x\n',
        "run a\ntree t @s\n-- @s --\nfile 0644 hi digest abc\n",
        "run a\ntree t @s\n-- @s --\nfile 0644 hi like @nothing\n",
    ],
)
def test_a_section_that_cannot_be_read_is_a_mistake_of_the_case(script: str) -> None:
    with pytest.raises(CaseError):
        parse_case_file("c.txt", with_script(script), "c")


@pytest.mark.parametrize(
    "step",
    ["git r", "git r commit", "git r push d", "git r tag t c c", "git r untag t c", "git r commit d $a $b"],
)
def test_a_change_of_a_repository_has_its_shape(step: str) -> None:
    parse_case_file("c.txt", with_script("git r commit d v1 v2 $a\ngit r tag t $a\nrun b\n"), "c")
    with pytest.raises(CaseError):
        parse_case_file("c.txt", with_script(f"{step}\nrun b\n"), "c")


def test_names_in_single_quotes_are_text() -> None:
    case = parse_case_file("c.txt", with_script("run sh -c 'echo $out it''s'\n"), "c")
    action = case.steps[0].action
    assert isinstance(action, Command)
    assert [str(word) for word in action.arguments] == ["sh", "-c", "echo $out it's"]


STAR = """# Lists do what lists do.
# spec: starlark.list, starlark.index
# allow: while

x = [1]
---
# An index outside is an error.
# spec: starlark.index
x = [1][1] ### eval.index:8
---

a ### resolve.undefined
b ### resolve.undefined:1, resolve.control
"""


def test_a_star_file_becomes_chunks_with_the_lines_of_the_file() -> None:
    chunks = parse_star_file("l.star", STAR, "starlark/l")
    assert len({chunk.id for chunk in chunks}) == 3
    assert all(re.fullmatch("starlark/l:[a-z2-7]{6}", chunk.id) for chunk in chunks)
    # Moved, and after others, a chunk has its id.
    head, _, rest = STAR.partition("\n\n")
    moved = parse_star_file("l.star", f"{head}\n\nx = 5\n---\n\n{rest}", "starlark/l")
    assert [chunk.id for chunk in moved[1:]] == [chunk.id for chunk in chunks]
    assert [chunk.line for chunk in chunks] == [5, 7, 12]
    assert [chunk.sentence for chunk in chunks] == [
        "Lists do what lists do.",
        "An index outside is an error.",
        "Lists do what lists do.",
    ]
    assert [chunk.spec for chunk in chunks] == [
        ("starlark.list", "starlark.index"),
        ("starlark.index",),
        ("starlark.list", "starlark.index"),
    ]
    assert all(chunk.allow == ("while",) and chunk.level == "language" for chunk in chunks)
    assert chunks[1].source.split("\n")[8] == "x = [1][1] ### eval.index:8"
    assert [(error.line, error.code, error.column) for chunk in chunks for error in chunk.errors] == [
        (9, "eval.index", 8),
        (12, "resolve.undefined", None),
        (13, "resolve.undefined", 1),
        (13, "resolve.control", None),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# A.\n# spec: a.b\n\nx ###\n", "names the code"),
        ("# A.\n# spec: a.b\n\nx ### index out of range\n", "not an error code"),
        ("# A.\n# spec: a.b\n\nx\n---\n---\ny\n", "empty"),
        ("# A.\n# spec: a.b\n", "empty"),
        ("# A.\n# spec: a.b\n# alow: while\n\nx\n", "unknown header key"),
        ("# A.\n# spec: a.b\n# allow: loops\n\nx\n", "unknown option"),
        ("# A.\n\nx\n", "names the paragraphs"),
        ("x = 1\n", "begins with a comment"),
        ("# A.\n# spec: a.b\n\nx\n---\n# level: build\ny\n", "unknown header key"),
    ],
)
def test_a_mistake_in_a_star_file_is_named(text: str, message: str) -> None:
    with pytest.raises(CaseError) as caught:
        parse_star_file("l.star", text, "l")
    assert message in caught.value.message


CHAPTER = """# 5. Store

Code: `bramble/store`.

**`store.padding`** A rule.

```case
# It holds.
level: store

run a
```

**`store.other`** Another rule, with a block that is no case:

````text
```case
nonsense
```
````

```star
x = 1
---
x ### resolve.undefined
```

```case
# Another.
spec: store.padding
level: build

run b
```
"""


def test_a_block_of_a_chapter_checks_the_paragraph_before_it() -> None:
    cases = parse_chapter("05-store.md", CHAPTER)
    assert [(case.id, case.spec, type(case)) for case in cases] == [
        (f"spec/store.padding:{label('It holds.')}", ("store.padding",), Script),
        (f"spec/store.other:{label('x = 1')}", ("store.other",), Chunk),
        (f"spec/store.other:{label('x ### resolve.undefined')}", ("store.other",), Chunk),
        (f"spec/store.padding:{label('Another.')}", ("store.padding",), Script),
    ]
    assert [case.line for case in cases] == [8, 23, 25, 29]
    chunk = cases[2]
    assert isinstance(chunk, Chunk)
    assert chunk.errors[0].line == 25 and CHAPTER.split("\n")[24].startswith("x ###")


def test_a_block_that_is_never_closed_is_refused() -> None:
    with pytest.raises(CaseError):
        parse_chapter("c.md", "```case\n# A.\nlevel: store\n\nrun a\n")


def test_odd_line_ends_in_a_case_are_content() -> None:
    case = parse_case_file("c.txt", with_script("run a\n-- f --\na\u2028b\x0cc\rd\n"), "c")
    assert case.sections[0].content == "a\u2028b\x0cc\rd\n"


TABLE = """# What all cases of the file share.
spec: store.padding
level: evaluate

run ls
-- bramble.toml --
shared
-- @aside --
kept
=== The first is true.
level: store

fail build
error cli.usage
=== The second uses what is kept aside, and has a file of its own.
spec: store.scan
text stdout like @aside
-- bramble.toml --
own
"""


def test_a_table_has_many_cases_with_a_common_beginning() -> None:
    first, second = parse_table_file("c.table", TABLE, "store/c")
    assert [case.id for case in (first, second)] == [f"store/c:{label(c.sentence)}" for c in (first, second)]
    assert (first.sentence, first.line) == ("The first is true.", 10)
    assert [(case.spec, case.level) for case in (first, second)] == [
        (("store.padding",), "store"),
        (("store.scan",), "evaluate"),
    ]
    assert [[step.line for step in case.steps] for case in (first, second)] == [[5, 13, 14], [5, 17]]
    assert [[(one.name, one.content) for one in case.sections] for case in (first, second)] == [
        [("bramble.toml", "shared\n")],
        [("@aside", "kept\n"), ("bramble.toml", "own\n")],
    ]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("# A table.\nspec: store.padding\nlevel: store\n", 1, "a table has cases"),
        ("# T.\nspec: store.padding\nlevel: store\n\n=== \nrun ls\n", 5, "a case begins with a sentence"),
        ("# T.\nspec: store.padding\nlevel: store\n\n=== A.\nrun ls\n=== B.\n", 7, "a script runs something"),
        (
            "# T.\nspec: store.padding\nlevel: store\n\n=== A.\nlevel: high\nrun ls\n",
            6,
            "a case names its level",
        ),
        ("# T.\nspec: store.padding\n\n=== A.\nrun ls\n", 4, "a case names its level"),
        ("# T.\nspec: store.padding\nlevel: store\n\n=== A.\nfail ls\nerror a.b\nwalk\n", 8, "walk"),
        (
            "# T.\nspec: store.padding\nlevel: store\n\n=== A.\nrun ls\n-- @x --\n",
            5,
            "the section '@x' is never used",
        ),
    ],
)
def test_a_table_refuses_what_a_case_refuses(text: str, line: int, message: str) -> None:
    with pytest.raises(CaseError) as caught:
        parse_table_file("c.table", text, "c")
    assert message in caught.value.message, caught.value.message
    assert caught.value.line == line
