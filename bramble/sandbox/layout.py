"""The file tree of a sandbox, and the order of its mounts. Pure.

The root is a file system in memory. Mount points are made in it, then what is
read-only is mounted and the whole is made read-only by *one* recursive call,
so that a thousand inputs cost a thousand binds and nothing more. What is
writable, or is inside another mount, follows in the order of its path, so a
mount always finds its parent in place (spec: sandbox.mounts).
"""

from __future__ import annotations

from bramble.errors import BrambleError
from bramble.record import NamedTuple
from bramble.sandbox.spec import Mount
from bramble.sandbox.vocabulary import Step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SAFE = "nosuid nodev"
READ_ONLY = "read-only nosuid nodev"
OWN_AREAS = ("proc", "dev", "sys")
TEMPORARY = "/tmp"


class Placed(NamedTuple):
    """A requested mount; `kind` is "directory" or "file"; `within`: its target is in another mount."""

    mount: Mount
    kind: str
    within: bool


def refuse(message: str, remedy: str) -> BrambleError:
    """Return the error for a mount that cannot be granted."""
    return BrambleError("sandbox.mount", message, remedy=remedy)


def below(path: str, directory: str) -> bool:
    """Return whether `path` is `directory` or below it; both absolute and normal."""
    return path == directory or directory == "/" or path.startswith(directory + "/")


def check_path(path: str, what: str) -> None:
    """Raise sandbox.mount unless `path` is absolute, not "/", and has no "." or ".." or empty component."""
    if path == "/":
        raise refuse(
            f"{what} cannot be /: the root of a sandbox is its own",
            "name the directories below it that are needed",
        )
    root, *names = path.split("/")
    if root or "\0" in path or not names or any(name in ("", ".", "..") for name in names):
        raise refuse(
            f"{what} {path!r} is not an absolute path in normal form",
            "write it without dots and double slashes",
        )


def place(mounts: Iterable[Mount], kinds: Mapping[str, str]) -> tuple[Placed, ...]:
    """Return the mounts sorted so that parents come first.

    `kinds` maps each source to "directory" or "file". Raises sandbox.mount
    for a target that is not a normal absolute path, occurs twice, is in a part
    of the tree that the sandbox makes itself, or is below a file.
    """
    placed: list[Placed] = []
    enclosing: list[Placed] = []
    # By components: as plain text "/a-b" would be sorted between "/a" and what is in it.
    for components, mount in sorted(
        ((mount.target.split("/"), mount) for mount in mounts), key=by_components
    ):
        target = mount.target
        check_path(target, "the mount target")
        if components[1] in OWN_AREAS or target == TEMPORARY:
            raise refuse(
                f"nothing can be mounted at {target}: that part of the sandbox is its own",
                "give it another place (BRAMBLE_PATH, if it is in the store); "
                "/dev, /proc, /sys and /tmp itself are made fresh for every sandbox",
            )
        while enclosing and not below(target, enclosing[-1].mount.target):
            enclosing.pop()
        if enclosing and enclosing[-1].mount.target == target:
            raise refuse(f"two mounts have the same target {target}", "give one of them only")
        if enclosing and enclosing[-1].kind == "file":
            raise refuse(
                f"{target} cannot be mounted below {enclosing[-1].mount.target}, which is a file",
                "give a directory, or mount the file alone",
            )
        here = Placed(mount, kinds.get(mount.source, "directory"), bool(enclosing))
        placed.append(here)
        enclosing.append(here)
    return tuple(placed)


def by_components(pair: tuple[list[str], Mount]) -> list[str]:
    """Return what `place` sorts by."""
    return pair[0]


class Tree:
    """The directories and empty files that have to be made before something can be mounted on them."""

    def __init__(self, made: Iterable[str]) -> None:
        self._made = {"", *made}

    def point(self, path: str, kind: str) -> list[Step]:
        """Return the steps that make `path` a mount point of `kind`, with the parents that are missing."""
        steps = self.parents(path)
        if path not in self._made:
            self._made.add(path)
            steps.append(
                Step("directory", (path, 0o755)) if kind == "directory" else Step("file", (path, ""))
            )
        return steps

    def parents(self, path: str) -> list[Step]:
        """Return the steps that make the parents of `path`."""
        missing = []
        parent = path[: path.rindex("/")]
        while parent not in self._made:
            missing.append(parent)
            self._made.add(parent)
            parent = parent[: parent.rindex("/")]
        return [Step("directory", (directory, 0o755)) for directory in reversed(missing)]


def show(placed: Placed, tree: int | None) -> Step:
    """Return the step that mounts `placed`: by its path, or by the number of the helper's tree."""
    suffix = "-within" if placed.within else ""
    if tree is None:
        return Step("bind" + suffix, (placed.mount.source, placed.mount.target))
    return Step("attach" + suffix, (placed.mount.source, placed.mount.target, tree))
