"""Noting what is read, so that it can be seen later whether it is as it was."""

from __future__ import annotations

import os
import stat as modes
import sys

from bramble.recall.witness import (
    BYTES,
    KIND,
    NAMES,
    PLACE,
    SEPARATOR,
    STAMP,
    TABLE,
    WAY,
    bytes_value,
    kind_of,
    look,
    names_in,
    place_of,
    settled,
    stamp_of,
    table,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# The modules of a program were read before it could ask what time it is.
_OF_STARTING = 10 * 10**9
_MOST_LINKS = 40  # as many as the kernel follows: path_resolution(7)


class Reads:
    """What one command has read: paths, and what was found there.

    `began` is when the process began, in nanoseconds since 1970. Each method notes one thing that is about
    to be read; what is noted twice counts as it was first. `doubt` says why nothing can be recorded, "" while
    it can.
    """

    def __init__(self, began: int) -> None:
        self.doubt = ""
        self._began = began
        self._noted: dict[tuple[str, str], str] = {}
        self._ways: set[tuple[str, str]] = set()  # directories below another whose places are noted
        self._passed: set[str] = set()  # each directory of these

    def spoil(self, why: str) -> None:
        """Let nothing be recorded: something was read, or done, that cannot be noted."""
        self.doubt = self.doubt or why

    def stamp(self, path: str) -> None:
        """Note what `path` holds: the bytes of a file, what is in a directory, the target of a link."""
        if (STAMP, path) not in self._noted:
            self._note(STAMP, path, self._stamped(path, self._look(path)))

    def names(self, path: str) -> None:
        """Note which names a directory has, and of what types; of a link those of what it leads to."""
        if (NAMES, path) not in self._noted:
            found = self._look(path)
            if found is not None and modes.S_ISLNK(found.st_mode):
                # The stamp of the link does not say what comes into the directory.
                self.way(path)
                path = os.path.realpath(path)
            stamp = self._stamped(path, self._look(path))
            self._note(NAMES, path, f"{stamp}\n{names_in(path)}")

    def place(self, path: str) -> None:
        """Note that a directory is the one that it is, and who may write it, but not what it holds."""
        if (PLACE, path) not in self._noted:
            found = self._look(path)
            self._note(PLACE, path, "" if found is None else place_of(found))

    def kind(self, path: str) -> None:
        """Note whether `path` is a file, a directory, a link or nothing."""
        if (KIND, path) not in self._noted:
            found = self._look(path)
            self._note(KIND, path, "" if found is None else kind_of(found))

    def way(self, path: str) -> None:
        """Note where `path` leads when links are followed."""
        if (WAY, path) not in self._noted:
            self._note(WAY, path, os.path.realpath(path))

    def chain(self, path: str) -> None:
        """Note what `path` holds; if it is a link, also what that leads to."""
        for _ in range(_MOST_LINKS):
            self.stamp(path)
            found = self._look(path)
            if found is None or not modes.S_ISLNK(found.st_mode):
                return
            try:
                path = os.path.join(os.path.dirname(path), os.readlink(path))
            except OSError as error:
                self.spoil(f"{path}: {error.strerror}")
                return
        self.spoil(f"{path}: too many links")

    def file(self, root: str, path: str) -> None:
        """Note what the file `path` below the directory `root` holds, and the directories on the way."""
        self._places(root, path)
        self.chain(f"{root}/{path}")

    def source(self, root: str, path: str, sha256: str = "") -> None:
        """Note a file as a source, which is kept as a link if it is one, and the directories on the way.

        `sha256` is what is known of the bytes of a regular file that was read, in hexadecimal: another one of
        these bytes is the same source.
        """
        self._places(root, path)
        path = f"{root}/{path}"
        if not sha256:
            self.stamp(path)
        elif (BYTES, path) not in self._noted:
            self._note(BYTES, path, bytes_value(self._stamped(path, self._look(path)), sha256))

    def table(self, directory: str, names: Iterable[str]) -> None:
        """Note files of a directory in which files are replaced and never written to."""
        above = self._look(directory)
        # While something else is being written there, each file is looked at later.
        stamp = "" if above is None or not settled(above, self._began) else stamp_of(above)
        files = [
            (name, self._stamped(f"{directory}/{name}", self._look(f"{directory}/{name}"))) for name in names
        ]
        self._note(TABLE, directory, table(stamp or "-", files))

    def include(self, text: str) -> None:
        """Note the witnesses of a record, which hold."""
        fields = iter(text.split(SEPARATOR))
        for kind, path, value in zip(fields, fields, fields):
            self._note(kind, path, value)

    def modules(self) -> None:
        """Note the modules of the running program, of the package that contains this one."""
        package = __name__.partition(".")[0]
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if file and name.partition(".")[0] == package:
                self.program(file)

    def program(self, path: str) -> None:
        """Note a file of the running program, which was read before anything could be noted."""
        while (found := self._look(path)) is None and os.path.dirname(path) != path:
            # A module in an archive: what it is read from is the archive.
            path = os.path.dirname(path)
        if found is not None and (STAMP, path) not in self._noted:
            if not settled(found, self._began - _OF_STARTING):
                self.spoil(f"{path} has just been changed")
            self._note(STAMP, path, stamp_of(found))

    def _places(self, root: str, path: str) -> None:
        way = path.rpartition("/")[0]
        if (root, way) in self._ways:
            return
        self._ways.add((root, way))
        at = root
        for part in way.split("/") if way else ():
            at = f"{at}/{part}"
            self._passed.add(at)
            if (PLACE, at) not in self._noted:
                self.place(at)
                # What has just been put in its place may hold files that are old.
                self._stamped(at, self._look(at))

    def text(self) -> str:
        """Return all witnesses as one text, which `witness.all_hold` understands.

        It is in doubt from then on if a directory on the way to a file has changed meanwhile: another one may
        have been in its place when the file was read, and it is back.
        """
        for path in self._passed:
            self._stamped(path, self._look(path))
        return SEPARATOR.join(
            field for (kind, path), value in self._noted.items() for field in (kind, path, value)
        )

    def _look(self, path: str) -> os.stat_result | None:
        try:
            return look(path)
        except (OSError, ValueError) as error:
            self.spoil(f"{path}: {error}")
            return None

    def _stamped(self, path: str, found: os.stat_result | None) -> str:
        if found is None:
            return ""
        if not settled(found, self._began):
            self.spoil(f"{path} has just been changed")
        return stamp_of(found)

    def _note(self, kind: str, path: str, value: str) -> None:
        self._noted.setdefault((kind, path), value)


class _NotNoted(Reads):
    """Notes nothing, for callers that record nothing."""

    def stamp(self, path: str) -> None: ...

    def names(self, path: str) -> None: ...

    def place(self, path: str) -> None: ...

    def kind(self, path: str) -> None: ...

    def way(self, path: str) -> None: ...

    def chain(self, path: str) -> None: ...

    def file(self, root: str, path: str) -> None: ...


NOT_NOTED: Reads = _NotNoted(0)
