"""Archives for tests, made member by member, so that they can also be wrong."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from collections.abc import Sequence
from typing import Optional, Union

Entry = tuple[str, str, Union[bytes, str], int]  # kind, name, contents or target, mode

_TYPES = {
    "file": tarfile.REGTYPE,
    "directory": tarfile.DIRTYPE,
    "symlink": tarfile.SYMTYPE,
    "hardlink": tarfile.LNKTYPE,
    "device": tarfile.CHRTYPE,
    "fifo": tarfile.FIFOTYPE,
}


def file(name: str, contents: bytes = b"", mode: int = 0o644) -> Entry:
    return ("file", name, contents, mode)


def directory(name: str, mode: int = 0o755) -> Entry:
    return ("directory", name, b"", mode)


def symlink(name: str, target: str) -> Entry:
    return ("symlink", name, target, 0o777)


def hardlink(name: str, target: str) -> Entry:
    return ("hardlink", name, target, 0o644)


def tar(entries: Sequence[Entry], compression: str = "", form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=f"w:{compression}", format=form) as archive:  # type: ignore[call-overload]
        for kind, name, body, mode in entries:
            info = tarfile.TarInfo(name)
            info.type, info.mode = _TYPES[kind], mode
            data: Optional[io.BytesIO] = None
            if isinstance(body, str):
                info.linkname = body
            else:
                info.size, data = len(body), io.BytesIO(body)
            archive.addfile(info, data)
    return out.getvalue()


def zipped(entries: Sequence[Entry]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for kind, name, body, mode in entries:
            info = zipfile.ZipInfo(name + ("/" if kind == "directory" and not name.endswith("/") else ""))
            info.create_system = 3
            form = {"file": stat.S_IFREG, "directory": stat.S_IFDIR, "symlink": stat.S_IFLNK}
            info.external_attr = (form.get(kind, stat.S_IFIFO) | mode) << 16
            archive.writestr(info, body, zipfile.ZIP_DEFLATED)
    return out.getvalue()
