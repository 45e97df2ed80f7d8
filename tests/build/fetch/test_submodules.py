"""Submodules: fetched when they are asked for, and nothing else that a `.gitmodules` asks for is done."""

from __future__ import annotations

import os
from collections.abc import Mapping

import pytest

from bramble.build.fetch.commit import CommitBroken
from bramble.build.fetch.submodules import is_local, url_of, urls_of
from bramble.derivation.model import Derivation
from tests.build.fetch.test_fetch import RepositoryWorld
from tests.build.world import derivation


class Submodules(RepositoryWorld):
    def inner(self, name: str, files: Mapping[str, str], links: Mapping[str, str] | None = None) -> str:
        """Make a repository beside the other one, with submodules; return its commit."""
        path = f"{self.top}/{name}"
        self.git("init", "--quiet", "--initial-branch=main", path)
        return self.fill(path, files, links or {})

    def fill(
        self, path: str, files: Mapping[str, str], links: Mapping[str, str], mode: str = "100644"
    ) -> str:
        """Commit files and submodules, whatever git's own commands would say of them; return the commit."""
        for file, text in files.items():
            with open(f"{path}/new", "w") as out:
                out.write(text)
            blob = self.git("-C", path, "hash-object", "-w", f"{path}/new")
            os.unlink(f"{path}/new")
            self.git("-C", path, "update-index", "--add", "--cacheinfo", f"100644,{blob},{file}")
        for place, commit in links.items():
            self.git("-C", path, "update-index", "--add", "--cacheinfo", f"160000,{commit},{place}")
        commit = self.git("-C", path, "commit-tree", "-m", "x", self.git("-C", path, "write-tree"))
        self.git("-C", path, "update-ref", "refs/heads/main", commit)
        return commit

    def modules(self, **paths: str) -> str:
        return "".join(
            f'[submodule "{name}"]\n\tpath = {name}\n\turl = {url}\n' for name, url in paths.items()
        )

    def with_submodules(self, submodules: str = "true", **more: str) -> Derivation:
        env = {"url": "file://" + self.repository, "reference": "main", "submodules": submodules, **more}
        return derivation("cloned", "fetch_git", env=env)

    def refused(self, settings: str, links: Mapping[str, str], **how: object) -> str:
        self.fill(self.repository, {".gitmodules": settings}, links)
        return self.failure(self.with_submodules(), "fetch.git", **how).detail

    # spec: build.fetch-git.submodules
    def test_submodules_are_empty_unless_they_are_asked_for(self) -> None:
        leaf = self.inner("leaf", {"f": "leaf"})
        middle = self.inner(
            "middle", {"g": "middle", ".gitmodules": self.modules(leaf="../leaf")}, {"leaf": leaf}
        )
        settings = self.modules(middle="../middle")
        self.fill(self.repository, {".gitmodules": settings}, {"middle": middle})
        # It is another commit by now that the branch there ends in.
        self.fill(f"{self.top}/middle", {"g": "later"}, {})
        plain = self.fetch_git("main")
        without = self.built(plain)
        self.assertNotIn("middle/g", self.tree(without, plain))
        it = self.with_submodules()
        report = self.built(it)
        found = self.tree(report, it)
        self.assertEqual((found["middle/g"], found["middle/leaf/f"]), (b"middle", b"leaf"))
        self.assertEqual(list(report.new_pins), [f"fetch_git file://{self.repository}@main submodules=true"])
        for no in ("", "false", "no", "0"):
            self.assertNotIn(
                "middle/g", self.tree(self.built(self.with_submodules(no)), self.with_submodules(no))
            )
        self.failure(self.with_submodules("recursive"), "derivation.env")

    def test_a_pin_without_submodules_is_none_for_the_tree_with_them(self) -> None:
        leaf = self.inner("leaf", {"f": "leaf"})
        self.fill(self.repository, {".gitmodules": self.modules(leaf="../leaf")}, {"leaf": leaf})
        pins = dict(self.built(self.fetch_git("main")).new_pins)
        self.assertEqual(len(self.built(self.with_submodules(), pins=pins).new_pins), 1)

    def test_a_submodule_deep_in_the_tree_is_found_by_its_path(self) -> None:
        leaf = self.inner("leaf", {"f": "leaf"})
        settings = '[submodule "any name"]\n\turl = ../leaf\n\tpath = d/e/leaf/\n'
        self.fill(self.repository, {".gitmodules": settings}, {"d/e/leaf": leaf})
        it = self.with_submodules()
        self.assertEqual(self.tree(self.built(it), it)["d/e/leaf/f"], b"leaf")

    def test_what_a_stranger_writes_is_refused(self) -> None:
        leaf = self.inner("leaf", {"f": "leaf"})
        mark = f"{self.top}/mark"
        for url, word in (
            ("--upload-pack=touch " + mark, ""),
            ("-u./x", ""),
            (f"ext::sh -c touch% {mark}", "address"),
            ("ssh://-oProxyCommand=x/r", "address"),
            ("../../../../../../../../leaf", "above"),
            ("relative/leaf", ""),
        ):
            with self.subTest(url=url):
                self.fill(self.repository, {".gitmodules": self.modules(leaf=url)}, {"leaf": leaf})
                error = self.failure(self.with_submodules(), "fetch.git")
                self.assertIn(word, error.message + error.detail)
                self.assertFalse(os.path.exists(mark))
        settings = self.modules(leaf="../leaf") + f"\tupdate = !touch {mark}\n\tbranch = -x\n"
        settings += f"[core]\n\tfsmonitor = touch {mark}\n[include]\n\tpath = {self.top}/secret\n"
        self.fill(self.repository, {".gitmodules": settings}, {"leaf": leaf})
        it = self.with_submodules()
        self.assertEqual(self.tree(self.built(it), it)["leaf/f"], b"leaf")
        self.assertFalse(os.path.exists(mark))

    def test_a_submodule_without_a_url_or_with_two_is_refused(self) -> None:
        leaf = self.inner("leaf", {"f": "leaf"})
        self.assertIn("no URL", self.refused("", {"leaf": leaf}))
        self.assertIn("no URL", self.refused(self.modules(**{"../leaf": "../leaf"}), {}))
        two = self.modules(leaf="../leaf") + '[submodule "b"]\n\tpath = leaf\n\turl = ../other\n'
        self.assertIn("two URLs", self.refused(two, {}))
        self.assertIn("bad config", self.refused("[submodule\n", {}))

    def test_settings_behind_a_link_are_not_read(self) -> None:
        leaf = self.inner("leaf", {"f": "leaf"})
        self.fill(self.repository, {"settings": self.modules(leaf="../leaf")}, {"leaf": leaf})
        # git itself makes no such link.
        blob = self.git("-C", self.repository, "rev-parse", "main:settings")
        row = b"120000 .gitmodules\0" + bytes.fromhex(blob)
        row += b"100644 settings\0" + bytes.fromhex(blob) + b"160000 z\0" + bytes.fromhex(leaf)
        with open(f"{self.top}/tree", "wb") as out:
            out.write(row)
        made = self.git(
            "-C", self.repository, "hash-object", "-t", "tree", "-w", "--literally", f"{self.top}/tree"
        )
        commit = self.git("-C", self.repository, "commit-tree", "-m", "x", made)
        self.git("-C", self.repository, "update-ref", "refs/heads/main", commit)
        self.assertIn("no URL", self.failure(self.with_submodules(), "fetch.git").detail)

    def test_a_commit_that_is_not_there_is_an_error(self) -> None:
        self.inner("leaf", {"f": "leaf"})
        self.assertTrue(self.refused(self.modules(leaf="../leaf"), {"leaf": "1" * 40}))

    def test_a_chain_that_goes_too_deep_is_refused(self) -> None:
        commit = self.inner("deep0", {"f": "x"})
        for number in range(1, 19):
            settings = self.modules(m=f"../deep{number - 1}")
            commit = self.inner(f"deep{number}", {".gitmodules": settings}, {"m": commit})
        self.assertIn("deep", self.refused(self.modules(m="../deep18"), {"m": commit}))

    def test_a_mirror_stands_for_a_submodule_too(self) -> None:
        leaf = self.inner("leaf", {"f": "leaf"})
        self.fill(self.repository, {".gitmodules": self.modules(leaf="../leaf.git")}, {"leaf": leaf})
        it = self.with_submodules(url="https://example.test/a/b.git")
        mirror = {
            "https://example.test/a/b.git": self.repository,
            "https://example.test/a/leaf.git": f"{self.top}/leaf",
        }
        self.assertEqual(
            self.tree(self.built(it, fetch={"mirror": mirror, "offline": True}), it)["leaf/f"], b"leaf"
        )
        # What the network names is no repository of this machine, unless the mirror table says so.
        for url in (f"file://{self.top}/leaf", f"{self.top}/leaf"):
            self.fill(self.repository, {".gitmodules": self.modules(leaf=url)}, {})
            again = self.with_submodules(url="https://example.test/a/b.git", again=url)
            error = self.failure(again, "fetch.git", fetch={"mirror": mirror, "offline": True})
            self.assertIn("of this machine", error.detail)

    # spec: build.fetch-git
    def test_the_beginning_of_a_hash_is_enough_where_it_is_one_commit(self) -> None:
        with open(self.repository + "/d/f", "w") as out:
            out.write("two\n")
        self.commit()
        for short in (self.first[:7], self.first[:12].upper(), self.first[:39]):
            it = self.fetch_git(short)
            report = self.built(it)
            self.assertEqual(self.tree(report, it)["d/f"], b"one\n", short)
        for wrong in (self.first[:6], "0" * 7 if not self.first.startswith("0" * 7) else "1" * 7):
            self.failure(self.fetch_git(wrong), "fetch.git")
        # A branch with such a name is a name first.
        self.git("-C", self.repository, "branch", self.first[:8])
        self.git("-C", self.repository, "branch", "-f", self.first[:8], "main")
        it = self.fetch_git(self.first[:8])
        self.assertEqual(self.tree(self.built(it), it)["d/f"], b"two\n")

    def below(self, directory: str, **more: str) -> Derivation:
        env = {"url": "file://" + self.repository, "reference": "main", "directory": directory, **more}
        return derivation("cloned", "fetch_git", env=env)

    # spec: build.fetch-git.directory
    def test_a_directory_of_a_repository(self) -> None:
        self.fill(self.repository, {"a/b/f": "deep", "a/g": "high", "top": "out"}, {})
        it = self.below("a/b")
        report = self.built(it)
        self.assertEqual(self.tree(report, it), {"f": b"deep"})
        self.assertEqual(list(report.new_pins), [f"fetch_git file://{self.repository}@main directory=a/b"])

    def test_what_is_no_directory_is_refused(self) -> None:
        os.symlink("a", f"{self.repository}/to-a")
        self.git("-C", self.repository, "add", "to-a")
        self.fill(self.repository, {"a/f": "x"}, {})
        for directory in ("b", "a/f", "to-a", "to-a/f", "a/F"):
            with self.subTest(directory=directory):
                self.assertIn("no directory", self.failure(self.below(directory), "fetch.git").detail)
        for directory in ("/a", "a/", "a//b", "..", "a/../a", "./a"):
            with self.subTest(directory=directory):
                self.failure(self.below(directory), "derivation.env")
        self.failure(self.below("a", submodules="true"), "derivation.env")


