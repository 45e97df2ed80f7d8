"""Asking git about a project of a stranger who has added its `.git`: nothing that it names is run."""

from __future__ import annotations

from pathlib import Path

import pytest

from bramble.commands.context.search import find_program
from bramble.commands.packages.checkout import has_changes
from bramble.commands.packages.publishing import _read_job
from tests.packages.published import Published

NAME = "example.test/given"


def _seen(market: Published, where: Path) -> tuple[list[str], bool]:
    done = market.run("publish", "--dry-run", "--offline", cwd=where)
    return done.codes, (market.base / "run").exists()


@pytest.mark.parametrize("driver", ["x", "a.b", "a=b"])
def test_no_filter_of_a_repository_is_run(market: Published, driver: str) -> None:
    market.publish(NAME, "1.0.0", default="")
    where, git = market.repository(NAME), market.git
    program = f"touch {market.base}/run; cat"
    (where / ".git" / "info" / "attributes").write_text(f"* filter={driver}\n")
    for end in ("clean", "process"):
        git("config", "--file", str(where / ".git" / "more"), f"filter.{driver}.{end}", program, cwd=where)
    git("config", "include.path", "more", cwd=where)
    (where / "default.bramble").write_text("# other\n")
    assert _seen(market, where) == ([], False)
    assert has_changes(str(where))


def test_what_is_committed_is_no_change_though_a_filter_is_named(market: Published) -> None:
    market.publish(NAME, "1.0.0", default="# one\n")
    where = market.repository(NAME)
    market.git("config", "filter.x.clean", f"touch {market.base}/run; cat", cwd=where)
    market.git("config", "filter.x.required", "true", cwd=where)
    (where / ".git" / "info" / "attributes").write_text("* filter=x\n")
    (where / "default.bramble").write_text("# one\n")
    assert _seen(market, where) == ([], False)
    assert not has_changes(str(where))


def test_what_a_repository_lacks_is_not_fetched(market: Published) -> None:
    market.publish(NAME, "1.0.0", default="")
    where, git = market.repository(NAME), market.git
    for key, value in {
        "core.repositoryformatversion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.url": str(market.base / "elsewhere"),
        "remote.origin.promisor": "true",
        "remote.origin.uploadpack": f"touch {market.base}/run; false",
    }.items():
        git("config", key, value, cwd=where)
    blob = git("rev-parse", "HEAD:bramble.toml", cwd=where)
    (where / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    assert _seen(market, where) == (["packages.no-project"], False)


@pytest.mark.parametrize("how", ["textconv", "signature"])
def test_no_program_shows_what_a_tag_has_in_place_of_a_file(market: Published, how: str) -> None:
    """A submodule of that name is a commit of the repository itself, which git shows with its changes."""
    market.publish(NAME, "1.0.0", default="")
    where, git = market.repository(NAME), market.git
    program = market.base / "program"
    program.write_text(f"#!/bin/sh\ntouch {market.base}/run\n")
    program.chmod(0o755)
    (where / ".gitattributes").write_text("* diff=x\n")
    git("add", ".gitattributes", cwd=where)
    git("commit", "-q", "-m", "more", cwd=where)
    if how == "textconv":
        git("config", "diff.x.textconv", str(program), cwd=where)
        head = git("rev-parse", "HEAD", cwd=where)
    else:
        git("config", "log.showSignature", "true", cwd=where)
        git("config", "gpg.program", str(program), cwd=where)
        signed = git("cat-file", "commit", "HEAD", cwd=where).replace(
            "\n\n", "\ngpgsig -----BEGIN PGP SIGNATURE-----\n x\n -----END PGP SIGNATURE-----\n\n", 1
        )
        (market.base / "signed").write_text(signed + "\n")
        head = git("hash-object", "-t", "commit", "-w", str(market.base / "signed"), cwd=where)
    git("update-index", "--cacheinfo", f"160000,{head},bramble.toml", cwd=where)
    tree = git("write-tree", "--missing-ok", cwd=where)
    git("reset", "-q", cwd=where)
    git("tag", "-f", "v1.0.0", git("commit-tree", tree, "-m", "x", cwd=where), cwd=where)
    # What is shown so runs the program: else this test would show nothing.
    git("show", "v1.0.0:bramble.toml", cwd=where)
    (market.base / "run").unlink()
    assert _seen(market, where) == (["packages.no-project"], False)


@pytest.mark.parametrize("first", [".", "", "bin"])
def test_no_git_of_the_project_is_run(market: Published, first: str) -> None:
    """PATH may begin with a directory that is relative to the current one, which is a stranger's."""
    market.publish(NAME, "1.0.0", default="")
    where = market.repository(NAME)
    for place in (where / first, where):
        place.mkdir(exist_ok=True)
        (place / "git").write_text(f'#!/bin/sh\ntouch {market.base}/run\nexec /usr/bin/git "$@"\n')
        (place / "git").chmod(0o755)
    path = market.environment()["PATH"]
    market.run("publish", "--dry-run", "--offline", cwd=where, PATH=f"{first}:{path}")
    market.run("doctor", cwd=where, PATH=f"{first}:{path}")
    assert not (market.base / "run").exists()


def test_a_relative_part_of_path_is_no_place_of_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for place in ("bin", "own"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "ssh-keygen").write_text("#!/bin/sh\n")
        (tmp_path / place / "ssh-keygen").chmod(0o755)
    monkeypatch.setenv("PATH", f"bin:.::{tmp_path}/own:./bin")
    assert find_program("ssh-keygen") == f"{tmp_path}/own/ssh-keygen"
    monkeypatch.setenv("PATH", "bin:.:")
    assert find_program("ssh-keygen") is None


def test_a_huge_file_of_a_tag_is_not_read(market: Published) -> None:
    market.publish(NAME, "1.0.0", default="")
    where, git = market.repository(NAME), market.git
    text = (where / "bramble.toml").read_text()
    (where / "bramble.toml").write_text(text + "#" * (4 << 20))
    git("commit", "-q", "-a", "-m", "huge", cwd=where)
    git("tag", "-f", "v1.0.0", cwd=where)
    (where / "bramble.toml").write_text(text)
    assert _seen(market, where) == (["packages.no-project"], False)


def test_an_error_of_a_job_is_told_in_one_line() -> None:
    values = {"error": "a", "message": "b\nerror[c]: d", "at": "e\nf"}
    error = _read_job({"id": "1", "state": "failed", "error": values}).error
    assert error is not None and error.message.endswith("[a] e f: b error[c]: d")


@pytest.mark.parametrize("error", ["text", 5, [1], True])
def test_an_error_of_a_job_that_is_none(error: object) -> None:
    with pytest.raises(TypeError):
        _read_job({"id": "1", "state": "failed", "error": error})
