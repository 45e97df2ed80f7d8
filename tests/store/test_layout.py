from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from bramble.errors import BrambleError
from bramble.store.disk import Store
from bramble.store.layout import place as layout


def code(root: str, **options: bool) -> str:
    with pytest.raises(BrambleError) as caught:
        Store.open(root, **options)
    assert caught.value.remedy
    return caught.value.code


def test_a_new_store_has_a_padded_directory_and_a_short_link_to_it(place: str) -> None:
    store = Store.open(place + "/s")
    assert len(os.fsencode(store.directory)) == 49
    assert os.path.isdir(store.directory)
    link = os.readlink(place + "/s/store")
    assert not link.startswith("/")
    assert os.path.samefile(os.path.join(place, "s", link), store.directory)


@pytest.mark.parametrize("made", ["{0[0]}", "{0[1]}", "var", "var/objects", "store", "var/location"])
def test_another_process_may_make_a_part_of_a_new_store_first(
    monkeypatch: pytest.MonkeyPatch, place: str, made: str
) -> None:
    # spec: store.layout
    made = made.format(layout.locate(place + "/s").padding)
    whole = Store.open(place + "/other").root
    opened: list[str] = []

    def by_another(function: Any, name_at: int) -> Any:
        def first(*words: Any, **options: Any) -> Any:
            if str(words[name_at]).endswith(f"/s/{made}") and not opened:
                opened.append(made)
                Store.open(place + "/s")
            return function(*words, **options)

        return first

    monkeypatch.setattr(os, "symlink", by_another(os.symlink, 1))
    monkeypatch.setattr(os, "mkdir", by_another(os.mkdir, 0))
    monkeypatch.setattr(layout, "write_file", by_another(layout.write_file, 0))
    root = Store.open(place + "/s").root
    assert opened == [made]
    assert sorted(os.listdir(root)) == sorted(os.listdir(whole))
    assert sorted(os.listdir(root + "/var")) == sorted(os.listdir(whole + "/var"))


def test_a_store_that_is_opened_again_is_the_same(place: str) -> None:
    assert Store.open(place + "/s").directory == Store.open(place + "//s/./").directory


def test_the_longest_root_works_and_one_more_byte_is_told(place: str) -> None:
    longest = place + "/" + "r" * (46 - len(place))
    assert len(Store.open(longest).directory) == 49
    with pytest.raises(BrambleError) as caught:
        Store.open(longest + "rr")
    assert caught.value.code == "store.root-too-long"
    assert "2 too many" in caught.value.message


def test_the_bytes_of_a_root_count_and_not_its_characters(place: str) -> None:
    store = Store.open(place + "/zoë")
    assert len(os.fsencode(store.directory)) == 49


def test_a_root_that_is_no_text_works(place: str) -> None:
    root = os.fsdecode(os.fsencode(place) + b"/\xff")
    assert Store.open(root).directory == Store.open(root).directory


def test_a_relative_root_is_refused() -> None:
    assert code("bramble") == "store.root-relative"


def test_a_root_that_is_a_file_is_refused(place: str) -> None:
    Path(place, "f").write_text("")
    assert code(place + "/f") == "store.root-unusable"
    assert code(place + "/f/below") == "store.root-unusable"


def test_something_in_the_way_of_the_link_is_told_and_left_alone(place: str) -> None:
    os.makedirs(place + "/s")
    Path(place, "s/store").write_text("mine")
    assert code(place + "/s") == "store.link-taken"
    assert Path(place, "s/store").read_text() == "mine"


def test_a_root_that_may_not_be_written_is_told(place: str) -> None:
    if os.geteuid() == 0:
        pytest.skip("nothing is forbidden to root")
    os.mkdir(place + "/s", 0o500)
    assert code(place + "/s") == "store.permission"
    os.chmod(place + "/s", 0o700)


def test_a_store_that_is_not_there_is_not_made_to_be_read(place: str) -> None:
    assert code(place + "/s", create=False) == "store.missing"
    assert code(place + "/s", read_only=True) == "store.missing"
    assert not os.path.exists(place + "/s")


def test_a_store_that_was_moved_is_not_used_and_the_remedy_is_named(place: str) -> None:
    Store.open(place + "/s")
    os.rename(place + "/s", place + "/other")
    with pytest.raises(BrambleError) as caught:
        Store.open(place + "/other")
    assert caught.value.code == "store.moved"
    assert "bramble store relocate" in str(caught.value.remedy)


def test_another_name_of_the_same_store_is_recognised(place: str) -> None:
    Store.open(place + "/s")
    os.symlink("s", place + "/alias")
    with pytest.raises(BrambleError) as caught:
        Store.open(place + "/alias")
    assert caught.value.code == "store.moved"
    assert f'BRAMBLE_PATH to "{place}/s"' in str(caught.value.remedy)


def test_a_store_of_a_newer_version_is_left_alone(place: str) -> None:
    store = Store.open(place + "/s")
    record = json.loads(Path(store.location.record).read_text())
    Path(store.location.record).write_text(json.dumps({**record, "version": layout.VERSION + 1}))
    assert code(place + "/s") == "store.newer-version"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"version": 1}', '{"version": "x"}', "null"])
def test_a_record_that_cannot_be_read_is_an_error_and_not_a_crash(place: str, text: str) -> None:
    store = Store.open(place + "/s")
    Path(store.location.record).write_text(text)
    assert code(place + "/s") == "store.damaged"


def test_a_crash_while_a_store_is_made_is_made_good_by_the_next(place: str) -> None:
    store = Store.open(place + "/s")
    os.unlink(store.location.record)
    os.rmdir(store.var + "/logs")
    assert Store.open(place + "/s").directory == store.directory
    assert os.path.isdir(store.var + "/logs")
