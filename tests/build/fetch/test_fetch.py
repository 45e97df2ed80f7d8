"""Downloads as derivations: pins, hashes, mirrors, archives, repositories. No network but the loopback."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import threading
import time
from typing import Any, Optional
from unittest import mock

from bramble.build.events import Changed, Failed, Progress, Retrying, Started
from bramble.build.fetch import from_url
from bramble.build.fetch.checksum import verify
from bramble.build.fetch.from_url import mirrored
from bramble.build.fetch.shape import file_name
from bramble.derivation.model import Derivation
from bramble.derivation.template import OutputRef
from bramble.errors import BrambleError
from bramble.sandbox.spec import Limits
from bramble.store.disk import Store
from tests.build.fetch.archives import file, symlink, tar, zipped
from tests.build.fetch.server import Answer, Request, Server, close_at_once, ok, respond, silent
from tests.build.world import World, derivation, ref


def fetch(url: str, hash: str = "") -> Derivation:
    env = {"url": url, **({"hash": hash} if hash else {})}
    return derivation("fetched", "fetch_url", env=env)


class FetchWorld(World):
    def server(self, *answers: Answer) -> Server:
        server = Server(*answers)
        self.addCleanup(server.close)
        return server

    def local(self, name: str, data: bytes) -> str:
        path = os.path.join(self.top, name)
        with open(path, "wb") as out:
            out.write(data)
        return path

    def tree(self, report: Any, of: Derivation) -> dict[str, bytes]:
        top = self.store.object_path(report.names[OutputRef(of.id, "out")])
        found = {}
        for directory, _, files in os.walk(top):
            for name in files:
                path = os.path.join(directory, name)
                if not os.path.islink(path):
                    with open(path, "rb") as it:
                        found[os.path.relpath(path, top)] = it.read()
        return found


class Fetching(FetchWorld):
    def test_a_file_is_kept_under_its_name(self) -> None:
        server = self.server(ok(b"hello"))
        it = fetch(server.url + "/dir/a%20name?x=y")
        report = self.built(it)
        self.assertEqual(self.tree(report, it), {"a name": b"hello"})
        self.assertEqual(self.said(Progress)[-1], Progress(it.id, "fetched", 5, 5))
        self.assertEqual(self.launchers, 0)

    def test_every_archive_is_unpacked(self) -> None:
        entries = [file("d/f", b"hello"), file("run", b"x", 0o755), symlink("l", "d/f")]
        names = set()
        for ending, data in (
            ("tar", tar(entries)),
            ("tar.gz", tar(entries, "gz")),
            ("tgz", tar(entries, "gz")),
            ("tar.bz2", tar(entries, "bz2")),
            ("tar.xz", tar(entries, "xz")),
            ("zip", zipped(entries)),
        ):
            it = fetch(self.server(ok(data)).url + "/a." + ending)
            report = self.built(it)
            self.assertEqual(self.tree(report, it), {"d/f": b"hello", "run": b"x"})
            names.add(report.names[OutputRef(it.id, "out")])
        self.assertEqual(len(names), 1)

    def test_a_first_download_is_pinned(self) -> None:
        server = self.server(ok(b"hello"))
        it = fetch(server.url + "/a")
        report = self.built(it)
        name = report.names[OutputRef(it.id, "out")]
        self.assertEqual(report.new_pins, {f"fetch_url {server.url}/a": name})
        # Once it is in the lock it is not new, and without one it is each time.
        self.assertEqual(self.built(it, pins=report.new_pins).new_pins, {})
        self.assertEqual(self.built(it).new_pins, report.new_pins)
        self.assertEqual(len(server.requests), 1)

    def test_the_digest_is_the_one_of_the_output(self) -> None:
        server = self.server(ok(b"hi"))
        it = fetch(server.url + "/hi.txt", "5fpq3tqlfd3r5ncyxwapgu5m7ahehe6r")
        self.assertEqual(self.built(it).names[OutputRef(it.id, "out")], "5fpq3tqlfd3r5ncyxwapgu5m7ahehe6r")

    def test_the_store_s_own_path_in_a_file_does_not_change_its_digest(self) -> None:
        found = []
        for store in ("s", "another"):
            self.store = Store.open(os.path.join(self.top, store))
            self.addCleanup(self.store.close)
            it = fetch("file://" + self.local("f", self.store.directory.encode()))
            found.append(self.built(it).new_pins)
        self.assertEqual(found[0], found[1])

    def test_what_is_pinned_and_in_the_store_is_not_fetched(self) -> None:
        path = self.local("f", b"1")
        pin = next(iter(self.built(fetch("file://" + path)).new_pins.values()))
        url = "http://far.invalid/f"
        it = fetch(url)
        report = self.built(it, pins={f"fetch_url {url}": pin})
        self.assertEqual((self.story(), report.names[OutputRef(it.id, "out")]), (["cached fetched"], pin))
        # It is recorded as if it had been fetched.
        self.assertEqual(self.built(it).cached, (it.id,))

    def test_a_download_can_be_built_with(self) -> None:
        it = fetch(self.server(ok(tar([file("bin/sh", b"#!", 0o755)]))).url + "/a.tar")
        above = derivation("above", ref(it) + "/bin/sh", ["above"])
        report = self.built(above, among=[it])
        self.assertIn(report.names[OutputRef(it.id, "out")], self.launcher.specs[0].argv[0])


class Refusing(FetchWorld):
    def objects(self) -> list[str]:
        return [name for name in os.listdir(self.store.directory) if not name.endswith(".drv")]

    def test_a_wrong_hash_stores_nothing(self) -> None:
        right, wrong = "5fpq3tqlfd3r5ncyxwapgu5m7ahehe6r", "b" * 32
        server = self.server(ok(b"hi"))
        url = server.url + "/hi.txt"
        error = self.failure(fetch(url, wrong), "fetch.hash-mismatch")
        self.assertIn(right, error.message)
        self.assertIn(wrong, error.message)
        self.failure(fetch(url), "fetch.hash-mismatch", pins={"fetch_url " + url: wrong})
        self.assertEqual(self.objects(), [])
        self.failure(fetch(url, right), "fetch.hash", pins={"fetch_url " + url: wrong})
        self.failure(fetch(url, "sha256-abc"), "fetch.hash")

    def test_a_lock_that_was_changed_counts_for_what_was_fetched_before(self) -> None:
        it = fetch("file://" + self.local("f", b"1"))
        ((key, pin),) = self.built(it).new_pins.items()
        self.failure(it, "fetch.hash-mismatch", pins={key: "b" * 32})
        self.assertEqual(self.built(it, pins={key: pin}).cached, (it.id,))

    def test_a_file_that_changed_is_a_mismatch(self) -> None:
        path = self.local("f", b"1")
        pins = self.built(fetch("file://" + path)).new_pins
        self.store = Store.open(os.path.join(self.top, "another"))
        self.addCleanup(self.store.close)
        self.local("f", b"2")
        self.failure(fetch("file://" + path), "fetch.hash-mismatch", pins=pins)

    def test_a_pinned_file_that_changed_is_told_and_what_it_was_is_used(self) -> None:
        path = self.local("f", b"1")
        it = fetch("file://" + path)
        pins = self.built(it).new_pins
        for change in (lambda: self.local("f", b"2"), lambda: os.unlink(path)):
            change()
            report = self.built(it, pins=pins)
            self.assertEqual(self.said(Changed), [Changed(it.id, "fetched", path, True)])
            self.assertEqual((report.changed, report.cached), (("fetched",), (it.id,)))
            self.assertEqual(self.tree(report, it), {"f": b"1"})
        # One that was only touched, or is back, is the same.
        self.local("f", b"1")
        report = self.built(it, pins=pins)
        self.assertEqual((self.said(Changed), report.changed), ([], ()))

    def test_a_file_that_changed_is_fetched_again_when_that_is_asked_for(self) -> None:
        far = fetch(self.server(ok(b"far")).url + "/far")
        path = self.local("f", b"1")
        it = fetch("file://" + path)
        above = derivation("above", ref(it) + "/f", ["above"])
        pins = dict(self.built(it, far, above).new_pins)
        self.assertEqual(self.built(it, far, above, pins=pins, refresh=True).new_pins, {})
        self.local("f", b"2")
        report = self.built(it, far, above, pins=pins, refresh=True)
        self.assertEqual(self.tree(report, it), {"f": b"2"})
        self.assertEqual(list(report.new_pins), ["fetch_url file://" + path])
        self.assertEqual(set(report.built), {it.id, above.id})
        self.assertEqual(self.said(Changed), [])
        pins.update(report.new_pins)
        again = self.built(it, far, above, pins=pins)
        self.assertEqual((again.built, self.said(Changed)), ((), []))

    def test_what_a_derivation_itself_says_of_a_file_is_not_refreshed(self) -> None:
        path = self.local("hi.txt", b"hi")
        it = fetch("file://" + path, "5fpq3tqlfd3r5ncyxwapgu5m7ahehe6r")
        self.built(it)
        self.local("hi.txt", b"ho")
        report = self.built(it, refresh=True)
        self.assertEqual(self.said(Changed), [Changed(it.id, "fetched", path, False)])
        self.assertEqual(self.tree(report, it), {"hi.txt": b"hi"})

    def test_a_mirror_of_the_project_is_a_file_of_its_own_and_a_person_s_is_not(self) -> None:
        path = self.local("f", b"1")
        for own in ((path,), ()):
            url = "https://far.invalid/" + ("own" if own else "person")
            it = fetch(url)
            reach = {"mirror": {url: path}, "own_mirror": own}
            self.local("f", b"1")
            pins = self.built(it, fetch=reach).new_pins
            self.local("f", b"2")
            self.built(it, fetch=reach, pins=pins)
            self.assertEqual(self.said(Changed), [Changed(it.id, "fetched", path, True)] if own else [])

    def test_a_file_of_a_mirror_is_looked_up_once(self) -> None:
        """What was checked is what is stored, though a neighbour replaces the file then."""
        for own in ((), ("f",)):
            path, url = self.local("f", b"right"), "https://far.invalid/f"
            given = {
                "url": url,
                "sha256": hashlib.sha256(b"right").hexdigest(),
                "name": "own" if own else "f",
            }
            it = derivation("fetched", "fetch_url", env=given)

            def verified(*arguments: Any, **options: Any) -> None:
                verify(*arguments, **options)
                self.local("f", b"wrong")

            mirror = {"mirror": {url: path}, "own_mirror": tuple(path for _ in own)}
            with mock.patch.object(from_url, "verify", verified):
                report = self.built(it, fetch=mirror)
            self.assertEqual(list(self.tree(report, it).values()), [b"right"])

    def test_an_archive_that_climbs_out_leaves_nothing(self) -> None:
        for entries in (
            [file("../evil", b"x")],
            [file("/tmp/evil-absolute", b"x")],
            [symlink("l", self.top), file("l/evil", b"x")],
        ):
            for ending, data in (("tar.gz", tar(entries, "gz")), ("zip", zipped(entries))):
                self.failure(fetch(self.server(ok(data)).url + "/a." + ending), "fetch.archive-outside")
        self.assertEqual(self.objects(), [])
        self.assertFalse(os.path.exists("/tmp/evil-absolute"))
        self.assertFalse(os.path.exists(os.path.join(self.top, "evil")))

    def test_an_archive_that_is_cut_short_leaves_nothing(self) -> None:
        data = tar([file("f", os.urandom(5000))], "gz")
        self.failure(fetch(self.server(ok(data[:3000])).url + "/a.tar.gz"), "fetch.archive-broken")
        self.assertEqual(self.objects(), [])

    def test_an_archive_with_a_device_is_refused(self) -> None:
        data = tar([("device", "null", b"", 0o666)])
        self.failure(fetch(self.server(ok(data)).url + "/a.tar"), "fetch.archive-special")

    def test_an_archive_of_nothing_is_refused(self) -> None:
        it = fetch(self.server(ok(tar([]))).url + "/a.tar")
        error = self.failure(it, "fetch.archive-empty")
        self.assertNotIn("$out", error.message + (error.remedy or ""))

    def test_servers_that_fail(self) -> None:
        quick = {"timeout": 0.2}
        self.failure(fetch(self.server(respond("404 Not Found")).url + "/a"), "fetch.not-found")
        self.failure(fetch(self.server(silent).url + "/a"), "fetch.timeout", fetch=quick)
        self.assertEqual(len(self.said(Retrying)), 1)
        self.failure(fetch(self.server(close_at_once).url + "/a"), "fetch.cut-short")
        self.failure(fetch(self.server(respond("200 OK", b"x", length=5)).url + "/a"), "fetch.cut-short")

    def test_a_url_that_names_no_file_is_refused(self) -> None:
        for url in (
            "http://h/",
            "http://h",
            "http://h/a/",
            "http://h/..",
            "http://h/%2e%2e",
            "http://h/a%2fb",
        ):
            self.failure(fetch(url), "fetch.url")
        self.failure(fetch("gopher://h/a"), "fetch.url")

    def test_offline_means_no_sockets(self) -> None:
        server = self.server(ok(b"1"))
        it = fetch(server.url + "/a")
        self.failure(it, "fetch.offline", fetch={"offline": True})
        self.assertEqual(server.requests, [])
        self.built(it)
        self.built(it, fetch={"offline": True})

    def test_a_hanging_download_stops_when_the_build_is_cancelled(self) -> None:
        def on_event(event: Any) -> None:
            self.events.append(event)
            if isinstance(event, Started):
                threading.Timer(0.2, self.cancelled.set).start()

        self.on_event = on_event
        report = self.build(fetch(self.server(silent).url + "/a"), fetch={"timeout": 60.0})
        self.assertTrue(report.cancelled)
        self.assertEqual(self.said(Failed), [])
        self.assertNothingLeft()

    def test_what_was_received_before_is_kept_out_of_the_store(self) -> None:
        def halfway(client: socket.socket, request: Request) -> None:
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

        self.failure(fetch(self.server(halfway).url + "/a"), "fetch.cut-short")
        self.assertEqual(self.objects(), [])


class Mirrors(FetchWorld):
    def find(self, url: str, mirror: dict[str, str]) -> Optional[str]:
        found = mirrored(url, mirror)
        return found and os.path.relpath(found, self.top)

    def test_the_mirror_comes_before_the_network(self) -> None:
        path = self.local("copy", tar([file("f", b"1")], "gz"))
        it = fetch("https://example.test/a.tar.gz")
        report = self.built(it, fetch={"mirror": {"https://example.test/a.tar.gz": path}, "offline": True})
        self.assertEqual(self.tree(report, it), {"f": b"1"})
        self.assertIn("fetch_url https://example.test/a.tar.gz", report.new_pins)
        self.assertTrue(os.path.exists(path))

    def test_what_the_mirror_gives_is_checked_too(self) -> None:
        path = self.local("copy", b"1")
        mirror = {"https://example.test/a": path}
        self.failure(
            fetch("https://example.test/a", "b" * 32), "fetch.hash-mismatch", fetch={"mirror": mirror}
        )

    def test_an_entry_is_a_file_or_a_directory_that_holds_it(self) -> None:
        os.mkdir(os.path.join(self.top, "d"))
        self.local("d/a.zip", b"")
        self.local("f", b"")
        self.assertEqual(self.find("http://x/a.zip", {"http://x/a.zip": self.top + "/f"}), "f")
        self.assertEqual(self.find("http://x/a.zip", {"http://x/a.zip": self.top + "/d"}), "d/a.zip")
        with self.assertRaises(BrambleError) as caught:
            self.find("http://x/a.zip", {"http://x/a.zip": self.top + "/none"})
        self.assertEqual(caught.exception.code, "fetch.mirror")

    def test_an_entry_with_a_slash_stands_for_all_below_it(self) -> None:
        os.makedirs(os.path.join(self.top, "d/sub"))
        self.local("d/sub/a b", b"")
        self.local("d/c", b"")
        mirror = {"http://x/": self.top, "http://x/y/": self.top + "/d"}
        self.assertEqual(self.find("http://x/y/sub/a%20b?q", mirror), "d/sub/a b")
        self.assertEqual(self.find("http://x/d/c", mirror), "d/c")
        for url in (
            "http://x/y/none",
            "http://x/y/../../etc/passwd",
            "http://x/y/",
            "http://xy/c",
            "http://x/y//c",
        ):
            self.assertIsNone(self.find(url, mirror), url)

    def test_names_come_from_the_path_alone(self) -> None:
        self.assertEqual(file_name("http://h/a/b.tar.gz?c=/d#e/f"), "b.tar.gz")
        self.assertEqual(file_name("http://h/%C3%A9"), "é")


class RepositoryWorld(FetchWorld):
    def setUp(self) -> None:
        super().setUp()
        if shutil.which("git", path="/usr/local/bin:/usr/bin:/bin") is None:
            self.skipTest("there is no git")
        self.repository = os.path.join(self.top, "repository")
        self.git("init", "--quiet", "--initial-branch=main", self.repository)
        with open(self.repository + "/run", "w") as out:
            out.write("#!/bin/sh\n")
        os.chmod(self.repository + "/run", 0o755)
        os.symlink("run", self.repository + "/link")
        os.mkdir(self.repository + "/d")
        with open(self.repository + "/d/f", "w") as out:
            out.write("one\n")
        self.first = self.commit()

    def git(self, *arguments: str) -> str:
        env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": self.top, "GIT_CONFIG_NOSYSTEM": "1"}
        env.update(
            {f"GIT_{who}_{what}": "x@y" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        )
        done = subprocess.run(["git", *arguments], env=env, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self) -> str:
        self.git("-C", self.repository, "add", ".")
        self.git("-C", self.repository, "commit", "--quiet", "-m", "x")
        return self.git("-C", self.repository, "rev-parse", "HEAD")

    def fetch_git(self, reference: str, url: str = "") -> Derivation:
        return derivation(
            "cloned", "fetch_git", env={"url": url or "file://" + self.repository, "reference": reference}
        )


class Repositories(RepositoryWorld):
    def test_a_commit_is_its_files(self) -> None:
        it = self.fetch_git("main")
        report = self.built(it)
        self.assertEqual(self.tree(report, it), {"run": b"#!/bin/sh\n", "d/f": b"one\n"})
        top = self.store.object_path(report.names[OutputRef(it.id, "out")])
        self.assertEqual((os.readlink(top + "/link"), os.access(top + "/run", os.X_OK)), ("run", True))
        self.assertEqual(list(report.new_pins), [f"fetch_git file://{self.repository}@main"])

    def test_a_branch_a_tag_and_a_hash_mean_the_same_commit(self) -> None:
        self.git("-C", self.repository, "tag", "-a", "-m", "x", "v1")
        first = {
            next(iter(self.built(self.fetch_git(name)).new_pins.values()))
            for name in ("main", "v1", self.first)
        }
        self.assertEqual(len(first), 1)
        with open(self.repository + "/d/f", "w") as out:
            out.write("two\n")
        self.commit()
        it = self.fetch_git(self.first)
        self.assertEqual(self.built(it).cached, (it.id,))
        self.store = Store.open(os.path.join(self.top, "another"))
        self.addCleanup(self.store.close)
        self.failure(
            self.fetch_git("refs/heads/main"),
            "fetch.hash-mismatch",
            pins={f"fetch_git file://{self.repository}@refs/heads/main": next(iter(first))},
        )

    def test_a_link_with_a_huge_target_is_not_read(self) -> None:
        with open(self.repository + "/d/f", "w") as out:
            out.write("x" * 5000)
        blob = self.git("-C", self.repository, "hash-object", "-w", self.repository + "/d/f")
        self.git("-C", self.repository, "update-index", "--add", "--cacheinfo", f"120000,{blob},l")
        self.git("-C", self.repository, "commit", "--quiet", "-m", "x")
        self.assertIn("too long", self.failure(self.fetch_git("main"), "fetch.git").detail)

    def test_a_mirror_stands_for_the_repository(self) -> None:
        url = "https://example.test/r.git"
        it = self.fetch_git("main", url)
        self.built(it, fetch={"mirror": {url: self.repository}, "offline": True})

    def test_git_has_the_time_that_the_build_was_given(self) -> None:
        tools = os.path.join(self.top, "tools")
        os.mkdir(tools)
        with open(tools + "/git", "w") as out:
            out.write("#!/bin/sh\nsleep 60 & wait\n")
        os.chmod(tools + "/git", 0o755)
        started = time.monotonic()
        self.failure(
            self.fetch_git("main"),
            "fetch.timeout",
            limits=Limits(seconds=0.3),
            host_path=(tools, "/usr/bin", "/bin"),
        )
        self.assertLess(time.monotonic() - started, 30)

    def test_git_has_that_time_also_to_give_the_files(self) -> None:
        tools = os.path.join(self.top, "tools")
        os.mkdir(tools)
        real = shutil.which("git")
        for verb in ("rev-parse", "cat-file"):
            with open(tools + "/git", "w") as out:
                out.write(f'#!/bin/sh\n[ "$1" != {verb} ] || {{ sleep 60 & wait; }}\nexec {real} "$@"\n')
            os.chmod(tools + "/git", 0o755)
            started = time.monotonic()
            self.failure(
                self.fetch_git("main"),
                "fetch.timeout",
                limits=Limits(seconds=2),
                host_path=(tools, "/usr/bin", "/bin"),
            )
            self.assertLess(time.monotonic() - started, 30)

    def test_failures_are_told(self) -> None:
        error = self.failure(self.fetch_git("nowhere"), "fetch.git")
        self.assertIn("nowhere", error.detail)
        self.failure(
            self.fetch_git("main", "https://example.test/r"), "fetch.offline", fetch={"offline": True}
        )
        self.failure(self.fetch_git("main", "host:r"), "fetch.offline", fetch={"offline": True})
        self.failure(self.fetch_git("main"), "fetch.git-missing", host_path=(self.top,))
        self.failure(self.fetch_git("main", "ext::sh -c true"), "fetch.git")
        self.failure(self.fetch_git("--upload-pack=x", self.repository), "fetch.git")

    def test_what_is_no_address_or_reference_is_refused_before_git_sees_it(self) -> None:
        for url in (
            "-x",
            "ssh://-oProxyCommand=x/r",
            "a@-o:r",
            "ext::sh",
            "relative/r",
            "ftp://h/r",
            "http://[::1/r",
        ):
            code = "fetch.url" if url.startswith("http") else "fetch.git"
            self.failure(self.fetch_git("main", url), code)
        for reference in ("-x", "a..b", "a b", "main:x", "^main", "a~1", "+a:b", "x.lock", "a/", "@{u}", "*"):
            self.failure(self.fetch_git(reference), "fetch.git")

    def test_attributes_of_the_commit_change_nothing(self) -> None:
        with open(self.repository + "/.gitattributes", "w") as out:
            out.write("* text eol=crlf ident working-tree-encoding=UTF-16\n/d export-ignore\n")
        with open(self.repository + "/d/f", "w") as out:
            out.write("$Id$\n")
        self.git(
            "-C",
            self.repository,
            "-c",
            "core.attributesFile=/dev/null",
            "update-index",
            "--add",
            "--cacheinfo",
            "100644",
            self.git("-C", self.repository, "hash-object", "-w", "--no-filters", "d/f"),
            "d/f",
        )
        self.git("-C", self.repository, "commit", "--quiet", "-m", "x")
        it = self.fetch_git("main")
        self.assertEqual(self.tree(self.built(it), it)["d/f"], b"$Id$\n")

    def test_a_repository_of_somebody_else_is_fetched(self) -> None:
        if os.geteuid() != 0:
            self.skipTest("only root can give a repository away")
        os.chmod(self.top, 0o755)
        for top, names, files in os.walk(self.repository):
            for name in (*names, *files, "."):
                os.chown(os.path.join(top, name), 12345, 12345, follow_symlinks=False)
        it = self.fetch_git("main", self.repository)
        self.assertEqual(self.tree(self.built(it), it)["d/f"], b"one\n")

    def test_a_password_is_given_to_the_server_and_shown_to_nobody(self) -> None:
        server = self.server(respond("401 No", WWW_Authenticate='Basic realm="x"'), respond("403 No"))
        error = self.failure(
            self.fetch_git("main", server.url.replace("://", "://me:hunter2@") + "/r"), "fetch.git"
        )
        self.assertNotIn("hunter2", error.message + error.detail + (error.remedy or ""))
        self.assertNotIn("authorization", server.requests[0].headers)
        self.assertEqual(server.requests[1].headers["authorization"], "Basic bWU6aHVudGVyMg==")

    def test_a_person_s_configuration_has_no_say(self) -> None:
        with open(self.repository + "/.gitattributes", "w") as out:
            out.write("* text=auto\n")
        self.commit()
        with open(os.path.join(self.top, ".gitconfig"), "w") as out:
            out.write("[core]\n autocrlf = true\n")
        it = self.fetch_git("main")
        self.assertEqual(self.tree(self.built(it), it)["d/f"], b"one\n")
