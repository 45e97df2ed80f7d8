"""A shim for a program that runs one Starlark file, as shim.sh is one, for machines without a shell to trust.

    python3 -m conformance --impl "python3 conformance/shims/shim.py python3 -m bramble.starlark" \\
        --env PYTHONPATH=$PWD --level language --codes off --without star-batch

The program's own words come first, then those of the suite. It prints FILE:LINE:COLUMN: MESSAGE for what is
wrong before anything runs, and else a traceback whose last place is the innermost, and `Error: MESSAGE`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator


def errors(lines: list[str], file: str) -> Iterator[dict[str, object]]:
    """Yield the errors among the lines of standard error, in the form of the suite."""
    place = re.compile(re.escape(file) + r":\d+:\d+")
    at = None
    running = False
    for line in lines:
        found = place.search(line)
        if line.startswith("Traceback"):
            running = True
        elif running and line.startswith("  "):
            at = found.group() if found else at
        elif running and line.startswith("Error"):
            yield {"error": "eval.unknown", "at": at, "message": line, "remedy": None}
        elif found and found.start() == 0:
            yield {"error": "syntax.unknown", "at": found.group(), "message": line, "remedy": None}
        else:
            print(line, file=sys.stderr)


def main(words: list[str]) -> int:
    """Run `star …` as the program that the first words name; return the exit status."""
    if "star" not in words or "--each" in words:
        return 2
    split = words.index("star")
    program, rest = words[:split], words[split + 1 :]
    done = subprocess.run([*program, *rest], stderr=subprocess.PIPE, check=False)
    lines = done.stderr.decode("utf-8", "replace").split("\n")[:-1]
    if done.returncode == 0:
        sys.stderr.write(done.stderr.decode("utf-8", "replace"))
        return 0
    for error in errors(lines, rest[-1]):
        print(json.dumps(error), file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
