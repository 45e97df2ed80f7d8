"""Deliberate faults of downloads and archives: (paragraph, file, text, what takes its place). See mutants.py.

They are what a client takes that trusts a server, and what a program unpacks that trusts an archive.
"""

from __future__ import annotations

Fault = tuple[str, str, str, str]


def _in(name: str, *faults: tuple[str, str, str]) -> tuple[Fault, ...]:
    """Return the faults of one file of the package."""
    path = f"bramble/build/fetch/{name}.py"
    return tuple((f"build.{topic}", path, old, new) for topic, old, new in faults)


FAULTS: tuple[Fault, ...] = (
    *_in(
        "joining",
        ("fetch.resume", "and strong_validator_of_part(head) != have.validator:\n", "and False:\n"),
    ),
    *_in(
        "transfer",
        ("fetch.resume", "asked = self._have.continues_at(where)", "asked = False"),
        ("fetch.redirect", "_REDIRECTS = (301, 302, 303, 307, 308)", "_REDIRECTS = (301,)"),
        ("fetch.redirect", 'if following.scheme == "file" or (', "if ("),
        ("fetch.encoding", "if number == 0 and endings and any(", "if True or any("),
        ("fetch.transfer", "if status in (404, 410):", "if status == 410:"),
        ("fetch.transfer", "502, 503, 504)", "502, 504)"),
    ),
    *_in(
        "response",
        ("fetch.message", "        if head.status >= 200:\n", "        if True:\n"),
        ("fetch.message", "    if len(lengths) > 1:\n", "    if False:\n"),
        ("fetch.message", r"[ \t]*(?:;[^\0\r\n]*)?", ""),
    ),
    *_in(
        "checksum",
        ("fetch.checksum", "    if hasher.digest() != want.digest:\n", "    if False:\n"),
        ("fetch.checksum", "return bytes.fromhex(digits)", "return None"),
        ("fetch.checksum", "return found if len(found) == size else None", "return found"),
    ),
    *_in(
        "reach",
        ("fetch.reach", "or not open_to_all(here):", "or False:"),
        ("fetch.reach", '(name.startswith(".") and name != ".git") or', ""),
        ("fetch.reach", "    real = os.path.realpath(path)\n", "    real = os.path.abspath(path)\n"),
        ("fetch.reach", "_below(path, directory) for directory in _NO_FILES", "()"),
    ),
    *_in(
        "patience",
        ("fetch.patience", "            raise self._too_long(failure)\n", "            pass\n"),
    ),
    *_in(
        "archives/unpack",
        ("unpack.kinds", '    (".tar.bz2", "bz2"),\n', ""),
        ("unpack.empty", "            if tree.is_empty():\n", "            if False:\n"),
    ),
    *_in(
        "archives/tar",
        ("unpack.kinds", 'raise TarSpecial(f"{what} is {_SPECIAL[kind]}")', 'return "file"'),
        ("unpack.tar", '    if magic[:6] == b"ustar\\0":\n', '    if magic[:5] == b"ustar":\n'),
        ("unpack.tar", "    coming.update(more)\n", "    coming.clear()\n"),
        ("unpack.whole", 'raise TarBroken("it ends before its end mark")', "return bytes(size)"),
    ),
    *_in(
        "archives/zip",
        ("unpack.zip", "or self._read(after, name_length) != entry.raw:", "or False:"),
        ("unpack.zip", "open_numbers = (0, _FULL32) if flags & 8 else ()", "open_numbers = ()"),
        ("unpack.zip", 'and self._file.read(4) == b"PK\\3\\4":', "and False:"),
        ("unpack.zip-names", 'raw.decode("cp437")', 'raw.decode("latin-1")'),
        (
            "unpack.zip-names",
            "    if flags & 1 << 11:\n        _check_utf8(raw)\n",
            "    if flags & 1 << 11:\n        pass\n",
        ),
    ),
    *_in(
        "archives/confined",
        ("unpack", "            os.fchmod(fd, 0o755)\n", "            pass\n"),
        ("unpack", "        if self._once:\n", "        if True:\n"),
        ("unpack.inside", '    if name.startswith(b"/"):\n', "    if False:\n"),
        (
            "unpack.inside",
            "            return os.open(name, _DIRECTORY, dir_fd=parent)\n        except",
            "            return os.open(name, _DIRECTORY & ~os.O_NOFOLLOW, dir_fd=parent)\n        except",
        ),
    ),
)
