"""A registry in a directory: what is added stays, and whoever ends in between leaves one that works."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable

import pytest

from bramble.commands.packages.registry import writing
from bramble.commands.packages.registry.writing import (
    Owner,
    Publication,
    Write,
    publish,
    read_registry,
    settle,
)
from bramble.errors import BrambleError
from bramble.packages.registry.checkpoint import believed, checkpoint_of, refuse_rewritten, verified
from bramble.packages.registry.documents import (
    Documentation,
    Requirement,
    parse_documentation,
    parse_list,
    parse_versions,
)
from bramble.packages.registry.index import Entry, line
from bramble.store.digest import digest
from tests.packages.registry.signing import Signer, make_signer

COMMIT = "5d41402abc4b2a76b9719d911017c592ae5a6bf1"
LIB, DEEP = "example.com/lib", "example.com/lib/deep"


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return make_signer(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def owner() -> Owner:
    """An owner whose signatures are none, and quick."""
    return Owner("packages.example.com", lambda _: "-----BEGIN SSH SIGNATURE-----\n")


def publication(
    name: str, version: str, *needs: str, source: bytes = b"", commit: str = COMMIT
) -> Publication:
    archive = source or f"{name} {version}".encode()

    def write(out: Write) -> None:
        for at in range(0, len(archive), 5):
            out(archive[at : at + 5])

    told = Documentation(
        name, version, f"about {name}", (), tuple(Requirement(one, "1.0.0") for one in needs)
    )
    return Publication(Entry(name, version, commit, digest(archive)), b"[package]", told, write)


def refused(code: str, deed: Callable[..., object], *arguments: object) -> str:
    with pytest.raises(BrambleError) as caught:
        deed(*arguments)
    assert caught.value.code == code
    return str(caught.value)


def listed(root: Path) -> dict[str, tuple[str, int]]:
    return {
        one.name: (one.newest, one.dependents)
        for one in parse_list((root / "packages").read_bytes()).packages
    }


def test_what_is_published_is_there_for_anybody_to_verify(tmp_path: Path, signer: Signer) -> None:
    # spec: registry.layout, registry.versions.json, registry.packages.json
    owner = Owner("packages.example.com", signer.sign)
    root = tmp_path / "new/registry"
    first = settle(str(root), owner)
    assert (first.size, listed(root)) == (0, {})
    for one in (
        publication(LIB, "1.0.0"),
        publication(DEEP, "0.1.0", LIB, "odd"),
        publication(LIB, "2.0.0-rc.1"),
        publication(LIB, "1.1.0", DEEP),
        publication("example.com/app", "1.0.0", LIB, DEEP),
    ):
        publish(str(root), owner, one)
    checkpoint = verified((root / "index.signed").read_bytes(), signer.key)
    assert read_registry(str(root)) == (checkpoint, (root / "index").read_bytes())
    refuse_rewritten(first, checkpoint, (root / "index").read_bytes())
    assert [one.split()[:2] for one in (root / "index").read_text().splitlines()] == [
        *([LIB, "1.0.0"], [DEEP, "0.1.0"], [LIB, "2.0.0-rc.1"], [LIB, "1.1.0"], ["example.com/app", "1.0.0"]),
    ]
    assert (root / f"package/source/{LIB}@1.1.0").read_bytes() == b"example.com/lib 1.1.0"
    assert (root / f"package/config/{DEEP}@0.1.0").read_bytes() == b"[package]"
    told = parse_documentation((root / f"package/docs/{LIB}@1.1.0").read_bytes())
    assert told.description == f"about {LIB}"
    versions = parse_versions((root / f"package/versions/{LIB}@all").read_bytes())
    assert [one.version for one in versions] == ["1.0.0", "2.0.0-rc.1", "1.1.0"]
    assert listed(root) == {LIB: ("1.1.0", 2), DEEP: ("0.1.0", 2), "example.com/app": ("1.0.0", 0)}
    for directory, _, names in os.walk(root):
        for name in names:
            assert os.stat(os.path.join(directory, name)).st_mode & 0o777 == 0o644
            assert not name.startswith(".")


def test_a_version_is_published_once(tmp_path: Path, owner: Owner) -> None:
    # spec: registry.index.once
    one = publication(LIB, "1.0.0")
    before = publish(str(tmp_path), owner, one)
    assert publish(str(tmp_path), owner, one) == before
    for other in (publication(LIB, "1.0.0", commit="0" * 40), publication(LIB, "1.0.0", source=b"else")):
        shown = refused("registry.exists", publish, str(tmp_path), owner, other)
        assert one.entry.digest in shown and other.entry.digest in shown
    assert (tmp_path / "index").read_bytes() == line(one.entry)
    assert (tmp_path / f"package/source/{LIB}@1.0.0").read_bytes() == b"example.com/lib 1.0.0"


def test_what_cannot_be_added_adds_nothing(tmp_path: Path, owner: Owner) -> None:
    publish(str(tmp_path), owner, publication(LIB, "1.0.0"))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    good = publication(LIB, "1.1.0")
    refused(
        "registry.source", publish, str(tmp_path), owner, good._replace(write_source=lambda out: out(b"x"))
    )
    refused("registry.index", publish, str(tmp_path), owner, publication("example.com/../x", "1.0.0"))
    refused("registry.document", publish, str(tmp_path), owner, good._replace(config=bytes(2 << 20)))
    refused("registry.history", publish, str(tmp_path), Owner("else", owner.sign), good)

    def fails(_: bytes) -> str:
        raise BrambleError("registry.key", "no")

    refused("registry.key", publish, str(tmp_path), Owner(owner.origin, fails), good)
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    extra = {path.name for path in after.keys() - before.keys()}
    assert {path: data for path, data in after.items() if path in before} == before
    assert extra == {"lib@1.1.0"}  # files that nobody is told of
    publish(str(tmp_path), owner, good)


class Died(BaseException):
    pass


def test_a_process_may_end_at_any_step(tmp_path: Path, owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    # spec: registry.publish.order
    publish(str(tmp_path / "0"), owner, publication(LIB, "1.0.0"))
    steps = ("_write_source", "_replace", "append", "_write_lists")
    countdown = 0

    def stepped(deed: Callable[..., None]) -> Callable[..., None]:
        def step(*arguments: object) -> None:
            nonlocal countdown
            if countdown == 0:
                if deed.__name__ == "append" and arguments[1]:
                    # A part of a line has come to the disk.
                    path, data, size = arguments
                    deed(path, bytes(data)[:20], size)  # type: ignore[call-overload]
                raise Died
            countdown -= 1
            deed(*arguments)

        return step

    for name in steps:
        monkeypatch.setattr(writing, name, stepped(getattr(writing, name)))
    finished = 0
    for number in range(11):
        root = tmp_path / str(number)
        if number:
            countdown = 99
            publish(str(root), owner, publication(LIB, "1.0.0"))
        earlier, _ = read_registry(str(root))
        countdown = number
        try:
            publish(str(root), owner, publication(LIB, "1.1.0", DEEP))
            finished += 1
        except Died:
            pass
        # Whoever comes now finds one that works: without the version, or with all of it.
        now = believed((root / "index.signed").read_bytes())
        index = (root / "index").read_bytes()
        refuse_rewritten(earlier, now, index)
        if now != earlier:
            assert (root / f"package/source/{LIB}@1.1.0").exists()
        countdown = 99
        publish(str(root), owner, publication(DEEP, "1.0.0"))
        publish(str(root), owner, publication(LIB, "1.1.0", DEEP))
        assert listed(root) == {LIB: ("1.1.0", 0), DEEP: ("1.0.0", 1)}
        assert read_registry(str(root))[1] == (root / "index").read_bytes()
    assert finished == 2


def test_a_damaged_registry_is_not_gone_on_with(tmp_path: Path, owner: Owner) -> None:
    publish(str(tmp_path), owner, publication(LIB, "1.0.0"))
    index = (tmp_path / "index").read_bytes()
    for wrong in (index[:-1], index.replace(b"1.0.0", b"1.0.1"), b""):
        (tmp_path / "index").write_bytes(wrong)
        refused("registry.index", publish, str(tmp_path), owner, publication(LIB, "1.1.0"))
        refused("registry.index", read_registry, str(tmp_path))
        assert (tmp_path / "index").read_bytes() == wrong
    (tmp_path / "index").write_bytes(index)
    (tmp_path / "index.signed").unlink()
    refused("registry.index", settle, str(tmp_path), owner)
    refused("registry.checkpoint", read_registry, str(tmp_path))
    assert (tmp_path / "index").read_bytes() == index


def test_lists_that_are_damaged_are_made_again(tmp_path: Path, owner: Owner) -> None:
    publish(str(tmp_path), owner, publication(LIB, "1.0.0"))
    publish(str(tmp_path), owner, publication(DEEP, "1.0.0", LIB))
    whole = (tmp_path / "packages").read_bytes()
    for wrong in (b"", b"{", whole.replace(b'"size":', b'"size":9')):
        (tmp_path / "packages").write_bytes(wrong)
        assert settle(str(tmp_path), owner) == checkpoint_of(owner.origin, (tmp_path / "index").read_bytes())
        assert (tmp_path / "packages").read_bytes() == whole


def test_several_may_publish_at_once(tmp_path: Path, owner: Owner) -> None:
    def work(name: str) -> None:
        for number in range(4):
            publish(str(tmp_path), owner, publication(name, f"1.{number}.0"))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, ("example.com/a", "example.com/b", "example.com/c")))
    assert len(read_registry(str(tmp_path))[1].splitlines()) == 12
    assert listed(tmp_path) == {f"example.com/{name}": ("1.3.0", 0) for name in "abc"}
