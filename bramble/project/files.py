"""files(): the source files of a project by name and by pattern, in one order everywhere."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Mapping, Sequence
from typing import Optional

from bramble.errors import BrambleError, nearest
from bramble.project.access import read_file
from bramble.project.names import LOCK_NAME, VENDOR_NAME
from bramble.project.patterns import ANY_DEPTH, Pattern, outside, parse_pattern
from bramble.recall.reads import NOT_NOTED, Reads
from bramble.record import dataclass, field

READ_LIMIT = 16 << 20  # bytes of a file whose text a program asks for

Names = tuple[str, ...]  # a path relative to the project, as its names
_Question = tuple[str, Names, Names, bool, bool]  # what find_files() is asked
_Answer = tuple[tuple[str, ...], tuple[str, ...]]  # files, patterns that nothing matches


@dataclass(frozen=True)
class Listings:
    """What was found on disk for one project, so that many calls look once.

    Holds for one evaluation: files that appear later are not seen. `reads` notes what was looked at.
    """

    root: str
    reads: Reads = field(default=NOT_NOTED, compare=False, repr=False)
    _directories: dict[Names, dict[str, int]] = field(default_factory=dict, repr=False)
    _files: dict[Names, int] = field(default_factory=dict, repr=False)
    answers: dict[_Question, _Answer] = field(default_factory=dict, repr=False)
    """What `find_files` has found: many derivations ask for the same files."""

    def kind(self, path: Names) -> int:
        """Return the file type bits of a path (stat.S_IFMT), 0 when there is nothing."""
        above = self._directories.get(path[:-1])
        if above is not None and path:
            return above.get(path[-1], 0)
        if path not in self._files:
            self.reads.kind(os.path.join(self.root, *path))
            try:
                mode = stat.S_IFMT(os.lstat(os.path.join(self.root, *path)).st_mode)
            except OSError:
                mode = 0
            self._files[path] = mode
        return self._files[path]

    def entries(self, directory: Names) -> Mapping[str, int]:
        """Return the names in a directory with their file types, in no promised order."""
        if directory not in self._directories:
            self.reads.names(os.path.join(self.root, *directory))
            try:
                with os.scandir(os.path.join(self.root, *directory)) as scanned:
                    found = {entry.name: _type(entry) for entry in scanned}
            except OSError as error:
                raise BrambleError(
                    "load.source-missing",
                    f"the directory {'/'.join(directory) or '.'} cannot be read: {error.strerror}",
                    remedy="make it a directory that you may read",
                ) from error
            self._directories[directory] = found
        return self._directories[directory]


def _type(entry: os.DirEntry[str]) -> int:
    if entry.is_symlink():
        return stat.S_IFLNK
    if entry.is_dir(follow_symlinks=False):
        return stat.S_IFDIR
    if entry.is_file(follow_symlinks=False):
        return stat.S_IFREG
    return stat.S_IFIFO  # anything else: a socket, a device


def find_files(
    project_root: str,
    directory: str,
    include: Sequence[str],
    exclude: Sequence[str] = (),
    exclude_directories: bool = True,
    allow_empty: bool = True,
    *,
    listings: Optional[Listings] = None,
    unmatched: Optional[list[str]] = None,
) -> list[str]:
    """Return the files that match a pattern of `include` and none of `exclude`.

    Patterns are relative to `directory`, which is relative to the project's
    root; what is returned is relative to the root, sorted by code points, each
    once. To `unmatched` the patterns are added that nothing matches. Raises
    load.source-* for a pattern that is not valid, that leaves the project or names a
    file that is missing, and for names that are not UTF-8.
    """
    # spec: project.files
    found = listings if listings is not None else Listings(project_root)
    asked = (directory, tuple(include), tuple(exclude), exclude_directories, allow_empty)
    if asked not in found.answers:
        found.answers[asked] = _find(found, *asked)
    files, nothing = found.answers[asked]
    if unmatched is not None:
        unmatched.extend(nothing)
    return list(files)


def _find(
    found: Listings,
    directory: str,
    include: Sequence[str],
    exclude: Sequence[str],
    exclude_directories: bool,
    allow_empty: bool,
) -> _Answer:
    """Return what `find_files` does, and the patterns that nothing matches."""
    includes = [parse_pattern(text, directory, hidden=False) for text in include]
    excludes = [parse_pattern(text, directory, hidden=True) for text in exclude]
    paths: dict[Names, int] = {}
    unmatched: list[str] = []
    for text, pattern in zip(include, includes):
        if pattern.parts:
            matched = _matching(found, pattern, excludes)
            if not matched:
                unmatched.append(text)
        else:
            matched = _named(found, pattern, exclude_directories)
        paths.update(matched)
    kept = []
    for path, kind in paths.items():
        if (exclude_directories and kind == stat.S_IFDIR) or any(one.matches(path) for one in excludes):
            continue
        kept.append(_checked(found, path, kind))
    if not kept and not allow_empty:
        # spec: project.files.empty
        shown = ", ".join(f'"{text}"' for text in include) or "nothing"
        raise BrambleError(
            "load.source-none",
            f"no file matches {shown} in {directory or 'the root of the project'}",
            remedy="correct the pattern, or pass allow_empty=True",
        )
    return tuple(sorted(kept)), tuple(unmatched)


def is_directory(listings: Listings, path: str) -> bool:
    """Return whether a path relative to the project is a directory, and no link to one."""
    return listings.kind(tuple(path.split("/"))) == stat.S_IFDIR


def check_source(listings: Listings, path: str) -> None:
    """Refuse a path relative to the project that is not a source of it, written without files().

    Raises load.source-missing, load.source-outside and load.source-name.
    """
    # spec: project.files.named
    names = tuple(path.split("/"))
    _refuse_links_above(listings, path, names)
    kind = listings.kind(names)
    if kind == 0:
        raise _missing(listings, path, names)
    _checked(listings, names, kind)


def read_source(listings: Listings, directory: str, path: str) -> str:
    """Return the text of the source file that `path`, relative to `directory`, names.

    Raises load.source-* as `find_files` does, and load.source-text for a file that is
    longer than READ_LIMIT or not UTF-8.
    """
    # spec: dialect.read
    pattern = parse_pattern(path, directory, hidden=False)
    if pattern.parts:
        raise BrambleError(
            "load.source-missing",
            f'"{path}" is a pattern, and one file is read',
            remedy="name the file without * ? [ ]",
        )
    ((names, kind),) = _named(listings, pattern, exclude_directories=True).items()
    shown = _checked(listings, names, kind)
    try:
        # spec: project.access
        listings.reads.file(listings.root, "/".join(names))
        data = read_file(listings.root, "/".join(names), READ_LIMIT)
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise BrambleError(
                "load.source-text",
                f"{shown} has more than {READ_LIMIT >> 20} MiB",
                remedy="read large files in a build, where they are sources",
            ) from error
        raise BrambleError(
            "load.source-missing",
            f"{shown} cannot be read: {error.strerror}",
            remedy="make it a file that you may read",
        ) from error
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BrambleError(
            "load.source-text",
            f"{shown} is not UTF-8 text: {error.reason} at byte {error.start}",
            remedy="save it as UTF-8, or read it in a build",
        ) from error


def _missing(listings: Listings, text: str, path: Names) -> BrambleError:
    shown = "/".join(path)
    there = listings.kind(path[:-1]) == stat.S_IFDIR if len(path) > 1 else True
    near = nearest(path[-1], listings.entries(path[:-1])) if there else None
    meant = f'did you mean "{"/".join((*path[:-1], near))}"? ' if near else ""
    return BrambleError(
        "load.source-missing",
        f'there is no file "{text}"',
        remedy=f"{meant}{shown} is searched for in the project: correct the name, or create the file",
    )


def _named(found: Listings, pattern: Pattern, exclude_directories: bool) -> dict[Names, int]:
    """Return the one file that a pattern without wildcards names."""
    # spec: project.files.named
    path = pattern.base
    _refuse_links_above(found, pattern.text, path)
    kind = found.kind(path) if path else stat.S_IFDIR
    if kind == 0:
        raise _missing(found, pattern.text, path)
    if not path or (kind == stat.S_IFDIR and exclude_directories):
        raise BrambleError(
            "load.source-missing",
            f'"{pattern.text}" is a directory, and not a file',
            remedy=f'write "{pattern.text.rstrip("/")}/**" for all files in it',
        )
    return {path: kind}


def _refuse_links_above(found: Listings, text: str, path: Names) -> None:
    """Refuse a path with a symbolic link before its last name."""
    # spec: project.files.links
    for size in range(1, len(path)):
        if found.kind(path[:size]) == stat.S_IFLNK:
            link = "/".join(path[:size])
            _check_link(found, path[:size])
            raise outside(text, f"{link} is a symbolic link; name the files by their own directory")


def _matching(found: Listings, pattern: Pattern, excludes: Sequence[Pattern]) -> dict[Names, int]:
    """Return every path that a pattern with wildcards matches, going down only where it can."""
    _refuse_links_above(found, pattern.text, (*pattern.base, ""))
    paths: dict[Names, int] = {}
    if found.kind(pattern.base) != stat.S_IFDIR and pattern.base:
        return paths
    waiting = [(pattern.base, 0)]
    seen = set(waiting)
    while waiting:
        directory, at = waiting.pop()
        if VENDOR_NAME in found.entries(directory):
            # spec: project.files.vendor
            continue
        part = pattern.parts[at]
        last = at + 1 == len(pattern.parts)
        following: list[tuple[Names, int]] = []
        if part is ANY_DEPTH and not last:
            following.append((directory, at + 1))
        for name, kind in found.entries(directory).items():
            path = (*directory, name)
            if part is ANY_DEPTH:
                if name.startswith("."):
                    continue
                if kind == stat.S_IFDIR:
                    following.append((path, at))
                fits = last
            else:
                fits = part.fullmatch(name) is not None
                if fits and not last and kind == stat.S_IFDIR:
                    following.append((path, at + 1))
            # spec: project.files.lock, project.files.kinds, project.files.results
            if not (fits and last) or kind == stat.S_IFIFO or path == (LOCK_NAME,):
                continue
            if kind != stat.S_IFLNK or not _is_result(found, path):
                paths[path] = kind
        for step in following:
            if step not in seen and not any(one.covers(step[0]) for one in excludes):
                seen.add(step)
                waiting.append(step)
    return paths


def _is_result(found: Listings, path: Names) -> bool:
    """Return whether a symbolic link is one that `build --out-link` makes: a result is not a source."""
    found.reads.stamp(os.path.join(found.root, *path))
    try:
        head, _, name = os.readlink(os.path.join(found.root, *path)).rpartition("/")
    except OSError:
        # It has gone since the directory was listed: then it is missed as a source.
        return False
    return head.startswith("/") and head.endswith("/store") and len(name) == 32 and name.isalnum()


def _checked(found: Listings, path: Names, kind: int) -> str:
    """Return the path as text. Refuses what no build on another machine could be given."""
    shown = "/".join(path)
    if kind == stat.S_IFLNK:
        _check_link(found, path)
    elif kind not in (stat.S_IFREG, stat.S_IFDIR):
        raise BrambleError(
            "load.source-missing",
            f"{shown} is neither a file nor a directory nor a link",
            remedy="sockets, pipes and devices cannot be sources",
        )
    if shown.isascii():
        return shown
    check_name(shown)
    if any("\ud800" <= character <= "\udfff" for character in shown):
        readable = shown.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        raise BrambleError(
            "load.source-name",
            f'the file name "{readable}" is not UTF-8',
            remedy="rename the file, or name it in exclude",
        )
    return shown


def check_name(name: str) -> None:
    """Raise load.source-name for a name that was not read as UTF-8, because the locale has another encoding.

    It would be another name than on other machines, and so would be what is made of it.
    """
    # spec: project.files.utf8
    encoding = sys.getfilesystemencoding()
    if not name.isascii() and encoding != "utf-8":
        readable = os.fsencode(name).decode("utf-8", "backslashreplace")
        raise BrambleError(
            "load.source-name",
            f'the file name "{readable}" is to be read as UTF-8, and here names are {encoding}',
            remedy="set another locale: LC_ALL=C.UTF-8",
        )


def _check_link(found: Listings, path: Names) -> None:
    """Refuse a symbolic link that leads out of the project, at once or by way of others."""
    # spec: project.files.links
    shown = "/".join(path)
    link = os.path.join(found.root, *path)
    found.reads.stamp(link)
    found.reads.way(link)
    try:
        target = os.readlink(link)
    except OSError as error:
        raise BrambleError(
            "load.source-missing", f"{shown} cannot be read: {error.strerror}", remedy="try again"
        ) from error
    if os.path.isabs(target):
        raise outside(shown, f"it is a symbolic link to {target}")
    root = os.path.realpath(found.root)
    if not (os.path.realpath(link) + "/").startswith(root.rstrip("/") + "/"):
        raise outside(shown, f"it is a symbolic link to {target}")
