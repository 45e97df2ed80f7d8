"""Fill a mirror directory with the sources of real software: `python3 -m tests.real.fill DIR`.

C sources come from Debian's source packages (`deb-src` has to be enabled; APT names another command than
apt-get), Python's from its index by pip, Node's from npm's registry by npm. Nothing is built here.
What is there already is not fetched again.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

DEBIAN = (
    *("zlib", "bzip2", "xz-utils", "lua5.4", "hello", "sed", "grep", "make-dfsg", "dash", "jq", "libonig"),
    *("ncurses", "less", "sqlite3", "tcc", "busybox", "openssl", "curl", "expat", "git"),
    *("libffi", "readline", "python3.11"),
    # Those that nobody asked for.
    *("gzip", "tar", "diffutils", "patch", "gawk", "findutils", "coreutils", "m4", "libpng1.6", "pcre2"),
    *("gmp", "nano", "htop", "tree", "rsync", "strace", "file", "nasm", "libzstd", "lz4", "libuv1"),
    *("fribidi", "figlet", "gperf", "libyaml", "tinyxml2", "pv", "bc", "dos2unix", "libevent"),
)
# Name of a list of wheels → what is asked for.
PYTHON = {"flask": ("flask",), "httpie": ("httpie",), "black": ("black",)}
# Name of a lock → its package.json, without name and version.
NODE = {
    "pretty": {"dependencies": {"prettier": "^3"}},
    "shapes": {
        "dependencies": {"nanoid": "^3", "zod": "^3"},
        "devDependencies": {"esbuild": "^0.28", "typescript": "^5"},
    },
    "lint": {"dependencies": {"eslint": "^9"}},
}


def debian(target: Path, package: str) -> str:
    """Fetch the upstream archives of a source package; say how it went."""
    noted = target / f".{package}"
    if noted.exists():
        return "is there"
    with tempfile.TemporaryDirectory() as scratch:
        os.chmod(scratch, 0o777)
        command = [os.environ.get("APT", "apt-get"), "source", "--tar-only", "-qq", package]
        done = subprocess.run(command, cwd=scratch, capture_output=True, text=True)
        archives = [path for path in glob.glob(f"{scratch}/*.orig*.tar.*") if not path.endswith(".asc")]
        for path in archives:
            shutil.move(path, target / os.path.basename(path))
    if not archives:
        return f"missing: {done.stderr.strip().splitlines()[-1:]}"
    noted.touch()
    return "ok"


def python(target: Path, name: str, wanted: tuple[str, ...]) -> str:
    """Fetch wheels, and write the list of them that python.requirements() reads."""
    listed = target / f"{name}.txt"
    if listed.exists():
        return "is there"
    with tempfile.TemporaryDirectory() as scratch:
        pip = [sys.executable, "-m", "pip", "download", "-qq", "--only-binary=:all:", "-d", scratch]
        if subprocess.run([*pip, *wanted], stderr=subprocess.DEVNULL).returncode:
            return "missing"
        lines = []
        for path in sorted(Path(scratch).iterdir()):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            place = f"https://sources.test/python/{path.name}"
            lines.append(f"{path.name.split('-')[0]} @ {place} --hash=sha256:{digest}\n")
            (target / "python").mkdir(exist_ok=True)
            shutil.move(path, target / "python" / path.name)
    listed.write_text("".join(lines))
    return "ok"


def node(target: Path, name: str, manifest: dict[str, dict[str, str]]) -> str:
    """Write a package-lock.json, and fetch the packages of it that are for this machine."""
    lock = target / f"{name}.json"
    if lock.exists():
        return "is there"
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch, "package.json").write_text(json.dumps({"name": name, "version": "1.0.0", **manifest}))
        npm(scratch, "install", "--package-lock-only", "--omit-lockfile-registry-resolved")
        entries = json.loads(Path(scratch, "package-lock.json").read_text())["packages"]
        for place, entry in entries.items():
            fits = "linux" in entry.get("os", ["linux"]) and "x64" in entry.get("cpu", ["x64"])
            if not place or not fits:
                continue
            package = place.rpartition("node_modules/")[2]
            directory = target / "npm" / package / "-"
            file = f"{package.rpartition('/')[2]}-{entry['version']}.tgz"
            if not (directory / file).exists():
                directory.mkdir(parents=True, exist_ok=True)
                packed = npm(scratch, "pack", "--silent", f"{package}@{entry['version']}").strip()
                shutil.move(Path(scratch, packed), directory / file)
        shutil.copy(Path(scratch, "package-lock.json"), lock)
    return "ok"


def npm(directory: str, *words: str) -> str:
    """Run npm; return what it says."""
    done = subprocess.run(["npm", *words], cwd=directory, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def main(words: str) -> None:
    """Fill the directory; say what could not be had."""
    target = Path(words)
    target.mkdir(parents=True, exist_ok=True)
    for package in DEBIAN:
        print(package, debian(target, package), flush=True)
    for name, wanted in PYTHON.items():
        print(name, python(target, name, wanted), flush=True)
    for name, manifest in NODE.items():
        print(name, node(target, name, manifest), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
