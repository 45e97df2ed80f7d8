"""From a wish to the ordered list of everything that is done to grant it. Pure.

`steps(spec, facts)` is the story of one sandbox from the first clone(2) to
execve(2). It asks nothing of the machine: what must be known of it stands in
`HostFacts`. The list can be read (`bramble build --explain`), compared and
tested without a kernel; `child.py` applies it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bramble.errors import BrambleError
from bramble.sandbox import landlock, layout, seccomp
from bramble.sandbox.layout import Placed, Tree
from bramble.sandbox.spec import RUNGS, SandboxSpec
from bramble.sandbox.vocabulary import Step

# spec: sandbox.identity
UID = 1000
GID = 100
PASSWD = "builder:x:1000:100:builder:/tmp:/bin/sh\n"
GROUP = "builders:x:100:\n"
HOSTS = "127.0.0.1 localhost\n::1 localhost\n"

NAMESPACES = ("user", "mount", "pid", "ipc", "uts", "net", "cgroup")
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
DEVICE_LINKS = (
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
)

# spec: sandbox.proc.read-only, sandbox.proc.hidden
PROC_READ_ONLY = ("bus", "driver", "fs", "irq", "mtrr", "sys", "sysrq-trigger")
PROC_HIDDEN_FILES = (
    "config.gz", "iomem", "ioports", "kallsyms", "kcore", "key-users", "keys", "kmsg", "kpagecgroup", "kpagecount",
    "kpageflags", "latency_stats", "modules", "pagetypeinfo", "sched_debug", "slabinfo", "timer_list", "vmallocinfo",
)  # fmt: skip
PROC_HIDDEN_DIRECTORIES = ("acpi", "asound", "scsi")

# spec: sandbox.network.files
NETWORK_FILES = ("/etc/hosts", "/etc/nsswitch.conf", "/etc/resolv.conf", "/etc/services", "/etc/protocols")
CERTIFICATES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)

PREFER = Step("prefer-to-kill", (500,))
ROOT_SIZE = "16m"
PERSONALITY_BUILD = 0x0040000  # ADDR_NO_RANDOMIZE
HOSTED = "hosted"  # the rungs without namespaces see the host's paths


@dataclass(frozen=True)
class HostFacts:
    """What has to be known of the machine before a sandbox can be described.

    `other_user`: the caller is root, and pid 1 becomes a user of no other use.
    `landlock` is the kernel's ABI, 0 without it. `proc` are the names in
    /proc, `devices` those in /dev that exist, `network_files` those of
    NETWORK_FILES and CERTIFICATES. `sources` maps mount sources and `hidden`
    maps hidden paths to "directory" or "file".
    """

    machine: str
    other_user: bool = False
    landlock: int = 0
    proc: frozenset[str] = frozenset(PROC_READ_ONLY + PROC_HIDDEN_FILES + PROC_HIDDEN_DIRECTORIES)
    devices: tuple[str, ...] = DEVICES
    network_files: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    hidden: Mapping[str, str] = field(default_factory=dict)


def steps(spec: SandboxSpec, facts: HostFacts) -> tuple[Step, ...]:
    """Return everything that is done for `spec` on a machine of `facts`, in order.

    Raises BrambleError sandbox.mount for mounts, hidden paths or a working
    directory that cannot be granted, sandbox.rung for a rung that does not exist
    or cannot grant the wish.
    """
    check(spec)
    placed = layout.place(spec.mounts, facts.sources)
    if spec.rung == "namespaces":
        return helper_steps(spec, facts, placed) + init_steps(spec, facts, placed) + builder_steps(spec, facts, placed)
    check_hosted(spec, facts)
    return (
        *limit_steps(spec),
        Step("fork"),
        PREFER,
        Step("die-with-parent"),
        Step("umask", (0o022,)),
        Step("start-program-hosted"),
        *builder_steps(spec, facts, placed),
    )


def check(spec: SandboxSpec) -> None:
    """Raise BrambleError for a wish that makes no sense on any machine."""
    if spec.rung not in RUNGS:
        raise BrambleError(
            "sandbox.rung", f"there is no sandbox {spec.rung!r}", remedy="it is one of: " + ", ".join(RUNGS)
        )
    if not spec.argv:
        raise BrambleError("sandbox.builder-missing", "no program is given", remedy="name one")
    if spec.cwd != "/":
        layout.check_path(spec.cwd, "the working directory")
    for text in (*spec.argv, *(part for pair in spec.env for part in pair)):
        if "\0" in text:
            raise BrambleError(
                "sandbox.argument",
                f"the argument or variable {text[:40]!r} holds a NUL byte",
                remedy="no program can be given one; leave it out",
            )
    for name, _ in spec.env:
        if not name or "=" in name:
            raise BrambleError(
                "sandbox.argument", f"{name!r} is no name of an environment variable", remedy="choose another name"
            )


def check_hosted(spec: SandboxSpec, facts: HostFacts) -> None:
    """Raise for what the rungs without namespaces cannot do: show a path under another name, or hide one."""
    for mount in spec.mounts:
        if mount.source != mount.target:
            raise layout.refuse(
                f"with --sandbox={spec.rung} {mount.source} cannot be shown as {mount.target}",
                "without namespaces a path has one name; use the namespaces sandbox",
            )
    if spec.hidden and spec.rung == "none":
        raise BrambleError(
            "sandbox.rung", "--sandbox=none hides nothing", remedy="leave the hidden paths out, or use a sandbox"
        )
    if spec.hidden:
        raise BrambleError(
            "sandbox.rung",
            "--sandbox=landlock cannot hide a part of what it grants",
            remedy="grant less, or use the namespaces sandbox",
        )
    if spec.rung == "landlock" and facts.landlock == 0:
        raise BrambleError(
            "sandbox.unavailable",
            "this kernel has no Landlock, or it is switched off",
            remedy='Linux 5.13 with "landlock" in the lsm= list of the kernel command line has it',
        )


def limit_steps(spec: SandboxSpec) -> tuple[Step, ...]:
    """Return the step that asks for a control group, when the wish has a limit that one can hold."""
    limits = spec.limits
    if limits.memory is None and limits.processes is None:
        return ()
    return (Step("limit-group", (limits.memory, limits.processes)),)


def helper_steps(spec: SandboxSpec, facts: HostFacts, placed: tuple[Placed, ...]) -> tuple[Step, ...]:
    """Return what is done outside the sandbox."""
    namespaces = tuple(name for name in NAMESPACES if name != "net" or not spec.network)
    trees = tuple(Step("open-tree", (p.mount.source, p.mount.writable)) for p in placed) if facts.other_user else ()
    return (*limit_steps(spec), *trees, Step("clone", (namespaces,)), Step("map-ids", (UID, GID)), PREFER)


def init_steps(spec: SandboxSpec, facts: HostFacts, placed: tuple[Placed, ...]) -> tuple[Step, ...]:
    """Return what pid 1 does, up to the start of pid 2. The order is the security: see spec sandbox.order."""
    become = (Step("become", (UID, GID)),) if facts.other_user else ()
    terminal = (Step("open-terminal"),) if spec.terminal else ()
    return (
        Step("die-with-parent"),
        *become,
        Step("new-keyring"),
        Step("hostname", ("localhost",)),
        Step("domainname", ("(none)",)),
        *(() if spec.network else (Step("loopback"),)),
        Step("umask", (0o022,)),
        Step("private-mounts"),
        Step("new-root", (ROOT_SIZE,)),
        *tree_steps(spec, facts, placed),
        *proc_steps(spec, facts),
        Step("enter-root"),
        *terminal,
        Step("hide-self"),
        Step("start-program"),
    )


def tree_steps(spec: SandboxSpec, facts: HostFacts, placed: tuple[Placed, ...]) -> list[Step]:
    """Return the steps that make the sandbox's tree of files, without /proc (spec: sandbox.mounts)."""
    constant = (("/etc/passwd", PASSWD), ("/etc/group", GROUP), ("/etc/hosts", HOSTS))
    tree = Tree(("/dev", "/etc", "/proc", "/tmp", *(path for path, _ in constant)))
    done = [Step("directory", (path, 0o755)) for path in ("/dev", "/etc", "/proc", "/tmp")]
    done += [Step("file", (path, text)) for path, text in constant]
    if spec.network:
        for path in facts.network_files:
            done += [*tree.point(path, "file"), Step("bind", (path, path))]
    later: list[Step] = []
    temporary = Tree(("/tmp",))
    for index, one in enumerate(placed):
        shown = layout.show(one, index if facts.other_user else None)
        attributes = layout.SAFE if one.mount.writable else layout.READ_ONLY
        settled = Step("protect", (one.mount.target, attributes, True))
        if one.within:
            later += [shown, settled]
        elif layout.below(one.mount.target, layout.TEMPORARY):
            later += [*temporary.point(one.mount.target, one.kind), shown, settled]
        else:
            done += tree.point(one.mount.target, one.kind)
            if one.mount.writable:
                later += [shown, settled]
            else:
                done.append(shown)
    size = "50%" if spec.limits.memory is None else str(spec.limits.memory)
    # Everything up to here is read-only from here on: the root, and each input with all that is mounted in it.
    done.append(Step("protect", ("/", layout.READ_ONLY, True)))
    done.append(Step("tmpfs", ("/tmp", 0o1777, size)))
    done.append(Step("tmpfs", ("/dev", 0o755, "64k")))
    for name in facts.devices:
        done += [Step("file", (f"/dev/{name}", "")), Step("bind", (f"/dev/{name}", f"/dev/{name}"))]
    done += [Step("symlink", (f"/dev/{name}", to)) for name, to in DEVICE_LINKS]
    done += [Step("directory", (f"/dev/{name}", 0o755)) for name in ("pts", "shm")]
    # Read-only, or a process of the same user outside's id could change the mode of the host's own node.
    done.append(Step("protect", ("/dev", "read-only nosuid noexec", True)))
    done += [Step("devpts", ("/dev/pts",)), Step("tmpfs", ("/dev/shm", 0o1777, size))]
    return done + later + hidden_steps(spec, facts, placed)


