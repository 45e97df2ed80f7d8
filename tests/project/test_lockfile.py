"""bramble.lock."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bramble.errors import BrambleError
from bramble.project import lockfile
from bramble.project.config import parse_config
from bramble.project.lockedit import edited, lock_text
from bramble.project.lockfile import Lock, merge, parse_lock, read_lock, update_lock, write_lock

A, B = "a" * 32, "b" * 32


def test_the_text_is_sorted_with_one_entry_a_line():
    tables = {"Zeta": {"k": "v"}, "URLHashes": {"fetch_url https://b.test/": B, "fetch_git a@main": A}}
    assert lock_text(tables) == (
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
    assert lock_text({}) == ""


texts = st.text(st.characters(blacklist_categories=("Cs",)), max_size=10)


@given(
    st.dictionaries(
        texts.filter(lambda name: name not in lockfile._FORMS),
        st.dictionaries(texts, texts, max_size=3),
        max_size=3,
    )
)
def test_every_entry_survives_the_file_whatever_it_holds(tables):
    text = lock_text(tables)
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


@pytest.mark.parametrize("line", ["<<<<<<< HEAD", "=======", ">>>>>>> x", "||||||| base"])
def test_a_merge_conflict_in_the_configuration_too(line):
    with pytest.raises(BrambleError) as caught:
        parse_config(f'[package]\nname = "example.com/p"\nversion = "1.0.0"\n{line}\n')
    assert (caught.value.code, str(caught.value.place)) == ("config.syntax", "bramble.toml:4:1")
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


def taken(handle: int, _path: str) -> None:
    fcntl.flock(handle, fcntl.LOCK_EX)


def test_a_conflict_leaves_the_file_as_it_was(tmp_path: Path):
    path = tmp_path / "bramble.lock"
    before = f'# mine\n[URLHashes]\n"a" = "{A}"\n'
    path.write_text(before)
    with pytest.raises(BrambleError):
        update_lock(str(path), {"a": B, "b": B}, take=taken)
    assert path.read_text() == before
    update_lock(str(path), {"a": A}, take=taken)
    assert path.read_text() == before
    assert os.listdir(tmp_path) == ["bramble.lock"]


def test_a_broken_file_is_never_written_over(tmp_path: Path):
    path = tmp_path / "bramble.lock"
    path.write_text("[URLHashes")
    with pytest.raises(BrambleError):
        update_lock(str(path), {"a": A}, take=taken)
    assert path.read_text() == "[URLHashes"


def test_writing_keeps_the_mode_and_goes_through_a_link(tmp_path: Path):
    real = tmp_path / "real.lock"
    real.write_text("")
    real.chmod(0o600)
    (tmp_path / "bramble.lock").symlink_to("real.lock")
    update_lock(str(tmp_path / "bramble.lock"), {"a": A}, take=taken)
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
        write_lock(str(path), lock_text({"URLHashes": {"a": A}}))
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
            update_lock(path, {f"fetch_url {number}-{step}": A}, take=taken)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_lock(path).url_hashes) == 40
    assert os.listdir(tmp_path) == ["bramble.lock"]


ENTRIES = st.dictionaries(
    st.sampled_from(["A", "URLHashes", "Z z"]),
    st.dictionaries(st.sampled_from(["a", "b", "c", "d e", 'f"', "#"]), st.just(A), max_size=6),
    max_size=3,
)


@given(ENTRIES, ENTRIES)
def test_what_only_bramble_writes_stays_sorted_whatever_is_added_and_taken_out(before, after):
    # spec: project.lock.text
    after = {**{table: {} for table in before}, **after}
    assert edited(lock_text(before), "bramble.lock", after) == lock_text(after)


MINE = f"""\
# The licence of this file.

[Later]
'z' = "kept" # why

# Of the mirror:
[URLHashes] # downloads
# first
"b" = "{A}"   # checked by hand
\t'd' = '{A}'

  "c" = "{A}"
