"""Follows pages of the guide in a store of their own, as a newcomer would on an empty machine.

    python3 -m tests.real.guide go c python      # run by hand; without a name all pages

The pages that cost little are also followed by tests/library/test_guide.py.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.library import guide, upstream

ROOT = Path(__file__).resolve().parents[2]


def main(names: list[str]) -> None:
    """Follow the pages that are named, and say which were as they say. What is made stays, for a look."""
    pages = names or sorted(page.stem for page in (ROOT / "spec/guide").glob("*.md"))
    base = Path(tempfile.mkdtemp(prefix="g", dir="/tmp"))
    print(f"in {base}")
    command = base / "bin/bramble"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -uI {ROOT}/bramble "$@"\n')
    command.chmod(0o755)
    (base / "home").mkdir()
    upstream.publish(base / "upstream")
    (base / "mirror.toml").write_text('[mirror]\n"https://example.com/" = "upstream"\n')
    environ = {
        "PATH": f"{base}/bin:/usr/local/bin:/usr/bin:/bin",
        "HOME": f"{base}/home",
        "BRAMBLE_PATH": f"{base}/s",
        "BRAMBLE_MIRROR": f"{base}/mirror.toml",
    }
    for name in pages:
        (base / name).mkdir()
        guide.follow(ROOT / f"spec/guide/{name}.md", base / name, environ)
        print(f"{name}: as it says", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
