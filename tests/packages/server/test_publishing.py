"""From `bramble publish` to a version in the index, or to the reason why not."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from bramble.commands.packages.registry.writing import read_registry
from bramble.packages.registry.checkpoint import verified
from tests.packages.published import Published, toml
from tests.packages.server.conftest import Registry, serve

TOOLS = 'def tools():\n    return derivation("tools", "host_tools", env={"tools": "sh cat"})\n'
# Whoever knows what is behind a URL may well have it fetched, but not from within.
PINNED = 'def f():\n    return derivation("f", "{}", env={{"url": "{}", {}"hash": "' + "a" * 32 + '"}})\n'
MADE = (
    'def {name}():\n    """Makes it."""\n    t = tools()\n    return derivation("{name}", t.out + "/bin/sh", '
    'args=["-c", "cat {source} >$out/x"], env={{"PATH": t.out + "/bin"}})\n'
)


def test_a_version_is_published_once_and_for_good(registry: Registry) -> None:
    # spec: registry.publish, registry.publish.once
    market = registry.market
    commit = market.publish("example.test/lib", "1.0.0", default="def lib(x):\n    return 1\n")
    done = registry.publish("example.test/lib", "--json")
    assert done.status == 0, done.err
    assert (done.json["state"], done.json["release"], done.json["commit"]) == ("published", "1.0.0", commit)
    digest = done.json["digest"]
    assert f"example.test/lib 1.0.0 {commit} {digest}" in registry.index
    key = (registry.directory / "key.pub").read_text()
    signed = (registry.directory / "public" / "index.signed").read_bytes()
    assert verified(signed, key).size == len("\n".join(registry.index)) + 1
    assert (registry.directory / "key").stat().st_mode & 0o777 == 0o600
    docs = registry.ask("GET", "/package/docs/example.test/lib@1.0.0")
    assert docs["modules"][0]["functions"] == [{"name": "lib", "parameters": "x", "documentation": ""}]
    again = registry.publish("example.test/lib", "v1.0.0")
    assert again.status == 0 and "is already published" in again.out
    market.publish("example.test/lib", "1.0.0", default="def lib(x):\n    return 2\n")
    job = registry.job("example.test/lib", "1.0.0")
    assert (job["state"], job["error"]["error"]) == ("failed", "registry.exists")
    assert commit in job["error"]["message"]


def test_what_comes_out_differently_is_not_published(registry: Registry) -> None:
    # spec: registry.publish.functions, registry.publish.impure
    name = "example.test/made"
    market = registry.market
    bad = MADE.format(name="bad", source="/proc/sys/kernel/random/uuid")
    market.publish(name, "1.0.0", default=TOOLS + bad)
    done = registry.publish(name)
    assert done.status == 1 and done.codes[-1] == "registry.failed"
    assert "differs x" in done.err and "random" in done.err and name + "/default.bramble" in done.err
    market.publish(name, "1.1.0", default=TOOLS + MADE.format(name="good", source="/dev/null"))
    done = registry.publish(name, "--json")
    assert done.status == 0, done.err
    assert done.json["impure"] == ["tools"] and "(the same, 2 builds)" in done.err
    assert registry.ask("GET", f"/package/docs/{name}@1.1.0")["impure"] == ["tools"]
    assert len([line for line in registry.index if line.startswith(name)]) == 1


def checked(registry: Registry, name: str, *words: str, **environ: str) -> list[str]:
    """Return why a package would not be published: what the process of a job does, without the job."""
    command = ["registry", "check", "--published", str(registry.directory)]
    done = registry.market.run(*command, name, *words, **environ)
    assert (done.status == 0) == (not done.codes), done.err
    return done.codes


@pytest.mark.parametrize(
    ("code", "module"),
    [
        ("eval.fail", "def f():\n    fail('x')\n"),
        ("load.unknown-package", 'load("example.test/lib")\n'),
        (
            "lock.locked",
            'def f():\n    return derivation("f", "fetch_url", env={"url": "http://a.test/x"})\n',
        ),
        # spec: build.fetch.public
        ("fetch.out-of-reach", PINNED.format("fetch_url", "http://127.0.0.1:1/x", "")),
        ("fetch.out-of-reach", PINNED.format("fetch_git", "https://127.0.0.1:1/x", '"reference": "main", ')),
        ("fetch.out-of-reach", PINNED.format("fetch_git", "ssh://127.0.0.1/x", '"reference": "main", ')),
        ("fetch.out-of-reach", PINNED.format("fetch_url", "file:///etc/passwd", "")),
        ("fetch.out-of-reach", PINNED.format("fetch_url", "file:///etc/none-there", "")),
        ("fetch.out-of-reach", PINNED.format("fetch_git", "file:///etc/", '"reference": "main", ')),
        ("resolve.undefined", "def f():\n    return open('/etc/passwd')\n"),
    ],
)
def test_why_a_package_is_not_published(registry: Registry, code: str, module: str) -> None:
    # spec: registry.publish
    name = f"example.test/{code.replace('.', '-')}-{len(module)}"
    registry.market.publish(name, "1.0.0", default=module)
    assert checked(registry, name) == [code]


def test_what_a_package_requires_is_what_is_published(registry: Registry) -> None:
    # spec: registry.publish.requires
    market = registry.market
    market.publish("example.test/base", "1.0.0", default='v = "one"\n')
    assert registry.job("example.test/base")["state"] == "published"
    # Its tag is moved, which does not matter to whoever requires it by this registry.
    market.publish("example.test/base", "1.0.0", default='fail("moved")\n')
    use = 'load("example.test/base")\ndef use(v = base.v):\n    return [] if v == "one" else fail(v)\n'
    market.publish("example.test/use", "1.0.0", {"example.test/base": "1.0.0"}, default=use)
    job = registry.job("example.test/use")
    assert job["state"] == "published", job
    listed = {one["name"]: one for one in registry.ask("GET", "/packages")["packages"]}
    assert listed["example.test/base"]["dependents"] == 1
    # In another store, and when the repository is gone, the registry has what it has published.
    market.publish("example.test/later", "1.0.0", {"example.test/base": "1.0.0"}, default=use)
    where = market.repository("example.test/base")
    where.rename(where.with_name("gone"))
    assert checked(registry, "example.test/later", BRAMBLE_PATH=str(market.base / "t")) == []
    where.with_name("gone").rename(where)
    commit = market.git("rev-parse", "v1.0.0", cwd=market.repository("example.test/base"))
    needs = {"example.test/base": f'{{ rev = "{commit}" }}'}
    market.publish("example.test/by-rev", "1.0.0", needs, default="")
    assert checked(registry, "example.test/by-rev") == ["registry.place"]
    needs = {"example.test/secret": '{ git = "https://example.test/elsewhere", version = "1.0.0" }'}
    market.publish("example.test/by-git", "1.0.0", needs, default="")
    assert checked(registry, "example.test/by-git") == ["registry.place"]


def test_a_client_takes_what_is_published_when_the_repository_is_gone(registry: Registry) -> None:
    # spec: registry.client, registry.client.which
    market, name = registry.market, "example.test/kept"
    market.publish(name, "1.0.0", default='def kept():\n    """What stays."""\n    return None\n')
    key = (registry.directory / "key.pub").read_text().rsplit(" ", 2)[0]
    config = market.base / "config"
    (config / "bramble").mkdir(parents=True)
    (config / "bramble" / "config.toml").write_text(f'[registries]\n"{registry.url}" = "{key}"\n')
    own = {"XDG_CONFIG_HOME": str(config), "BRAMBLE_PATH": str(market.base / "u")}
    done = market.run("publish", "--json", cwd=market.repository(name), **own)
    assert done.status == 0 and done.json["registry"] == registry.url, done.err
    where = market.repository(name)
    where.rename(where.with_name("moved"))
    done = market.run("add", name, **own)
    assert done.status == 0, done.err
    assert f"fetching {name}@1.0.0 from {registry.url}" in done.err
    market.write(default=f'load("{name}")\ndef f():\n    return kept.kept()\n')
    assert market.run("build", "--locked", "./:f", **own).status == 0
    found = market.run("search", "kept", **own)
    assert found.status == 0 and name in found.out
    where.with_name("moved").rename(where)
    market.needs()


def test_what_is_no_version_of_a_package(registry: Registry) -> None:
    # spec: registry.publish.reference
    market = registry.market
    assert checked(registry, "example.test/none") == ["packages.unknown"]
    market.publish("example.test/plain", "1.0.0", default="")
    assert checked(registry, "example.test/plain", "main") == ["registry.request"]
    assert checked(registry, "example.test/plain", "2.0.0") == ["packages.unknown-version"]
    market.publish("example.test/named", "1.0.0", default="")
    (market.repository("example.test/named") / "bramble.toml").write_text(toml("example.test/x", "1.1.0", {}))
    market.git("commit", "-qam", "x", cwd=market.repository("example.test/named"))
    market.git("tag", "v1.1.0", cwd=market.repository("example.test/named"))
    assert checked(registry, "example.test/named") == ["packages.name"]
    market.publish("example.test/u/mono", "1.2.0", directory="sub", default="")
    assert checked(registry, "example.test/u/mono/sub", "sub/v1.2.0") == []
    assert checked(registry, "169.254.169.254/latest") == ["registry.place"]


def test_what_can_be_seen_here_is_seen_here(registry: Registry) -> None:
    # spec: registry.client.checks
    market, name = registry.market, "example.test/seen"
    market.publish(name, "1.0.0", default="")
    clone = market.base / "clone"
    market.git("clone", "-q", str(market.repository(name)), str(clone))

    def codes(*words: str) -> list[str]:
        return market.run("publish", "--dry-run", *words, cwd=clone).codes

    seen = market.run("publish", "--dry-run", "--json", cwd=clone)
    assert seen.status == 0 and seen.json["tag"] == "v1.0.0" and seen.json["warnings"] == []
    (clone / "bramble.toml").write_text(toml(name, "1.1.0", {}))
    assert codes() == ["packages.no-tag"]
    done = market.run("publish", "--dry-run", "1.0.0", cwd=clone)
    assert done.status == 0 and "not committed" in done.err
    market.git("tag", "v1.1.0", cwd=clone)
    assert codes() == ["packages.version"]
    market.git("commit", "-qam", "x", cwd=clone)
    market.git("tag", "-f", "v1.1.0", cwd=clone)
    assert codes() == ["packages.not-pushed"]
    assert codes("--offline") == []
    market.git("push", "-q", "origin", "v1.1.0", cwd=clone)
    assert codes() == []
    market.git("commit", "-q", "--allow-empty", "-m", "x", cwd=clone)
    market.git("tag", "-f", "v1.1.0", cwd=clone)
    assert codes() == ["packages.not-pushed"]
    (clone / "bramble.toml").write_text(toml("example.test/other", "1.1.0", {}))
    assert codes("v1.1.0") == ["packages.name"]
    assert market.run("publish", "--dry-run").codes == ["packages.no-repository"]
    assert market.run("publish").status == 2


def test_a_server_that_does_not_answer_as_a_registry(registry: Registry) -> None:
    market = registry.market
    market.publish("example.test/answered", "1.0.0", default="")
    where = market.repository("example.test/answered")

    def codes(url: str, *words: str) -> list[str]:
        return market.run("publish", "--registry", url, *words, cwd=where).codes

    assert codes("http://127.0.0.1:1") == ["fetch.unreachable"]
    assert codes("ftp://127.0.0.1") == codes("nonsense") == ["fetch.url"]
    assert codes(registry.url + "/index") == ["registry.refused"]
    assert codes(registry.url, "--job", "999") == ["registry.refused"]


def test_a_server_ends_and_goes_on_where_it_was(tmp_path: Path, registry: Registry) -> None:
    # spec: registry.serve, registry.jobs.durable
    market = registry.market
    waits = TOOLS + MADE.format(name="slow", source="/dev/null").replace("cat /dev/null", "sleep 600; cat x")
    market.publish("example.test/slow", "1.0.0", default=waits.replace('"sh cat"', '"sh cat sleep"'))
    other = Published(market.base, dict(market.environ))
    assert serve_fails(other) == ["registry.directory"]
    job = registry.job("example.test/slow", wait=False)
    until = time.monotonic() + 20
    log = registry.directory / "jobs" / f"{job['id']}.log"
    while not log.exists() or "functions return" not in log.read_text():
        assert time.monotonic() < until
        time.sleep(0.02)
    following = market.start("publish", "--registry", registry.url, "--job", job["id"])
    assert following.stderr is not None and b"is commit" in following.stderr.readline()
    registry.process.send_signal(signal.SIGTERM)
    # Nobody who follows a log keeps it from ending.
    assert registry.process.wait(20) == 0
    following.send_signal(signal.SIGINT)
    said = following.communicate(timeout=20)[1]
    assert following.returncode == 130 and f"--job {job['id']}".encode() in said, said
    # The same job would run for ever: its package says something else now.
    market.git("tag", "-d", "v1.0.0", cwd=market.repository("example.test/slow"))
    again = serve(market)
    registry.process, registry.url = again.process, again.url
    until = time.monotonic() + 20
    while (known := registry.ask("GET", f"/job/{job['id']}"))["state"] != "failed":
        assert time.monotonic() < until
        time.sleep(0.02)
    assert known["error"]["error"] in ("packages.unknown-version", "packages.unknown")
    read_registry(str(registry.directory / "public"))


def test_the_url_of_a_server_is_one_of_the_web(market: Published) -> None:
    # spec: registry.serve
    done = market.run("registry", "serve", "--url", "example.com", str(market.base / "registry"))
    assert (done.status, done.codes) == (2, ["cli.usage"]) and "https://" in done.err
    assert not (market.base / "registry").exists()


def serve_fails(market: Published) -> list[str]:
    return market.run("registry", "serve", "--listen", "127.0.0.1:0", str(market.base / "registry")).codes
