"""Build real software with the library and print a table: `python3 -m tests.real.table MIRROR [TARGET…]`.

MIRROR is what `tests.real.fill` filled. For each function of tests/real/project:

- what building it costs the processor, and how often what the same commands cost on the bare machine
  (configure, make and so on of the derivation, with -j2, in a scratch directory);
- the size of its closure;
- whether a second build under another store path is the same (`build --check`; the cost is that of this
  build, in which nothing else is built);
- whether its program runs from a copy of the store at another place, relocated by another user (--user
  NAME, as root), who cannot see the first store.

Run by hand: it takes long, and needs what the projects need. The store stays, for the next time.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

ROOT = Path(__file__).resolve().parents[2]
# Target → what shows that the result works; the others are libraries.
PROGRAMS = {
    "./:bzip2": "echo works | bzip2 | bunzip2",
    "./:xz": "echo works | xz | xz -d",
    "./:lua": "lua -e 'print(2^10)'",
    "./:hello": "hello",
    "./:sed": "echo broken | sed s/broken/works/",
    "./:grep": "echo works | grep -o w.*",
    "./:make": "printf 'all:\\n\\t@echo works\\n' | make -f -",
    "./:dash": "dash -c 'echo $((6*7))'",
    "./:jq": """jq -nc '["a1"|test("[0-9]"), 1+2]'""",
    "./:less": "echo works | less",
    "./:sqlite": "sqlite3 :memory: 'select sqlite_version()'",
    "./:tcc": """printf 'int puts(char*);int main(){puts("works");return 0;}' | tcc -run -""",
    "./:busybox": "busybox sh -c 'echo works'",
    "./:openssl": "echo works | openssl dgst -sha256",
    "./:curl": "curl -sV | head -1",
    "./:git": "git init -q g && git -C g -c user.name=a -c user.email=a@b commit -qm works --allow-empty "
    "&& git -C g log --format=%s && git ls-remote https://127.0.0.1:1/x 2>&1 | head -1",
    "./:cpython": "python3 -c 'import ssl, sqlite3, zlib, bz2, lzma, ctypes, readline, curses; "
    "print(ssl.OPENSSL_VERSION)'",
    "./languages:shop": "shop",
    "./languages:shop_own": "shop",
    "./languages:black": "echo 'x  = 1' | black -q -",
    "./languages:httpie": "http --version",
    "./languages:prettier": "echo 'a  =  1' | prettier --parser babel",
    "./languages:shapes": "shapes",
    "./languages:eslint": "eslint --version",
    "./languages:lines": "printf 'a\\nb\\n' | lines",
    "./languages:words": "words these are",
    "./others:gzip": "echo works | gzip | gzip -d",
    "./others:tar": "echo works > f && tar cf - f | tar tf -",
    "./others:diffutils": "echo a > a; echo b > b; diff a b | tail -1",
    "./others:patch": "patch --version | head -1",
    "./others:gawk": "gawk 'BEGIN { print 6*7 }'",
    "./others:findutils": "find . -name . | xargs echo",
    "./others:coreutils": "seq 3 | sort -r | head -n 1",
    "./others:m4": "echo 'define(a,works)a' | m4",
    "./others:pcre2": "echo works | pcre2grep -o 'w.*'",
    "./others:nano": "nano --version | head -1",
    "./others:htop": "htop --version",
    "./others:tree": "tree --version",
    "./others:rsync": "mkdir a && rsync -a a/ b/ && echo works",
    "./others:strace": "strace -V | head -1",
    "./others:file": "file -b /bin/sh | cut -c 1-3",
    "./others:nasm": "nasm -v",
    "./others:fribidi": "echo works | fribidi",
    "./others:zstd": "echo works | zstd | zstd -d",
    "./others:figlet": "figlet works | head -1",
    "./others:gperf": "printf 'works\\n' | gperf | head -1",
    "./others:pv": "echo works | pv -q",
    "./others:bc": "echo 6*7 | bc",
    "./others:dos2unix": "printf 'works\\r\\n' | dos2unix",
    "./others:lz4": "echo works | lz4 | lz4 -d",
}
# Where the library's script of a build by others begins and ends; between them is what they say to do.
_BEGINS = 'cd "./$_directory"\n'
_ENDS = '\ncd "$out"\nfind . -name'
_BARE = """
mkdir source
cp -Rp "$_src/." source
chmod -R u+w source
cd source
set -- *
[ $# != 1 ] || cd "$1"
_include= _search= _packages= _prefixes= _top=$PWD
for _patch in ${_patches-}; do
    [ ! -d "$_patch" ] || _patch=$(find "$_patch" -type f)
    patch -p1 < "$_patch"
done
for _dep in ${_deps-}; do
    [ ! -d "$_dep/bin" ] || PATH="$_dep/bin:$PATH"
    _include="$_include -I$_dep/include" _prefixes="$_prefixes;$_dep"
    for _lib in lib lib64; do
        [ -d "$_dep/$_lib" ] || continue
        _search="$_search -L$_dep/$_lib -Wl,-rpath,$_dep/$_lib" _packages="$_packages:$_dep/$_lib/pkgconfig"
    done
done
export CPPFLAGS="$_include" LDFLAGS="$_search" CFLAGS=-O2 CXXFLAGS=-O2 PKG_CONFIG_PATH="${_packages#:}"
first_lines() { :; }
_jobs=-j2
cd "./$_directory"
"""


@dataclass(frozen=True)
class Place:
    """Where all of it is done."""

    project: Path
    store: Path


def bramble(place: Place, *words: str, user: str = "") -> subprocess.CompletedProcess[str]:
    """Run Bramble, as the user if one is named; return what it said."""
    command = [sys.executable, "-I", str(ROOT / "bramble"), *words]
    environ = {**os.environ, "BRAMBLE_PATH": str(place.store)}
    return subprocess.run(command, cwd=place.project, env=environ, capture_output=True, text=True)


def processor() -> float:
    """Return the seconds that processes which have ended took of the processor."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def recipe(place: Place, name: str, output: str) -> dict[str, Any]:
    """Return the derivation in the store that made the output."""
    for path in place.store.glob(f"store/*-{name}.drv"):
        found: dict[str, Any] = json.loads(path.read_text())
        if os.path.basename(output) in path.read_text():
            return found
    raise SystemExit(f"no derivation {name} of {output}")


def bare(place: Place, drv: dict[str, Any]) -> Optional[float]:
    """Do the same on the machine; return what it took of the processor, or None where it fails."""
    _, text = drv["Args"]
    if _BEGINS in text and _ENDS in text:
        text = _BARE + text.partition(_BEGINS)[2].partition(_ENDS)[0]
    # The store of record stands in it.
    env = {key: value for key, value in json.loads(text_of(place, drv["Env"])).items() if key != "PATH"}
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copytree(place.project, f"{scratch}/p", ignore=shutil.ignore_patterns("sources"))
        os.mkdir(f"{scratch}/out")
        env.update(PATH="/usr/bin:/bin", HOME=scratch, out=f"{scratch}/out")
        before = processor()
        command = ["sh", "-euc", text]
        done = subprocess.run(command, cwd=f"{scratch}/p", env=env, capture_output=True, text=True)
        if done.returncode:
            print("\n".join((done.stdout + done.stderr).splitlines()[-15:]), file=sys.stderr)
            return None
        return processor() - before


def text_of(place: Place, value: object) -> str:
    """Return JSON with paths as they are here."""
    own = os.path.realpath(place.store / "store")
    return json.dumps(value).replace("/home/bramble/bramble/bramble_store_" + "padding/bramb", own)


def row(place: Place, target: str, once: bool) -> tuple[str, str]:
    """Build one function; return the cells of its row so far, and its output."""
    done = bramble(place, "build", "--json", target)
    if done.returncode:
        return f"no: {done.stderr.strip().splitlines()[-2:]} | | | |", ""
    told = json.loads(done.stdout)["results"][0]
    path = told["outputs"]["out"]["path"]
    size = json.loads(bramble(place, "size", "--json", path).stdout)["size"]
    if once:
        return f"| | {size / 2**20:.1f} MiB | |", path
    before = processor()
    check = bramble(place, "build", "--check", target)
    took = processor() - before
    without = bare(place, recipe(place, told["name"], path))
    # Where files are only laid out, nothing is compared.
    ratio = f"{took / without:.2f}" if without and without > 1 else "–"
    same = "yes" if check.returncode == 0 else "no: " + check.stderr.strip().splitlines()[-1][:60]
    return f"{took:.1f} s | {ratio} | {size / 2**20:.1f} MiB | {same} |", path


def moved(place: Place, user: str, found: dict[str, str]) -> dict[str, str]:
    """Copy the store, let another user relocate it, and run the programs where the first store is hidden."""
    copy = Path(tempfile.mkdtemp(prefix="m", dir="/var/tmp"))
    # Without a check: what a build that goes on meanwhile leaves and removes is not missed.
    subprocess.run(["cp", "-a", str(place.store), str(copy / "s")], stderr=subprocess.DEVNULL)
    shutil.copytree(ROOT / "bramble", copy / "bramble")
    subprocess.run(["chown", "-R", f"{user}:", str(copy)], check=True)
    copy.chmod(0o755)
    hidden = f"mount -t tmpfs none {shlex.quote(str(place.store))} && exec su {user} -s /bin/sh -c "

    def as_user(script: str) -> subprocess.CompletedProcess[str]:
        command = ["unshare", "-m", "sh", "-c", hidden + shlex.quote(f"cd $(mktemp -d); {script}")]
        return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)

    done = as_user(f"BRAMBLE_PATH={copy}/s python3 -I {copy}/bramble store relocate")
    if done.returncode:
        raise SystemExit(done.stderr)
    ran = {}
    for target, path in found.items():
        if target not in PROGRAMS:
            ran[target] = "library"
            continue
        done = as_user(f"PATH={copy}/s/store/{os.path.basename(path)}/bin:$PATH; {PROGRAMS[target]}")
        said = (done.stdout.strip() or done.stderr.strip() or "nothing").splitlines()
        ran[target] = said[0][:50] if done.returncode == 0 else f"no: {said[-1][:80]}"
    shutil.rmtree(copy)
    return ran


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("mirror", type=Path)
    parser.add_argument("targets", nargs="*", default=[*PROGRAMS])
    parser.add_argument("--user", default="nobody", help="who runs the copy; root may say so")
    parser.add_argument("--once", action="store_true", help="no second build, nothing bare")
    parser.add_argument("--in", dest="place", type=Path, default=Path("/var/tmp/real"))
    words = parser.parse_args()
    place = Place(words.place / "p", words.place / "s")
    shutil.copytree(ROOT / "tests/real/project", place.project, dirs_exist_ok=True)
    if not (place.project / "sources").exists():
        shutil.copytree(words.mirror, place.project / "sources")
    rows, found = {}, {}
    for target in words.targets:
        rows[target], path = row(place, target, words.once)
        print(target, rows[target], flush=True, file=sys.stderr)
        if path:
            found[target] = path
    ran = moved(place, words.user, found)
    print("| what | processor | times bare | closure | the same | after a move, as another |")
    print("|---|---|---|---|---|---|")
    for target, cells in rows.items():
        print(f"| {target.rpartition(':')[2]} | {cells} {ran.get(target, '')} |")


if __name__ == "__main__":
    main()
