"""`bramble why-built`: which input was another one than before."""

from __future__ import annotations

import pytest

from tests.cli.world import World

CHAIN = """
load("example.com/p/tools")

def low():
    return tools.script("low", "cat word > $out/f", sources=files(["word"]))

def middle(flag = "one"):
    return tools.script("middle", "cat %s/f > $out/f; echo %s >> $out/f" % (low(), flag))

def top():
    return tools.script("top", "cat %s/f > $out/f" % middle())
"""


@pytest.fixture
def built(tooled: World) -> World:
    tooled.write(default=CHAIN)
    (tooled.project / "word").write_text("1\n")
    assert tooled.run("build", "./:top").status == 0
    return tooled


# spec: cli.why-built
def test_a_change_is_followed_down_to_the_file(built: World) -> None:
    assert built.run("why-built", "./:top").out.splitlines()[1] == "  no earlier build of it is recorded"
    (built.project / "word").write_text("2\n")
    assert built.run("build", "./:top").status == 0
    told = built.run("why-built", "./:top")
    first, *rest = told.out.splitlines()
    assert first.startswith("top was built in build 2, ") and "; compared with build 1, " in first
    assert [line for line in rest if not line.startswith("    the output of ")] == [
        "  top  tools.bramble:8:22",
        "  middle  tools.bramble:8:22",
        "  low  tools.bramble:8:22",
        "    the source word has changed",
    ]
    assert [line.split(" is different: ")[0].strip() for line in rest if "is different" in line] == [
        "the output of middle",
        "the output of low",
    ]


def test_a_changed_word_of_a_recipe_is_shown_where_it_differs(built: World) -> None:
    built.write(default=CHAIN.replace('"one"', '"two"'))
    assert built.run("build", "./:top").status == 0
    told = built.run("why-built", "./:top").out.splitlines()
    assert told[-1] == (
        '    argument 2: "cat {{ low:out }}/f > $out/f; echo one >> $out/f" → '
        '"cat {{ low:out }}/f > $out/f; echo two >> $out/f"'
    )


def test_secrets_of_urls_are_not_shown(built: World) -> None:
    # spec: build.fetch.secrets
    text = (
        CHAIN
        + """
def get():
    return tools.script("get", "echo https://me:PASS@h.test/x?token=TOKEN > $out/f")
"""
    )
    for word in ("one", "two", "three"):
        secret = text.replace("PASS", f"secret-{word}").replace("TOKEN", f"secret-{word}")
        built.write(default=secret if word != "three" else secret.replace("h.test", "other.test"))
        assert built.run("build", "./:get").status == 0
        told = [built.run("why-built", "./:get", *more).out for more in ((), ("--json",))]
        planned = built.run("build", "--dry-run", "--json", "./:get").out
        assert "secret-" not in "".join(told) + planned
        assert word != "two" or "argument 2 has changed in a secret part of a URL" in told[0]
        assert word != "three" or "https://***@other.test/x?token=***" in told[0]


def test_a_failure_has_a_reason_too_and_trying_again_says_so(built: World) -> None:
    (built.project / "word").unlink()
    built.write(default=CHAIN.replace('"one"', '"two; exit 3"'))
    (built.project / "word").write_text("1\n")
    for _ in range(2):
        assert built.run("build", "./:top").codes == ["build.failed"]
    told = built.run("why-built", "./:top", "--of", "middle").out.splitlines()
    assert told[0].startswith("middle failed (build.failed) in build 3, ")
    assert told[-1] == "    it had failed before, and no input has changed"
    # Of what was not tried there is the build before.
    assert built.run("why-built", "./:top").out.startswith("top was built in build 1, ")


# spec: cli.why-built
def test_a_build_in_which_it_was_not_tried_is_passed_over(built: World) -> None:
    built.write(default=CHAIN.replace("cat word >", "exit 3; cat word >"))
    assert built.run("build", "./:top").codes == ["build.failed"]
    built.write(default=CHAIN.replace('"top", "', '"top", "true; '))
    assert built.run("build", "./:top").status == 0
    told = built.run("why-built", "./:top").out.splitlines()
    assert "; compared with build 1, " in told[0]
    assert [line.split(":")[0] for line in told[2:]] == ["    argument 2"]


def test_programs_of_the_machine_that_have_changed_are_named(built: World) -> None:
    text = (built.project / "tools.bramble").read_text()
    built.write(tools=text.replace("sh cat mkdir", "sh cat touch mkdir"))
    assert built.run("build", "./:top").status == 0
    told = built.run("why-built", "./:top", "--json").json["answers"][0]
    assert told["reasons"][-1]["changes"] == [
        {
            "kind": "variable",
            "what": "tools",
            "before": "sh cat mkdir sleep rm ln",
            "after": "sh cat touch mkdir sleep rm ln",
            "line": 0,
        }
    ]


def test_words_that_are_no_printable_text_are_written_out(built: World) -> None:
    built.write(default=CHAIN.replace('"one"', '''"'\\x1b]0;t\\x07\\u202e'"'''))
    assert built.run("build", "./:top").status == 0
    told = built.run("why-built", "./:top")
    assert "\\u{1b}]0;t\\u{7}\\u{202e}" in told.out
    assert "\x1b" not in told.out and "\u202e" not in told.out


def test_what_is_asked_wrongly_is_refused(built: World) -> None:
    for words, code in (
        (("./:tpo",), "history.not-built"),
        (("./:top", "--of", "lw"), "history.unknown-derivation"),
        (("../:top",), "load.outside"),
    ):
        told = built.run("why-built", *words)
        assert (told.status, told.out, told.codes) == (1, "", [code]), words
    for words, remedy in (
        ("./:tpo", "did you mean ./:top? If not, build it first: bramble build ./:tpo"),
        ("top", "did you mean ./:top? If not, build it first: bramble build top"),
        ("./:another", "build it first: bramble build ./:another"),
        ("./tools:top", "build it first: bramble build ./tools:top"),
    ):
        assert built.run("why-built", words).errors[0]["remedy"] == remedy
    assert built.run("why-built").status == 2
