"""What a registry answers: files, JSON, pages, and jobs for those who may ask."""

from __future__ import annotations

import hashlib
import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from bramble.commands.packages.registry.writing import Owner, Publication, publish, settle
from bramble.commands.registry.catalogue import Catalogue, open_directory
from bramble.commands.registry.jobs import Problem
from bramble.commands.registry.key import public_key
from bramble.commands.registry.lining_up import Bounds, Line
from bramble.commands.registry.pages.frame import STYLE
from bramble.commands.registry.pages.markup import address, element, html
from bramble.commands.registry.serving import read_tokens
from bramble.commands.registry.site import Owned, Site
from bramble.errors import BrambleError
from bramble.packages.registry.documents import Documentation, Function, Module, Requirement
from bramble.packages.registry.index import Entry
from bramble.serving.answer import Answer, Coming, Stored
from bramble.serving.request import Refused, read_request
from bramble.store.digest import digest

KEY = "ssh-ed25519 AAAA"
ATTACK = "<script>alert(1)</script>\"'&\x1b[31m\u202e"


class Booth:
    """A site about a small registry, without connections."""

    def __init__(self, base: Path, **owned: Any) -> None:
        self.client = "192.0.2.7"  # from where it is asked
        self.public = base / "public"
        (base / "jobs").mkdir()
        self.owner = Owner("registry.example", lambda _: "-----BEGIN SSH SIGNATURE-----\nx\n")
        settle(str(self.public), self.owner)
        self.line = Line(str(base / "jobs"), lambda: 1000.0, Bounds(of_one_client=2))
        catalogue = Catalogue(open_directory(str(self.public)))
        self.site = Site(Owned("registry.example", KEY, "", **owned), catalogue, self.line)

    def add(
        self, name: str, version: str, *requires: str, text: str = "", impure: tuple[str, ...] = ()
    ) -> Entry:
        source = f"the sources of {name} {version}".encode()
        entry = Entry(name, version, hashlib.sha1(source).hexdigest(), digest(source))
        function = Function("made", 'x="<b>"', text or "Makes it.")
        docs = Documentation(
            name, version, text, (Module(name, text, (function,)),),
            tuple(Requirement(one, "1.0.0") for one in requires), impure,
        )  # fmt: skip
        config = f'[package]\nname = "{name}"\n'.encode()
        publish(str(self.public), self.owner, Publication(entry, config, docs, lambda write: write(source)))
        return entry

    def ask(self, target: str, *fields: str, method: str = "GET", body: bytes = b"") -> Answer:
        lines = [f"{method} {target} HTTP/1.1", "Host: here:1", *fields]
        request = read_request("\r\n".join(lines).encode(), self.client)._replace(body=body)
        try:
            return self.site.respond(request)
        except Refused as refused:
            return self.site.explain(request, refused)

    def page(self, target: str) -> str:
        answer = self.ask(target, "Accept: text/html")
        assert isinstance(answer.body, bytes) and dict(answer.fields)["Content-Type"].startswith("text/html")
        check_page(answer)
        return answer.body.decode()

    def json(self, target: str, status: int = 200) -> Any:
        answer = self.ask(target)
        assert answer.status == status and isinstance(answer.body, bytes)
        return json.loads(answer.body)

    def post(self, package: str, reference: str = "", *fields: str) -> tuple[int, Any]:
        body = json.dumps({"package": package, "reference": reference}).encode()
        answer = self.ask("/job", "Content-Type: application/json", *fields, method="POST", body=body)
        assert isinstance(answer.body, bytes)
        return answer.status, json.loads(answer.body)


class Elements(HTMLParser):
    """Notes the elements of a page, and holds that they are closed in order."""

    VOID = ("meta", "link", "input")

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(answer: Answer) -> bytes:
    """Return what is stored, as it would be sent."""
    assert isinstance(answer.body, Stored)
    with open(answer.body.fd, "rb") as file:
        file.seek(answer.body.start)
        return file.read(answer.body.end - answer.body.start)


