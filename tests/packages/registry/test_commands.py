"""Packages that come from a registry: in `add`, `update`, `outdated`, `deps` and `build`."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bramble.packages.registry.index import Entry, line
from bramble.project.lockfile import COMMITS, DEPENDENCIES, parse_lock
from bramble.store.digest import digest as digest_bytes
from tests.cli.world import remove_store
from tests.packages.published import Published, published, toml
from tests.packages.registry.served import Register, trust
from tests.packages.registry.signing import Signer, make_signer

HOST = "example.test"
APP = f'load("{HOST}/lib")\ndef f():\n    return lib.made("f")\n'
MODULE = 'def made(name):\n    return derivation(name, "{}")\n'


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return make_signer(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def shop(signer: Signer) -> Iterator[tuple[Published, Register]]:
    """A registry that has lib 1.0.0 and 1.1.0, and base; git has lib 1.2.0 besides."""
    base = Path(tempfile.mkdtemp(prefix="br", dir="/tmp"))
    market = published(base)
    register = Register(base / "registry", signer)
    market.publish(f"{HOST}/base", "1.0.0", default="v = 1\n")
    market.publish(f"{HOST}/lib", "1.0.0", {f"{HOST}/base": "1.0.0"}, default=MODULE.format("1.0"))
    register.take(market, {f"{HOST}/lib": "1.0.0"})
    market.publish(f"{HOST}/lib", "1.1.0", {f"{HOST}/base": "1.0.0"}, default=MODULE.format("1.1"))
    register.take(market, {f"{HOST}/lib": "1.1.0"})
    market.publish(f"{HOST}/lib", "1.2.0", {f"{HOST}/base": "1.0.0"}, default=MODULE.format("1.2"))
    shutil.copytree(base / "registry", base / "registry.whole")
    shutil.copytree(base / "repositories", base / "repositories.whole", symlinks=True)
    yield market, register
    remove_store(base)


@pytest.fixture
def desk(shop: tuple[Published, Register]) -> Published:
    """The same, as it was, with an empty project, an empty store, and trust in the registry."""
    market, register = shop
    for name in ("registry", "repositories"):
        shutil.rmtree(market.base / name, ignore_errors=True)
        shutil.copytree(market.base / f"{name}.whole", market.base / name, symlinks=True)
    if market.store.exists():
        remove_store(market.store)
    shutil.rmtree(market.project)
    market.project.mkdir()
    market.needs()
    trust(market, (url(market), register.signer.key))
    return market


def url(market: Published) -> str:
    return f"file://{market.base}/registry"


def without_git(market: Published) -> None:
    shutil.rmtree(market.repositories)


def tables(market: Published) -> dict[str, dict[str, str]]:
    found = parse_lock(market.lock).tables
    return {table: dict(found[table]) for table in (COMMITS, DEPENDENCIES)}


def test_a_package_comes_from_the_registry_without_its_repository(desk: Published) -> None:
    # spec: registry.client.versions, registry.client.sources
    commits = desk.git("rev-parse", "v1.1.0", cwd=desk.repository(f"{HOST}/lib"))
    without_git(desk)
    done = desk.run("add", f"{HOST}/lib")
    assert (done.status, done.out) == (0, f"added {HOST}/lib 1.1.0 (and 1 that it requires)\n"), done.err
    assert f"fetching {HOST}/lib@1.1.0 from {url(desk)}\n" in done.err
    assert tables(desk)[COMMITS][f"{HOST}/lib@1.1.0"] == commits
    desk.write(default=APP)
    built = desk.run("build", "--offline", "--locked", "--just-parse", "--json", "./:f")
    assert built.status == 0 and '"1.1"' in built.out, built.err
    # An empty store is filled from it again, by the lock.
    before = desk.lock
    remove_store(desk.store)
    again = desk.evaluated()
    assert (again.status, again.out, desk.lock) == (0, built.out, before), again.err


def test_the_registry_and_git_agree_on_what_a_version_is(
    desk: Published, shop: tuple[Published, Register]
) -> None:
    assert desk.run("add", f"{HOST}/lib@1.0.0").status == 0
    ours = tables(desk)
    remove_store(desk.store)
    (desk.project / "bramble.lock").unlink()
    trust(desk)
    assert desk.run("deps").status == 0
    assert tables(desk) == ours


def test_a_name_that_is_nearly_one_of_it_is_told(desk: Published) -> None:
    nowhere = desk.base / "nowhere.toml"
    nowhere.write_text(f'[mirror]\n"https://{HOST}/libb" = "nowhere"\n')
    done = desk.run("add", f"{HOST}/libb", BRAMBLE_MIRROR=str(nowhere))
    assert done.codes == ["packages.unknown"] and f"did you mean {HOST}/lib?" in done.err


def test_what_the_registry_does_not_have_comes_from_git(desk: Published) -> None:
    done = desk.run("add", f"{HOST}/lib@1.2.0")
    assert done.status == 0, done.err
    assert f"fetching {HOST}/lib@1.2.0\n" in done.err and f"{HOST}/base@1.0.0 from {url(desk)}" in done.err
    # So does a branch, which no registry knows.
    assert desk.run("add", f"{HOST}/lib@main").status == 0
    done = desk.run("add", f"{HOST}/lib@1.3.0")
    assert done.codes == ["packages.unknown-version"]
    # An archive that is gone: the repository has the commit, and the digest is known.
    (desk.base / f"registry/package/source/{HOST}/lib@1.0.0").unlink()
    done = desk.run("add", f"{HOST}/lib@1.0.0")
    assert done.status == 0, done.err
    assert f"fetching {HOST}/lib@1.0.0\n" in done.err and "is not used" not in done.err


def test_a_registry_that_is_gone_is_said_once_and_git_is_asked(
    desk: Published, shop: tuple[Published, Register]
) -> None:
    # spec: registry.down
    trust(desk, ("http://127.0.0.1:1/x", shop[1].signer.key), (url(desk), shop[1].signer.key))
    done = desk.run("add", f"{HOST}/lib")
    assert (done.status, done.err.count("is not used")) == (0, 1), done.err
    assert f"{HOST}/lib@1.1.0 from {url(desk)}" in done.err
    trust(desk, ("http://127.0.0.1:1/x", shop[1].signer.key))
    done = desk.run("update")
    assert done.out.startswith(f"{HOST}/lib 1.1.0 → 1.2.0\n"), done.err


def test_update_and_outdated_ask_it(desk: Published) -> None:
    assert desk.run("add", f"{HOST}/lib@1.0.0").status == 0
    without_git(desk)
    row = desk.run("outdated", "--json").json["packages"][0]
    assert (row["required"], row["newest"], row["from"]) == ("1.0.0", "1.1.0", url(desk))
    done = desk.run("update")
    assert (done.status, done.out) == (0, f"{HOST}/lib 1.0.0 → 1.1.0\n"), done.err
    assert set(tables(desk)[DEPENDENCIES]) == {f"{HOST}/lib@1.1.0", f"{HOST}/base@1.0.0"}


def test_what_is_wrong_with_a_registry_is_never_gone_on_without(
    desk: Published, shop: tuple[Published, Register]
) -> None:
    # spec: registry.signature, registry.history, registry.source
    register = shop[1]
    trust(desk, (url(desk), make_signer_elsewhere(desk).key))
    toml = (desk.project / "bramble.toml").read_text()
    for words in (("add", f"{HOST}/lib"), ("add", f"{HOST}/lib@1.0.0")):
        assert desk.run(*words).codes == ["registry.signature"]
    trust(desk, (url(desk), register.signer.key))
    assert desk.run("add", f"{HOST}/base").status == 0
    register.sign(register.index.replace(b"1.1.0", b"1.1.1"))
    assert desk.run("add", f"{HOST}/lib").codes == ["registry.history"]
    assert desk.run("update").codes == ["registry.history"]
    assert desk.run("outdated").codes == ["registry.history"]
    assert f"{HOST}/lib" not in (desk.project / "bramble.toml").read_text() and toml


def make_signer_elsewhere(desk: Published) -> Signer:
    directory = Path(tempfile.mkdtemp(dir=desk.base))
    return make_signer(directory)


def test_sources_that_are_not_those_of_the_index_are_not_read(
    desk: Published, shop: tuple[Published, Register]
) -> None:
    # spec: registry.source
    register = shop[1]
    archive = desk.base / f"registry/package/source/{HOST}/lib@1.1.0"
    whole = archive.read_bytes()
    for wrong in (b"", whole[:-512], whole.replace(b"1.1", b"6.6"), whole + bytes(512)):
        archive.write_bytes(wrong)
        done = desk.run("add", f"{HOST}/lib")
        assert (done.codes, desk.lock) == (["registry.source"], "")
    # An index that lies about the digest: the archive is another one, and so is what git has.
    entry = next(one for one in register.index.splitlines() if b"lib 1.1.0" in one)
    name, version, commit, digest = entry.decode().split()
    lied = line(Entry(name, version, commit, "a" * 32))
    register.sign(register.index.replace(entry + b"\n", lied))
    archive.write_bytes(whole)
    remove_store(desk.store)
    assert desk.run("add", f"{HOST}/lib").codes == ["registry.source"]
    archive.unlink()
    done = desk.run("add", f"{HOST}/lib")
    assert done.codes == ["registry.source"] and digest in done.err and "a" * 32 in done.err
    assert desk.lock == ""
    # An archive that has the digest, and is none.
    junk = b"x" * 1024
    lied = line(Entry(name, version, commit, digest_bytes(junk)))
    register.sign(register.index.replace(line(Entry(name, version, commit, "a" * 32)), lied))
    remove_store(desk.store)
    archive.write_bytes(junk)
    assert desk.run("add", f"{HOST}/lib").codes == ["registry.source"]


def test_a_lock_that_disagrees_is_an_error_with_both(desk: Published) -> None:
    # spec: registry.lock
    assert desk.run("add", f"{HOST}/lib@1.0.0").status == 0
    lock = desk.lock
    found = tables(desk)
    for table, other in ((COMMITS, "0" * 40), (DEPENDENCIES, "a" * 32)):
        known = found[table][f"{HOST}/lib@1.0.0"]
        (desk.project / "bramble.lock").write_text(lock.replace(known, other))
        remove_store(desk.store)
        done = desk.run("deps")
        assert done.codes == ["registry.lock"] and known in done.err and other in done.err
        # So it is where the sources are there, and a registry is asked.
    (desk.project / "bramble.lock").write_text(lock)
    assert desk.run("deps").status == 0
    known = found[COMMITS][f"{HOST}/lib@1.0.0"]
    (desk.project / "bramble.lock").write_text(lock.replace(known, "0" * 40))
    for words in (("update", "--dry-run"), ("outdated",), ("add", f"{HOST}/lib")):
        done = desk.run(*words)
        assert done.codes == ["registry.lock"] and known in done.err, words
        assert json.loads(done.err.splitlines()[-1])["at"].startswith("bramble.lock:")
    assert desk.run("deps", "--offline", "--locked").status == 0


def test_a_package_elsewhere_is_not_asked_of_a_registry(
    desk: Published, shop: tuple[Published, Register]
) -> None:
    # spec: registry.client.versions
    place = f"https://{HOST}/lib"
    done = desk.run("add", f"{HOST}/lib", "--git", place)
    assert (done.status, done.out) == (0, f"added {HOST}/lib 1.2.0 (and 1 that it requires)\n"), done.err
    # Neither are names that are private, or that the registry is not trusted for.
    trust(desk, (url(desk), shop[1].signer.key), more=f'[packages]\nprivate = ["{HOST}/lib"]\n')
    desk.needs()
    done = desk.run("add", f"{HOST}/lib")
    assert (done.status, done.out) == (0, f"added {HOST}/lib 1.2.0 (and 1 that it requires)\n"), done.err
    config = desk.base / "home/.config/bramble/config.toml"
    table = f'[registries."{url(desk)}"]\nkey = "{shop[1].signer.key.strip()}"\npackages = ["{HOST}/base"]\n'
    config.write_text(table)
    desk.needs()
    done = desk.run("add", f"{HOST}/lib")
    assert (done.status, done.out) == (0, f"added {HOST}/lib 1.2.0 (and 1 that it requires)\n"), done.err


def test_a_configuration_that_others_can_write_is_refused(desk: Published) -> None:
    # spec: registry.config
    config = desk.base / "home/.config/bramble/config.toml"
    config.chmod(0o666)
    assert desk.run("add", f"{HOST}/lib").codes == ["config.registries"]
    config.chmod(0o644)
    config.write_text('[registries]\n"https://x.example" = "key"\n')
    done = desk.run("add", f"{HOST}/lib")
    assert done.codes == ["config.registries"]
    assert json.loads(done.err)["at"] == f"{config}:2:1"
    # A build in which nothing is fetched does not read it.
    desk.write(default='def f():\n    return derivation("n", "b")\n')
    assert desk.evaluated().status == 0
    config.unlink()
    assert desk.run("add", f"{HOST}/lib").out.startswith(f"added {HOST}/lib 1.2.0")


def test_two_commands_at_once(desk: Published) -> None:
    other = desk.base / "q"
    shutil.rmtree(other, ignore_errors=True)
    shutil.copytree(desk.project, other)
    first = desk.start("add", f"{HOST}/lib")
    second = desk.run("add", f"{HOST}/lib", cwd=other)
    out, err = first.communicate(timeout=60)
    assert (first.returncode, second.status) == (0, 0), (err, second.err)
    assert (other / "bramble.lock").read_text() == desk.lock != ""


def test_offline_what_was_verified_is_known(desk: Published, shop: tuple[Published, Register]) -> None:
    # spec: registry.client.offline
    assert desk.run("add", f"{HOST}/lib@1.0.0").status == 0
    without_git(desk)
    shutil.rmtree(desk.base / "registry")
    done = desk.run("outdated", "--offline", "--json")
    assert done.status == 1 or done.json["packages"][0]["newest"] == "1.1.0", done.err


def test_words_find_packages(desk: Published, shop: tuple[Published, Register]) -> None:
    # spec: registry.search, registry.search.json
    done = desk.run("search", "LIB")
    assert (done.status, done.err) == (0, "")
    assert done.out == f"{HOST}/lib 1.1.0  What \\u{{1b}}[31m{HOST}/lib\\u{{7}} is for\n"
    assert [line.split()[0] for line in desk.run("search").out.splitlines()] == [
        f"{HOST}/base",
        f"{HOST}/lib",
    ]
    nothing = desk.run("search", "lib", "nothing")
    assert (nothing.status, nothing.out) == (0, "") and "no package" in nothing.err
    found = desk.run("search", "what", "base", "--json").json["packages"]
    assert [(one["name"], one["newest"], one["registry"]) for one in found] == [
        (f"{HOST}/base", "1.0.0", url(desk))
    ]
    # What is not in the index is not listed, and what the index says of versions holds.
    listed = desk.base / "registry/packages"
    listed.write_text(
        listed.read_text().replace("1.1.0", "9.9.9").replace(f'"{HOST}/base"', f'"{HOST}/evil"')
    )
    assert [line.split()[:2] for line in desk.run("search").out.splitlines()] == [
        [f"{HOST}/base", "1.0.0"],
        [f"{HOST}/lib", "1.1.0"],
    ]
    listed.unlink()
    assert desk.run("search", "lib").out == f"{HOST}/lib 1.1.0\n"
    listed.write_text("{")
    assert desk.run("search", "lib").codes == ["registry.document"]
    trust(desk)
    assert desk.run("search", "lib").codes == ["registry.none"]
    trust(desk, ("http://127.0.0.1:1", shop[1].signer.key))
    assert desk.run("search", "lib").codes == ["registry.unreachable"]


def test_a_package_is_shown_from_a_registry(desk: Published) -> None:
    # spec: registry.show, registry.show.json
    without_git(desk)
    done = desk.run("show", f"{HOST}/lib")
    assert done.status == 0, done.err
    assert "\x1b" not in done.out and "\x07" not in done.out
    assert f"{HOST}/lib 1.1.0\n" in done.out and "versions:    1.1.0, 1.0.0\n" in done.out
    assert "  f(a, b = 1)\n      Do f.\n" in done.out
    assert f"requires:    {HOST}/base 1.0.0\n" in done.out
    told = desk.run("show", f"{HOST}/lib@1.0.0", "--json", cwd=desk.base).json
    assert (told["release"], told["from"], told["registry"]) == ("1.0.0", url(desk), True)
    assert [one["version"] for one in told["versions"]] == ["1.1.0", "1.0.0"]
    done = desk.run("show", f"{HOST}/lib@1.1.1")
    assert done.codes == ["packages.unknown-version"]
    shown = desk.run("show", f"{HOST}/base").out
    assert f"required by: {HOST}/lib\n" in shown
    # Without its documentation the sources tell.
    (desk.base / f"registry/package/docs/{HOST}/lib@1.1.0").unlink()
    told = desk.run("show", f"{HOST}/lib", "--json").json
    assert [one["name"] for one in told["modules"][0]["functions"]] == ["made"]
    assert told["requires"] == [{"name": f"{HOST}/base", "version": "1.0.0", "rev": ""}]


def test_a_package_that_is_required_from_elsewhere_is_shown_from_there(desk: Published) -> None:
    # spec: registry.show
    name = "example.test/elsewhere/lib"
    desk.publish("example.test/fork", "2.0.0", default='def forked():\n    """Fork it."""\n')
    where = desk.repository("example.test/fork")
    text = (where / "bramble.toml").read_text().replace("example.test/fork", name)
    (where / "bramble.toml").write_text(text)
    desk.git("commit", "-q", "-a", "-m", "renamed", cwd=where)
    desk.git("tag", "-f", "v2.0.0", cwd=where)
    assert desk.run("show", name).codes == ["packages.unknown"]
    needs = toml(
        "example.test/app", "0.1.0", {name: '{ version = "2.0.0", git = "https://example.test/fork" }'}
    )
    (desk.project / "bramble.toml").write_text(needs)
    told = desk.run("show", name, "--json").json
    assert (told["release"], told["from"], told["registry"]) == ("2.0.0", "https://example.test/fork", False)
    assert [one["name"] for one in told["modules"][0]["functions"]] == ["forked"]
    # What is no dependency is where its name says, and what is one is so in its project only.
    assert desk.run("show", f"{HOST}/lib").status == 0
    assert desk.run("show", name, cwd=desk.base).codes == ["packages.unknown"]


def test_a_package_is_shown_without_a_registry(desk: Published) -> None:
    # spec: registry.show
    trust(desk)
    done = desk.run("show", f"{HOST}/lib", cwd=desk.base)
    assert done.status == 0, done.err
    assert (
        "versions:    1.2.0, 1.1.0, 1.0.0\n" in done.out and f"repository:  https://{HOST}/lib\n" in done.out
    )
    assert "  made(name)\n" in done.out
    assert desk.run("show", f"{HOST}/nowhere").codes == ["packages.unknown"]
    assert desk.run("show", f"{HOST}/lib@").codes == ["config.version"]


def test_a_package_that_is_named_without_a_project_comes_from_it(desk: Published) -> None:
    # spec: registry.client.versions
    without_git(desk)
    for word in ("", "@1.0.0"):
        done = desk.run("ls", f"{HOST}/lib{word}", cwd=desk.base)
        assert done.status == 0 and "def made(name)" in done.out, done.err
        assert f"from {url(desk)}" in done.err
