"""Packages that are fetched: what is in the lock, what is refused, and what a name means to whom."""

from __future__ import annotations

import shutil

from tests.cli import world
from tests.packages.published import Published

LIB = 'def made(name):\n    return derivation(name, "{}")\n'
APP = 'load("example.test/lib")\ndef f():\n    return lib.made("f")\n'


def test_a_package_is_fetched_once_and_locked(market: Published) -> None:
    commit = market.publish("example.test/lib", "1.2.0", default=LIB.format("one"))
    market.needs(lib="1.2.0")
    market.write(default=APP)
    done = market.evaluated()
    assert done.status == 0, done.err
    assert "fetching example.test/lib@1.2.0" in done.err
    assert f"bramble.lock: added example.test/lib@1.2.0, commit {commit[:12]}" in done.err
    assert f'"example.test/lib@1.2.0" = "{commit}"' in market.lock
    # From now on nobody asks the repository.
    shutil.rmtree(market.repositories)
    again = market.run("build", "--offline", "--locked", "--just-parse", "--json", "./:f")
    assert (again.status, again.out) == (0, done.out)
    assert again.err == ""


def test_a_tag_that_was_moved_changes_nothing(market: Published) -> None:
    market.publish("example.test/lib", "1.2.0", default=LIB.format("one"))
    market.needs(lib="1.2.0")
    market.write(default=APP)
    before = market.evaluated()
    market.publish("example.test/lib", "1.2.0", default=LIB.format("two"))
    remove_store(market)
    after = market.evaluated()
    assert (after.status, after.out) == (0, before.out)


def test_sources_that_are_not_those_of_the_lock_are_refused(market: Published) -> None:
    first = market.publish("example.test/lib", "1.2.0", default=LIB.format("one"))
    market.needs(lib="1.2.0")
    market.write(default=APP)
    assert market.evaluated().status == 0
    assert first in market.lock
    other = market.publish("example.test/lib", "1.2.0", default=LIB.format("two"))
    (market.project / "bramble.lock").write_text(market.lock.replace(first, other))
    remove_store(market)
    done = market.evaluated()
    assert (done.status, done.codes) == (1, ["packages.digest"])
    assert "bramble.lock" in done.err


def test_locked_adds_nothing(market: Published) -> None:
    market.publish("example.test/lib", "1.2.0", default=LIB.format("one"))
    market.needs(lib="1.2.0")
    market.write(default=APP)
    done = market.run("build", "--locked", "--just-parse", "--json", "./:f")
    assert (done.status, done.codes) == (1, ["lock.locked"])
    assert market.lock == ""


def test_two_majors_stand_in_one_project(market: Published) -> None:
    market.publish("example.test/lib", "1.2.0", default='v = "one"\n')
    market.publish("example.test/lib", "2.0.0", default='v = "two"\n')
    market.publish(
        "example.test/mid", "1.0.0", {"example.test/lib": "1.2.0"},
        default='load("example.test/lib")\nv = lib.v\n',
    )  # fmt: skip
    market.needs(lib="2.0.0", mid="1.0.0")
    market.write(
        default='load("example.test/lib")\nload("example.test/mid")\n'
        'def f():\n    return derivation(lib.v + "-" + mid.v, "x")\n'
    )
    done = market.evaluated()
    assert done.status == 0, done.err
    assert [one["Name"] for one in done.json["graph"].values()] == ["two-one"]


def test_a_package_is_not_loaded_by_whom_does_not_require_it(market: Published) -> None:
    market.publish("example.test/lib", "1.2.0", default='v = "one"\n')
    market.publish("example.test/mid", "1.0.0", {"example.test/lib": "1.2.0"}, default="v = 1\n")
    market.needs(mid="1.0.0")
    market.write(default='load("example.test/mid")\nload("example.test/lib")\ndef f():\n    pass\n')
    done = market.evaluated()
    assert (done.status, done.codes) == (1, ["load.undeclared"])
    assert done.errors[0]["at"] == "default.bramble:2:6"


def test_a_package_in_a_directory_has_tags_of_its_own(market: Published) -> None:
    market.publish("example.test/u/mono", "1.0.0", directory="sub", default='v = "sub"\n')
    market.publish("example.test/u/mono", "9.0.0", default='v = "top"\n')
    market.needs(**{"u/mono/sub": "1.0.0"})
    market.write(default='load("example.test/u/mono/sub")\ndef f():\n    return derivation(sub.v, "x")\n')
    done = market.evaluated()
    assert done.status == 0, done.err
    assert [one["Name"] for one in done.json["graph"].values()] == ["sub"]


