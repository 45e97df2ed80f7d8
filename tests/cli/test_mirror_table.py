"""The person's table of mirrors is a regular file, or an error: nothing is waited for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bramble.commands.context.mirror import read_mirror
from bramble.errors import BrambleError


# spec: cli.mirror
def test_what_is_no_file_is_an_error(tmp_path: Path) -> None:
    for path in ("/dev/zero", "/dev/null", str(tmp_path), str(tmp_path / "none")):
        with pytest.raises(BrambleError) as caught:
            read_mirror(path)
        assert caught.value.code == "fetch.mirror"


def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    script = "import sys; from bramble.commands.context.mirror import read_mirror; read_mirror(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "fifo")], timeout=30, capture_output=True, text=True
    )
    assert "a FIFO" in done.stderr


def test_a_link_of_the_person_is_followed(tmp_path: Path) -> None:
    (tmp_path / "table").write_text('[mirror]\n"https://a.test/" = "x"\n')
    (tmp_path / "link").symlink_to("table")
    assert read_mirror(str(tmp_path / "link")) == {"https://a.test/": str(tmp_path / "x")}
