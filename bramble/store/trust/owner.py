"""Who can change a store: the owners and modes of its directories, and of those that lead to it.

A user who can write to a directory can replace its entries. So a store is
used only if its owner, and root, who can do everything anyway, are the only
ones who can write to any directory from `/` down to those in `var/`. Below the
root of a store nothing is reached through a link. To a sticky directory others can
add names, and can neither remove nor rename what is there: there may be some above
the root, and the root may be one, since all that is used in it is looked at.

After this check only the owner can change which directory a path in the store
names; what a path named once it names until then.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from typing import Optional

from bramble.errors import BrambleError
from bramble.record import NamedTuple
from bramble.store.files.small import make_directory
from bramble.store.late import late
from bramble.store.path import shown

ROOT = 0
_OTHERS_WRITE = 0o022
_DOUBTFUL = 0o170000 | _OTHERS_WRITE  # the type as well: S_IFMT
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LINKS_FOLLOWED = 40  # as many as the kernel follows: path_resolution(7)


class Owner(NamedTuple):
    """Whose store is to be used (`uid`), and by whom (`user`)."""

    uid: int
    user: int

    @property
    def is_foreign(self) -> bool:
        """Whether the store belongs to somebody else than its user."""
        return self.uid != self.user


def enter_root(root: str, owner: Owner, *, create: bool) -> Optional[int]:
    """Open the root of a store, after a look at every directory that leads to it; None if it is not there.

    With `create` it is made, and what is missing above it: mode 0755, the root
    without what the umask takes from others.

    Raises BrambleError store.other-owner, store.writable-by-others, store.root-unusable, and OSError.
    """
    # spec: store.owner.above
    names = [name for name in root.split("/") if name]
    path, links = "", 0
    _check(path or "/", os.lstat("/"), owner, is_root=not names)
    while names:
        name = names.pop(0)
        if name in ("", "."):
            continue
        if name == "..":
            path = os.path.dirname(path)
            continue
        here = f"{path}/{name}"
        try:
            status = os.lstat(here)
        except FileNotFoundError:
            if not create:
                return None
            _make(here, last=not names)
            status = os.lstat(here)
        if stat.S_ISLNK(status.st_mode):
            # A link belongs to the user who created it, who decides where it leads.
            _check_owner(here, status, owner, is_root=False, above=True)
            links += 1
            if links > _LINKS_FOLLOWED:
                raise _unusable(root, "too many symbolic links lead to it")
            target = os.readlink(here)
            if target.startswith("/"):
                path = ""
            names[:0] = target.split("/")
            continue
        if not stat.S_ISDIR(status.st_mode):
            raise _unusable(root, f'"{shown(here)}" is not a directory')
        path = here
        if any(name not in ("", ".") for name in names):
            _check(here, status, owner, is_root=False)
    return _open_root(path or "/", root, owner)


def _open_root(path: str, root: str, owner: Owner) -> int:
    try:
        fd = os.open(path, _DIRECTORY)
    except NotADirectoryError as error:
        raise _unusable(root, f'"{shown(path)}" is not a directory') from error
    try:
        _check(root or "/", os.fstat(fd), owner, is_root=True)
    except BaseException:
        os.close(fd)
        raise
    return fd


def missing_parts(fd: int, root: str, parts: Iterable[str], owner: Owner) -> list[str]:
    """Look at directories below the root behind `fd`; return those that are not there.

    `parts` are paths relative to it, each after its parent.

    Raises BrambleError store.foreign-entry, store.other-owner, store.writable-by-others.
    """
    # spec: store.owner, store.no-links
    missing = []
    for part in parts:
        try:
            status = os.lstat(part, dir_fd=fd)
        except FileNotFoundError:
            missing.append(part)
            continue
        check_directory(f"{root}/{part}", status, owner)
    return missing


def check_directory(path: str, status: os.stat_result, owner: Owner) -> None:
    """Refuse an entry of a store that should be a directory and is not, or to which others can write."""
    if status.st_mode & _DOUBTFUL == stat.S_IFDIR and status.st_uid == owner.uid:
        # As each one is, and thousands are looked at.
        return
    if not stat.S_ISDIR(status.st_mode):
        what = "a symbolic link" if stat.S_ISLNK(status.st_mode) else "not a directory"
        raise BrambleError(
            "store.foreign-entry",
            f'"{shown(path)}" is {what}; a store has a directory there and follows no link',
            remedy="move it away; the directory is made again",
        )
    _check(path, status, owner, is_root=False, above=False)


def check_link(path: str, owner: Owner) -> None:
    """Refuse a link below the root that somebody else made, who can make it lead elsewhere later.

    Raises BrambleError store.other-owner, and OSError.
    """
    # spec: store.owner.sticky
    _check_owner(path, os.lstat(path), owner, is_root=False, above=False)


def _check(path: str, status: os.stat_result, owner: Owner, *, is_root: bool, above: bool = True) -> None:
    above = above and not is_root
    _check_owner(path, status, owner, is_root=is_root, above=above)
    mode = status.st_mode
    if not mode & _OTHERS_WRITE:
        return
    # spec: store.owner.sticky
    # In a sticky directory nobody removes or renames what belongs to another: /tmp, or a mount of tmpfs.
    if (above or is_root) and mode & stat.S_ISVTX:
        return
    everybody = mode & stat.S_IWOTH
    if everybody or not late("trust.people", "only_of")(path, status, owner.uid, above=above):
        who = "everybody" if everybody else f"the group {late('trust.people', 'group')(status.st_gid)}"
        what = f'"{shown(path)}", which leads to the store,' if above else f'"{shown(path)}" in the store'
        if is_root:
            what = f'the store at "{shown(path)}"'
        raise BrambleError(
            "store.writable-by-others",
            f"{what} can be written to by {who} (mode {stat.S_IMODE(mode):04o})",
            remedy=f"chmod go-w {shown(path)}"
            + ("" if above else "; a store has one owner, others read it with --store-of"),
        )


def _check_owner(path: str, status: os.stat_result, owner: Owner, *, is_root: bool, above: bool) -> None:
    # The directories above a store are mostly root's: nobody's name is needed for these.
    if status.st_uid == owner.uid or (not is_root and status.st_uid in (ROOT, owner.user)):
        return
    name = late("trust.people", "user")
    if is_root:
        raise BrambleError(
            "store.other-owner",
            f'the store at "{shown(path)}" belongs to {name(status.st_uid)}, not to {name(owner.uid)}',
            remedy=_choose_another(name(owner.uid), name(status.st_uid), owner),
        )
    if above and late("trust.people", "is_unmapped")(status.st_uid):
        return
    raise BrambleError(
        "store.other-owner",
        f'"{shown(path)}" belongs to {name(status.st_uid)}, who could change what {name(owner.uid)} '
        "finds in the store",
        remedy=_choose_another(name(owner.uid), name(status.st_uid), owner),
    )


def _choose_another(wanted: str, found: str, owner: Owner) -> str:
    # spec: store.other-owner
    # To take a directory from its owner (chown) is nothing to advise: it may be somebody's home.
    if owner.is_foreign:
        return f"set BRAMBLE_PATH to where the store of {wanted} is; unset, it is in that user's home"
    return (
        "set BRAMBLE_PATH to a directory of your own; if it names where a store of "
        f"{found} is, read that one with --store-of {found}"
    )


def _make(path: str, *, last: bool) -> None:
    # spec: store.modes
    try:
        if last:
            # What the umask takes from others stays taken: 077 makes a store that nobody else can read.
            os.mkdir(path, 0o755)
            os.chmod(path, stat.S_IMODE(os.lstat(path).st_mode) | 0o700)
        else:
            make_directory(path)
    except FileExistsError:
        pass


def _unusable(root: str, why: str) -> BrambleError:
    return BrambleError(
        "store.root-unusable",
        f'no store can be made at "{shown(root)}": {why}',
        remedy="set BRAMBLE_PATH to a directory",
    )
