"""What the pages of the guide download: the same bytes everywhere, so that pages can state checksums."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

COUNTS = {
    "counts-1.0/configure": """#!/bin/sh
for word; do case $word in --prefix=*) echo "prefix = ${word#--prefix=}" > config.mk ;; esac; done
""",
    "counts-1.0/Makefile": """include config.mk
libcounts.so: counts.c counts.h
\t$(CC) $(CFLAGS) -shared -fPIC -o $@ counts.c $(LDFLAGS)
check: libcounts.so
\t@echo counts are right
install: libcounts.so
\tmkdir -p $(prefix)/lib $(prefix)/include
\tcp libcounts.so $(prefix)/lib
\tcp counts.h $(prefix)/include
""",
    "counts-1.0/counts.h": "int counts(const char *text, char letter);\n",
    "counts-1.0/counts.c": """#include "counts.h"
int counts(const char *text, char letter) {
    int found = 0;
    while (*text) found += *text++ == letter;
    return found;
}
""",
}
REPORT = {
    "report-2.0/Makefile": """report: report.c
\t$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ report.c $(LDFLAGS) -lcounts
install: report
\tmkdir -p $(PREFIX)/bin
\tcp report $(PREFIX)/bin
""",
    "report-2.0/report.c": """#include <counts.h>
#include <stdio.h>

int main(int count, char **words) {
    printf("%d times\\n", counts(words[1], 'a'));
    return 0;
}
""",
}
SHOUT = {
    "shout/__init__.py": "def shout(text):\n    return text.upper() + '!'\n",
    "shout-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: shout\nVersion: 1.0\n",
    "shout-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\n"
    "Generator: me\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "shout-1.0.dist-info/RECORD": "",
}
UPPER = {
    "package/package.json": '{"name": "upper", "version": "1.0.0", "main": "index.js"}\n',
    "package/index.js": "module.exports = text => text.toUpperCase() + '!';\n",
}
CRATE = {
    "shout-1.0.0/Cargo.toml": '[package]\nname = "shout"\nversion = "1.0.0"\nedition = "2018"\n',
    "shout-1.0.0/src/lib.rs": """pub fn shout(text: &str) -> String {
    text.to_uppercase() + "!"
}
""",
}


def publish(directory: Path) -> None:
    """Write all files that the pages download from https://example.com/ into `directory`."""
    directory.mkdir(exist_ok=True)
    (directory / "counts-1.0.tar").write_bytes(tar(COUNTS))
    (directory / "report-2.0.tar").write_bytes(tar(REPORT))
    (directory / "upper-1.0.0.tgz").write_bytes(gzipped(tar(UPPER)))
    (directory / "shout-1.0.0.crate").write_bytes(gzipped(tar(CRATE)))
    with zipfile.ZipFile(directory / "shout-1.0-py3-none-any.whl", "w", zipfile.ZIP_STORED) as wheel:
        for name, text in SHOUT.items():
            wheel.writestr(zipfile.ZipInfo(name), text)


def tar(files: Mapping[str, str]) -> bytes:
    """Return a tar archive with nothing of the machine in it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            member.mode = 0o755 if name.endswith("configure") else 0o644
            archive.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


def gzipped(data: bytes) -> bytes:
    """Return RFC 1952 of stored blocks: compressors differ in what they make of the same bytes."""
    blocks = b""
    for start in range(0, len(data), 65535):
        part = data[start : start + 65535]
        last = start + 65535 >= len(data)
        blocks += struct.pack("<BHH", last, len(part), len(part) ^ 0xFFFF) + part
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + blocks + struct.pack("<II", zlib.crc32(data), len(data))