# the end
"""


def test_comments_order_and_blank_lines_stay_when_entries_come_change_and_go():
    # spec: project.lock.text
    tables = {"Later": {"z": "kept"}, "URLHashes": {"a": B, "b": B, "c": A, "e": B}, "New": {"n": "m"}}
    expected = (
        MINE.replace("# first", f'  "a" = "{B}"\n# first')
        .replace(f'"b" = "{A}"', f'"b" = "{B}"')
        .replace(f"\t'd' = '{A}'\n", "")
        .replace(f'  "c" = "{A}"\n', f'  "c" = "{A}"\n  "e" = "{B}"\n')
        .replace("# Of the mirror", '[New]\n  "n" = "m"\n\n# Of the mirror')
    )
    assert edited(MINE, "bramble.lock", tables) == expected


def test_a_header_goes_with_its_last_entry_unless_somebody_wrote_below_it():
    # spec: project.lock.text
    commits = '[Commits]\n  "p@1.0.0" = "x"\n\n'
    rest = f'[URLHashes]\n  "a" = "{A}"\n'
    assert edited(commits + rest, "bramble.lock", {"URLHashes": {"a": A}}) == rest
    assert edited(rest + "\n" + commits, "bramble.lock", {"URLHashes": {"a": A}}) == rest + "\n"
    noted = rest + "\n[Commits]\n# Ours.\n"
    assert edited(noted + '  "p@1.0.0" = "x"\n', "bramble.lock", {"URLHashes": {"a": A}}) == noted


def test_line_ends_of_another_system_stay():
    text = f'[URLHashes]\r\n"a" = "{A}"\r\n'
    new = edited(text, "bramble.lock", {"URLHashes": {"a": B, "c": A}, "Z": {"k": "v"}})
    assert new == f'[URLHashes]\r\n"a" = "{B}"\r\n  "c" = "{A}"\r\n\r\n[Z]\r\n  "k" = "v"\r\n'


@pytest.mark.parametrize(
    "text",
    [
        f'URLHashes = {{ "a" = "{A}" }}\n',
        f'URLHashes.a = "{A}"\n',
        f'[URLHashes]\n"a" = """\\\n{A}"""\n',
        f"[URLHashes]\n\"a\" = '''\n{A}'''\n",
        f'[URLHashes]\n"a" = "{A}"',
        f'[URLHashes]\na = "{A}"\n[Other]\nx = """\n[URLHashes]\n"a" = """\n',
    ],
)
@pytest.mark.parametrize("after", [{"a": B}, {"a": A, "b": B}, {}])
def test_an_entry_in_another_form_is_changed_all_the_same(text: str, after: dict[str, str]):
    others = {key: value for key, value in parse_lock(text).tables.items() if key != "URLHashes"}
    tables = {**({"URLHashes": after} if after else {}), **others}
    assert parse_lock(edited(text, "bramble.lock", tables)).tables == tables


LINES = ("# c", "", "[A]", "[U]", "[B] # x", '"a" = "b"', "'c' = 'd' # e", 'f = """', '"""', "\r", "g = 'h'")


@given(st.lists(st.sampled_from(LINES), max_size=9), ENTRIES)
def test_no_text_makes_an_edit_say_something_else_than_it_should(written, wanted):
    text = "\n".join(written)
    try:
        before = parse_lock(text).tables
    except BrambleError:
        return
    after = {**before, **wanted}
    assert parse_lock(edited(text, "bramble.lock", after)).tables == after


def test_what_is_taken_out_must_still_say_what_it_did(tmp_path: Path):
    # spec: project.lock.prune
    path = tmp_path / "bramble.lock"
    path.write_text(f'[URLHashes]\n"a" = "{A}"\n"b" = "{A}"\n')
    update_lock(str(path), {}, dropped={"a": A, "b": B, "c": A}, take=taken)
    assert path.read_text() == f'[URLHashes]\n"b" = "{A}"\n'


def test_a_lock_as_it_is_written_is_read_as_toml_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = f'[Commits]\n  "a@1.0.0" = "{"0" * 40}"\n\n[URLHashes]\n  "u é" = "{A}"\n  "v" = "{A}"\n\n[X]\n'
    odd = (
        plain.replace("\n", "\r\n"), plain + "# x\n", plain.replace("a@1.0.0", "a\\u0040"), plain + plain,
        plain.replace("  ", " "), plain + "x", plain.replace("[X]", "[X.Y]"), plain.replace("v", "u é"),
        plain.replace(A, "no"), plain.replace("[X]", "[[X]]"), '  "a" = "b"\n' + plain, plain + "\x00",
        plain.replace("[X]", '[Y]\n"k" = 1'), plain.replace("u é", "u\x7f"), "", "\n\n", "[X]\n[X]\n",
    )  # fmt: skip
    texts = (plain, *odd)

    def read(text: str) -> object:
        try:
            lock = parse_lock(text)
            return lock.tables, lock.places
        except BrambleError as error:
            return error.code, error.place

    found = [read(text) for text in texts]
    assert lockfile._plain(plain) is not None
    monkeypatch.setattr(lockfile, "_plain", lambda _: None)
    assert found == [read(text) for text in texts]


def test_a_lock_that_only_bramble_has_written_is_changed_as_any_other(tmp_path: Path) -> None:
    lock = Lock({"Commits": {"a@1.0.0": "0" * 40}, "URLHashes": {"u": A, "w": A}})
    text = lock_text(lock.tables)
    for tables in (
        {**lock.tables, "URLHashes": {"u": A, "v": A, "w": A}},
        {"URLHashes": {"u": B}},
        {**lock.tables, "Dependencies": {"a@1.0.0": A}},
        {},
    ):
        assert edited(text, "bramble.lock", tables, lock.tables) == edited(text, "bramble.lock", tables)
