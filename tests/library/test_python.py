"""std/python: an application of its own modules, a wheel, and a package that is built from its source."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.cli.world import World

# What a build function makes is up to the tools of this machine; who builds, and with which Python, is what
# the tests of the sandbox, of builds and of commands are about.
pytestmark = pytest.mark.once

TOML = """[package]
name = "example.com/p"
version = "0.1.0"
[mirror]
"https://wheels.test/" = "w/"
"""
MARKER = ' ; sys_platform=="linux" and (python_version>="3" or extra=="x")'
BACKEND = """
import os, zipfile

def build_wheel(directory, config_settings=None, metadata_directory=None):
    import helper
    name = "built-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(directory, name), "w") as wheel:
        wheel.write("built.py", "built.py")
        wheel.writestr("built-1.0.dist-info/METADATA", "Name: built\\n")
        wheel.writestr("built-1.0.data/scripts/built-script", "#!python\\nprint('a script of', 'built')\\n")
    return name
"""


def wheel(directory: Path, name: str, **files: str) -> None:
    with zipfile.ZipFile(directory / name, "w") as archive:
        for path, text in files.items():
            archive.writestr(path.replace("__", "/").replace("_dot_", "."), text)


def source(directory: Path, name: str, **files: str) -> None:
    with tarfile.open(directory / name, "w:gz") as archive:
        for path, text in files.items():
            member = tarfile.TarInfo("built-1.0/" + path.replace("_dot_", "."))
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))


def line(path: Path, marker: str = "") -> str:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"{path.name.partition('-')[0]} @ https://wheels.test/{path.name}{marker} --hash=sha256:{digest}\n"


@pytest.fixture
def python(project: World) -> World:
    packages = project.project / "w"
    packages.mkdir()
    points = "[console_scripts]\nfirst-program = first.inner:main [extra]\n"
    inner = "def main():\n    import built\n    print('first and', built.NAME)\n"
    wheel(
        packages,
        "first-1.0-py3-none-any.whl",
        first____init___dot_py="",
        first__inner_dot_py=inner,
        **{"first-1_dot_0_dot_dist-info__entry_points_dot_txt": points},
    )
    wheel(packages, "helper-1.0-py3-none-any.whl", helper_dot_py="")
    source(
        packages,
        "built-1.0.tar.gz",
        pyproject_dot_toml='[build-system]\nbuild-backend = "own"\nbackend-path = ["."]\n',
        own_dot_py=BACKEND,
        built_dot_py="NAME = 'built'\n",
    )
    (project.project / "bramble.toml").write_text(TOML)
    (project.project / "requirements.txt").write_text(
        "# a comment\n"
        + line(packages / "first-1.0-py3-none-any.whl", MARKER)
        + line(packages / "built-1.0.tar.gz").replace(" --hash", " \\\n    --hash")
        + "gone @ https://wheels.test/gone-1.0-py3-none-any.whl ; os_name == 'nt' --hash=sha256:00\n"
    )
    (project.project / "build.txt").write_text(line(packages / "helper-1.0-py3-none-any.whl"))
    (project.project / "own").mkdir()
    (project.project / "own" / "main.py").write_text(
        "import importlib.util, sys\nimport first.inner\n\ndef run():\n    first.inner.main()\n"
        "    print(sys.argv[1:], importlib.util.find_spec('helper'))\n    return 3\n"
    )
    return project


def test_an_application_with_packages(python: World) -> None:
    python.write(
        default="""
load("std/python")

def app(programs={"app": "own.main:run"}):
    packages = python.requirements(read("requirements.txt"), python="3.11")
    build = python.requirements(read("build.txt"))
    return python.app("app", files(["own/*.py"]), packages, build=build, programs=programs)

def all_programs():
    return app(programs={})
"""
    )
    done = python.run("run", "./:app", "app", "x")
    assert (done.status, done.out) == (3, "first and built\n['x'] None\n"), done.err
    assert python.run("run", "./:all_programs", "first-program").out == "first and built\n"
    assert python.run("run", "./:all_programs", "built-script").out == "a script of built\n"
    built = python.run("build", "--json", "./:app").json["results"][0]["outputs"]["out"]["path"]
    assert os.path.exists(f"{built}/lib/python/own/__pycache__"), "what runs later cannot write it"
    assert python.run("build", "--check", "./:app").status == 0


def test_a_lock_names_what_fits_this_machine(python: World) -> None:
    lock = """
