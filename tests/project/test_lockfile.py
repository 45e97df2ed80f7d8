"""bramble.lock."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bramble.errors import BrambleError
from bramble.project.lockfile import (
    Lock,
    lock_text,
    merge,
    parse_lock,
    read_lock,
    update_lock,
    write_lock,
)

A, B = "a" * 32, "b" * 32


def test_the_text_is_sorted_with_one_entry_a_line():
    lock = Lock({"Zeta": {"k": "v"}, "URLHashes": {"fetch_url https://b.test/": B, "fetch_git a@main": A}})
    assert lock_text(lock) == (
        "[URLHashes]\n"
        f'  "fetch_git a@main" = "{A}"\n'
        f'  "fetch_url https://b.test/" = "{B}"\n'
        "\n"
        "[Zeta]\n"
        '  "k" = "v"\n'
    )


def test_the_readme_example_is_read():
    lock = parse_lock(
        "[URLHashes]\n"
        '  "basic_fetch_url https://a.test/busybox-x86_64.tar.gz" = "uw5ichj6dhcccmcts6p7jq6etzlh5baf"\n'
        '  "fetch_url https://a.test/busybox-x86_64.tar.gz" = "uw5ichj6dhcccmcts6p7jq6etzlh5baf"\n'
    )
    assert len(lock.url_hashes) == 2


def test_no_file_is_an_empty_lock(tmp_path: Path):
    assert read_lock(str(tmp_path / "bramble.lock")) == Lock()
    assert lock_text(Lock()) == ""


texts = st.text(st.characters(blacklist_categories=("Cs",)), max_size=10)


@given(
    st.dictionaries(
        texts.filter(lambda name: name != "URLHashes"), st.dictionaries(texts, texts, max_size=3), max_size=3
    )
)
def test_every_entry_survives_the_file_whatever_it_holds(tables):
    text = lock_text(Lock(tables))
    assert parse_lock(text).tables == tables
    assert all(line.startswith(("[", "  ")) for line in text.split("\n") if line)


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("[URLHashes\n", "lock.syntax", "1:11"),
        ("[URLHashes]\na = 1\na = 2\n", "lock.syntax", "3:1"),
        ("x = 1\n", "lock.type", "1:5"),
        ("[[URLHashes]]\n", "lock.type", "1:3"),
        (f'[URLHashes]\na = ["{A}"]\n', "lock.type", "2:5"),
        ('[URLHashes]\n"a" = "short"\n', "lock.value", "2:7"),
        (f'[URLHashes]\n"a" = "{A.upper()}"\n', "lock.value", "2:7"),
        (f'[URLHashes]\n"a" = "{A[:-1]}1"\n', "lock.value", "2:7"),
        (f'[URLHashes]\n<<<<<<< HEAD\n"a" = "{A}"\n=======\n', "lock.syntax", "2:1"),
    ],
)
def test_a_broken_file_is_an_error_with_its_line(text, code, place):
    with pytest.raises(BrambleError) as caught:
        parse_lock(text)
    assert (caught.value.code, str(caught.value.place)) == (code, f"bramble.lock:{place}")
    assert caught.value.remedy


def test_a_merge_conflict_is_called_by_its_name():
    with pytest.raises(BrambleError) as caught:
        parse_lock("[URLHashes]\n<<<<<<< HEAD\n")
    assert "merge conflict" in caught.value.message


def test_new_pins_are_added_and_known_ones_change_nothing():
    lock = Lock({"URLHashes": {"a": A}, "Other": {"x": "y"}})
    assert merge(lock, {"a": A}) is lock
    assert merge(lock, {"b": B}).tables == {"URLHashes": {"a": A, "b": B}, "Other": {"x": "y"}}
    assert lock.tables == {"URLHashes": {"a": A}, "Other": {"x": "y"}}


def test_a_pin_that_disagrees_names_both_digests_and_the_line():
    lock = parse_lock(f'[URLHashes]\n  "fetch_url u" = "{A}"\n')
    with pytest.raises(BrambleError) as caught:
        merge(lock, {"fetch_url u": B})
    assert caught.value.code == "lock.conflict"
    assert A in caught.value.message and B in caught.value.message
    assert str(caught.value.place) == "bramble.lock:2:19"


def test_a_conflict_leaves_the_file_as_it_was(tmp_path: Path):
    path = tmp_path / "bramble.lock"
    before = f'# mine\n[URLHashes]\n"a" = "{A}"\n'
    path.write_text(before)
    with pytest.raises(BrambleError):
        update_lock(str(path), {"a": B, "b": B})
    assert path.read_text() == before
    update_lock(str(path), {"a": A})
    assert path.read_text() == before
    assert os.listdir(tmp_path) == ["bramble.lock"]


def test_a_broken_file_is_never_written_over(tmp_path: Path):
    path = tmp_path / "bramble.lock"
    path.write_text("[URLHashes")
    with pytest.raises(BrambleError):
        update_lock(str(path), {"a": A})
    assert path.read_text() == "[URLHashes"


def test_writing_keeps_the_mode_and_goes_through_a_link(tmp_path: Path):
    real = tmp_path / "real.lock"
    real.write_text("")
    real.chmod(0o600)
    (tmp_path / "bramble.lock").symlink_to("real.lock")
    update_lock(str(tmp_path / "bramble.lock"), {"a": A})
    assert (tmp_path / "bramble.lock").is_symlink()
    assert real.stat().st_mode & 0o777 == 0o600
    assert read_lock(str(real)).url_hashes == {"a": A}


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch):
    path = tmp_path / "bramble.lock"
    path.write_text("")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(BrambleError) as caught:
        write_lock(str(path), Lock({"URLHashes": {"a": A}}))
    assert caught.value.code == "lock.unwritable" and "space" in (caught.value.remedy or "")
    assert path.read_text() == "" and os.listdir(tmp_path) == ["bramble.lock"]


def test_a_directory_in_the_place_of_the_file_is_an_error(tmp_path: Path):
    (tmp_path / "bramble.lock").mkdir()
    with pytest.raises(BrambleError) as caught:
        read_lock(str(tmp_path / "bramble.lock"))
    assert caught.value.code == "lock.unreadable"


def test_two_builds_at_once_both_keep_what_they_found(tmp_path: Path):
    path = str(tmp_path / "bramble.lock")

    def work(number: int) -> None:
        for step in range(10):
            update_lock(path, {f"fetch_url {number}-{step}": A})

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_lock(path).url_hashes) == 40
    assert os.listdir(tmp_path) == ["bramble.lock"]
