"""Repositories of strangers: trees that no git makes, references that git guesses at, servers without end."""

from __future__ import annotations

import os
import subprocess
import time
import unittest.mock

from bramble.build.fetch.commit import CommitBroken, entries
from bramble.sandbox.spec import Limits
from tests.build.fetch.test_fetch import RepositoryWorld

ROW = bytes(20)


class Strange(RepositoryWorld):
    def tree_of(self, *rows: tuple[str, bytes, str]) -> str:
        data = b"".join(mode.encode() + b" " + name + b"\0" + bytes.fromhex(it) for mode, name, it in rows)
        return self.object("tree", data)

    def object(self, kind: str, data: bytes) -> str:
        command = ["git", "hash-object", "-t", kind, "-w", "--literally", "--stdin"]
        env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "GIT_CONFIG_NOSYSTEM": "1", "HOME": self.top}
        done = subprocess.run(
            command, cwd=self.repository, env=env, input=data, capture_output=True, check=True
        )
        return done.stdout.decode().strip()

    def branch(self, tree: str) -> None:
        commit = self.git("-C", self.repository, "commit-tree", "-m", "x", tree)
        self.git("-C", self.repository, "update-ref", "refs/heads/strange", commit)

    # spec: build.fetch-git
    def test_a_tree_that_could_be_read_in_two_ways_is_refused(self) -> None:
        one, two = self.object("blob", b"1"), self.object("blob", b"2")
        inner = self.tree_of(("100644", b"f", one))
        for rows in (
            (("40000", b".", inner), ("100644", b"f", two)),
            (("40000", b"a", inner), ("100644", b"a/g", two)),
            (("100644", b"f", one), ("100644", b"f", two)),
            (("100644", b"x" * 300, one),),
            (("40000", b".git", inner),),
            (("10644", b"p", one),),
        ):
            with self.subTest(rows=rows):
                self.branch(self.tree_of(*rows))
                self.failure(self.fetch_git("strange"), "fetch.git")

    def test_modes_of_old_repositories_are_read(self) -> None:
        one = self.object("blob", b"1")
        inner = self.tree_of(("100664", b"f", one), ("160000", b"s", "1" * 40))
        self.branch(self.tree_of(("040000", b"d", inner), ("100775", b"x", one)))
        it = self.fetch_git("strange")
        self.assertEqual(self.tree(self.built(it), it), {"d/f": b"1", "x": b"1"})

    def test_a_reference_is_a_name_or_a_hash(self) -> None:
        self.failure(self.fetch_git(f"main-0-g{self.first[:8]}"), "fetch.git")
        self.failure(self.fetch_git("@"), "fetch.git")
        # What is no branch's end: the server does not give it out by itself.
        with open(self.repository + "/d/f", "w") as out:
            out.write("two\n")
        self.commit()
        it = self.fetch_git(self.first.upper())
        self.assertEqual(self.tree(self.built(it), it)["d/f"], b"one\n")
        for name in ("+main", "tag"):
            self.git("-C", self.repository, "update-ref", f"refs/heads/{name}", self.first)
            it = self.fetch_git(name)
            self.assertEqual(self.tree(self.built(it), it)["d/f"], b"one\n", name)

    def test_a_repository_with_other_hashes_is_fetched(self) -> None:
        self.repository += "2"
        self.git("init", "--quiet", "--initial-branch=main", "--object-format=sha256", self.repository)
        with open(self.repository + "/f", "w") as out:
            out.write("one\n")
        for name in ("main", self.commit()):
            it = self.fetch_git(name)
            self.assertEqual(self.tree(self.built(it), it), {"f": b"one\n"})

    def test_a_server_that_knows_no_part_of_a_history_is_asked_for_the_whole(self) -> None:
        fake = self.fake('case "$*" in *--depth*) echo no shallow capabilities ;; *) echo "whole $*" ;; esac')
        self.assertIn("whole", self.failure(self.fetch_git("main"), "fetch.git", **fake).detail)

    def fake(self, script: str) -> dict[str, object]:
        tools = os.path.join(self.top, "tools")
        os.mkdir(tools)
        with open(tools + "/git", "w") as out:
            out.write(f'#!/bin/sh\n[ "$1" != init ] || exit 0\n{script}\nexit 1\n')
        os.chmod(tools + "/git", 0o755)
        return {"host_path": (tools, "/usr/bin", "/bin")}

    # spec: build.fetch.secrets
    def test_a_password_that_a_list_of_processes_would_show_is_refused(self) -> None:
        fake = self.fake("echo called")
        for url in (
            "https://h.test/r?token=hunter2",
            "ssh://me:hunter2@h.test/r",
            "git://me:hunter2@h.test/r",
        ):
            error = self.failure(self.fetch_git("main", url), "fetch.git", **fake)
            self.assertNotIn("called", error.detail)
            self.assertNotIn("hunter2", error.message)

    # spec: build.fetch.tls
    def test_git_trusts_who_is_named_and_nobody_else(self) -> None:
        directory, file = self.top + "/certificates", self.top + "/one.pem"
        os.mkdir(directory)
        for path in (file, directory + "/0123abcd.0", directory + "/other"):
            with open(path, "w") as out:
                out.write(os.path.basename(path))
        fake = self.fake("cat $GIT_SSL_CAINFO; ls -A $GIT_SSL_CAPATH; test -d $GIT_SSL_CAPATH && echo .")
        with unittest.mock.patch("bramble.build.fetch.secure._context"):
            error = self.failure(
                self.fetch_git("main", "https://h.test/r"),
                "fetch.git",
                fetch={"ca_file": file, "ca_directory": f"{directory}:{directory}"},
                **fake,
            )
        self.assertEqual(error.detail.split(), ["one.pem", "0123abcd.0", "0123abcd.0."])

    # spec: build.fetch.size
    def test_the_end_of_what_a_server_says_is_kept(self) -> None:
        fake = self.fake("head -c 1000000 /dev/zero | tr '\\0' x; echo the end")
        started = time.process_time()
        error = self.failure(self.fetch_git("main"), "fetch.git", **fake)
        self.assertLess(len(error.detail), 100_000)
        self.assertTrue(error.detail.endswith("the end"))
        # Looking for secrets in one long word takes no longer than in many short ones.
        self.assertLess(time.process_time() - started, 20)

    def test_git_has_limits(self) -> None:
        limits = Limits(memory=1 << 30, output_size=1 << 20)
        error = self.failure(self.fetch_git("main"), "fetch.git", limits=limits, **self.fake("ulimit -f -d"))
        self.assertEqual(error.detail.split()[-1], str(1 << 20))
        fake = "ulimit -f; echo $GIT_ALLOW_PROTOCOL"
        os.unlink(self.top + "/tools/git")
        os.rmdir(self.top + "/tools")
        error = self.failure(
            self.fetch_git("main", "https://127.0.0.1:9/r"), "fetch.git", limits=limits, **self.fake(fake)
        )
        # A server cannot send it on to one that is less safe.
        self.assertEqual(error.detail.split(), [str(2048), "https"])


def test_a_damaged_tree_is_an_error() -> None:
    whole = b"100644 f\0" + ROW
    assert [entry.name for entry in entries(whole, 20)] == [b"f"]
    for wrong in (whole[:-1], b"100644 f", b"f\0" + ROW, b" f\0" + ROW, b"9 f\0" + ROW, b"100644 \0" + ROW):
        try:
            list(entries(wrong, 20))
        except CommitBroken:
            continue
        raise AssertionError(wrong)
