"""The table of commands: name, where it lives, and one line of what it does."""

from __future__ import annotations

from typing import NamedTuple


class Verb(NamedTuple):
    """A command of the command line; `module` offers `configure` and `execute`."""

    name: str
    module: str
    summary: str


VERBS = (
    Verb("init", "bramble.cli.verbs.init", "create a project from a template"),
    Verb("build", "bramble.cli.verbs.build", "build what functions return"),
    Verb("run", "bramble.cli.verbs.run", "build a program and run it in a sandbox"),
    Verb("trust", "bramble.cli.verbs.trust", "list, give and take back what projects may ask for"),
    Verb("shell", "bramble.cli.verbs.shell", "open the build environment of a derivation"),
    Verb("ls", "bramble.cli.verbs.ls", "list functions with their documentation"),
    Verb("size", "bramble.cli.verbs.size", "say what a closure weighs and who brings it"),
    Verb("gc", "bramble.cli.verbs.gc", "delete what no known project needs"),
    Verb("store", "bramble.cli.verbs.store", "ask the store, check it, move what is in it"),
    Verb("doctor", "bramble.cli.verbs.doctor", "say what this machine allows, and how to mend the rest"),
    Verb("star", "bramble.cli.verbs.star", "run a Starlark file"),
)


class Topic(NamedTuple):
    """A subject that `bramble help` explains beside the commands; its text is topics/NAME.md."""

    name: str
    summary: str


TOPICS = (
    Topic("builtins", "derivation(), files() and what else a .bramble file can call"),
    Topic("builders", "fetch_url, fetch_git, host_tools and their variables"),
    Topic("host_tools", "programs of this machine in a build"),
    Topic("library", "std, std/c, std/python and the other modules that come along"),
    Topic("targets", "how to name what is to be built"),
    Topic("sandbox", "what a build can see and do, and its limits"),
    Topic("environment", "variables and files that are read, variables of a build"),
    Topic("errors", "all error codes"),
)