def hidden_steps(spec: SandboxSpec, facts: HostFacts, placed: tuple[Placed, ...]) -> list[Step]:
    """Return the steps that cover the hidden paths; raises sandbox.mount for one that no mount shows."""
    done = []
    for path in sorted(spec.hidden):
        layout.check_path(path, "the hidden path")
        if not any(layout.below(path, one.mount.target) for one in placed):
            raise layout.refuse(f"{path} cannot be hidden: nothing shows it", "hide a path at or below one that is given")
        done.append(Step("cover-within", (path, facts.hidden.get(path, "directory"))))
    return done


def proc_steps(spec: SandboxSpec, facts: HostFacts) -> list[Step]:
    """Return the steps that mount /proc, and cover what tells of the host or changes it."""
    done = [Step("proc", ("/proc",))]
    if spec.nesting:
        # The kernel lets a nested sandbox mount its own /proc only where this one is uncovered.
        return done
    for name in PROC_READ_ONLY:
        if name in facts.proc:
            path = f"/proc/{name}"
            done += [Step("bind-itself", (path,)), Step("protect", (path, "read-only nosuid nodev noexec", True))]
    done += [Step("cover-file", (f"/proc/{name}",)) for name in PROC_HIDDEN_FILES if name in facts.proc]
    done += [Step("cover-directory", (f"/proc/{name}",)) for name in PROC_HIDDEN_DIRECTORIES if name in facts.proc]
    return done


