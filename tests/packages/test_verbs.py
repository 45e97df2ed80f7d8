"""`add`, `remove`, `update`, `deps`, `outdated`: what they say and write, and what they refuse."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bramble.project.lockfile import parse_lock
from tests.cli.world import remove_store
from tests.packages.published import Published, published, toml
from tests.packages.universe import HOST, publish_all, read_keys

HEAD = '# Ours.\n[package]\nname = "example.test/app" # so\nversion = "0.1.0"\n'


@pytest.fixture(scope="module")
def crowd() -> Iterator[Published]:
    """A world with the twenty packages; what is published in it stays as it is."""
    base = Path(tempfile.mkdtemp(prefix="bv", dir="/tmp"))
    world = published(base)
    publish_all(world)
    yield world
    remove_store(base)


@pytest.fixture
def desk(crowd: Published) -> Published:
    """The same with a project that requires nothing."""
    shutil.rmtree(crowd.project)
    crowd.project.mkdir()
    write(crowd, HEAD)
    return crowd


def write(world: Published, text: str) -> None:
    (world.project / "bramble.toml").write_text(text)


def said(world: Published) -> str:
    return (world.project / "bramble.toml").read_text()


def locked(world: Published) -> set[str]:
    tables = parse_lock(world.lock).tables
    keys = set(tables.get("Dependencies", {}))
    assert keys == set(tables.get("Commits", {}))
    return keys


def test_the_newest_version_is_added_with_what_it_requires(desk: Published) -> None:
    # spec: packages.add
    done = desk.run("add", f"{HOST}/b")
    assert (done.status, done.out) == (0, f"added {HOST}/b 1.2.0 (and 1 that it requires)\n"), done.err
    assert said(desk) == HEAD + f'\n[dependencies]\n"{HOST}/b" = "1.2.0"\n'
    assert locked(desk) == read_keys({"b": "1.2.0"})
    assert f"bramble.lock: added {HOST}/a@1.1.0, commit " in done.err
    # A build finds everything there.
    desk.write(default=f'load("{HOST}/b")\ndef f():\n    return derivation(b.v, "x")\n')
    built = desk.run("build", "--offline", "--locked", "--just-parse", "--json", "./:f")
    assert built.status == 0 and "1.2.0" in built.out


def test_which_version_a_word_means(desk: Published) -> None:
    # spec: packages.add.version, packages.add.revision, packages.newest
    for word, entry in (
        ("a@1.0.0", '"1.0.0"'),
        ("a@v1.0.0", '"1.0.0"'),
        ("a", '"1.1.0"'),  # the newest of the MAJOR that is there
        ("a@latest", '"2.0.0"'),
        ("d", '"1.0.0"'),  # no pre-release
        ("d@1.1.0-rc.1", '"1.1.0-rc.1"'),
        ("d", '"1.1.0-rc.1"'),  # never back, unless asked
        ("d@1.0.0", '"1.0.0"'),
        ("early", '"0.1.0-beta"'),
    ):
        done = desk.run("add", f"{HOST}/{word}")
        assert done.status == 0, done.err
        assert f'"{HOST}/{word.partition("@")[0]}" = {entry}\n' in said(desk), word
    head = desk.git("rev-parse", "HEAD", cwd=desk.repository(f"{HOST}/a"))
    for word in ("main", "HEAD", head, head[:9]):
        assert desk.run("add", f"{HOST}/a@{word}").status == 0, word
        assert f'"{HOST}/a" = {{ rev = "{head}" }}\n' in said(desk)
    done = desk.run("add", f"{HOST}/a@1.0.0")
    assert done.out.startswith(f"{HOST}/a commit {head[:12]} → 1.0.0")
    assert f'"{HOST}/a" = "1.0.0"\n' in said(desk)


def test_several_are_added_at_once_or_none(desk: Published) -> None:
    done = desk.run("add", f"{HOST}/b@1.0.0", f"{HOST}/nowhere")
    assert (done.status, done.codes) == (1, ["packages.unknown"])
    assert (said(desk), desk.lock) == (HEAD, "")
    done = desk.run("add", f"{HOST}/b@1.0.0", f"{HOST}/c@1.0.0")
    assert done.status == 0, done.err
    assert locked(desk) == read_keys({"b": "1.0.0", "c": "1.0.0"})


def test_a_repository_elsewhere_and_a_directory(desk: Published) -> None:
    url = f"https://{HOST}/a"
    done = desk.run("add", f"{HOST}/a@1.0.0", "--git", url)
    assert done.status == 0, done.err
    assert f'"{HOST}/a" = {{ git = "{url}", version = "1.0.0" }}\n' in said(desk)
    # The entry keeps its repository.
    assert desk.run("update").status == 0
    assert f'"{HOST}/a" = {{ git = "{url}", version = "1.1.0" }}\n' in said(desk)
    tools = desk.base / "tools"
    tools.mkdir(exist_ok=True)
    (tools / "bramble.toml").write_text(toml("example.test/tools", "0.3.0", {f"{HOST}/b": "1.0.0"}))
    sub = desk.project / "sub"
    sub.mkdir()
    done = desk.run("add", "--path", "../../tools", cwd=sub)
    assert (done.status, done.out) == (0, "added example.test/tools ../tools (and 2 that it requires)\n")
    assert '"example.test/tools" = { path = "../tools" }\n' in said(desk)
    assert desk.run("add", "example.test/other", "--path", "../tools").codes == ["config.dependency"]
    assert desk.run("add", "--path", "../nowhere").codes == ["config.dependency"]
    done = desk.run("update", "example.test/tools")
    assert done.out.splitlines()[0] == "example.test/tools stays: it is in ../tools"


def test_what_cannot_be_added_changes_nothing(desk: Published) -> None:
    cases = (
        (["b@9.0.0"], "packages.unknown-version", "it has 1.2.0, 1.0.0"),
        (["b@mian"], "packages.unknown-revision", "did you mean main?"),
        (["daimond"], "packages.unknown", f"did you mean {HOST}/diamond?"),
        (["renamed"], "packages.name", 'write "example.test/called"'),
        (["a@"], "config.name", "for example"),
        (["app"], "config.dependency", "remove it"),
        (["diamond/subb"], "packages.unknown-version", "git tag subb/v0.1.0; until then: "),
        (["b@^1.0"], "packages.unknown-revision", "which also permits later ones"),
    )
    for words, code, remedy in cases:
        done = desk.run("add", *(f"{HOST}/{word}" for word in words))
        assert (done.status, done.codes) == (1, [code]), done.err
        assert remedy in done.errors[0]["remedy"]
        # There is no such line in the file that is there.
        assert done.errors[0]["at"] is None
        assert (said(desk), desk.lock) == (HEAD, "")
    for word in (f"https://{HOST}/a.git", f"git@{HOST}:a.git", f"ssh://git@{HOST}/a"):
        done = desk.run("add", word)
        assert done.codes == ["config.name"] and f"bramble add {HOST}/a;" in done.errors[0]["remedy"], word
    assert desk.run("add", "std/c").codes == ["config.name"]
    assert desk.run("add", "nohost").codes == ["packages.unknown"]
    assert "HOST/PATH" in desk.run("add", "nohost").errors[0]["message"]
    assert desk.run("add", f"{HOST}/a", cwd=desk.base).codes == ["config.no-project"]
    assert desk.run("add").status == 2
    assert desk.run("add", "x", "y", "--git", "u").status == 2
    assert desk.run("add", f"{HOST}/a", "--offline", BRAMBLE_MIRROR="").codes == ["fetch.offline"]


def test_dry_runs_write_nothing(desk: Published) -> None:
    done = desk.run("add", "--dry-run", f"{HOST}/b")
    assert done.out.splitlines() == [
        f"added {HOST}/b 1.2.0 (and 1 that it requires)",
        "nothing was written (--dry-run)",
    ]
    assert (said(desk), desk.lock) == (HEAD, "")
    assert desk.run("add", f"{HOST}/b@1.0.0").status == 0
    before = said(desk), desk.lock
    for words in (["update", "--dry-run"], ["remove", "--dry-run", f"{HOST}/b"]):
        done = desk.run(*words, "--json")
        assert done.json["written"] is False and done.json["dependencies"], done.err
        assert (said(desk), desk.lock) == before


def test_what_others_require_holds_and_is_said(desk: Published) -> None:
    assert desk.run("add", f"{HOST}/d@1.0.0").status == 0
    done = desk.run("add", f"{HOST}/b@1.2.0", "--json")
    assert done.json["packages"] == [
        {"name": f"{HOST}/a", "before": "1.0.0", "after": "1.1.0", "required_by": [f"{HOST}/b 1.2.0"]},
        {"name": f"{HOST}/b", "before": "1.0.0", "after": "1.2.0", "required_by": ["this project"]},
    ]
    done = desk.run("add", f"{HOST}/a@1.0.0")
    assert done.out == f"added {HOST}/a 1.0.0; 1.1.0 is used, required by {HOST}/b 1.2.0\n"


def test_a_name_that_is_nearly_required_is_named(desk: Published) -> None:
    assert desk.run("add", f"{HOST}/b@1.0.0").status == 0
    for words, remedy in (
        (["remove", "b"], f"did you mean {HOST}/b?"),
        (
            ["update", f"{HOST}/b@1.2.0"],
            f"omit the version: {HOST}/b; to choose one: bramble add {HOST}/b@1.2.0",
        ),
        (
            ["remove", f"{HOST}/b@"],
            f"omit the version: {HOST}/b; to choose one: bramble add {HOST}/b@VERSION",
        ),
        (["remove", "e"], f"it requires {HOST}/b"),
    ):
        done = desk.run(*words)
        assert done.codes == ["packages.not-required"] and done.errors[0]["remedy"] == remedy, done.err


def test_one_is_removed_and_the_lock_with_it(desk: Published) -> None:
    # spec: packages.remove, packages.lock.tidy
    assert desk.run("add", f"{HOST}/b", f"{HOST}/c@0.1.0").status == 0
    desk.write(
        default=f'x = 1\nload("{HOST}/c")\nload("{HOST}/cc/d")\n', lib__x=f'load("{HOST}/c/sub")\n', odd="def"
    )
    done = desk.run("remove", f"{HOST}/c")
    assert done.status == 0
    assert done.err.splitlines() == [
        f'warning: default.bramble:2:6: "{HOST}/c" is still loaded, which fails from now on',
        f'warning: lib/x.bramble:1:6: "{HOST}/c/sub" is still loaded, which fails from now on',
    ]
    assert done.out == f"removed {HOST}/c\n"
    assert said(desk) == HEAD + f'\n[dependencies]\n"{HOST}/b" = "1.2.0"\n'
    assert locked(desk) == read_keys({"b": "1.2.0"})
    before = said(desk), desk.lock
    done = desk.run("remove", f"{HOST}/a")
    assert done.codes == ["packages.not-required"] and "deps --why" in done.errors[0]["remedy"]
    done = desk.run("remove", f"{HOST}/c")
    assert done.codes == ["packages.not-required"] and f"{HOST}/b?" in done.errors[0]["remedy"]
    assert (said(desk), desk.lock) == before


def test_what_is_removed_may_still_be_used(desk: Published) -> None:
    assert desk.run("add", f"{HOST}/a@1.0.0", f"{HOST}/b").status == 0
    done = desk.run("remove", f"{HOST}/a")
    assert done.out == f"removed {HOST}/a; 1.1.0 is still used: see bramble deps --why {HOST}/a\n"


def test_update_takes_the_newest_of_the_same_major(desk: Published) -> None:
    # spec: packages.update
    entries = f'"{HOST}/b" = "1.0.0" # old\n"{HOST}/a" = \'1.0.0\'\n"{HOST}/d" = {{ version = "1.0.0" }}\n'
    write(desk, HEAD + "[dependencies]\n" + entries)
    done = desk.run("update", f"{HOST}/b")
    assert done.out.splitlines() == [
        f"{HOST}/b 1.0.0 → 1.2.0",
        f"  {HOST}/a 1.0.0 → 1.1.0, required by {HOST}/b 1.2.0",
    ]
    assert said(desk) == HEAD + "[dependencies]\n" + entries.replace('"1.0.0" # old', '"1.2.0" # old')
    assert locked(desk) == read_keys({"b": "1.2.0", "a": "1.0.0", "d": "1.0.0"})
    done = desk.run("update")
    assert done.out.splitlines() == [
        f"{HOST}/a 1.0.0 → 1.1.0",
        f"  there is {HOST}/a 2.0.0: bramble update --major {HOST}/a",
    ]
    done = desk.run("update", "--major", "--json")
    assert done.json["dependencies"] == {
        f"{HOST}/a": {"before": {"version": "1.1.0"}, "after": {"version": "2.0.0"}}
    }
    assert said(desk) == HEAD + "[dependencies]\n" + entries.replace(
        '"1.0.0" # old', '"1.2.0" # old'
    ).replace("'1.0.0'", '"2.0.0"')
    before = said(desk), desk.lock
    assert desk.run("update").out == "everything that bramble.toml requires is up to date\n"
    assert desk.run("update", f"{HOST}/nothing").codes == ["packages.not-required"]
    assert (said(desk), desk.lock) == before


def test_a_newest_version_that_cannot_be_used_stops_no_other_update(desk: Published) -> None:
    # spec: packages.update.unusable
    assert desk.run("add", f"{HOST}/renamed@1.0.0", f"{HOST}/a@1.0.0").status == 0
    before = said(desk), desk.lock
    done = desk.run("update", f"{HOST}/renamed")
    assert done.codes == ["packages.name"] and "example.test/called" in done.errors[0]["remedy"]
    assert (said(desk), desk.lock) == before
    done = desk.run("update", "--json")
    assert done.status == 0 and list(done.json["dependencies"]) == [f"{HOST}/a"]
    assert f"{HOST}/renamed stays 1.0.0, since 1.1.0 cannot be used" in done.json["warnings"][0]
    # One that requires what is not there is to blame for it.
    desk.publish(f"{HOST}/fresh", "1.0.0")
    assert desk.run("add", f"{HOST}/fresh").status == 0
    desk.publish(f"{HOST}/fresh", "1.1.0", {f"{HOST}/b": "7.0.0"})
    done = desk.run("update")
    assert done.status == 0 and f"{HOST}/fresh stays 1.0.0, since 1.1.0 cannot be used" in done.err


def test_deps_shows_who_requires_what(desk: Published) -> None:
    # spec: packages.deps
    assert desk.run("add", f"{HOST}/diamond@1.0.0", f"{HOST}/a@2.0.0").status == 0
    done = desk.run("deps", "--offline", "--locked")
    assert done.status == 0, done.err
    assert done.out.partition("\n\n")[0].splitlines() == [
        f"{'example.test/app'} 0.1.0",
        f"├─ {HOST}/a 2.0.0",
        f"└─ {HOST}/diamond 1.0.0",
        f"   ├─ {HOST}/b 1.2.0",
        f"   │  └─ {HOST}/a 1.1.0",
        f"   ├─ {HOST}/c 1.0.0",
        f"   │  └─ {HOST}/a 2.0.0",
        f"   └─ {HOST}/d 1.0.0",
        f"      ├─ {HOST}/b 1.2.0 (above)",
        f"      └─ {HOST}/c 0.1.0",
        f"         └─ {HOST}/a 1.1.0",
    ]
    assert f"\n  1.0.0 is required by {HOST}/b 1.0.0 (of which another version is used)\n" in done.out
    found = desk.run("deps", "--json").json
    commits = parse_lock(desk.lock).tables
    for one in found["packages"].values():
        key = f"{one['name']}@{one['version']}"
        assert commits["Commits"][key] == one["commit"]
        assert commits["Dependencies"][key] == one["digest"]
    assert found["project"]["requires"] == {f"{HOST}/{name}": f"{HOST}/{name}" for name in ("a", "diamond")}
    assert found["packages"][f"{HOST}/b"]["requires"] == {f"{HOST}/a": f"{HOST}/a@1"}
    assert found["packages"][f"{HOST}/a@1"]["required_by"][0] == {
        "by": f"{HOST}/b 1.2.0", "version": "1.1.0", "used": True,
    }  # fmt: skip


def test_deps_explains_why(desk: Published) -> None:
    # spec: packages.deps.why
    assert desk.run("add", f"{HOST}/diamond@1.0.0", f"{HOST}/a@2.0.0").status == 0
    done = desk.run("deps", "--why", f"{HOST}/a@1")
    assert done.out.splitlines() == [
        f"{HOST}/a 1.1.0 is used",
        f"  example.test/app → {HOST}/diamond 1.0.0 → {HOST}/b 1.2.0 → {HOST}/a 1.1.0",
        f"  example.test/app → {HOST}/diamond 1.0.0 → {HOST}/d 1.0.0 → {HOST}/b 1.0.0 → {HOST}/a 1.0.0",
        f"  example.test/app → {HOST}/diamond 1.0.0 → {HOST}/d 1.0.0 → {HOST}/c 0.1.0 → {HOST}/a 1.0.0",
    ]
    both = desk.run("deps", "--why", f"{HOST}/a", "--json").json["packages"]
    assert sorted(one["version"] for one in both) == ["1.1.0", "2.0.0"]
    done = desk.run("deps", "--why", f"{HOST}/diamnd")
    assert done.codes == ["packages.not-required"] and f"{HOST}/diamond?" in done.errors[0]["remedy"]
    assert desk.run("deps", "--why", f"{HOST}/a@3").codes == ["packages.not-required"]


def test_deps_of_nothing_and_of_packages_that_require_one_another(desk: Published) -> None:
    assert desk.run("deps").out == "example.test/app 0.1.0\n"
    write(desk, HEAD + f'[dependencies]\n"{HOST}/diamond" = "2.0.0"\n')
    assert desk.run("deps", "--locked").codes == ["lock.locked"]
    done = desk.run("deps")
    assert done.status == 0 and f"{HOST}/diamond2 1.0.0" in done.out
    # A package that requires the project means the project.
    write(
        desk, HEAD.replace("app", "a").replace("0.1.0", "1.1.0") + f'[dependencies]\n"{HOST}/b" = "1.2.0"\n'
    )
    assert f"   └─ {HOST}/a (this project)\n" in desk.run("deps").out


def test_outdated_lists_what_is_newer(desk: Published) -> None:
    # spec: packages.outdated
    assert desk.run("add", f"{HOST}/a@1.0.0", f"{HOST}/b", f"{HOST}/c@0.1.0").status == 0
    done = desk.run("outdated")
    assert done.status == 0
    assert [line.split() for line in done.out.splitlines()[1:]] == [
        [f"{HOST}/a", "1.0.0", "1.1.0", "1.1.0", "2.0.0"],
        [f"{HOST}/c", "0.1.0", "0.1.0", "0.1.0", "1.0.1"],
    ]
    rows = desk.run("outdated", "--json").json["packages"]
    assert [one["name"] for one in rows] == [f"{HOST}/{name}" for name in "abc"]
    assert rows[1] == {
        "name": f"{HOST}/b", "required": "1.2.0", "used": "1.2.0", "newest": "1.2.0",
        "newest_of_all": "1.2.0", "commit": None, "from": f"https://{HOST}/b",
    }  # fmt: skip
    assert len(desk.run("outdated", "--all").out.splitlines()) == 4
    assert desk.run("update", "--major").status == 0
    assert desk.run("outdated").out == "everything that bramble.toml requires is up to date (3 packages)\n"


def test_prune_takes_out_packages_that_are_not_read(desk: Published) -> None:
    # spec: project.lock.prune
    desk.write(default="def f():\n    pass\n")
    assert desk.run("add", f"{HOST}/b", f"{HOST}/c").status == 0
    assert desk.run("lock", "--check").status == 0
    # As a person takes it out, or a merge.
    write(desk, HEAD + f'\n[dependencies]\n"{HOST}/b" = "1.2.0"\n')
    done = desk.run("lock", "--check")
    assert done.codes == ["lock.outdated"]
    gone = [f"{HOST}/a@2.0.0", f"{HOST}/c@1.0.1"]
    assert done.out.splitlines() == [f"unused    {key}" for key in gone]
    assert json.loads(desk.run("lock", "--prune", "--json").out)["removed"] == gone
    assert locked(desk) == read_keys({"b": "1.2.0"})


def test_the_place_of_an_error_is_one_in_the_file_that_is_there(desk: Published) -> None:
    wrong = f'"{HOST}/b" = {{ path = "../nowhere" }}\n'
    write(desk, HEAD + f"[dependencies]\n{wrong}")
    done = desk.run("add", f"{HOST}/a")
    # It would be line 7 of the new one.
    assert (done.codes, done.errors[0]["at"]) == (["config.dependency"], "bramble.toml:6:20")
    assert said(desk) == HEAD + f"[dependencies]\n{wrong}"
    # What breaks all else can be taken out.
    assert desk.run("remove", f"{HOST}/b").status == 0
    tools = desk.base / "other"
    tools.mkdir(exist_ok=True)
    (tools / "bramble.toml").write_text(toml("example.test/other", "0.3.0", {}))
    done = desk.run("add", "example.test/misnamed", "--path", "../other")
    assert (done.codes, done.errors[0]["at"]) == (["config.dependency"], None)


def test_a_longer_name_of_another_package_is_not_the_removed_one(desk: Published) -> None:
    for name, directory in (("example.test/t", "t"), ("example.test/t/more", "more")):
        (desk.project / directory).mkdir()
        (desk.project / directory / "bramble.toml").write_text(toml(name, "0.1.0", {}))
        assert desk.run("add", "--path", directory).status == 0
    desk.write(default='load("example.test/t/more/x")\nload("example.test/t/sub")\n')
    done = desk.run("remove", "example.test/t")
    assert [line.partition(" is still")[0] for line in done.err.splitlines()] == [
        'warning: default.bramble:2:6: "example.test/t/sub"'
    ]