def check_page(answer: Answer) -> None:
    """Demand that a page is whole, and does nothing but show itself."""
    # spec: registry.pages.policy
    assert isinstance(answer.body, bytes)
    text = answer.body.decode()
    elements = Elements()
    elements.feed(text)
    assert not elements.open and not {"script", "img", "iframe", "object", "b"} & set(elements.found)
    assert not [name for name, _ in elements.attributes if name.startswith("on") or name == "style"]
    for name, value in elements.attributes:
        if name in ("href", "action"):
            assert re.match(r"(\./|(\.\./)+|data:,$)", value), value
    assert all(char >= " " or char == "\n" for char in text) and "\u202e" not in text
    policy = dict(answer.fields)["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "script" not in policy


@pytest.fixture
def booth(tmp_path: Path) -> Booth:
    return Booth(tmp_path)


def test_files_are_served_as_they_are(booth: Booth) -> None:
    entry = booth.add("a.b/c", "1.0.0")
    for path, kind in (
        ("index", "text/plain; charset=utf-8"),
        ("index.signed", "text/plain; charset=utf-8"),
        ("packages", "application/json"),
        ("package/versions/a.b/c@all", "application/json"),
        ("package/source/a.b/c%401.0.0", "application/x-tar"),
        ("package/config/a.b/c@1.0.0", "text/plain; charset=utf-8"),
    ):
        answer = booth.ask(f"/{path}")
        assert answer.status == 200 and isinstance(answer.body, Stored)
        fields = dict(answer.fields)
        assert fields["Content-Type"] == kind and fields["X-Content-Type-Options"] == "nosniff"
        assert ("immutable" in fields["Cache-Control"]) == ("1.0.0" in path)
    for absent in ("package/source/a.b/c@2.0.0", "package/source/a.b/c", "key", "jobs/1.json", "package"):
        assert booth.json(f"/{absent}", 404)["error"] == "registry.http"
    # The same in JSON, for whoever asks for a package itself.
    versions = json.loads(read(booth.ask("/package/a.b/c")))
    assert versions["versions"][0]["digest"] == entry.digest
    docs = booth.ask("/package/a.b/c@1.0.0")
    assert json.loads(read(docs))["modules"][0]["functions"][0]["name"] == "made"
    assert dict(docs.fields)["Vary"] == "Accept"
    # Nothing stays open of a part that is not there.
    before = os.listdir("/proc/self/fd")
    for path in ("/index", "/package/a.b/c"):
        assert booth.ask(path, "Range: bytes=100000-").status == 416
    assert len(os.listdir("/proc/self/fd")) == len(before)
    assert [one["name"] for one in booth.json("/")["packages"]] == ["a.b/c"]


def test_methods(booth: Booth) -> None:
    # spec: registry.http.methods
    assert dict(booth.ask("/", method="POST").fields)["Allow"] == "GET, HEAD"
    assert dict(booth.ask("/job", method="DELETE").fields)["Allow"] == "GET, HEAD, POST"
    assert booth.ask("/", method="BREW").status == 501
    assert booth.ask("/", method="HEAD").status == 200


def test_pages_show_what_packages_say_and_obey_none_of_it(booth: Booth) -> None:
    # spec: registry.pages.escaped
    booth.add("a.b/base", "1.0.0", text=ATTACK)
    booth.add("a.b/base", "1.1.0", text=ATTACK, impure=("tools",))
    booth.add("a.b/base", "2.0.0-rc.1", text=ATTACK)
    booth.add("a.b/top", "1.0.0", "a.b/base", "x.y/elsewhere")
    page = booth.page("/package/a.b/base")
    for text in (
        "bramble add a.b/base<", "&lt;script&gt;alert(1)&lt;/script&gt;", "\\u{1b}[31m\\u{202e}", "1.0.0",
        "2.0.0-rc.1", "Used by", "a.b/top", "Depends on the machine", "(x=&quot;&lt;b&gt;&quot;)",
    ):  # fmt: skip
        assert text in page, text
    assert "There is a newer version" not in page
    older = booth.page("/package/a.b/base@1.0.0")
    assert "bramble add a.b/base@1.0.0<" in older and "There is a newer version: " in older
    top = booth.page("/package/a.b/top")
    assert 'href="../../package/a.b/base"' in top and "x.y/elsewhere" in top
    assert 'x.y/elsewhere"' not in top
    assert "2 packages" in booth.page("/") and "used by 1 package" in booth.page("/")
    page = booth.page("/?q=%3Cscript%3E%22")
    assert "&lt;script&gt;&quot;" in page
    assert "404 Not Found" in booth.page("/package/a.b/none")
    assert booth.page("/job").count("<tr>") == 0


def test_a_search_finds_names_first(booth: Booth) -> None:
    # spec: registry.pages.search
    booth.add("a.b/png", "1.0.0")
    booth.add("a.b/zlib", "1.0.0", "a.b/png")
    booth.add("a.b/libpng", "1.0.0", "a.b/png")
    booth.add("a.b/viewer", "1.0.0", text="Shows PNG and other pictures")
    found = [one["name"] for one in booth.json("/?q=Png")["packages"]]
    assert found == ["a.b/png", "a.b/libpng", "a.b/viewer"]
    assert [one["name"] for one in booth.json("/?q=other+png")["packages"]] == ["a.b/viewer"]
    assert booth.json("/?q=nothing")["packages"] == []


def test_a_job_is_asked_for_and_shown(booth: Booth) -> None:
    # spec: registry.jobs.ask, registry.jobs.json
    status, job = booth.post("a.b/c", "1.0.0")
    assert (status, job["id"], job["state"], job["ahead"]) == (202, "1", "queued", 0)
    assert "192.0.2.7" not in json.dumps(job)
    assert booth.post("a.b/c", "1.0.0")[1]["id"] == "1"
    assert booth.post("a.b/d")[1]["ahead"] == 1
    status, error = booth.post("a.b/e")
    assert (status, error["error"]) == (429, "registry.too-many")
    for wrong in ("", "lib", "../x", "https://a.b/c", "a.b/" + "c" * 300):
        assert booth.post(wrong)[0] == 400
    assert booth.post("a.b/c", "x" * 300)[0] == 400 and booth.post("a.b/c", "\n")[0] == 400
    for body in (b"", b"[]", b"{", b"[" * 5000, b'{"package": 1}', b'{"package": "a.b/c", "reference": 1}'):
        answer = booth.ask("/job", "Content-Type: application/json", method="POST", body=body)
        assert answer.status == 400, body
    assert booth.ask("/job", "Content-Type: text/plain", method="POST", body=b"{}").status == 415
    assert [one["id"] for one in booth.json("/job")["jobs"]] == ["2", "1"]
    assert booth.json("/job?package=a.b/c")["jobs"][0]["id"] == "1"
    assert booth.json("/job/77", 404)["error"] == "registry.http"
    assert booth.json("/job/x", 404) and booth.json("/job/1/other", 404)
    assert booth.json("/job/1/logs?from=x", 400)
    page = booth.page("/job/2")
    assert "Before it" in page and "1 job<" in page
    assert dict(booth.ask("/job/2", "Accept: text/html").fields)["Refresh"] == "3"
    known = booth.line.get(1)
    assert known is not None
    Path(booth.line.log_path(1)).write_text(ATTACK + "\n")
    booth.line.put(known.failed_at(2000.0, Problem("a.b", ATTACK, "at", ATTACK, ATTACK)))
    assert "&lt;script&gt;" in booth.page("/job/1") and "failed" in booth.page("/job")
    assert "Refresh" not in dict(booth.ask("/job/1", "Accept: text/html").fields)
    answer = booth.ask("/job/1/logs?from=1")
    assert isinstance(answer.body, Coming)
    assert b"".join(answer.body.pieces) == (ATTACK + "\n").encode()[1:]
    answer.body.close()


def test_one_client_follows_so_many_logs_and_leaves_some_for_others(booth: Booth) -> None:
    # spec: registry.jobs.bounds
    assert booth.post("a.b/c")[0] == 202
    own = [booth.ask("/job/1/logs") for _ in range(17)]
    assert [one.status for one in own] == [200] * 16 + [503]
    booth.client = "192.0.2.8"
    assert booth.ask("/job/1/logs").status == 200
    booth.client = "192.0.2.7"
    assert isinstance(own[0].body, Coming)
    own[0].body.close()
    assert booth.ask("/job/1/logs").status == 200 and booth.ask("/job/1/logs").status == 503


def test_who_may_publish(tmp_path: Path) -> None:
    # spec: registry.jobs.who
    file = tmp_path / "tokens"
    file.write_text("# people\nabcdefghijklmnopqrst\n\nzyxwvutsrqponmlkjihg\n")
    file.chmod(0o600)
    booth = Booth(tmp_path, tokens=read_tokens(str(file)))
    assert booth.post("a.b/c")[0] == 401
    assert booth.post("a.b/c", "", "Authorization: Bearer abcdefghijklmnopqrsT")[0] == 401
    assert booth.post("a.b/c", "", "Authorization: Basic %%%")[0] == 401
    assert booth.post("a.b/c", "", "Authorization: Bearer zyxwvutsrqponmlkjihg")[0] == 202
    # As .netrc sends it: any name, and the token as the password.
    assert booth.post("a.b/d", "", "Authorization: Basic bWU6YWJjZGVmZ2hpamtsbW5vcHFyc3Q=")[0] == 202
    assert booth.json("/job")["jobs"]
    for text, mode in (("", 0o600), ("short\n", 0o600), ("abcdefghijklmnopqrst\n", 0o644)):
        file.write_text(text)
        file.chmod(mode)
        with pytest.raises(BrambleError) as found:
            read_tokens(str(file))
        assert found.value.code == "registry.tokens"
        # What is to be done leaves the tokens that are there.
        assert f"> {file}" not in (found.value.remedy or "").replace(">>", "")
    with pytest.raises(BrambleError) as found:
        read_tokens(str(tmp_path / "none"))
    assert found.value.message == f"{tmp_path / 'none'} cannot be read: No such file or directory"


def test_a_key_is_a_file(tmp_path: Path) -> None:
    # spec: registry.serve.key
    os.mkfifo(tmp_path / "key", 0o600)
    with pytest.raises(BrambleError) as found:
        public_key(str(tmp_path / "key"))
    assert (found.value.code, found.value.message) == ("registry.key", f"{tmp_path}/key is not a file")


def test_clients_are_told_apart(tmp_path: Path) -> None:
    # spec: registry.jobs.bounds
    booth = Booth(tmp_path, behind_proxy=True)
    for number in range(2):
        assert booth.post(f"a.b/c{number}", "", "X-Forwarded-For: 10.0.0.1, 2001:db8::1")[0] == 202
    # What a client says of itself does not count, and neither does another address of its network.
    assert booth.post("a.b/d", "", "X-Forwarded-For: 10.0.0.9, 2001:db8::2")[0] == 429
    assert booth.post("a.b/d", "", "X-Forwarded-For: 2001:db8:1::2")[0] == 202


def test_markup_is_made_of_nothing_but_markup() -> None:
    assert html(["<", element("b", "&", klass='"x"')]) == '&lt;<b class="&quot;x&quot;">&amp;</b>'
    assert address("../", "package", "a b", "..", "javascript:x") == "../package/a%20b/../javascript%3Ax"
    assert "</" not in STYLE