def builder_steps(spec: SandboxSpec, facts: HostFacts, placed: tuple[Placed, ...]) -> tuple[Step, ...]:
    """Return what pid 2 does before it becomes the program."""
    limits = spec.limits
    rlimits = [Step("rlimit", ("CORE", 0, 0)), Step("rlimit", ("NOFILE", 1024, None)), Step("rlimit", ("STACK", 8 << 20, None))]
    if limits.file_size is not None:
        rlimits.append(Step("rlimit", ("FSIZE", limits.file_size, limits.file_size)))
    if limits.memory is not None:
        rlimits.append(Step("rlimit", ("DATA", limits.memory, limits.memory)))
    if limits.processes is not None:
        rlimits.append(Step("rlimit", ("NPROC", limits.processes, limits.processes)))
    personality = (Step("personality", (PERSONALITY_BUILD,)),) if spec.purpose == "build" else ()
    env = tuple(f"{name}={value}" for name, value in sorted(spec.env, key=lambda pair: pair[0].encode("utf-8", "surrogateescape")))
    start = (Step("session"), Step("standard-streams", (spec.terminal,)), Step("reset-signals"), *rlimits,
             Step("working-directory", (spec.cwd,)))  # fmt: skip
    end = (*personality, Step("die-with-init"), *filter_steps(spec, facts), Step("execute", (spec.argv, env)))
    if spec.rung == "none":
        return (*start, *end)
    return (*start, Step("no-new-privileges"), *landlock_steps(spec, facts, placed), Step("no-capabilities"), *end)


def landlock_steps(spec: SandboxSpec, facts: HostFacts, placed: tuple[Placed, ...]) -> tuple[Step, ...]:
    """Return the second wall, or the only one of the landlock rung; nothing where the kernel has none."""
    abi = facts.landlock
    if abi == 0:
        return ()
    scoped = landlock.known_scopes(abi)
    if spec.nesting:
        # A domain that holds rights on files forbids mount(2), which a nested sandbox needs.
        return (Step("landlock", (0, 0, scoped, ())),) if scoped else ()
    handled = landlock.known_fs(abi)
    granted: list[tuple[str, str, str]] = []
    if spec.rung == "namespaces":
        granted += [("/", "read", "directory"), ("/dev", "use", "directory"), ("/proc", "use", "directory")]
        granted += [("/tmp", "write", "directory"), ("/dev/shm", "write", "directory")]
        granted += [("/dev/pts", "use", "directory")]
    else:
        granted += [(f"/dev/{name}", "use", "file") for name in facts.devices]
        granted += [(one.mount.target, "read", one.kind) for one in placed if not one.mount.writable]
    granted += [(one.mount.target, "write", one.kind) for one in placed if one.mount.writable]
    rules = tuple((path, landlock.rights(access, kind, handled)) for path, access, kind in granted)
    net = landlock.known_net(abi) if spec.rung == "landlock" and not spec.network else 0
    return (Step("landlock", (handled, net, scoped, rules)),)


def filter_steps(spec: SandboxSpec, facts: HostFacts) -> tuple[Step, ...]:
    """Return the step that installs the filter of system calls: the last before execve(2)."""
    variant = seccomp.Variant(nesting=spec.nesting, inet=spec.network or spec.rung == "namespaces")
    program = seccomp.program(facts.machine, variant)
    return (Step("seccomp", (program.hex(), variant.name)),)