def test_a_revision_and_a_repository_elsewhere(market: Published) -> None:
    first = market.publish("example.test/fork", "1.2.0", default='v = "one"\n')
    toml = market.repository("example.test/fork") / "bramble.toml"
    toml.write_text(toml.read_text().replace("example.test/fork", "example.test/lib"))
    market.git("commit", "-qam", "renamed", cwd=toml.parent)
    commit = market.git("rev-parse", "HEAD", cwd=toml.parent)
    market.needs(lib=f'{{ git = "https://example.test/fork", rev = "{commit}" }}')
    market.write(default='load("example.test/lib")\ndef f():\n    return derivation(lib.v, "x")\n')
    done = market.evaluated()
    assert done.status == 0, done.err
    assert f'"example.test/lib rev={commit}" = "{commit}"' in market.lock
    market.needs(lib=f'{{ git = "https://example.test/fork", rev = "{first}" }}')
    assert market.evaluated().codes == ["packages.name"]


def test_what_is_wrong_is_said(market: Published) -> None:
    market.write(default=APP)
    market.publish("example.test/lib", "1.2.0", default=LIB.format("one"))
    market.needs(lib="1.3.0")
    done = market.evaluated()
    assert done.codes == ["packages.unknown-version"] and "1.2.0" in done.errors[0]["remedy"]
    market.publish("example.test/lib", "1.4.0", tag="v1.5.0", default="")
    market.needs(lib="1.5.0")
    assert market.evaluated().codes == ["packages.version"]
    market.git("rm", "-q", "bramble.toml", cwd=market.repository("example.test/lib"))
    market.git("commit", "-qm", "x", cwd=market.repository("example.test/lib"))
    market.git("tag", "v1.6.0", cwd=market.repository("example.test/lib"))
    market.needs(lib="1.6.0")
    assert market.evaluated().codes == ["packages.no-project"]
    market.needs(lib='{ git = "https://example.test/nowhere", version = "1.0.0" }')
    assert market.evaluated().codes == ["packages.unknown"]
    market.publish("example.test/mid", "1.0.0", {"example.test/x": '{ path = "../x" }'})
    market.needs(mid="1.0.0")
    done = market.evaluated()
    assert done.codes == ["config.dependency"]
    assert done.errors[0]["at"].startswith("example.test/mid/bramble.toml:5:")


def remove_store(market: Published) -> None:
    world.remove_store(market.store)


def test_sources_are_kept_while_they_are_read_and_no_longer(market: Published) -> None:
    # spec: packages.kept
    market.publish("example.test/base", "1.0.0", default="")
    market.publish("example.test/lib", "1.2.0", {"example.test/base": "1.0.0"}, default=LIB.format("one"))
    market.publish("example.test/lib", "1.3.0", default=LIB.format("two"))
    market.needs(lib="1.2.0")
    market.write(default=APP)
    assert market.evaluated().status == 0
    first = market.objects()
    assert len(first) == 2
    assert market.run("gc", "--keep-former", "0d").status == 0
    assert market.objects() == first
    assert market.run("update").status == 0
    second = market.objects() - first
    assert market.run("gc", "--keep-former", "0d").status == 0
    assert market.objects() == second and len(second) == 1
    assert market.run("remove", "example.test/lib").status == 0
    assert market.run("gc", "--keep-former", "0d").status == 0
    assert market.objects() == set()


def test_a_question_changes_no_lock(market: Published) -> None:
    market.publish("example.test/lib", "1.2.0", default=LIB.format("one"))
    market.needs(lib="1.2.0")
    market.write(default=APP)
    assert market.evaluated().status == 0
    (market.project / "bramble.lock").unlink()
    assert market.run("store", "path", "./:f").codes == ["lock.locked"]
    assert market.lock == ""


def test_a_submitted_graph_says_what_it_locks(market: Published) -> None:
    market.publish("example.test/lib", "1.2.0", default=LIB.format("one"))
    market.write(default='def f():\n    return derivation("f", "x")\n')
    graph = market.base / "graph.json"
    graph.write_text(market.run("graph", "--json", "./:f").out)
    market.needs(lib="1.2.0")
    done = market.run("build", "--graph", str(graph), "--just-parse")
    assert done.status == 0, done.err
    assert "bramble.lock: added example.test/lib@1.2.0" in done.err
