from __future__ import annotations

import os
from pathlib import Path

import pytest

from bramble.errors import BrambleError
from bramble.store.digest import digest
from bramble.store.disk import Realisation, Store
from bramble.store.gc.optimise import optimise
from bramble.store.questions.query import (
    Change,
    closure_size,
    diff,
    holdings,
    labels,
    referrers,
    resolve,
    tree,
    why,
)
from bramble.store.questions.verify import verify
from bramble.store.records.roots import explicit_roots, results_of
from tests.store.conftest import publish
from tests.store.oracle import Exec, Link, Tree


@pytest.fixture
def family(store: Store) -> dict[str, str]:
    """`top` refers to `left` and `right`, both of which refer to `base`."""
    names: dict[str, str] = {}

    def add(key: str, content: bytes, *references: str) -> None:
        held = b"".join(b" %s/%s" % (os.fsencode(store.directory), names[r].encode()) for r in references)
        closure = tuple(names.values())
        names[key] = publish(store, {b"d": {b"f": content + held}}, closure=closure)["out"].name
        resolved = digest(key.encode())
        filename = f"{resolved}-{key}.drv"
        store.record_realisation(Realisation(resolved, filename, (("out", names[key]),)))

    add("base", b"base")
    add("left", b"left", "base")
    add("right", b"right!", "base")
    add("top", b"top", "left", "right")
    return names


def test_an_object_is_named_by_path_by_name_or_by_its_beginning(store: Store, family: dict[str, str]) -> None:
    name = family["top"]
    for text in (
        name,
        name[:8],
        store.object_path(name),
        store.object_path(name) + "/d/f",
        f"{store.root}/store/{name}",
        f"{store.directory}/./{name}/",
    ):
        assert resolve(store, text) == name


@pytest.mark.parametrize("text", ["", "a", "abc", "/etc/passwd", "UPPER", "a" * 32, "../x", "no such\udcff"])
def test_what_names_no_object_is_told(store: Store, family: dict[str, str], text: str) -> None:
    with pytest.raises(BrambleError) as caught:
        resolve(store, text)
    assert caught.value.code == "store.unknown-object"


def test_a_beginning_that_two_objects_share_is_ambiguous(store: Store) -> None:
    for letter in "ab":
        os.mkdir(store.object_path("same" + letter * 28))
    with pytest.raises(BrambleError) as caught:
        resolve(store, "same")
    assert caught.value.code == "store.ambiguous-name"
    assert resolve(store, "samea") == "same" + "a" * 28


def test_referrers_are_those_who_refer_directly(store: Store, family: dict[str, str]) -> None:
    assert referrers(store, family["base"]) == tuple(sorted([family["left"], family["right"]]))
    assert referrers(store, family["top"]) == ()


def test_the_size_of_a_closure_counts_everything_once(store: Store, family: dict[str, str]) -> None:
    each = sum(store.object(name).size for name in family.values())
    assert closure_size(store, [family["top"], family["left"]]) == each


def test_a_tree_shows_what_is_below_an_object_once(store: Store, family: dict[str, str]) -> None:
    branches = list(tree(store, family["top"]))
    assert [branch.depth for branch in branches] == [0, 1, 2, 1, 2]
    assert branches[0].name == family["top"]
    assert [branch.repeated for branch in branches] == [False] * 5
    assert [branch.last for branch in branches] == [True, False, True, True, True]
    above = publish(
        store, {b"f": (family["left"] + " " + family["top"]).encode()}, closure=tuple(family.values())
    )["out"].name
    repeated = [branch.name for branch in tree(store, above) if branch.repeated]
    assert repeated == [max(family["left"], family["top"])] or repeated == [family["left"]]


def test_why_shows_the_way_and_the_bytes(store: Store, family: dict[str, str]) -> None:
    way = why(store, family["top"], family["base"])
    middle = min(family["left"], family["right"])
    assert [(step.holder, step.held) for step in way] == [(family["top"], middle), (middle, family["base"])]
    last = way[-1]
    assert (last.file, last.where) == ("d/f", "content")
    content = Path(store.object_path(middle), "d/f").read_bytes()
    assert content[last.offset :].startswith(family["base"].encode())
    assert last.text in content


