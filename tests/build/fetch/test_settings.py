"""What a person sets: proxies and exceptions, authorities, passwords; and that no secret is shown."""

from __future__ import annotations

import os
import unittest
from typing import Optional

from hypothesis import given
from hypothesis import strategies as st

from bramble.build.fetch.address import parts_of
from bramble.build.fetch.discretion import anonymous, redact, scrub, secrets_of
from bramble.build.fetch.netrc import login_for
from bramble.build.fetch.proxies import proxy_of
from bramble.build.pins import expected, lock_key
from bramble.errors import BrambleError
from tests.build.fetch.server import ok, redirect, respond
from tests.build.fetch.test_transfer import BODY, World


class Secrets(unittest.TestCase):
    def test_a_url_is_shown_without_them(self) -> None:
        for url, shown in (
            ("http://alice:hunter2@h/f", "http://***@h/f"),
            ("https://TOKEN@h/x@y", "https://***@h/x@y"),
            ("http://u:p@w@h/f", "http://***@h/f"),
            ("http://u:p/w@h/", "http://***@h/"),
            ("ssh://git:word@h/x", "ssh://git:***@h/x"),
            ("u:p@proxy:8", "***@proxy:8"),
            (
                "http://h/?a=1&access_token=abc&X-Amz-Signature=d#f",
                "http://h/?a=1&access_token=***&X-Amz-Signature=***#f",
            ),
            ("http://[::1/?token=x", "http://[::1/?token=***"),
        ):
            self.assertEqual(redact(url), shown)
            if "://" in url:
                self.assertEqual(scrub(f"got {url} and"), f"got {shown} and")
        for url in (
            "http://h:80/a@b?key=1&page=2",
            "git@h:p",
            "ssh://git@h/x",
            "/a:b@c",
            "file:///a:b@c",
            "",
        ):
            self.assertEqual(redact(url), url)

    def test_a_text_loses_every_shape_of_them(self) -> None:
        url = "http://me:pass%20word@h/"
        text = scrub("pass word pass%20word bWU6cGFzcyB3b3Jk", secrets_of(url))
        self.assertEqual(text, "*** *** ***")

    def test_a_key_of_the_lock_has_none(self) -> None:
        self.assertEqual(anonymous("https://me:word@h/f?token=x"), "https://h/f?token=***")
        self.assertEqual(anonymous("ssh://git:word@h/f"), "ssh://git@h/f")
        env = {"url": "https://me:word@h/f"}
        self.assertEqual(lock_key("fetch_url", "f", env), "fetch_url https://h/f")
        for key in ("fetch_url https://h/f", "fetch_url https://me:word@h/f"):
            today = lock_key("fetch_url", "f", env)
            self.assertEqual(expected(today, "f", env, {key: "a" * 32}), "a" * 32)

    @given(st.text(max_size=60), st.text("ab:@%[] é", max_size=9))
    def test_any_text_can_be_shown(self, text: str, user: str) -> None:
        redact(text)
        secrets_of(text)
        self.assertNotIn("hunter2", redact(f"http://{user}:hunter2@h/{text}"))


class Proxies(unittest.TestCase):
    def proxy(self, url: str, **proxies: str) -> Optional[str]:
        found = proxy_of(parts_of(url), proxies)
        return found and found.netloc

    def test_one_proxy_serves_all(self) -> None:
        self.assertEqual(self.proxy("http://x/", all="http://p:1"), "p:1")
        self.assertEqual(self.proxy("http://x/", all="http://p:1", http="q:2"), "q:2")

    def test_exceptions(self) -> None:
        for entry, url, excepted in (
            ("*", "http://x/", True),
            ("x", "http://x./", True),
            (".x", "http://x/", True),
            ("*.x", "http://a.x/", True),
            ("x:81", "http://x/", False),
            ("x:80", "http://x/", True),
            ("[::1]", "http://[::1]/", True),
            ("::1", "http://[0:0::1]/", True),
            ("[::1]:80", "http://[::1]/", True),
            ("[::1]:81", "http://[::1]/", False),
            ("10.0.0.0/8", "http://10.1.2.3/", True),
            ("10.0.0.0/8", "http://11.1.2.3/", False),
            ("10.0.0.0/8", "http://ten.test/", False),
            ("fd00::/8", "http://[fd12::1]/", True),
            ("fd00::/8", "http://10.0.0.1/", False),
            ("0.0.1", "http://10.0.0.1/", False),
            ("", "http://x/", False),
            ("a, x", "http://x/", True),
        ):
            self.assertEqual(self.proxy(url, http="http://p", no=entry) is None, excepted, (entry, url))

    def test_a_wrong_setting_is_named(self) -> None:
        for proxies, word in (
            ({"all": "socks5://me:hunter2@p:1"}, "ALL_PROXY"),
            ({"http": "me:hunter2@p:x"}, "http_proxy"),
            ({"http": "http://p/path"}, "http_proxy"),
            ({"http": "http://p:+1"}, "http_proxy"),
            ({"http": "http://[::1]x:1"}, "http_proxy"),
            ({"http": "http://me:hunter2://x@p:1"}, "http_proxy"),
            ({"http": "http://p", "no": "10.0.0.0/99"}, "no_proxy"),
        ):
            with self.assertRaises(BrambleError) as caught:
                self.proxy("http://x/", **proxies)
            self.assertEqual(caught.exception.code, "fetch.proxy")
            self.assertIn(word, caught.exception.message)
            self.assertNotIn("hunter2", caught.exception.message)