def test_relative_urls_mean_what_git_says():
    for base, url, meant in (
        ("https://h.test/a/b.git", "../c.git", "https://h.test/a/c.git"),
        ("https://h.test/a/b.git/", "../c.git", "https://h.test/a/c.git"),
        ("https://h.test/a/b", "./c", "https://h.test/a/b/c"),
        ("https://h.test/a/b", "../../c", "https://h.test/c"),
        ("https://u:p@h.test:8/a/b", "../c", "https://u:p@h.test:8/a/c"),
        ("git@h.test:a/b.git", "../c.git", "git@h.test:a/c.git"),
        ("git@h.test:b.git", "../c.git", "git@h.test:c.git"),
        ("ssh://git@h.test/~u/b", "../c", "ssh://git@h.test/~u/c"),
        ("/srv/a/b", "../c", "/srv/a/c"),
        ("file:///srv/a/b", "../c", "file:///srv/a/c"),
    ):
        assert url_of((b"m",), {(b"m",): url}, base) == meant
    for base in ("https://h.test/b", "git@h.test:b", "/b", "file:///b"):
        with pytest.raises(CommitBroken):
            url_of((b"m",), {(b"m",): "../../c"}, base)
    with pytest.raises(CommitBroken):
        url_of((b"m",), {(b"m",): "/etc/x"}, "https://h.test/b")


def test_of_the_settings_only_paths_and_urls_are_read():
    said = b"submodule.a.b.path\nx/y\0submodule.a.b.url\n../u\0submodule.c.url\nv\0core.pager\nx\0"
    assert urls_of(said) == {(b"x", b"y"): "../u"}
    assert urls_of(b"") == {}


def test_what_is_of_this_machine_is_known():
    assert all(map(is_local, ("/a", "a", "./a:b", "file:///a", "FILE:///a", "a/b:c")))
    assert not any(map(is_local, ("h:a", "u@h:a", "https://h/a", "ssh://h/a", "git://h/a")))
