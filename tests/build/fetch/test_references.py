"""What branches and tags of a repository mean is asked without fetching any of them."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest

from bramble.build.fetch.references import meanings, references
from bramble.build.fetch.repository import Asking
from bramble.build.options import BuildOptions, FetchOptions
from bramble.build.task import Listener
from bramble.errors import BrambleError
from tests.build.fetch.test_fetch import RepositoryWorld
from tests.build.world import PLATFORM

A, B = "a" * 40, "b" * 40


class References(RepositoryWorld):
    def asked(self, url: str, **fetch: Any) -> dict[str, str]:
        scratch = f"{self.top}/asked"
        os.mkdir(scratch, 0o700)
        options = BuildOptions(
            launcher=self.launch, platform=PLATFORM, fetch=FetchOptions(**{"timeout": 5.0, **fetch})
        )
        silent = Listener(lambda *_: None, lambda *_: None, lambda *_: None, threading.Event())
        asking = Asking("x", options, silent)
        return dict(references(url, asking, scratch))

    def test_a_tag_means_the_commit_that_it_is_a_tag_of(self) -> None:
        commit = self.git("-C", self.repository, "rev-parse", "HEAD")
        self.git("-C", self.repository, "tag", "plain")
        self.git("-C", self.repository, "tag", "-a", "-m", "x", "sub/v1.0.0")
        found = self.asked(f"file://{self.repository}")
        self.assertEqual(found["refs/tags/plain"], commit)
        self.assertEqual(found["refs/tags/sub/v1.0.0"], commit)
        self.assertEqual(found["HEAD"], commit)

    def test_what_is_not_there_is_an_error_of_git(self) -> None:
        with pytest.raises(BrambleError) as caught:
            self.asked(f"file://{self.top}/nothing")
        self.assertEqual(caught.value.code, "fetch.git")
        self.assertIn("nothing", caught.value.detail)

    def test_offline_nobody_is_asked(self) -> None:
        with pytest.raises(BrambleError) as caught:
            self.asked("https://h.test/r", offline=True)
        self.assertEqual(caught.value.code, "fetch.offline")

    def test_a_mirror_stands_for_the_repository(self) -> None:
        found = self.asked("https://h.test/r", mirror={"https://h.test/r": self.repository}, offline=True)
        self.assertIn("HEAD", found)

    def test_a_repository_with_many_tags_is_heard_to_its_end(self) -> None:
        commit = self.git("-C", self.repository, "rev-parse", "HEAD")
        with open(f"{self.repository}/.git/packed-refs", "w") as out:
            out.write("# pack-refs with: peeled fully-peeled sorted \n")
            out.writelines(f"{commit} refs/tags/v{number:05}.0.0\n" for number in range(20_000))
        self.assertEqual(len([name for name in self.asked(self.repository) if "/tags/" in name]), 20_000)


def test_lines_that_name_no_reference_are_passed_over() -> None:
    said = (
        f"{A}\tHEAD\nwarning: x\n{A}\trefs/tags/v1\n{B}\trefs/tags/v1^{{}}\n".encode()
        + f"{A[:-1]}\trefs/x\n{A}\ta b\n".encode()
        + f"{A}\trefs/tags/".encode()
        + b"\xff\n"
    )
    assert dict(meanings(said)) == {"HEAD": A, "refs/tags/v1": B}
