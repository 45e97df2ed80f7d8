"""An implementation with one fault: `wrapper.py FAULT COMMAND…` runs the command and spoils what it prints.

`digits` changes the last character of every digest on standard output;
`silent` drops standard error.
"""

from __future__ import annotations

import re
import subprocess
import sys


def main(fault: str, command: list[str]) -> int:
    done = subprocess.run(command, capture_output=True, check=False)
    stdout, stderr = done.stdout, done.stderr
    if fault == "digits":
        stdout = re.sub(rb"(?<![a-z2-7])([a-z2-7]{31})([a-z2-7])(?![a-z2-7])", changed, stdout)
    elif fault == "silent":
        stderr = b""
    sys.stdout.buffer.write(stdout)
    sys.stderr.buffer.write(stderr)
    return done.returncode


def changed(found: re.Match[bytes]) -> bytes:
    return found.group(1) + (b"a" if found.group(2) != b"a" else b"b")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
