"""Bramble built on a Python that Bramble built: `python3 -m tests.real.bootstrap MIRROR [--in DIR]`.

CPython is built from its source, with the libraries that it needs, as tests.real.table does it, in the same
store. Then `bramble self build --nested` is done twice: with that Python, and with the one of this machine.
The exit status is 1 when the objects have different names.

Run by hand: to build CPython takes long. MIRROR is what `tests.real.fill` filled.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.real.table import ROOT, Place, bramble


def names(*words: str, **environ: str) -> list[str]:
    """Let Bramble build itself; return the name of the object of each stage, then that of the tools."""
    command = [sys.executable, "-I", str(ROOT / "bramble"), "self", "build", "--nested", "--json", *words]
    done = subprocess.run(command, env={**os.environ, **environ}, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(1)
    stages = json.loads(done.stdout)["stages"]
    return [stage["name"] for stage in stages] + [stages[-1]["tools"]]


def main() -> int:
    """Build CPython, then Bramble on it and on the machine's Python; compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("mirror", type=Path)
    parser.add_argument("--in", dest="place", type=Path, default=Path("/var/tmp/real"))
    words = parser.parse_args()
    place = Place(words.place / "p", words.place / "s")
    shutil.copytree(ROOT / "tests/real/project", place.project, dirs_exist_ok=True)
    if not (place.project / "sources").exists():
        shutil.copytree(words.mirror, place.project / "sources")
    done = bramble(place, "build", "--json", "./:cpython")
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        return 1
    python = json.loads(done.stdout)["results"][0]["outputs"]["out"]["path"]
    with_ours = names("--python", f"{python}/bin/python3", BRAMBLE_HOST_TOOLS=os.path.realpath(place.store))
    with_theirs = names()
    print("on our Python:          ", *with_ours)
    print("on the machine's Python:", *with_theirs)
    return 0 if with_ours[:3] == with_theirs[:3] else 1


if __name__ == "__main__":
    sys.exit(main())