def test_why_finds_nothing_where_there_is_no_way(store: Store, family: dict[str, str]) -> None:
    assert why(store, family["base"], family["top"]) == ()
    assert why(store, family["top"], family["top"]) == ()


def test_every_place_that_holds_a_name_is_shown(store: Store, family: dict[str, str]) -> None:
    held = family["base"].encode()
    content: Tree = {
        b"l": Link(b"../" + held),
        held + b".so": b"",
        b"f": b"-" * ((1 << 20) - 10) + held + b"-" * 50 + held,
        b"x": Exec(held),
    }
    name = publish(store, content, closure=(family["base"],))["out"].name
    found = [(place.file, place.where, place.offset) for place in holdings(store, name, family["base"])]
    assert sorted(found) == sorted(
        [
            ("l", "target", 3),
            (held.decode() + ".so", "name", 0),
            ("f", "content", (1 << 20) - 10),
            ("f", "content", (1 << 20) - 10 + 82),
            ("x", "content", 0),
        ]
    )


def test_objects_are_called_by_what_made_them(store: Store, family: dict[str, str]) -> None:
    outputs = (("lib", digest(b"o")), ("out", digest(b"p")))
    store.record_realisation(Realisation(digest(b"r"), digest(b"r") + "-tool-1.0.drv", outputs))
    known = labels(store)
    assert known[family["top"]] == "top"
    assert (known[digest(b"o")], known[digest(b"p")]) == ("tool-1.0:lib", "tool-1.0")


def test_without_a_directory_of_results_nothing_has_a_name(store: Store, family: dict[str, str]) -> None:
    os.rename(f"{store.var}/realisations", f"{store.var}/gone")
    assert labels(store) == {}


def test_a_difference_shows_what_came_went_and_changed(store: Store, family: dict[str, str]) -> None:
    newer = publish(store, {b"f": b"newer base"})["out"].name
    store.record_realisation(Realisation(digest(b"n"), digest(b"n") + "-base.drv", (("out", newer),)))
    changes = diff(store, [family["left"]], [newer])
    assert changes == (
        Change("base", family["base"], newer, 4, 10),
        Change("left", family["left"], "", store.object(family["left"]).size, 0),
    )
    assert diff(store, [family["top"]], [family["top"]]) == ()
    assert [(c.before, c.after) for c in diff(store, [], [newer])] == [("", newer)]


def test_equal_files_share_one_place_on_the_disk(store: Store) -> None:
    first = publish(store, {b"f": b"equal" * 100, b"x": Exec(b"equal" * 100), b"e": b""})["out"].name
    second = publish(store, {b"d": {b"g": b"equal" * 100}, b"u": b"other" * 100})["out"].name
    assert optimise(store, dry_run=True).linked == 1
    report = optimise(store)
    assert (report.files, report.linked, report.saved) == (4, 1, 500)
    assert os.path.samefile(store.object_path(first) + "/f", store.object_path(second) + "/d/g")
    assert not os.path.samefile(store.object_path(first) + "/f", store.object_path(first) + "/x")
    assert verify(store).damages == ()
    assert optimise(store).linked == 0
    assert [entry for entry in os.listdir(store.directory) if entry.startswith(".")] == []


def test_a_damaged_file_is_not_spread_by_linking(store: Store) -> None:
    first = publish(store, {b"f": b"equal" * 100})["out"].name
    publish(store, {b"f": b"equal" * 100, b"g": b""})
    os.chmod(store.object_path(first) + "/f", 0o644)
    Path(store.object_path(first), "f").write_bytes(b"EQUAL" * 100)
    os.chmod(store.object_path(first) + "/f", 0o444)
    assert optimise(store).linked == 0


def test_records_that_cannot_be_read_are_an_error_of_the_store(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: str, *_: object, **more: object) -> int:
        raise PermissionError(13, "Permission denied", path)

    for function, work in (
        ("open", lambda: results_of(store, "/p")),
        ("open", lambda: store.references(digest(b"o"))),
        ("listdir", lambda: labels(store)),
        ("listdir", lambda: explicit_roots(store)),
    ):
        # In place of a mode, which does not hold root.
        with monkeypatch.context() as patched, pytest.raises(BrambleError) as caught:
            patched.setattr(os, function, refused)
            work()
        assert caught.value.code == "store.permission"
