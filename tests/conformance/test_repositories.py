"""Repositories that the suite writes without git are those that git would write, and git reads them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from conformance.world import repositories
from tests.conformance.support import case_of, fails, outcome_of, passes

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")

FILES = "-- one/bramble.toml --\na\n-- one/b/c --\nc\n"


def git(repository: Path, *words: str) -> str:
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        ["git", f"--git-dir={repository}", *words],
        capture_output=True, text=True, check=True, env=environment,
    )  # fmt: skip
    return done.stdout.strip()


def tree(top: Path) -> Path:
    # Sorted as git sorts them: a directory as if a slash stood behind its name.
    for name, text in (("a/x", "1"), ("a.b", "2"), ("a0", "3"), ("run", "4"), ("ä", "5")):
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (top / "run").chmod(0o755)
    (top / "link").symlink_to("a/x")
    (top / "empty" / "inner").mkdir(parents=True)
    return top


@needs_git
def test_git_writes_the_same_tree_and_finds_no_fault(tmp_path: Path) -> None:
    repository, work = tmp_path / "r", tree(tmp_path / "w")
    first = repositories.commit(str(repository), str(work))
    (work / "a.b").unlink()
    second = repositories.commit(str(repository), str(work))
    repositories.tag(str(repository), "v1.0.0", first)
    repositories.tag(str(repository), "sub/v1.1.0", annotated=True)
    repositories.branch(str(repository), "side", first)
    assert git(repository, "fsck", "--strict", "--no-dangling") == ""
    assert git(repository, "rev-list", "main").split() == [second, first]
    assert git(repository, "rev-parse", "sub/v1.1.0^{commit}", "v1.0.0", "side").split() == [
        second,
        first,
        first,
    ]
    other = tmp_path / "other"
    git(other, "init", "--quiet", "--bare", str(other))
    git(other, f"--work-tree={work}", "add", "--all")
    assert git(other, "write-tree") == git(repository, "rev-parse", "main^{tree}")
    repositories.untag(str(repository), "v1.0.0")
    assert git(repository, "tag") == "sub/v1.1.0"


@needs_git
def test_a_submodule_is_a_commit_in_a_tree_and_files_can_be_served(tmp_path: Path) -> None:
    repository, work = tmp_path / "r", tree(tmp_path / "w")
    inner = "8" * 40
    repositories.module(str(repository), "a/y", inner)
    repositories.module(str(repository), "a-b", inner)
    made = repositories.commit(str(repository), str(work))
    assert git(repository, "fsck", "--strict", "--no-dangling") == ""
    listed = git(repository, "ls-tree", "-r", "main").splitlines()
    assert [line for line in listed if " commit " in line] == [
        f"160000 commit {inner}\ta-b",
        f"160000 commit {inner}\ta/y",
    ]
    repositories.tag(str(repository), "v1.0.0")
    repositories.untag(str(repository), "v1.0.0")
    repositories.branch(str(repository), "side")
    listed = (repository / "info" / "refs").read_text().splitlines()
    assert listed == [f"{made}\trefs/heads/main", f"{made}\trefs/heads/side"]


def test_the_hash_of_a_commit_depends_on_its_files_and_those_before_it_only(tmp_path: Path) -> None:
    work = tree(tmp_path / "w")
    one, two = (repositories.commit(str(tmp_path / name), str(work)) for name in ("one", "two"))
    assert one == two
    assert repositories.commit(str(tmp_path / "one"), str(work)) != one


def test_a_case_makes_repositories() -> None:
    passes(
        "git r commit one v1.0.0 $first\nwrite one/d text d\ngit r commit one $second\n"
        "git r tag v1.1.0\ngit r annotate v1.2.0 $first\ngit r branch side $first\n"
        "git r untag v1.0.0\nrun say x\n"
        "text r/refs/tags/v1.1.0 is $second\ntext r/refs/heads/side is $first\ntree r/refs/tags/v1.0.0 gone\n"
        + FILES
    )
    fails("git r commit one\nrun say x\ntree r/refs/heads/main gone\n" + FILES, "it is there")


@pytest.mark.parametrize(
    "step", ["git r tag v1.0.0", "git r branch b", "git r untag v1.0.0", "git r commit no"]
)
def test_what_is_not_there_breaks_the_case(step: str) -> None:
    outcome = outcome_of(case_of(f"{step}\nrun say x\n{FILES}"))
    assert outcome.status == "broken", outcome.message
