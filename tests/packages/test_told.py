"""What is said of packages that cannot be had, who is asked because of a package, and how much of either."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from bramble.errors import BrambleError
from bramble.packages import resolve as resolving
from bramble.packages.resolve import Ask, Tree, resolve
from bramble.project.config import parse_config
from bramble.project.project import Project
from tests.packages.published import Published, toml
from tests.packages.web import git_web


def test_who_requires_what_is_not_there_is_named(market: Published) -> None:
    market.publish("example.test/mid", "1.0.0", {"example.test/gone": "1.0.0"}, default="")
    market.needs(mid="1.0.0")
    error = market.run("deps").errors[0]
    assert (error["error"], error["at"]) == ("packages.unknown", "example.test/mid/bramble.toml:5:23")
    market.publish("example.test/gone", "2.0.0", default="")
    error = market.run("deps").errors[0]
    assert (error["error"], error["at"]) == ("packages.unknown-version", "example.test/mid/bramble.toml:5:23")
    market.publish("example.test/gone", "3.0.0", tag="v1.0.0", default="")
    error = market.run("deps").errors[0]
    assert (error["error"], error["at"]) == ("packages.version", "example.test/mid/bramble.toml:5:23")
    market.needs(nowhere="1.0.0")
    assert market.run("deps").errors[0]["at"] == "bramble.toml:5:26"


def test_what_cannot_be_read_in_a_package_is_named_by_the_package(market: Published) -> None:
    path = market.repository("example.test/odd")
    market.publish("example.test/odd", "1.0.0")
    market.needs(odd="1.0.0")
    market.write(default='load("example.test/odd")\ndef f():\n    pass\n')
    assert '"example.test/odd" has no default.bramble' in market.evaluated().errors[0]["message"]
    (path / "bramble.toml").unlink()
    (path / "bramble.toml").symlink_to("/dev/null")
    market.git("add", "-A", cwd=path)
    market.git("commit", "-qm", "x", cwd=path)
    market.git("tag", "v1.1.0", cwd=path)
    market.needs(odd="1.1.0")
    error = market.run("deps").errors[0]
    assert error["error"] == "config.unreadable" and "example.test/odd@1.1.0" in error["message"]
    assert str(market.store) not in error["message"]


def test_a_tag_that_is_nearly_a_version_is_named(market: Published) -> None:
    # spec: packages.names.tag
    for tag in ("1.2.0", "1.10.0", "v1", "release"):
        market.publish("example.test/lib", "1.2.0", tag=tag, default="")
    for words in (("add", "example.test/lib"), ("deps",)):
        market.needs(**({} if words[0] == "add" else {"lib": "1.2.0"}))
        remedy = market.run(*words).errors[0]["remedy"]
        assert "it has a tag 1.10.0, which is not a version tag: v1.10.0 would be" in remedy
    market.needs()
    market.publish("example.test/lib", "1.2.3", default="")
    remedy = market.run("add", "example.test/lib@1.10.0").errors[0]["remedy"]
    assert remedy == "it has a tag 1.10.0, which is not a version tag: v1.10.0 would be; it has 1.2.3"
    assert market.run("add", "example.test/lib@1.9.0").errors[0]["remedy"] == "it has 1.2.3"
    market.publish("example.test/lib", "1.3.0-rc", default="")
    for begun, meant in (("1", "1.2.3"), ("v1.2", "1.2.3"), ("1.3", "1.3.0-rc")):
        error = market.run("add", f"example.test/lib@{begun}").errors[0]
        assert error["error"] == "packages.unknown-revision"
        assert f"did you mean {meant}?" in error["remedy"], error


@pytest.mark.parametrize("git", ["file:///srv/x", "http://h.test/x", "git://h.test/x", "/srv/x"])
def test_a_package_has_nobody_asked_but_by_https_and_ssh(market: Published, git: str) -> None:
    # spec: packages.place.asked
    elsewhere = f'{{ git = "{git}", version = "1.0.0" }}'
    market.publish("example.test/mid", "1.0.0", {"example.test/x": elsewhere}, default="")
    market.needs(mid="1.0.0")
    for words in (("deps",), ("update", "--dry-run")):
        done = market.run(*words)
        assert done.codes == ["config.dependency"]
        assert done.errors[0]["at"].startswith("example.test/mid/bramble.toml:5:")


def test_what_the_project_names_itself_may_be_asked(market: Published) -> None:
    path = market.repository("example.test/x")
    market.publish("example.test/x", "1.0.0", default="")
    elsewhere = f'{{ git = "file://{path}", version = "1.0.0" }}'
    market.publish("example.test/mid", "1.0.0", {"example.test/x": elsewhere}, default="")
    market.needs(mid="1.0.0", x=elsewhere)
    assert market.run("deps").status == 0
    # Packages beside the project are the person's own.
    beside = market.base / "beside"
    beside.mkdir()
    (beside / "bramble.toml").write_text(toml("example.test/beside", "1.0.0", {"example.test/x": elsewhere}))
    market.needs(beside='{ path = "../beside" }')
    assert market.run("deps").status == 0


def test_a_moved_tag_is_noticed_where_its_version_is_named(market: Published) -> None:
    # spec: packages.tags.moved
    market.publish("example.test/lib", "1.0.0", default="v = 1\n")
    assert market.run("add", "example.test/lib@1.0.0").err.count("MOVED") == 0
    market.publish("example.test/lib", "1.0.0", default="v = 2\n")
    done = market.run("add", "example.test/lib@1.0.0")
    assert done.status == 0 and done.err.count("MOVED") == 1
    assert market.run("add", "--offline", "example.test/lib@1.0.0").status == 0


def test_no_document_shows_a_password(market: Published) -> None:
    market.publish("example.test/lib", "1.0.0", default="")
    with git_web(market.repositories) as web:
        address = f"http://me:hunter2@127.0.0.1:{web.port}/example.test/lib"
        market.needs(lib=f'{{ git = "{address}", version = "1.0.0" }}')
        market.publish("example.test/lib", "1.1.0", default="")
        done = market.run("update", "--json")
    assert done.json["dependencies"]["example.test/lib"]["after"]["git"].startswith("http://***@127.0.0.1:")
    assert "hunter2" not in done.out + done.err + market.lock


def test_a_mirror_has_paths_and_file_urls(market: Published) -> None:
    # spec: cli.mirror
    path = market.repository("example.test/u/a b")
    market.publish("example.test/u/a b", "1.0.0", default="")
    (path / "bramble.toml").write_text(toml("example.test/lib", "1.0.0", {}))
    market.git("commit", "-qam", "x", cwd=path)
    market.git("tag", "-f", "v1.0.0", cwd=path)
    table = market.base / "mirror.toml"
    for value, codes in (
        (f"file://{path}".replace(" ", "%20"), []),
        (f"file://localhost{path}", []),
        (str(path.relative_to(market.base)), []),
        ("https://example.test/other", ["fetch.mirror"]),
        (f"file://elsewhere{path}", ["fetch.mirror"]),
    ):
        table.write_text(f'[mirror]\n"https://example.test/lib" = "{value}"\n')
        assert market.run("add", "example.test/lib").codes == codes, value


class Endless:
    """A source in which every package requires the next one, and `wide` ones beside it."""

    def __init__(self, top: Path, wide: int = 1) -> None:
        self.top, self.wide, self.asked = top, wide, 0

    def trees(self, asks: Sequence[Ask]) -> Sequence[Tree]:
        return [Tree(str(self._written(ask.name)), "a" * 32, "") for ask in asks]

    def _written(self, name: str) -> Path:
        self.asked += 1
        number = int(name.rpartition("/p")[2])
        needs = {f"example.test/p{number * self.wide + at}": "1.0.0" for at in range(1, self.wide + 1)}
        path = self.top / f"p{number}"
        path.mkdir()
        (path / "bramble.toml").write_text(toml(name, "1.0.0", needs))
        return path


@pytest.mark.parametrize("wide", [1, 3])
def test_a_project_reads_no_more_releases_than_any_needs(
    tmp_path: Path, wide: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # spec: packages.selection.bound
    assert resolving.MOST_RELEASES == 10_000
    monkeypatch.setattr(resolving, "MOST_RELEASES", 50)
    config = parse_config(toml("example.test/app", "0.1.0", {"example.test/p0": "1.0.0"}))
    source = Endless(tmp_path, wide)
    with pytest.raises(BrambleError) as caught:
        resolve(Project(str(tmp_path), config), source)
    assert caught.value.code == "packages.too-many" and source.asked <= 50


def test_no_more_errors_are_shown_than_people_read(market: Published) -> None:
    # spec: packages.errors
    market.publish("example.test/lib", "1.0.0", default="")
    rest = {
        f"lib{n}": f'{{ git = "file://{market.repository("example.test/lib")}", version = "9.0.0" }}'
        for n in range(30)
    }
    market.needs(**rest)
    done = market.run("deps")
    assert len(done.codes) == 20 and set(done.codes) == {"packages.unknown-version"}
    assert "10 more" in done.errors[-1]["detail"]
