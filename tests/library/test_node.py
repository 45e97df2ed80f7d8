"""std/node: an application with the packages of its lock."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.cli.world import World

pytestmark = [
    # As the others of this room.
    pytest.mark.once,
    pytest.mark.skipif(shutil.which("node") is None, reason="this machine has no node to copy"),
]


def package(directory: Path, name: str, **files: str) -> dict[str, Any]:
    """Write NAME.tgz as `npm pack` does, and return its entry in a lock."""
    path = directory / f"{name}.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for file, text in files.items():
            member = tarfile.TarInfo("package/" + file.replace("_dot_", "."))
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    digest = base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()
    return {
        "version": "1.0.0",
        "resolved": f"https://npm.test/{name}.tgz",
        "integrity": f"sha512-{digest}",
    }


def test_workspaces_find_each_other_and_their_packages(project: World) -> None:
    packages = project.project / "npm"
    packages.mkdir()
    (project.project / "bramble.toml").write_text(
        '[package]\nname = "example.com/p"\nversion = "0.1.0"\n[mirror]\n"https://npm.test/" = "npm/"\n'
    )
    texts = {
        "loud": "module.exports = s => s.toUpperCase()",
        "own": "module.exports = s => s + '?'",
        "mark": "module.exports = s => require('own')(s) + '!'",
    }
    of = {name: package(packages, name, index_dot_js=text) for name, text in texts.items()}
    lock = {
        "packages": {
            "": {"name": "all", "workspaces": ["parts/*"]},
            "node_modules/@all/words": {"resolved": "parts/words", "link": True},
            "node_modules/main": {"resolved": "parts/main", "link": True},
            "node_modules/loud": of["loud"],
            "node_modules/@it/mark": of["mark"],
            "node_modules/own": {"inBundle": True},
            "parts/main": {"version": "1.0.0"},
            "parts/main/node_modules/own": of["own"],
            "node_modules/@it/mark/node_modules/own": of["own"],
            "parts/words": {"version": "1.0.0"},
        }
    }
    (project.project / "package-lock.json").write_text(json.dumps(lock))
    main = "console.log(require('@all/words')(require('own')(process.argv[2])))"
    words = "module.exports = s => require('loud')(require('@it/mark')(s))"
    for name, text in {"main": main, "words": words}.items():
        (project.project / "parts" / name).mkdir(parents=True)
        (project.project / "parts" / name / "index.js").write_text(text)
    project.write(
        default="""
load("std/node")

def app():
    lock = json.decode(read("package-lock.json"))
    return node.app("app", files(["parts/**"]), lock, build="node parts/main built > said",
        programs={"app": "parts/main/index.js"})
"""
    )
    done = project.run("run", "./:app", "app", "x")
    assert (done.status, done.out) == (0, "X??!\n"), done.err
    built = project.run("build", "--json", "./:app").json["results"][0]["outputs"]["out"]["path"]
    assert Path(built, "lib/app/said").read_text() == "BUILT??!\n"


def test_an_application_with_packages_and_a_build(project: World) -> None:
    packages = project.project / "npm"
    packages.mkdir()
    (project.project / "bramble.toml").write_text(
        '[package]\nname = "example.com/p"\nversion = "0.1.0"\n[mirror]\n"https://npm.test/" = "npm/"\n'
    )
    upper = package(packages, "upper", index_dot_js="module.exports = s => require('inner')(s.toUpperCase())")
    tool = "#!/usr/bin/env node\nconst fs = require('fs'); fs.mkdirSync('made');\n"
    tool += "fs.writeFileSync('made/main.js', fs.readFileSync('src/main.js'));\n"
    lock = {
        "lockfileVersion": 3,
        "packages": {
            "": {"name": "app", "bin": {"app": "./made/main.js"}},
            "node_modules/upper": upper,
            "node_modules/upper/node_modules/inner": package(
                packages, "inner", index_dot_js="module.exports = s => s + '!'"
            ),
            "node_modules/shouter": {
                **package(packages, "shouter", cli_dot_js="console.log(require('upper')('of a package'))"),
                "bin": {"shout": "cli.js"},
            },
            "node_modules/tool": {
                **package(packages, "tool", cli_dot_js=tool),
                "dev": True,
                "bin": {"make": "cli.js"},
            },
            "node_modules/foreign": {
                **package(packages, "foreign", index_dot_js=""),
                "optional": True,
                "os": ["!linux"],
            },
        },
    }
    (project.project / "package-lock.json").write_text(json.dumps(lock))
    (project.project / "src").mkdir()
    (project.project / "src/main.js").write_text("console.log(require('upper')(process.argv[2]))\n")
    project.write(
        default="""
load("std/node")

def app():
    lock = json.decode(read("package-lock.json"))
    return node.app("app", files(["src/**"]), lock, build="make")

def of_package():
    lock = json.decode(read("package-lock.json"))
    return node.app("app", files(["src/**"]), lock, build="cd / && ls", directory="src", programs=["shout"])

def unknown():
    return node.app("app", [], json.decode(read("package-lock.json")), programs=["nothing"])

def nameless():
    return node.app("app", [], {"packages": {"": {}}})

def unlocked():
    return node.modules({"packages": {"node_modules/a": {"version": "1"}}})
"""
    )
    done = project.run("run", "./:app", "app", "x y")
    assert (done.status, done.out) == (0, "X Y!\n"), done.err
    closure = project.run("store", "closure", "--json", "./:app").json["objects"]
    store = Path(os.path.realpath(project.store / "store"))
    paths = [store / entry["name"] for entry in closure]
    modules = [path for path in paths if (path / "node_modules").is_dir()]
    assert len(modules) == 1, "the packages for development are not needed any more"
    assert sorted(os.listdir(modules[0] / "node_modules")) == [".bin", "shouter", "upper"]
    done = project.run("run", "./:of_package", "shout")
    assert (done.status, done.out) == (0, "OF A PACKAGE!\n"), done.err
    assert project.run("build", "./:nameless").codes == ["eval.fail"]
    assert project.run("build", "./:unlocked").codes == ["eval.fail"]
    assert project.run("build", "./:unknown").codes == ["eval.fail"]
