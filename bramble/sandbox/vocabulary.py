"""The words in which a sandbox is described: one `Step` is one thing that one process does.

The same words go down to the child as JSON, come back in errors as a number
into the list, and are shown to people by `--explain`. `child.py` holds one
function for each action; a test holds both lists equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Union

Argument = Union[str, int, bool, None, tuple["Argument", ...]]

HELPER = "helper"  # outside, the caller's user, before anything is isolated
INIT = "init"  # pid 1 of the sandbox: all capabilities in its own namespaces, none outside
BUILDER = "builder"  # pid 2: becomes the program

# action → (who does it, names of its arguments, the sentence)
ACTIONS: dict[str, tuple[str, tuple[str, ...], str]] = {
    # The helper's.
    "clone": (HELPER, ("namespaces",), "start pid 1 in new namespaces: {namespaces}"),
    "fork": (HELPER, (), "start a process in the host's namespaces that outlives the program only to end its children"),
    "map-ids": (HELPER, ("uid", "gid"), "map user {uid} and group {gid} inside to one user and group outside; refuse setgroups"),
    "limit-group": (HELPER, ("memory", "processes"), "where a control group is delegated to us: at most {memory} bytes, {processes} processes"),
    "open-tree": (HELPER, ("source", "writable"), "take hold of {source} of the host, its owner shown as the sandbox's user"),
    # Those of pid 1.
    "die-with-parent": (INIT, (), "be killed when the process that started this one ends"),
    "become": (INIT, ("uid", "gid"), "become user {uid}, group {gid}"),
    "new-keyring": (INIT, (), "leave the caller's session keyring for a new one"),
    "hostname": (INIT, ("name",), "call this machine {name}"),
    "domainname": (INIT, ("name",), "call its domain {name}"),
    "loopback": (INIT, (), "switch the loopback interface on"),
    "umask": (INIT, ("mode",), "create files with umask {mode:03o}"),
    "private-mounts": (INIT, (), "let no mount travel to or from the host"),
    "new-root": (INIT, ("size",), "mount an empty file system in memory ({size}) to become the root"),
    "directory": (INIT, ("path", "mode"), "make directory {path} (mode {mode:04o})"),
    "file": (INIT, ("path", "text"), "write file {path}"),
    "symlink": (INIT, ("path", "to"), "link {path} to {to}"),
    "bind": (INIT, ("source", "target"), "show {source} of the host as {target}"),
    "attach": (INIT, ("tree", "target"), "show what was taken hold of (number {tree}) as {target}"),
    "bind-within": (INIT, ("source", "target"), "show {source} of the host as {target}, following no link on the way"),
    "attach-within": (INIT, ("tree", "target"), "show what was taken hold of (number {tree}) as {target}, following no link on the way"),
    "bind-itself": (INIT, ("target",), "make {target} a mount of its own"),
    "protect": (INIT, ("target", "attributes", "recursive"), "make the mount {target} {attributes}"),
    "tmpfs": (INIT, ("target", "mode", "size"), "mount an empty file system in memory ({size}, mode {mode:04o}) at {target}"),
    "devpts": (INIT, ("target",), "mount terminals of its own at {target}"),
    "proc": (INIT, ("target",), "mount the processes of this sandbox at {target}"),
    "cover-file": (INIT, ("target",), "cover {target} with the null device"),
    "cover-directory": (INIT, ("target",), "cover {target} with an empty directory without access"),
    "cover-within": (INIT, ("target", "kind"), "cover the {kind} {target}, following no link on the way"),
    "enter-root": (INIT, (), "make the new root the root, and let go of the host's"),
    "open-terminal": (INIT, (), "open a terminal of the sandbox and hand its other end out"),
    "hide-self": (INIT, (), "wipe the arguments and environment of pid 1, allow nobody to trace or read it"),
    "start-program": (INIT, (), "start pid 2; drop every capability; wait, and end everything when pid 2 has ended"),
    "start-program-hosted": (INIT, (), "start the program's process; wait, and kill all its children when it has ended"),
    # Those of pid 2 before it becomes the program.
    "session": (BUILDER, (), "begin a session of its own"),
    "standard-streams": (BUILDER, ("terminal",), "take standard input, output and error as given, and close every other descriptor"),
    "reset-signals": (BUILDER, (), "set every signal to its default, block none"),
    "rlimit": (BUILDER, ("name", "soft", "hard"), "limit {name} to {soft} (at most {hard})"),
    "prefer-to-kill": (HELPER, ("score",), "let the kernel end this sandbox first when memory runs out ({score})"),
    "working-directory": (BUILDER, ("path",), "go to {path}"),
    "die-with-init": (BUILDER, (), "be killed when pid 1 ends"),
    "no-new-privileges": (BUILDER, (), "gain no privilege by executing a file, ever"),
    "landlock": (BUILDER, ("fs", "net", "scoped", "rules"), "by Landlock, reach no files but those given, no abstract sockets or processes outside"),
    "no-capabilities": (BUILDER, (), "empty all five sets of capabilities"),
    "personality": (BUILDER, ("persona",), "set the execution domain to {persona:#x} (no address space randomisation)"),
    "seccomp": (BUILDER, ("program", "name"), "filter system calls with the program {name}"),
    "execute": (BUILDER, ("argv", "env"), "execute {argv}"),
}


@dataclass(frozen=True)
class Step:
    """One thing that one process does; `args` are in the order that ACTIONS names."""

    action: str
    args: tuple[Argument, ...] = ()

    @property
    def actor(self) -> str:
        """Who does it: "helper", "init" or "builder"."""
        return ACTIONS[self.action][0]

    def describe(self) -> str:
        """Return the step as one sentence for people."""
        _, names, sentence = ACTIONS[self.action]
        shown = dict(zip(names, self.args))
        for name, value in shown.items():
            if isinstance(value, tuple):
                shown[name] = " ".join(str(part) for part in value)
        return sentence.format(**shown)

    def to_json(self) -> dict[str, Any]:
        """Return the step as an object: who, action, and its arguments by name."""
        return {"who": self.actor, "action": self.action, **dict(zip(ACTIONS[self.action][1], self.args))}


def describe(steps: tuple[Step, ...]) -> str:
    """Return all steps in words, one a line, under the name of who does them."""
    titles = {
        HELPER: "outside, as the caller:",
        INIT: "pid 1, in the new namespaces:",
        BUILDER: "pid 2, before it becomes the program:",
    }
    lines = []
    actor = ""
    for step in steps:
        if step.actor != actor:
            actor = step.actor
            lines.append(titles[actor])
        lines.append("  " + step.describe())
    return "\n".join(lines) + "\n"