class Netrc(World):
    def netrc(self, text: str, mode: int = 0o600) -> str:
        path = os.path.join(self.top, "netrc")
        with open(path, "w") as out:
            out.write(text)
        os.chmod(path, mode)
        return path

    def login(self, text: str, host: str = "h", *, default: bool = True) -> Optional[tuple[str, str]]:
        found = login_for(self.netrc(text), host, default=default)
        return found and (found.login, found.password)

    def test_entries(self) -> None:
        text = "# c\nmachine a login x password y\nmacdef init\n machine h\n\nmachine h\n"
        text += ' login "m e"\n password "w\\"o#rd"\n'
        self.assertEqual(self.login(text), ("m e", 'w"o#rd'))
        self.assertEqual(self.login("default login d password e"), ("d", "e"))
        self.assertIsNone(self.login("default login d password e", default=False))
        self.assertIsNone(self.login("machine a login x"))
        self.assertIsNone(login_for(self.top + "/none", "h", default=True))
        self.assertIsNone(login_for(None, "h", default=True))

    def test_what_cannot_be_used_is_named_and_not_shown(self) -> None:
        for text in (
            "machine",
            "machine h login",
            "login x",
            "hunter2",
            'machine h login "x',
            "machine h hunter2 x",
        ):
            with self.assertRaises(BrambleError) as caught:
                self.login(text)
            self.assertEqual(caught.exception.code, "fetch.netrc")
            self.assertNotIn("hunter2", caught.exception.message)
        with self.assertRaises(BrambleError):
            login_for(self.netrc("machine h login x password y", 0o644), "h", default=True)
        self.assertIsNone(login_for(self.netrc("machine h login x password y", 0o644), "other", default=True))

    def test_what_is_no_file_of_text_is_named(self) -> None:
        large = self.netrc("#\n" * 600_000 + "machine h login x password y")
        os.mkfifo(self.top + "/fifo", 0o600)
        for path in (large, self.top, self.top + "/fifo"):
            with self.assertRaises(BrambleError) as caught:
                login_for(path, "h", default=True)
            self.assertEqual(caught.exception.code, "fetch.netrc")
        # NETRC need not be set for that.
        self.assertEqual(caught.exception.remedy, "move it away, or set NETRC to another one")

    def test_bytes_that_are_no_utf8_are_sent_as_they_are(self) -> None:
        path = self.top + "/latin"
        with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as out:
            out.write(b"machine 127.0.0.1 login me password \xe9")
        for user, netrc in (("", path), ("me:%E9@", None)):
            server = self.server(ok(BODY))
            self.fetch(server.url.replace("://", "://" + user) + "/f", netrc=netrc)
            self.assertEqual(server.requests[0].headers["authorization"], "Basic bWU66Q==")

    def test_a_password_goes_to_its_host_and_nowhere_else(self) -> None:
        other = self.server(ok(BODY))
        server = self.server(redirect(other.url.replace("127.0.0.1", "localhost") + "/x"))
        path = self.netrc(
            "machine 127.0.0.1 login me password hunter2\nmachine localhost login you password word1"
        )
        self.assertEqual(self.fetch(server.url + "/f", netrc=path), BODY)
        self.assertEqual(server.requests[0].headers["authorization"], "Basic bWU6aHVudGVyMg==")
        self.assertNotIn("authorization", other.requests[0].headers)

    def test_a_server_that_repeats_a_password_is_not_quoted(self) -> None:
        path = self.netrc("machine 127.0.0.1 login me password hunter2")
        for url in ("", "me:hunter2@"):
            server = self.server(respond("500 hunter2 bWU6aHVudGVyMg=="))
            with self.assertRaises(BrambleError) as caught:
                self.fetch(server.url.replace("://", "://" + url) + "/f", netrc=path)
            self.assertNotIn("hunter2", caught.exception.message + "".join(self.retries))
            self.assertNotIn("bWU6", caught.exception.message + "".join(self.retries))

    def test_a_server_that_repeats_a_name_that_is_a_token_is_not_quoted(self) -> None:
        server = self.server(respond("403 hunter2 aHVudGVyMjo="))
        with self.assertRaises(BrambleError) as caught:
            self.fetch(server.url.replace("://", "://hunter2@") + "/f")
        self.assertNotIn("hunter2", caught.exception.message)
        self.assertNotIn("aHVu", caught.exception.message)

    def test_a_server_is_no_proxy(self) -> None:
        self.assertFails("fetch.status", self.server(respond("407 No")).url + "/f")

    def test_a_proxy_that_wants_a_password_is_named(self) -> None:
        for scheme in ("http", "https"):
            proxy = self.server(respond("407 Proxy Authentication Required"))
            self.assertFails("fetch.proxy", f"{scheme}://far.test/f", proxies={scheme: proxy.url})
            self.assertEqual(len(proxy.requests), 1)

    def test_a_setting_of_authorities_that_names_nothing_is_named(self) -> None:
        proxy = self.server(respond("200 Connected"))
        text = self.netrc("no certificate")
        for settings in (
            {"ca_file": self.top + "/none"},
            {"ca_file": text},
            {"ca_directory": text},
            # It has a file, and no name that OpenSSL would look for.
            {"ca_directory": self.top},
        ):
            with self.assertRaises(BrambleError) as caught:
                self.fetch("https://far.test/f", proxies={"https": proxy.url}, **settings)
            self.assertEqual(caught.exception.code, "fetch.tls")
            self.assertIn(
                "SSL_CERT_FILE" if "ca_file" in settings else "SSL_CERT_DIR", caught.exception.message
            )
        self.assertEqual(self.retries, [])
