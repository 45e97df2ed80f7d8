"""The words in which a sandbox is described: one `Step` is one thing that one process does. Pure.

The same words go down to the child as JSON, come back in errors as a number
into the list, and are shown to people by `--explain`. `pid1.py` and `pid2.py`
hold one function for each action of theirs; a test holds the lists equal.
"""

from __future__ import annotations

from bramble.record import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Union

    Argument = Union[str, int, bool, None, tuple["Argument", ...]]

HELPER = "helper"  # outside, the caller's user, before anything is isolated
INIT = "init"  # pid 1 of the sandbox: all capabilities in its own namespaces, none outside
BUILDER = "builder"  # pid 2: becomes the program


class Action(NamedTuple):
    """What can be done: by whom, with arguments of which names, and the sentence that says it."""

    actor: str
    names: tuple[str, ...]
    sentence: str


def actions(actor: str, table: Mapping[str, tuple[str, str]]) -> dict[str, Action]:
    """Return a table of name → (names of arguments in one string, sentence) as actions of one actor."""
    return {name: Action(actor, tuple(names.split()), sentence) for name, (names, sentence) in table.items()}


ACTIONS: dict[str, Action] = {
    **actions(
        HELPER,
        {
            "limit-group": (
                "memory processes",
                "where a control group is delegated: at most {memory} bytes, {processes} processes",
            ),
            "watch": (
                "memory processes together disks",
                "end it when it has more than {memory} bytes of memory or {processes} processes, when all of "
                "this command have more than {together} bytes and it has the most of them, or when a disk "
                "of these is nearly full: {disks}",
            ),
            "open-tree": (
                "source writable",
                "take hold of {source} of the host, with its owner shown as the sandbox's user",
            ),
            "clone": ("namespaces", "start pid 1 in new namespaces: {namespaces}"),
            "fork": ("", "start a process in the host's own namespaces"),
            "map-ids": ("uid gid", "map user {uid} and group {gid} to one of each outside; refuse setgroups"),
            "prefer-to-kill": ("score", "have the kernel end it early when memory runs out ({score})"),
        },
    ),
    **actions(
        INIT,
        {
            "die-with-parent": ("", "be killed when the helper ends"),
            "await-word": ("", "wait for the helper's word that this process is set up"),
            "become": ("uid gid", "become user {uid}, group {gid}"),
            "new-keyring": ("", "leave the caller's session keyring for a new one"),
            "hostname": ("name", "call this machine {name}"),
            "domainname": ("name", "call its domain {name}"),
            "loopback": ("", "switch the loopback interface on"),
            "umask": ("mode", "create files with umask {mode:03o}"),
            "private-mounts": ("", "propagate no mount to the host or from it"),
            "new-root": ("size", "mount an empty file system in memory ({size}) to become the root"),
            "directory": ("path mode", "make directory {path} (mode {mode:04o})"),
            "file": ("path text", "write file {path}"),
            "symlink": ("path to", "link {path} to {to}"),
            "bind": ("source target", "show {source} of the host as {target}"),
            "bind-machine": ("source target", "show {source} of the host, wherever it leads, as {target}"),
            "device": ("path major minor", "show the host's device {path}, if it is {major}:{minor}"),
            "attach": ("source target tree", "show {source} of the host as {target}"),
            "bind-within": (
                "source target",
                "show {source} of the host as {target}, following no link there",
            ),
            "attach-within": (
                "source target tree",
                "show {source} of the host as {target}, following no link there",
            ),
            "bind-itself": ("target", "make {target} a mount of its own"),
            "protect": ("target attributes", "make the mount {target}, and all in it, {attributes}"),
            "tmpfs": (
                "target mode size inodes",
                "mount an empty file system in memory ({size}, {inodes} files, mode {mode:04o}) at {target}",
            ),
            "devpts": ("target", "mount terminals of its own at {target}"),
            "proc": ("target", "mount the processes of this sandbox at {target}"),
            "cover-file": ("target", "cover {target} with the null device"),
            "cover-directory": ("target", "cover {target} with an empty directory that cannot be opened"),
            "cover-within": ("target kind", "cover the {kind} {target}, following no link there"),
            "enter-root": ("", "make the new root the root, and release the host's"),
            "hand-out-memory": ("paths", "let the helper see how full {paths} are"),
            "open-terminal": ("", "open a terminal of the sandbox, and hand its other end out"),
            "hide-self": ("", "wipe the arguments and environment of pid 1; forbid tracing and reading it"),
            "start-program": ("", "start pid 2, drop every capability, wait; end all when pid 2 has ended"),
            "start-program-hosted": ("", "start the program, wait; kill all it started when it has ended"),
        },
    ),
    **actions(
        BUILDER,
        {
            "session": ("", "begin a new session"),
            "standard-streams": ("terminal", "take the three standard streams, close every other descriptor"),
            "signals": ("", "block no signal; give each its default action"),
            "rlimit": ("name soft hard", "limit {name} to {soft}"),
            "working-directory": ("path", "go to {path}"),
            "no-new-privileges": ("", "gain no privilege by executing a file, ever"),
            "landlock": (
                "fs net scoped rules",
                "by Landlock reach no files but those given, no abstract socket, no process outside",
            ),
            "no-capabilities": ("", "empty all five sets of capabilities"),
            "personality": (
                "persona",
                "set the execution domain to {persona:#x}: addresses are not randomised",
            ),
            "die-with-init": ("", "be killed when pid 1 ends"),
            "hand-out-self": ("", "give the helper a handle on this process, for signals to the caller"),
            "seccomp": ("filter program", "install the filter of system calls {filter!r}"),
            "execute": ("argv env", "execute {argv}"),
        },
    ),
}


class Step(NamedTuple):
    """One thing that one process does; `args` are in the order that ACTIONS names."""

    action: str
    args: tuple[Argument, ...] = ()

    @property
    def actor(self) -> str:
        """Who does it: HELPER, INIT or BUILDER."""
        return ACTIONS[self.action].actor

    def describe(self) -> str:
        """Return the step as one sentence for people."""
        action = ACTIONS[self.action]
        shown = {name: words(value) for name, value in zip(action.names, self.args)}
        return action.sentence.format(**shown)

    def to_json(self) -> dict[str, Any]:
        """Return the step as an object: who does what, its arguments by name, and the sentence."""
        arguments = dict(zip(ACTIONS[self.action].names, self.args))
        return {"who": self.actor, "action": self.action, "arguments": arguments, "text": self.describe()}


def words(value: Argument) -> Argument:
    """Return an argument as a sentence shows it: a list as its parts, no limit as "any number of"."""
    if isinstance(value, tuple):
        return " ".join(str(part) for part in value)
    return "any number of" if value is None else value


TITLES = {
    HELPER: "The helper, outside, as the caller:",
    INIT: "Pid 1, in the new namespaces:",
    BUILDER: "Pid 2, before it becomes the program:",
}


def describe(steps: tuple[Step, ...]) -> str:
    """Return all steps in words, one a line, under the name of who does them."""
    lines = []
    actor = ""
    for step in steps:
        if step.actor != actor:
            actor = step.actor
            lines.append(TITLES[actor])
        lines.append("  " + step.describe())
    return "\n".join(lines) + "\n"
