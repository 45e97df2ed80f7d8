from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from bramble.build.log import LOG_SHOWN, BuildLog
from bramble.errors import BrambleError


@pytest.mark.parametrize("limit", [0, 5000, 1 << 16])
@pytest.mark.parametrize("block", [1, 977, 40_000, 300_000])
def test_of_a_long_log_the_end_is_kept(tmp_path: Path, limit: int, block: int) -> None:
    path = tmp_path / "log"
    whole = b"".join(b"%08d\n" % number for number in range(40_000 if block > 1 else 2_000))
    seen: list[bytes] = []
    with BuildLog(str(path), seen.append, limit) as log:
        for at in range(0, len(whole), block):
            log.write(whole[at : at + block])
            assert path.stat().st_size <= max(limit, 4096)
        shown = log.shown()
    assert b"".join(seen) == whole
    kept = path.read_bytes()
    if len(whole) <= max(limit, 4096):
        assert kept == whole == shown
        return
    assert whole[-2000:] in kept and kept.endswith(whole[-1500:])
    assert shown.endswith(whole[-1500:])
    assert shown.splitlines()[0].decode().startswith("… ") and str(path) in shown.splitlines()[0].decode()


def test_what_is_shown_of_a_log_is_bounded(tmp_path: Path) -> None:
    with BuildLog(str(tmp_path / "log"), lambda data: None, 64 << 20) as log:
        for _ in range(8):
            log.write(b"x" * (1 << 20))
        assert len(log.shown()) < LOG_SHOWN + 1000


def test_a_log_has_its_mode_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o777)
    try:
        with BuildLog(str(tmp_path / "log"), lambda data: None, 1 << 20) as log:
            log.write(b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) == 0o644


def test_what_cannot_be_a_log_is_told(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    with pytest.raises(BrambleError) as caught:
        BuildLog(str(tmp_path / "log"), lambda data: None, 1 << 20)
    assert caught.value.code == "store.system"
