"""The table of commands. Help, completion, manual pages and the tests of examples all come from it.

To add a command: a `Verb` here, in the place of its group where help is to list it, and a module
`bramble/cli/verbs/NAME.py` with `configure` and `execute`, or a package NAME if it has subcommands.
Each command has two or three examples, which tests/cli/test_examples.py runs in this order in a project made
by `bramble init` whose `./:hello_world` is built already. What an example needs besides (a file, a command
before it, something to type) is there.
"""

from __future__ import annotations

from bramble.record import NamedTuple


class Verb(NamedTuple):
    """A command of the command line; `module` offers `configure` and `execute`."""

    name: str
    module: str
    summary: str  # one line, without a full stop
    group: str = ""  # a key of GROUPS
    examples: tuple[tuple[str, str], ...] = ()  # (what it does, a line for a shell)


# In the order of help. A group without commands is not shown.
GROUPS = {
    "build": "build and run",
    "look": "look",
    "project": "projects",
    "store": "the store",
    "more": "help, and tools",
}

VERBS = (
    Verb(
        "build",
        "bramble.cli.verbs.build",
        "build what functions return",
        "build",
        (
            ("build what one function returns", "bramble build ./:hello_world"),
            ("build everything here and below, and continue after a failure", "bramble build -k ./..."),
            (
                "build again, and check that the result is the same",
                "bramble build --check ./:hello_world",
            ),
        ),
    ),
    Verb(
        "run",
        "bramble.cli.verbs.run",
        "build a program and run it in a sandbox",
        "build",
        (
            ("run a program in the directory bin of an output", "bramble run ./:hello_world say-hello-world"),
            (
                "let it write one directory, and only read the rest of the project",
                "bramble run --read-only-paths . --paths ./out ./:hello_world say-hello-world",
            ),
            (
                "print what the program could see and do, and run nothing",
                "bramble run --explain ./:hello_world say-hello-world",
            ),
        ),
    ),
    Verb(
        "test",
        "bramble.cli.verbs.test",
        "run the tests of a project",
        "build",
        (
            ("run all tests here and below", "bramble test"),
            ("list tests whose names contain `hello`", "bramble test --list -k hello"),
            ("run all of them again, with a report for a CI", "bramble test --force --junit report.xml"),
        ),
    ),
    Verb(
        "shell",
        "bramble.cli.verbs.shell",
        "open the build environment of a derivation",
        "build",
        (
            ("open the environment of the build of ./:hello_world", "bramble shell ./:hello_world"),
            (
                "enter the directory of the last failed build, with ls",
                "bramble shell --failed --with ls ./:hello_world",
            ),
            ("run one command there", "bramble shell ./:hello_world -c pwd"),
        ),
    ),
    Verb(
        "graph",
        "bramble.cli.verbs.graph",
        "print what is to be built, and what it needs",
        "look",
        (
            ("the derivations that a target needs, as a tree", "bramble graph ./:hello_world"),
            (
                "write the graph as JSON, and build it from there",
                "bramble graph --json ./:hello_world | bramble build --graph -",
            ),
        ),
    ),
    Verb(
        "ls",
        "bramble.cli.verbs.ls",
        "list functions with their documentation",
        "look",
        (
            ("the functions of the project in this directory", "bramble ls"),
            ("the functions of a module that comes with Bramble", "bramble ls std/c"),
        ),
    ),
    Verb(
        "docs",
        "bramble.cli.verbs.docs",
        "print the documentation of functions as a Markdown page",
        "look",
        (
            ("a page of the functions in this directory", "bramble docs > functions.md"),
            ("of a module that comes with Bramble", "bramble docs std/c"),
        ),
    ),
    Verb(
        "log",
        "bramble.cli.verbs.log",
        "print the output of the build of a target",
        "look",
        (
            (
                "the output of the last build, even if nothing has been built since",
                "bramble log ./:hello_world",
            ),
            ("the output of the build of a dependency", "bramble log ./:hello_world --of tools"),
        ),
    ),
    Verb(
        "why-built",
        "bramble.cli.verbs.why_built",
        "print which inputs had changed when a target was last built",
        "look",
        (
            ("which line or file had changed", "bramble why-built ./:hello_world"),
            ("the same for a program to read", "bramble why-built --json ./:hello_world"),
        ),
    ),
    Verb(
        "history",
        "bramble.cli.verbs.history",
        "list the last builds of this project",
        "look",
        (
            ("when the last builds were, how long they took, and what failed", "bramble history -n 5"),
            ("the same with all that was built, for a program to read", "bramble history --json"),
        ),
    ),
    Verb(
        "size",
        "bramble.cli.verbs.size",
        "print the size of a closure, and which objects add to it",
        "look",
        (
            ("the size of a result with everything that it needs", "bramble size ./:hello_world"),
            ("the same for a program to read", "bramble size --json ./:hello_world"),
        ),
    ),
    Verb(
        "init",
        "bramble.cli.verbs.init",
        "create a project from a template",
        "project",
        (
            ("list the templates", "bramble init --list"),
            ("a project in a new directory, for a program in C", "bramble init --template c greet"),
            ("add a module to the project here", "bramble init --module --template shell tool"),
        ),
    ),
    Verb(
        "add",
        "bramble.cli.verbs.packages.add",
        "require packages, and choose their versions",
        "project",
        (
            ("the newest version of a package", "bramble add example.com/lib"),
            (
                "see what a version would add, and write nothing",
                "bramble add --dry-run example.com/lib@1.0.0",
            ),
            ("a project beside this one", "bramble add --path ../tools"),
        ),
    ),
    Verb(
        "remove",
        "bramble.cli.verbs.packages.remove",
        "remove packages that the project requires",
        "project",
        (
            ("see what would be removed with a package", "bramble remove --dry-run example.com/lib"),
            ("remove a package from bramble.toml and bramble.lock", "bramble remove example.com/lib"),
        ),
    ),
    Verb(
        "update",
        "bramble.cli.verbs.packages.update",
        "require the newest versions of packages",
        "project",
        (
            ("print newer versions of the same MAJOR, and write nothing", "bramble update --dry-run"),
            (
                "require the newest version of one package, even of a later MAJOR",
                "bramble update --major example.com/lib",
            ),
        ),
    ),
    Verb(
        "outdated",
        "bramble.cli.verbs.packages.outdated",
        "print which required packages have newer versions",
        "project",
        (
            (
                "what `update` would select, and what only `update --major` would",
                "bramble outdated",
            ),
            ("the same for a program to read", "bramble outdated --json"),
        ),
    ),
    Verb(
        "search",
        "bramble.cli.verbs.packages.search",
        "search for packages in registries",
        "project",
        (
            ("packages with this word in name or description", "bramble search words"),
            ("all packages of your registries, for a program to read", "bramble search --json"),
        ),
    ),
    Verb(
        "show",
        "bramble.cli.verbs.packages.show",
        "describe a package and its functions, and list who requires it",
        "project",
        (
            ("the newest version of a package", "bramble show example.com/lib"),
            ("one version, for a program to read", "bramble show --json example.com/lib@1.0.0"),
        ),
    ),
    Verb(
        "publish",
        "bramble.cli.verbs.packages.publish",
        "ask a registry to publish a version of this project",
        "project",
        (
            ("see whether the version of bramble.toml could be published", "bramble publish --dry-run"),
            ("the same of another version, for a program to read", "bramble publish --dry-run --json v1.0.0"),
        ),
    ),
    Verb(
        "registry",
        "bramble.cli.verbs.packages.registry.command",
        "run a registry of packages, and check what it would publish",
        "more",
        (
            (
                "serve a registry in a directory, at a port that is free, until Ctrl-C",
                "bramble registry serve --listen 127.0.0.1:0 packages",
            ),
            ("check a package as a registry does", "bramble registry check example.com/tool 1.0.0"),
        ),
    ),
    Verb(
        "deps",
        "bramble.cli.verbs.packages.deps",
        "print the packages of a project, and who requires each",
        "look",
        (
            ("the tree, and for each version who asked for it", "bramble deps"),
            ("the paths that lead to one package", "bramble deps --why example.com/base"),
        ),
    ),
    Verb(
        "vendor",
        "bramble.cli.verbs.packages.vendor",
        "copy packages, downloads and Bramble into a directory, for builds without a network",
        "project",
        (
            ("sources of packages, downloads, and Bramble itself", "bramble vendor third-party"),
            ("see what would change", "bramble vendor --dry-run third-party"),
        ),
    ),
    Verb(
        "lock",
        "bramble.cli.verbs.lock",
        "download and pin what a project needs, and check the pins",
        "project",
        (
            ("pin everything that has no pin yet", "bramble lock"),
            ("check that everything is pinned, and nothing else; for a CI", "bramble lock --check"),
            ("download everything pinned again, and replace the pins that differ", "bramble lock --update"),
        ),
    ),
    Verb(
        "trust",
        "bramble.cli.verbs.trust",
        "list, grant and revoke what projects may ask for",
        "project",
        (
            ("allow what a target asks for, from now on", "bramble trust grant ./:hello_world"),
            ("list what was allowed", "bramble trust list"),
            ("revoke what was allowed to the project in this directory", "bramble trust revoke"),
        ),
    ),
    Verb(
        "store",
        "bramble.cli.verbs.store.command",
        "query the store, check it, copy its objects",
        "store",
        (
            ("the objects that a result needs, as a tree", "bramble store closure --tree ./:hello_world"),
            ("export a result for another machine", "bramble store export ./:hello_world >hello.objects"),
            ("read every object and compare it with its name", "bramble store verify"),
        ),
    ),
    Verb(
        "gc",
        "bramble.cli.verbs.gc",
        "delete what no known project needs",
        "store",
        (
            ("print what would be deleted, and what each project keeps", "bramble gc --dry-run"),
            (
                "delete objects not used for a month, until the store has 20 GiB",
                "bramble gc --older-than 30d --max-size 20G",
            ),
            (
                "also delete what was needed before the changes of the last week",
                "bramble gc --keep-former 0d",
            ),
        ),
    ),
    Verb(
        "help",
        "bramble.cli.verbs.help",
        "explain a command or a topic",
        "more",
        (
            ("the options of a command, with examples", "bramble help build"),
            ("a command of `bramble store`", "bramble help store closure"),
            ("a topic: how to write a target", "bramble help targets"),
        ),
    ),
    Verb(
        "completion",
        "bramble.cli.verbs.completion",
        "let a shell complete commands, options and targets",
        "more",
        (
            ("in bash, for this session; in ~/.bashrc permanently", 'eval "$(bramble completion bash)"'),
            ("for fish", "bramble completion fish >bramble.fish"),
        ),
    ),
    Verb(
        "man",
        "bramble.cli.verbs.man",
        "write manual pages",
        "more",
        (
            ("for one user: `man bramble-build` then finds them", "bramble man ~/.local/share/man/man1"),
            ("look at a page without installing it", "bramble man pages && man -P cat pages/bramble-store.1"),
        ),
    ),
    Verb(
        "doctor",
        "bramble.cli.verbs.doctor",
        "report what this machine allows, and how to fix what it does not",
        "more",
        (
            ("see whether this machine can build", "bramble doctor"),
            ("the same for a program to read", "bramble doctor --json"),
        ),
    ),
    Verb(
        "repl",
        "bramble.cli.verbs.repl",
        "try the language at a prompt",
        "look",
        (
            ("try expressions, with the modules of the project in this directory", "bramble repl"),
            ("run lines, and see the values of expressions", "echo 'sys.platform' | bramble repl"),
        ),
    ),
    Verb(
        "explain",
        "bramble.cli.verbs.explain",
        "explain an error code, and what to do",
        "more",
        (
            ("the rule, an example and the remedy", "bramble explain load.cycle"),
            ("the same for a program to read", "bramble explain --json load.cycle"),
        ),
    ),
    Verb(
        "star",
        "bramble.cli.verbs.star",
        "run a Starlark file",
        "more",
        (
            ("run a file", "bramble star sums.star"),
            ("run a file that uses while loops", "bramble star --allow-while count.star"),
        ),
    ),
    Verb(
        "self",
        "bramble.cli.verbs.self.command",
        "pack Bramble into one file, unpack it, verify it, build it",
        "more",
        (
            ("pack Bramble into one file", "bramble self pack one-file"),
            ("compare it with the digest of its source", "bramble self verify one-file"),
            ("look at the source", "bramble self extract source && ls source/spec"),
        ),
    ),
    Verb(
        "version",
        "bramble.cli.verbs.version",
        "print the version",
        "more",
        (
            ("the version, and the digest of its source", "bramble version"),
            ("with the interpreter and the machine", "bramble version --json"),
        ),
    ),
)


class Topic(NamedTuple):
    """A subject that `bramble help` explains beside the commands; its text is topics/NAME.md."""

    name: str
    summary: str


TOPICS = (
    Topic("builtins", "derivation(), files() and what else a .bramble file can call"),
    Topic("builders", "fetch_url, fetch_git, host_tools and their variables"),
    Topic("host_tools", "programs of this machine in a build"),
    Topic("library", "std, std/c, std/python and the other modules of the library"),
    Topic("packages", "packages from git repositories: adding, updating, versions, the lock"),
    Topic("targets", "how to name what is to be built"),
    Topic("graphs", "graphs as JSON, from any program or derivation_output"),
    Topic("sandbox", "what a build can see and do, and its limits"),
    Topic("environment", "environment variables and files that Bramble reads, variables of a build"),
    Topic("errors", "all error codes"),
)
