"""bramble.toml, and finding it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bramble.errors import BrambleError
from bramble.project.config import Dependency, load_config, parse_config
from bramble.project.names import broken_name
from bramble.project.project import find_project

GOOD = '[package]\nname = "example.com/hello"\nversion = "0.0.1"\n'


def test_name_and_version_are_read():
    config = parse_config(GOOD)
    assert (config.name, config.version, config.warnings) == ("example.com/hello", "0.0.1", ())


def test_dependencies_are_a_version_or_a_table():
    config = parse_config(
        GOOD + '[dependencies]\n"example.com/a" = "1.2.3"\n"example.com/b" = { path = "../b" }\n'
        '"example.com/c" = { version = "2.0.0", path = "c" }\n'
    )
    assert config.dependencies == {
        "example.com/a": Dependency("1.2.3"),
        "example.com/b": Dependency(None, "../b"),
        "example.com/c": Dependency("2.0.0", "c"),
    }


def test_a_mirror_is_a_table_of_urls():
    config = parse_config(GOOD + '[mirror]\n"https://example.test/a.tar" = "vendor/a.tar"\n')
    assert config.mirror == {"https://example.test/a.tar": "vendor/a.tar"}


ERRORS = [
    ("", "config.missing", "1:1"),
    ('name = "a"\n', "config.missing", "1:1"),
    ("[package]\n", "config.missing", "1:2"),
    ('\n[package]\nname = "a"\n', "config.missing", "2:2"),
    ('[package]\nversion = "1.0.0"\n', "config.missing", "1:2"),
    ("package = 1\n", "config.type", "1:11"),
    ('[[package]]\nname = "a"\n', "config.type", "1:3"),
    ('[package]\nname = 1\nversion = "1.0.0"\n', "config.type", "2:8"),
    ('[package]\nname = "a"\nversion = 1.0\n', "config.type", "3:11"),
    ('[package]\nname = ["a"]\nversion = "1.0.0"\n', "config.type", "2:8"),
    ('[package]\nname = "a"\nversion = 1979-05-27\n', "config.type", "3:11"),
    ('[package]\nname = ""\nversion = "1.0.0"\n', "config.name", "2:8"),
    ('[package]\nname = "a//b"\nversion = "1.0.0"\n', "config.name", "2:8"),
    ('[package]\nname = "/a"\nversion = "1.0.0"\n', "config.name", "2:8"),
    ('[package]\nname = "a/"\nversion = "1.0.0"\n', "config.name", "2:8"),
    ('[package]\nname = "a/../b"\nversion = "1.0.0"\n', "config.name", "2:8"),
    ('[package]\nname = "./a"\nversion = "1.0.0"\n', "config.name", "2:8"),
    ('[package]\nname = "a b"\nversion = "1.0.0"\n', "config.name", "2:8"),
    ('[package]\nname = "a:b"\nversion = "1.0.0"\n', "config.name", "2:8"),
    ('[package]\nname = "a\\n"\nversion = "1.0.0"\n', "config.name", "2:8"),
    ('[package]\nname = "é"\nversion = "1.0.0"\n', "config.name", "2:8"),
    ('[package]\nname = "a"\nversion = "1"\n', "config.version", "3:11"),
    ('[package]\nname = "a"\nversion = "v1.0.0"\n', "config.version", "3:11"),
    ('[package]\nname = "a"\nversion = ""\n', "config.version", "3:11"),
    ('[package]\nname = "a\n', "config.syntax", "2:8"),
    (GOOD + "[dependencies]\na = 1\n", "config.type", "5:5"),
    (GOOD + '[dependencies]\na = "one"\n', "config.version", "5:5"),
    (GOOD + "[dependencies]\na = {}\n", "config.missing", "5:5"),
    (GOOD + '[dependencies]\na = { path = "" }\n', "config.missing", "5:5"),
    (GOOD + '[dependencies]\n"a b" = "1.0.0"\n', "config.name", "5:1"),
    (GOOD + "[dependencies]\na = { version = 1 }\n", "config.type", "5:17"),
    (GOOD + "[mirror]\na = 1\n", "config.type", "5:5"),
]


@pytest.mark.parametrize(("text", "code", "place"), ERRORS)
def test_an_error_names_line_and_column_and_a_way_out(text, code, place):
    with pytest.raises(BrambleError) as caught:
        parse_config(text)
    assert (caught.value.code, str(caught.value.place)) == (code, f"bramble.toml:{place}")
    assert caught.value.remedy or code == "config.syntax"


def test_unknown_keys_are_warned_about_where_they_stand():
    config = parse_config(
        'pakage = 1\n[package]\nname = "a"\nversoin = "2"\nversion = "1.0.0"\nzzz = 1\n'
        '[dependencies]\nb = { version = "1.0.0", pth = "x" }\n'
    )
    assert config.warnings == (
        'bramble.toml:1:1: the key "pakage" has no effect; did you mean "package"?',
        'bramble.toml:4:1: the key "package.versoin" has no effect; did you mean "version"?',
        'bramble.toml:6:1: the key "package.zzz" has no effect; known are name, version, description',
        'bramble.toml:8:26: the key "dependencies.b.pth" has no effect; did you mean "path"?',
    )


@pytest.mark.parametrize("name", ["a", "example.com/hello-world", "forge.test/a_b/c.d", "_x", "a/b+c~d"])
def test_names_that_are_fine(name):
    assert broken_name(name) is None


def test_a_project_is_found_from_any_directory_below(tmp_path: Path):
    (tmp_path / "bramble.toml").write_text(GOOD)
    (tmp_path / "a/b").mkdir(parents=True)
    for start, location in (("", ""), ("a", "a"), ("a/b", "a/b"), ("a/b/..", "a")):
        project = find_project(str(tmp_path / start))
        assert (project.root, project.location) == (os.path.realpath(tmp_path), location)
        assert project.name == "example.com/hello"


def test_the_nearest_project_counts(tmp_path: Path):
    (tmp_path / "bramble.toml").write_text(GOOD)
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner/bramble.toml").write_text(GOOD.replace("hello", "inner"))
    assert find_project(str(tmp_path / "inner")).name == "example.com/inner"


def test_a_project_is_found_through_a_link(tmp_path: Path):
    (tmp_path / "real/sub").mkdir(parents=True)
    (tmp_path / "real/bramble.toml").write_text(GOOD)
    (tmp_path / "link").symlink_to("real/sub")
    assert find_project(str(tmp_path / "link")).location == "sub"


def test_where_there_is_no_project_the_error_says_how_to_make_one(tmp_path: Path):
    with pytest.raises(BrambleError) as caught:
        find_project(str(tmp_path))
    assert caught.value.code == "config.no-project"
    assert str(tmp_path) in caught.value.message
    assert "bramble init" in (caught.value.remedy or "")


def test_a_configuration_that_cannot_be_read_is_not_passed_over(tmp_path: Path):
    (tmp_path / "bramble.toml").mkdir()
    with pytest.raises(BrambleError) as caught:
        find_project(str(tmp_path))
    assert caught.value.code == "config.unreadable"


def test_a_configuration_in_another_encoding_is_named_with_its_line(tmp_path: Path):
    file = tmp_path / "bramble.toml"
    file.write_bytes(b'[package]\nname = "caf\xe9"\n')
    with pytest.raises(BrambleError) as caught:
        load_config(str(file))
    assert (caught.value.code, str(caught.value.place)) == ("config.syntax", "bramble.toml:2:12")


def test_a_project_of_another_user_above_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bramble.toml").write_text('[package]\nname = "example.com/p"\nversion = "0.0.1"\n')
    (tmp_path / "mine").mkdir()
    real = os.lstat

    def owned_by(uid: int) -> None:
        def status(path: str, **more: object) -> os.stat_result:
            found = list(real(path, **more))  # type: ignore[arg-type]
            found[4] = uid
            return os.stat_result(found)

        monkeypatch.setattr(os, "lstat", status)

    owned_by(max(os.geteuid(), 1) + 1)
    with pytest.raises(BrambleError) as caught:
        find_project(str(tmp_path / "mine"))
    assert caught.value.code == "config.foreign"
    # Who stands in the project itself, or in a directory of its owner, means it.
    assert find_project(str(tmp_path)).name == "example.com/p"
    owned_by(0)
    assert find_project(str(tmp_path / "mine")).location == "mine"


def test_a_project_may_say_what_it_is_for():
    # spec: project.config.package
    assert parse_config(GOOD).description == ""
    found = parse_config(GOOD + 'description = "Says hello."\n')
    assert (found.description, found.warnings) == ("Says hello.", ())
    with pytest.raises(BrambleError) as caught:
        parse_config(GOOD + "description = 1\n")
    assert (caught.value.code, str(caught.value.place)) == ("config.type", "bramble.toml:4:15")


def test_many_keys_without_an_effect_have_one_warning_for_those_after_the_first_hundred():
    warnings = parse_config(GOOD + "".join(f"k{number} = 1\n" for number in range(5000))).warnings
    assert len(warnings) == 101
    assert warnings[100] == "bramble.toml:104:1: 4900 more keys have no effect"


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("0.0.1", "1" * 3_000_000),
        GOOD.replace("example.com/hello", "a/" * 1_500_000),
        GOOD + '[vendor]\npath = "' + "../" * 1_000_000 + '"\n',
        GOOD + '[dependencies]\n"' + "k" * 3_000_000 + ' " = "1.0.0"\n',
    ],
)
def test_a_long_value_is_not_quoted_whole(text: str) -> None:
    with pytest.raises(BrambleError) as caught:
        parse_config(text)
    assert len(str(caught.value)) + len(caught.value.remedy or "") < 20_000
    assert len(caught.value.message) < 9000
