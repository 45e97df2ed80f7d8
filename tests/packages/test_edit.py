"""Dependencies are added, changed and taken out, and all else in bramble.toml stays as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bramble.errors import BrambleError
from bramble.packages.edit import with_dependency, without_dependency
from bramble.project.toml import parse_document

HEAD = '# Ours.\n[package]\nname = "example.com/p" # the name\nversion = "0.1.0"\n'
V = {"version": "1.2.0"}


def test_the_first_dependency_makes_the_table() -> None:
    assert with_dependency(HEAD, "example.com/a", V) == HEAD + '\n[dependencies]\n"example.com/a" = "1.2.0"\n'


def test_a_file_without_a_last_line_end() -> None:
    new = with_dependency(HEAD.rstrip("\n"), "example.com/a", V)
    assert new == HEAD + '\n[dependencies]\n"example.com/a" = "1.2.0"\n'


TABLE = HEAD + (
    "\n[dependencies] # what we need\n"
    "# Reads.\n"
    '"example.com/b" = "1.0.0"   # old\n'
    "\n"
    '"example.com/d" = { version = "1.0.0", path = "../d" }\n'
    "\n[mirror]\n"
    '"https://example.com/x" = "x"\n'
)


def test_a_new_one_goes_where_the_order_says_and_above_the_comment_of_the_next() -> None:
    new = with_dependency(TABLE, "example.com/a", V)
    assert new == TABLE.replace("# Reads.", '"example.com/a" = "1.2.0"\n# Reads.')
    new = with_dependency(TABLE, "example.com/e", {"git": "https://x.example/e", "rev": "0" * 40})
    line = '"example.com/e" = { git = "https://x.example/e", rev = "' + "0" * 40 + '" }\n'
    assert new == TABLE.replace('../d" }\n', '../d" }\n' + line)


def test_entries_in_an_order_of_their_own_keep_it() -> None:
    text = HEAD + '[dependencies]\n"example.com/z" = "1.0.0"\n"example.com/b" = "1.0.0"\n'
    assert with_dependency(text, "example.com/c", V) == text + '"example.com/c" = "1.2.0"\n'


def test_a_version_is_changed_in_its_place() -> None:
    new = with_dependency(TABLE, "example.com/b", V)
    assert new == TABLE.replace('"1.0.0"   # old', '"1.2.0"   # old')
    new = with_dependency(TABLE, "example.com/d", {"version": "1.2.0", "path": "../d"})
    assert new == TABLE.replace('{ version = "1.0.0"', '{ version = "1.2.0"')
    text = HEAD + "[dependencies.'example.com/c']\nversion = '1.0.0' # here\n"
    assert with_dependency(text, "example.com/c", V) == text.replace("'1.0.0'", '"1.2.0"')


def test_another_form_takes_the_place_of_the_line() -> None:
    new = with_dependency(TABLE, "example.com/d", V)
    assert new == TABLE.replace('{ version = "1.0.0", path = "../d" }', '"1.2.0"')


def test_what_is_said_already_changes_nothing() -> None:
    text = TABLE.replace('"1.0.0"   # old', "'1.2.0'")
    assert with_dependency(text, "example.com/b", V) == text


def test_one_is_taken_out_and_comments_stay() -> None:
    new = without_dependency(TABLE, "example.com/b")
    assert new == TABLE.replace('"example.com/b" = "1.0.0"   # old\n', "")


def test_windows_line_ends_stay() -> None:
    text = TABLE.replace("\n", "\r\n")
    assert with_dependency(text, "example.com/a", V).replace("\r\n", "\n") == with_dependency(
        TABLE, "example.com/a", V
    )
    assert "\n" not in with_dependency(text, "example.com/a", V).replace("\r\n", "")


@pytest.mark.parametrize(
    "written",
    [
        'dependencies = { "example.com/a" = "1.0.0" }\n' + HEAD,
        'dependencies."example.com/a" = "1.0.0"\n' + HEAD,
        HEAD + '[dependencies]\n"example.com/a" = { version = """\n1.0.0""" }\n',
    ],
)
def test_what_is_written_otherwise_is_left_to_the_person(written: str) -> None:
    for change in (
        lambda: with_dependency(written, "example.com/b", V),
        lambda: with_dependency(written, "example.com/a", {"git": "u", "rev": "r"}),
        lambda: without_dependency(written, "example.com/a"),
    ):
        try:
            new = change()
        except BrambleError as error:
            assert error.code == "packages.edit" and error.remedy and "yourself" in error.remedy
        else:
            assert (
                parse_document(new, "x").values["package"] == parse_document(written, "x").values["package"]
            )


_names = st.sampled_from(["example.com/a", "example.com/b", "example.com/c", "example.com/d"])
_changes = st.lists(
    st.tuples(_names, st.sampled_from([None, V, {"version": "2.0.0"}, {"git": "u", "rev": "r"}])), max_size=8
)


@given(_changes)
def test_a_file_says_what_the_changes_made_of_it(changes: list[tuple[str, dict[str, str] | None]]) -> None:
    text, said = TABLE, dict(parse_document(TABLE, "x").values["dependencies"])
    for name, needs in changes:
        if needs is not None:
            text = with_dependency(text, name, needs)
            said[name] = parse_document(text, "x").values["dependencies"][name]
            assert said[name] in (needs, needs.get("version"))
        elif name in said:
            text = without_dependency(text, name)
            del said[name]
        assert parse_document(text, "x").values["dependencies"] == said
    for line in ("# Ours.", "# Reads.", "# the name", "# what we need", "[mirror]"):
        assert line in text


def test_what_add_made_remove_takes_away() -> None:
    for text in (HEAD, HEAD.rstrip("\n") + "\n", HEAD + '\n[mirror]\n"https://example.com/x" = "x"\n'):
        new = with_dependency(text, "example.com/a", V)
        assert without_dependency(new, "example.com/a") == text
    # Where somebody wrote something, it stays with its table.
    for kept in (HEAD + "\n[dependencies]\n# None yet.\n", HEAD + "\n[dependencies] # what we need\n"):
        new = with_dependency(kept, "example.com/a", V)
        assert without_dependency(new, "example.com/a") == kept


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # A header with a blank line below it, behind a comment.
        ('# c\n[dependencies]\n\n"a.b/c" = "1.0.0"\n\n[mirror]\n', "# c\n\n[mirror]\n"),
        ('# c\n\n[dependencies]\n\n"a.b/c" = "1.0.0"\n\n[mirror]\n', "# c\n\n[mirror]\n"),
        ('# c\n\n\n[dependencies]\n"a.b/c" = "1.0.0"\n[mirror]\n', "# c\n\n[mirror]\n"),
        ('# c\n\n[dependencies]\n\n"a.b/c" = "1.0.0"\n\n', "# c\n\n"),
        ('# c\n\n[dependencies]\n\n"a.b/c" = "1.0.0"\n', "# c\n\n"),
        ('# c\n\n[dependencies]\n"a.b/c" = "1.0.0"\n', "# c\n"),
        ('[dependencies]\n"a.b/c" = "1.0.0"\n\n\n[mirror]\n', "[mirror]\n"),
    ],
)
def test_one_blank_line_stays_where_a_table_was(before: str, after: str) -> None:
    assert without_dependency(before, "a.b/c") == after
