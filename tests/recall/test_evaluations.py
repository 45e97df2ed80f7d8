"""Records of evaluations: told again whole, and not when anything that was read has changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bramble.commands.context.evaluation import Evaluated, evaluate_targets
from bramble.commands.context.setting import EvaluationLimits, Setting
from bramble.lang.remembered import decode, encode
from bramble.project.packages import Packages
from bramble.recall.answers import EVALUATIONS
from bramble.recall.kept import Kept
from bramble.recall.reads import Reads
from tests.recall import marked

MODULE = """
def tools():
    return derivation("tools", "host_tools", env={"tools": "sh cat"})

def f():
    "Documented."
    print("printed", sys.platform, sys.target)
    t = tools()
    one = derivation("one", t.out + "/bin/sh", ["-c", "é"], files(["src/*"]), outputs = ["out", "dev"])
    test(one, [one.dev + "/bin/x", "a"])
    paths = {"paths": ["."], "read_only_paths": [t.out + "/lib"], "hidden_paths": ["h"]}
    return [one, run(one, "x", [t.out], env = {"A": t.out, "B": "b"}, closure_path = True, **paths)]

def none():
    print("none")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "bramble.toml").write_text('[package]\nname = "example.com/p"\nversion = "0.1.0"\n[odd]\n')
    (tmp_path / "default.bramble").write_text(MODULE)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a").write_text("")
    marked.wait_for_the_program()
    marked.settle()
    return tmp_path


class Evaluations:
    """Evaluates in a project, with a cache beside it, and counts what was written there."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.cache = project.parent / f"{project.name}-cache" / "bramble"
        self.printed: list[str] = []

    def __call__(self, *words: str, keep_going: bool = False, **setting: object) -> Evaluated:
        made = Setting(
            **{  # type: ignore[arg-type]
                "cwd": str(self.project),
                "store_root": "",
                "platform": "linux-amd64",
                "jobs": 1,
                "cache": str(self.cache),
                **setting,
            }
        )
        self.reads = Reads(0)
        self.printed.clear()
        return evaluate_targets(
            words or ["./..."], made, self.printed.append, keep_going=keep_going, reads=self.reads
        )

    def records(self) -> int:
        directory = self.cache / EVALUATIONS
        return len(list(directory.iterdir())) if directory.is_dir() else 0


@pytest.fixture
def evaluations(project: Path) -> Evaluations:
    return Evaluations(project)


def test_an_evaluation_is_told_again_whole(evaluations: Evaluations) -> None:
    first = evaluations()
    printed, text = evaluations.printed.copy(), evaluations.reads.text()
    assert printed and evaluations.records() == 1
    again = evaluations()
    assert again.evaluation == first.evaluation and again.project == first.project
    assert list(again.evaluation.graph.derivations) == list(first.evaluation.graph.derivations)
    assert evaluations.printed == printed and evaluations.records() == 1
    # Whoever records an answer that stands on it stands on the same things.
    assert sorted(evaluations.reads.text().split("\0")) == sorted(text.split("\0"))
    for key, one in again.evaluation.graph.derivations.items():
        del one.__dict__["id"]
        assert one.id == key


def test_nothing_is_evaluated_then(evaluations: Evaluations, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluations()
    refused = _refused(monkeypatch)
    evaluations()
    for words, setting in (
        (("./:f",), {}),
        ((), {"target": "x"}),
        ((), {"platform": "linux-arm64"}),
        ((), {"limits": EvaluationLimits(steps=10**9)}),
        ((), {"cwd": str(evaluations.project / "src")}),
        ((), {"cache": None}),
    ):
        with pytest.raises(AssertionError, match=refused):
            evaluations(*words, **setting)
    with pytest.raises(AssertionError, match=refused):
        evaluations(keep_going=True)
    # Who is in other groups may not be able to read the same files.
    with monkeypatch.context() as patched:
        patched.setattr("os.getgroups", lambda: [4321])
        with pytest.raises(AssertionError, match=refused):
            evaluations()
    evaluations()
    # In another store packages are elsewhere, and what is evaluated names their directories.
    elsewhere = Packages({"example.com/d": "/elsewhere"})
    monkeypatch.setattr("bramble.commands.context.evaluation.packages_of", lambda *_: elsewhere)
    with pytest.raises(AssertionError, match=refused):
        evaluations()


def _refused(monkeypatch: pytest.MonkeyPatch) -> str:
    def refuse(*_: object) -> object:
        raise AssertionError("it was evaluated")

    monkeypatch.setattr("bramble.commands.context.evaluating.evaluate_anew", refuse)
    return "it was evaluated"


@pytest.mark.parametrize("change", ["default.bramble", "src/b", "bramble.toml", "new.bramble", "src"])
def test_what_was_read_decides(
    evaluations: Evaluations, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    evaluations()
    refused = _refused(monkeypatch)
    marked.settle()
    path = evaluations.project / change
    if change == "src":
        path.rename(path.with_name("elsewhere"))
        path.symlink_to("elsewhere")
    else:
        path.write_text((path.read_text() if path.exists() else "") + "\n")
    with pytest.raises(AssertionError, match=refused):
        evaluations()


def test_a_source_is_not_read(evaluations: Evaluations, monkeypatch: pytest.MonkeyPatch) -> None:
    (evaluations.project / "bramble.lock").write_text("")
    marked.settle()
    evaluations()
    _refused(monkeypatch)
    (evaluations.project / "bramble.lock").write_text("<<<<<<<")
    (evaluations.project / "src" / "a").write_text("changed")
    evaluations()
    # As an editor does it.
    (evaluations.project / "src" / ".a.new").write_text("changed again")
    (evaluations.project / "src" / ".a.new").rename(evaluations.project / "src" / "a")
    evaluations()


def test_a_failure_is_not_recorded(evaluations: Evaluations) -> None:
    (evaluations.project / "bad.bramble").write_text("def f(:\n")
    marked.settle()
    assert evaluations(keep_going=True).evaluation.errors
    assert evaluations.records() == 0


def test_what_has_just_changed_is_not_recorded(evaluations: Evaluations) -> None:
    (evaluations.project / "default.bramble").write_text(MODULE + "\n")
    evaluations()
    assert evaluations.records() == 0 and "just been changed" in evaluations.reads.doubt


def test_bytes_of_another_form_are_no_evaluation(evaluations: Evaluations) -> None:
    whole = encode(evaluations().evaluation, ["x"])
    assert decode(whole) == (evaluations().evaluation, ("x",))
    for data in (b"", b"x", whole[:50], whole[: len(whole) // 2], b"(\x00\x00\x00\x00", b"i\x01\x00\x00\x00"):
        assert decode(data) is None


def test_a_record_that_is_damaged_is_made_again(evaluations: Evaluations) -> None:
    first = evaluations()
    kept = Kept(str(evaluations.cache.parent), ("bramble", EVALUATIONS))
    (path,) = (evaluations.cache / EVALUATIONS).iterdir()
    found = kept.read(path.name)
    assert found is not None
    kept.write(path.name, found[:-20], 9, 1 << 30)
    assert evaluations().evaluation == first.evaluation
    assert kept.read(path.name) != found[:-20]
