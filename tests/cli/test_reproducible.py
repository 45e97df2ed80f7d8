"""`build --check` and `--rounds`: what they say when results are the same, and when they are not."""

from __future__ import annotations

from tests.cli.world import World

# In a build /proc shows its own processes: what it reads there is another text each time.
FILES = r"""
load("example.com/p/tools")
def same():
    return tools.script("same", "echo > $out/x")
def random():
    return tools.script("random", "mkdir $out/d; cat /proc/sys/kernel/random/uuid > $out/d/u; echo > $out/x")
def link():
    return tools.script("link", "ln -s $(cat /proc/sys/kernel/random/uuid) $out/l")
def escapes():
    return tools.script("escapes", r"printf '\033[31m'$(cat /proc/sys/kernel/random/uuid)'\303\244' > $out/e")
"""


def test_what_comes_out_the_same_says_how_often_it_was_built(tooled: World) -> None:
    # spec: cli.build.check
    tooled.write(default=FILES)
    ran = tooled.run("build", "--check", "./:same")
    assert ran.status == 0 and "\n✔ same (the same, 2 builds) - " in ran.err
    ran = tooled.run("build", "--rounds", "4", "--json", "./:same")
    assert "✔ same (the same, 4 builds) - " in ran.err
    assert ran.json["results"][0]["checked"] == {"builds": 4, "elsewhere": True}
    assert ran.json["cached"] == ["same", "tools"]


def test_a_difference_is_shown_with_file_offset_and_both_texts(tooled: World) -> None:
    # spec: build.check.difference
    tooled.write(default=FILES)
    ran = tooled.run("build", "--check", "--json", "./:random")
    (error,) = ran.errors
    assert (ran.status, error["error"]) == (1, "build.not-reproducible")
    lines = error["detail"].splitlines()
    assert lines[0] == "output out:" and lines[3] == "  differs d/u"
    assert lines[4].startswith("    from byte ") and lines[5].startswith("      first   b'")
    assert lines[6].startswith("      second  b'") and "a random number: a UUID" in lines[7]
    assert "differs x" not in error["detail"]
    (error,) = tooled.run("build", "--rounds", "5", "./:link").errors
    assert "differs l" in error["detail"]


def test_what_differs_is_shown_with_escapes(tooled: World) -> None:
    # spec: build.check.difference
    tooled.write(default=FILES)
    ran = tooled.run("build", "--check", "./:escapes", BRAMBLE_ERROR_FORMAT="")
    assert ran.status == 1 and "\x1b" not in ran.err
    assert "b'\\x1b[31m" in ran.err