version = 1
[[package]]
name = "p"
source = { virtual = "." }
dependencies = [{ name = "a" }, { name = "w", marker = "sys_platform == 'win32'" }]
[package.optional-dependencies]
more = [{ name = "c", extra = ["x"] }]
[[package]]
name = "a"
version = "1.0"
dependencies = [{ name = "a" }, { name = "b" }]
wheels = [
    { url = "https://h.test/a-1.0-cp311-cp311-win_amd64.whl", hash = "sha256:HASH" },
    { url = "https://h.test/a-1.0-cp310-cp310-manylinux_2_17_x86_64.whl", hash = "sha256:HASH" },
    { url = "https://h.test/a-1.0-cp311-cp311-manylinux_2_17_x86_64.whl", hash = "sha256:HASH" },
    { url = "https://h.test/a-1.0-py3-none-any.whl", hash = "sha256:HASH" },
]
[[package]]
name = "b"
version = "1.0"
sdist = { url = "https://h.test/b-1.0.tar.gz", hash = "sha256:HASH" }
wheels = [{ url = "https://h.test/b-1.0-cp38-abi3-musllinux_1_1_x86_64.whl", hash = "sha256:HASH" }]
[[package]]
name = "c"
version = "1.0"
wheels = [
    { url = "https://h.test/c-1.0-cp38-abi3-manylinux2014_x86_64.whl", hash = "sha256:HASH" },
    { url = "https://h.test/c-1.0-cp312-abi3-manylinux2014_x86_64.whl", hash = "sha256:HASH" },
]
[package.optional-dependencies]
x = [{ name = "b" }, { name = "c", extra = ["x"] }]
[[package]]
name = "w"
version = "1.0"
"""
    pylock = """
lock-version = "1.0"
[[packages]]
name = "a"
[[packages.wheels]]
name = "a-1.0-py3-none-any.whl"
url = "https://h.test/a-1.0-py3-none-any.whl"
hashes = { sha256 = "HASH" }
[[packages]]
name = "b"
sdist = { name = "b-1.0.tar.gz", url = "https://h.test/b-1.0.tar.gz", hashes = { sha256 = "HASH" } }
[[packages]]
name = "w"
marker = "sys_platform == 'win32'"
"""
    (python.project / "pylock.toml").write_text(pylock.replace("HASH", "0" * 64))
    (python.project / "uv.lock").write_text(lock.replace("HASH", "0" * 64))
    python.write(
        default="""
load("std/python")

def plain():
    return python.locked(toml.decode(read("uv.lock")), python="3.11")

def more():
    return python.locked(toml.decode(read("uv.lock")), python="3.11", extras=["more"])

def pip():
    return python.locked(toml.decode(read("pylock.toml")), python="3.11")

def unknown():
    return python.locked(toml.decode(read("uv.lock")), extras=["more"])
"""
    )

    def urls(target: str) -> list[str]:
        done = python.run("build", "--just-parse", "--json", target)
        assert done.status == 0, done.err
        order = done.json["results"][0]["derivations"]
        return [done.json["graph"][key]["Env"]["url"].rpartition("/")[2] for key in order]

    if os.uname().machine != "x86_64":
        pytest.skip("the lock of this test is for x86_64")
    plain = ["a-1.0-cp311-cp311-manylinux_2_17_x86_64.whl", "b-1.0.tar.gz"]
    assert urls("./:plain") == plain
    assert urls("./:more") == [*plain, "c-1.0-cp38-abi3-manylinux2014_x86_64.whl"]
    assert urls("./:pip") == ["a-1.0-py3-none-any.whl", "b-1.0.tar.gz"]
    refused = python.run("build", "--just-parse", "./:unknown")
    assert refused.codes == ["eval.fail"] and 'python="3.11"' in refused.errors[0]["message"]


def test_a_report_of_pip_names_packages_with_checksums_only(python: World) -> None:
    python.write(
        default="""
load("std/python")

def local():
    return python.reported({"install": [{"metadata": {"name": "mine"}, "download_info": {"dir_info": {}}}]})

def whole():
    place = {"url": "https://wheels.test/a-1.0-py3-none-any.whl", "archive_info": {}}
    place["archive_info"]["hashes"] = {"sha256": 64 * "0"}
    return python.reported({"install": [{"metadata": {"name": "a"}, "download_info": place}]})

def older(algorithm="sha256"):
    place = {"url": "https://wheels.test/a-1.0-py3-none-any.whl", "archive_info": {}}
    place["archive_info"]["hash"] = algorithm + "=" + 64 * "0"
    return python.reported({"install": [{"metadata": {"name": "a"}, "download_info": place}]})

def weaker():
    return older("md5")
"""
    )
    refused = python.run("build", "--just-parse", "./:local")
    assert refused.codes == ["eval.fail"] and "mine is no archive" in refused.errors[0]["message"]
    assert python.run("build", "--just-parse", "./:whole").status == 0
    # What pip 23.0 and older write is the same derivation.
    graphs = [python.run("graph", "--json", f"./:{name}").json for name in ("whole", "older")]
    assert graphs[0]["graph"] == graphs[1]["graph"] != {}
    assert python.run("build", "--just-parse", "./:weaker").codes == ["eval.fail"]
