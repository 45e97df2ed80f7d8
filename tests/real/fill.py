"""Fill a mirror directory with the sources of real software: `python3 -m tests.real.fill DIR`.

C sources come from Debian's source packages (`deb-src` has to be enabled), Python's from its
index by pip, Node's from npm's registry by `npm pack`. Nothing is built here.
"""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import sys
import tempfile

DEBIAN = (
    *("zlib", "bzip2", "xz-utils", "lua5.4", "hello", "sed", "grep", "make-dfsg", "dash", "jq", "ncurses"),
    *("less", "sqlite3", "tcc", "busybox", "openssl", "curl", "git", "python3.11", "libonig"),
)


def main(target: str) -> None:
    """Fill `target`; say what could not be had."""
    os.makedirs(target, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        os.chmod(scratch, 0o777)
        for package in DEBIAN:
            command = ["apt-get", "source", "--download-only", "-qq", package]
            done = subprocess.run(command, cwd=scratch, capture_output=True, text=True)
            archives = [path for path in glob.glob(f"{scratch}/*.orig*.tar.*") if not path.endswith(".asc")]
            for path in archives:
                shutil.move(path, os.path.join(target, os.path.basename(path)))
            reason = done.stderr.strip().splitlines()[-1:]
            print(package, "ok" if archives else f"missing: {reason}", flush=True)
            for path in glob.glob(f"{scratch}/*"):
                os.unlink(path)


if __name__ == "__main__":
    main(sys.argv[1])
