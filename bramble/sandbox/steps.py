"""From a specification to the ordered list of everything that is done for it. Pure.

`steps(spec, facts)` is the story of one sandbox from the first clone(2) to
execve(2). It does not look at the machine: what must be known of it is in
`HostFacts`. The list can be read (`bramble build --explain`), compared and
tested without a kernel; `pid1.py` and `pid2.py` apply it.
"""

from __future__ import annotations

from bramble.errors import BrambleError
from bramble.record import NamedTuple
from bramble.sandbox import layout
from bramble.sandbox.layout import Placed, Tree
from bramble.sandbox.spec import PURPOSES, RUNGS, SandboxSpec
from bramble.sandbox.vocabulary import Step
from bramble.sandbox.walls import landlock, seccomp
from bramble.sandbox.wire import DEVICES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# spec: sandbox.identity.user
UID = 1000
GID = 100
PASSWD = "builder:x:1000:100:builder:/tmp:/bin/sh\n"
GROUP = "builders:x:100:\n"
HOSTS = "127.0.0.1 localhost\n::1 localhost\n"

NAMESPACES = ("user", "mount", "pid", "ipc", "uts", "net", "cgroup")
# name → (major, minor): Documentation/admin-guide/devices.txt
DEVICE_LINKS = (
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
)

# spec: sandbox.proc.read-only, sandbox.proc.hidden
PROC_READ_ONLY = ("bus", "driver", "fs", "irq", "mtrr", "pressure", "sys", "sysrq-trigger")
PROC_HIDDEN_FILES = (
    "config.gz", "iomem", "ioports", "kallsyms", "kcore", "key-users", "keys", "kmsg", "kpagecgroup",
    "kpagecount", "kpageflags", "latency_stats", "modules", "pagetypeinfo", "sched_debug", "slabinfo",
    "timer_list", "vmallocinfo",
)  # fmt: skip
PROC_HIDDEN_DIRECTORIES = ("acpi", "asound", "scsi")

# spec: sandbox.network.files
ROOT_SIZE = "16m"
DEVICES_SIZE, DEVICES_FILES = "64k", "64"
# spec: sandbox.temporary: sizes of /tmp and /dev/shm if there is no limit of memory, and files of each
TEMPORARY_SIZE, SHARED_SIZE, FILES_IN_MEMORY = "25%", "12%", "1m"
# spec: sandbox.limits.share
MEMORY_SHARE = (3, 4)
PROCESSES_SHARE = (1, 2)
MEMORY_OF_PROCESS = 2 << 20  # bytes of memory for each process that there may be
PROCESSES, PROCESSES_OF_PROCESSOR, FEWEST_PROCESSES = 512, 128, 256
SIZE_OF_INODE = 1024  # bytes of the kernel's memory, about, that each file costs however small it is
NO_CORE = 1  # bytes; at 0 the kernel would still call a program of the host that collects cores: core(5)
OPEN_FILES = 1024
STACK = 8 << 20
ADDRESSES_NOT_RANDOM = 0x0040000  # personality(2): ADDR_NO_RANDOMIZE
PREFER_TO_KILL = Step("prefer-to-kill", (500,))


class HostFacts(NamedTuple):
    """What has to be known of the machine before a sandbox can be described.

    `other_user`: the caller is root, and the sandbox is another user outside.
    `landlock` is the kernel's ABI, 0 without it. `counts_processes`: the
    kernel counts the processes of a user in each user namespace by itself
    (Linux 5.14). `memory` are the bytes of the machine, or of what Bramble may
    have of it, `processes` how many there may be (0 is not known), `processors` how
    many there are. `proc` are the names in /proc, `devices` those of DEVICES and
    `network_files` those of NETWORK_FILES that exist. `sources` maps mount
    sources and `hidden` maps hidden paths to "directory" or "file", and what has to
    be hidden besides to "socket"; `links` are
    what `programs.links` found.
    """

    machine: str
    other_user: bool = False
    landlock: int = 0
    counts_processes: bool = True
    memory: int = 0
    processes: int = 0
    processors: int = 1
    proc: frozenset[str] = frozenset(PROC_READ_ONLY + PROC_HIDDEN_FILES + PROC_HIDDEN_DIRECTORIES)
    devices: tuple[str, ...] = tuple(DEVICES)
    network_files: tuple[str, ...] = ()
    sources: Mapping[str, str] = {}
    hidden: Mapping[str, str] = {}
    links: tuple[tuple[str, str], ...] = ()


def steps(spec: SandboxSpec, facts: HostFacts) -> tuple[Step, ...]:
    """Return everything that is done for `spec` on a machine of `facts`, in order (spec: sandbox.wish).

    Raises BrambleError sandbox.mount for mounts, hidden paths or a working
    directory that cannot be granted, sandbox.argument for arguments or
    variables that cannot be passed to a program, sandbox.rung for a mode that does
    not exist or cannot do what is requested, sandbox.unavailable for one that this
    machine has not.
    """
    check(spec)
    placed = layout.place(spec.mounts, facts.sources)
    if spec.rung == "namespaces":
        outside, first = helper_steps(spec, facts, placed), init_steps(spec, facts, placed)
    else:
        check_hosted(spec, facts)
        outside = (*limit_steps(spec), watch_step(spec, facts), Step("fork"), PREFER_TO_KILL)
        first = (Step("await-word"), Step("umask", (0o022,)), Step("start-program-hosted"))
    return (*outside, *first, *builder_steps(spec, facts, placed))


def check(spec: SandboxSpec) -> None:
    """Raise BrambleError for a specification that is not valid on any machine."""
    # spec: sandbox.rungs, sandbox.wish.arguments, sandbox.wish.directory
    if spec.rung not in RUNGS:
        raise unknown_rung(f"there is no sandbox {spec.rung!r}", "choose one of: " + ", ".join(RUNGS))
    if spec.purpose not in PURPOSES:
        raise ValueError(f"unknown purpose {spec.purpose!r}")
    if not spec.argv or not spec.argv[0]:
        raise unusable("no program is given", "name the program to run")
    if spec.cwd != "/":
        layout.check_path(spec.cwd, "the working directory")
    for text in (*spec.argv, *(part for pair in spec.env for part in pair)):
        if "\0" in text:
            raise unusable(
                f"{text[:40]!r} holds a NUL byte", "remove it: a program cannot have one in its arguments"
            )
    names = [name for name, _ in spec.env]
    for name in names:
        if not name or "=" in name:
            raise unusable(f"{name!r} is not a valid name of an environment variable", "choose another name")
    if len(set(names)) != len(names):
        raise unusable("an environment variable is given twice", "give each variable one value")


def unusable(message: str, remedy: str) -> BrambleError:
    """Return the error for arguments and variables."""
    return BrambleError("sandbox.argument", message, remedy=remedy)


def unknown_rung(message: str, remedy: str) -> BrambleError:
    """Return the error for a mode that cannot do what is requested."""
    return BrambleError("sandbox.rung", message, remedy=remedy)


def check_hosted(spec: SandboxSpec, facts: HostFacts) -> None:
    """Raise for what the modes without namespaces cannot do, instead of silently doing less."""
    # spec: sandbox.rungs.paths
    instead = "use the namespaces sandbox"
    for mount in spec.mounts:
        if mount.source != mount.target:
            raise layout.refuse(
                f"with --sandbox={spec.rung} {mount.source} cannot be shown as {mount.target}", instead
            )
    if spec.hidden:
        raise unknown_rung(f"--sandbox={spec.rung} cannot hide a part of what it grants", instead)
    if spec.terminal:
        raise unknown_rung(f"--sandbox={spec.rung} has no terminal of its own", instead)
    if spec.rung == "landlock" and facts.landlock == 0:
        raise BrambleError(
            "sandbox.unavailable",
            "this kernel has no Landlock, or it is switched off",
            remedy='it takes Linux 5.13, with "landlock" in lsm= of the kernel command line if that is set',
        )


def shares(spec: SandboxSpec, facts: HostFacts) -> tuple[int | None, int | None, int | None]:
    """Return (bytes, processes, bytes of all sandboxes of one command) at most; None: any number."""
    # spec: sandbox.limits.share
    memory = facts.memory * MEMORY_SHARE[0] // MEMORY_SHARE[1] or None
    processes = None
    if facts.memory and facts.processes:
        part = facts.processes * PROCESSES_SHARE[0] // PROCESSES_SHARE[1]
        useful = PROCESSES + PROCESSES_OF_PROCESSOR * facts.processors
        processes = max(FEWEST_PROCESSES, min(part, useful, facts.memory // MEMORY_OF_PROCESS))
    limits = spec.limits
    own = memory if limits.memory is None else limits.memory
    together = None if memory is None or own is None else max(memory, own)
    return own, processes if limits.processes is None else limits.processes, together


def watch_step(spec: SandboxSpec, facts: HostFacts) -> Step:
    """Return the step that has the sandbox looked at while it runs."""
    disks = tuple(mount.source for mount in spec.mounts if mount.writable)
    return Step("watch", (*shares(spec, facts), disks))


def limit_steps(spec: SandboxSpec) -> tuple[Step, ...]:
    """Return the step that creates a control group, if there is a limit that a group can enforce."""
    limits = spec.limits
    if limits.memory is None and limits.processes is None:
        return ()
    return (Step("limit-group", (limits.memory, limits.processes)),)


def helper_steps(spec: SandboxSpec, facts: HostFacts, placed: tuple[Placed, ...]) -> tuple[Step, ...]:
    """Return what is done outside the sandbox."""
    # spec: sandbox.namespaces
    namespaces = tuple(name for name in NAMESPACES if name != "net" or not spec.network)
    taken = placed if facts.other_user else ()
    return (
        *limit_steps(spec),
        watch_step(spec, facts),
        *(Step("open-tree", (one.mount.source, one.mount.writable)) for one in taken),
        Step("clone", (namespaces,)),
        Step("map-ids", (UID, GID)),
        PREFER_TO_KILL,
    )


def init_steps(spec: SandboxSpec, facts: HostFacts, placed: tuple[Placed, ...]) -> tuple[Step, ...]:
    """Return what pid 1 does, up to the start of pid 2."""
    # spec: sandbox.order
    return (
        Step("die-with-parent"),
        Step("await-word"),
        *((Step("become", (UID, GID)),) if facts.other_user else ()),
        Step("new-keyring"),
        # spec: sandbox.identity.machine
        Step("hostname", ("localhost",)),
        Step("domainname", ("(none)",)),
        # spec: sandbox.network
        *(() if spec.network else (Step("loopback"),)),
        Step("umask", (0o022,)),
        Step("private-mounts"),
        Step("new-root", (ROOT_SIZE,)),
        *tree_steps(spec, facts, placed),
        *proc_steps(spec, facts),
        Step("enter-root"),
        *((Step("open-terminal"),) if spec.terminal else ()),
        Step("hide-self"),
        Step("start-program"),
    )


def tree_steps(spec: SandboxSpec, facts: HostFacts, placed: tuple[Placed, ...]) -> list[Step]:
    """Return the steps that make the sandbox's tree of files, without what is in /proc."""
    # spec: sandbox.tree, sandbox.mounts, sandbox.mounts.read-only
    constant = (("/etc/passwd", PASSWD), ("/etc/group", GROUP), ("/etc/hosts", HOSTS))
    tree = Tree(("/dev", "/etc", "/proc", "/tmp", *(path for path, _ in constant)))
    early = [Step("directory", (path, 0o755)) for path in ("/dev", "/etc", "/proc", "/tmp")]
    early += [Step("file", (path, text)) for path, text in constant]
    if spec.network:
        for path in facts.network_files:
            early += [*tree.point(path, "file"), Step("bind-machine", (path, path))]
    # spec: sandbox.programs
    for path, to in facts.links:
        early += [*tree.parents(path), Step("symlink", (path, to))]
    late: list[Step] = []
    temporary = Tree((layout.TEMPORARY,))
    for number, one in enumerate(placed):
        target = one.mount.target
        shown = layout.show(one, number if facts.other_user else None)
        protected = Step("protect", (target, layout.SAFE if one.mount.writable else layout.READ_ONLY))
        if one.within:
            late += [shown, protected]
        elif layout.below(target, layout.TEMPORARY):
            late += [*temporary.point(target, one.kind), shown, protected]
        elif one.mount.writable:
            early += tree.point(target, one.kind)
            late += [shown, protected]
        else:
            early += [*tree.point(target, one.kind), shown]
    size, shared, inodes = TEMPORARY_SIZE, SHARED_SIZE, FILES_IN_MEMORY
    if spec.limits.memory is not None:
        size = shared = str(spec.limits.memory)
        inodes = str(spec.limits.memory // SIZE_OF_INODE + 1)
    return [
        *early,
        # From here on the root is read-only, and so is each input with all that is mounted in it.
        Step("protect", ("/", layout.READ_ONLY)),
        # spec: sandbox.temporary
        Step("tmpfs", (layout.TEMPORARY, 0o1777, size, inodes)),
        *device_steps(facts, shared, inodes),
        *late,
        *hidden_steps(spec, facts, placed),
        Step("hand-out-memory", ((layout.TEMPORARY, "/dev/shm"),)),
    ]


def device_steps(facts: HostFacts, size: str, inodes: str) -> list[Step]:
    """Return the steps that make /dev: nodes of the host, read-only, and what is the sandbox's own."""
    # spec: sandbox.devices
    done = [Step("tmpfs", ("/dev", 0o755, DEVICES_SIZE, DEVICES_FILES))]
    for name in facts.devices:
        done += [Step("file", (f"/dev/{name}", "")), Step("device", (f"/dev/{name}", *DEVICES[name]))]
    done += [Step("symlink", (f"/dev/{name}", to)) for name, to in DEVICE_LINKS]
    done += [Step("directory", (f"/dev/{name}", 0o755)) for name in ("pts", "shm")]
    # Read-only, or a sandbox of the node's owner could change the mode of the host's own node.
    done.append(Step("protect", ("/dev", "read-only nosuid noexec")))
    return [*done, Step("devpts", ("/dev/pts",)), Step("tmpfs", ("/dev/shm", 0o1777, size, inodes))]


def hidden_steps(spec: SandboxSpec, facts: HostFacts, placed: tuple[Placed, ...]) -> list[Step]:
    """Return the steps that cover the hidden paths; raises sandbox.mount for one that no mount shows."""
    # spec: sandbox.mounts.hidden
    done = []
    # spec: sandbox.network.named
    reached = sorted(path for path, kind in facts.hidden.items() if kind == "socket")
    for path in reached:
        if not any(layout.below(path, other) for other in spec.hidden):
            done.append(Step("cover-within", (path, "socket")))
    for path in sorted(set(spec.hidden)):
        layout.check_path(path, "the hidden path")
        if not any(layout.below(path, one.mount.target) for one in placed):
            raise layout.refuse(f"{path} cannot be hidden: nothing shows it", "hide a part of what is given")
        if not any(path != other and layout.below(path, other) for other in spec.hidden):
            done.append(Step("cover-within", (path, facts.hidden.get(path, "directory"))))
    return done


def proc_steps(spec: SandboxSpec, facts: HostFacts) -> list[Step]:
    """Return the steps that mount /proc, and cover what changes the host or tells of it."""
    done = [Step("proc", ("/proc",))]
    # spec: sandbox.nesting
    if spec.nesting:
        # A kernel mounts /proc in a nested sandbox only where the outer one is not covered anywhere.
        return done
    for name in PROC_READ_ONLY:
        if name in facts.proc:
            path = f"/proc/{name}"
            done += [Step("bind-itself", (path,)), Step("protect", (path, "read-only nosuid nodev noexec"))]
    done += [Step("cover-file", (f"/proc/{name}",)) for name in PROC_HIDDEN_FILES if name in facts.proc]
    return done + [
        Step("cover-directory", (f"/proc/{name}",)) for name in PROC_HIDDEN_DIRECTORIES if name in facts.proc
    ]


def builder_steps(spec: SandboxSpec, facts: HostFacts, placed: tuple[Placed, ...]) -> tuple[Step, ...]:
    """Return what pid 2 does before it becomes the program."""
    # spec: sandbox.environment
    # The kernel orders variables by nothing; programs see the order of the list.
    env = sorted(spec.env, key=lambda pair: pair[0].encode("utf-8", "surrogateescape"))
    walls: tuple[Step, ...] = ()
    if spec.rung != "none":
        walls = (Step("no-new-privileges"), *landlock_steps(spec, facts, placed), Step("no-capabilities"))
    # spec: sandbox.purposes, sandbox.constants.addresses
    build = spec.purpose == "build"
    return (
        Step("session"),
        Step("standard-streams", (spec.terminal,)),
        Step("signals"),
        *rlimit_steps(spec, facts),
        Step("working-directory", (spec.cwd,)),
        *walls,
        *((Step("personality", (ADDRESSES_NOT_RANDOM,)),) if build else ()),
        Step("die-with-init"),
        *(() if build and not spec.terminal else (Step("hand-out-self"),)),
        *(() if spec.rung == "none" else (filter_step(spec, facts),)),
        # Last, for what goes before would count: an interpreter that has more than that already.
        *memory_steps(spec),
        Step("execute", (spec.argv, tuple(f"{name}={value}" for name, value in env))),
    )


def rlimit_steps(spec: SandboxSpec, facts: HostFacts) -> list[Step]:
    """Return the limits of each process (getrlimit(2))."""
    # spec: sandbox.constants.process, sandbox.limits.process
    limits = spec.limits
    done = [
        Step("rlimit", ("CORE", NO_CORE, NO_CORE)),
        Step("rlimit", ("NOFILE", OPEN_FILES, None)),
        Step("rlimit", ("STACK", STACK, None)),
    ]
    # spec: sandbox.limits.output
    # One byte more than all files together may have is enough to be found out.
    sizes = [limits.file_size, None if limits.output_size is None else limits.output_size + 1]
    largest = min((size for size in sizes if size is not None), default=None)
    if largest is not None:
        done.append(Step("rlimit", ("FSIZE", largest, largest)))
    counted = spec.rung == "namespaces" and (facts.counts_processes or facts.other_user)
    processes = limits.processes
    if processes is None:
        # More than the helper ends it for at its next look: without it, it could do nothing in between.
        processes = (shares(spec, facts)[1] or 0) * 5 // 4 or None
    if processes is not None and counted:
        # Elsewhere the kernel would count all that the caller runs. Pid 1 is one more, and there is one to
        # spare: a group, which says that it was hit, has to be hit first.
        most = processes + 2
        done.append(Step("rlimit", ("NPROC", most, most)))
    return done


def memory_steps(spec: SandboxSpec) -> tuple[Step, ...]:
    """Return the limit of the memory of each process (getrlimit(2))."""
    # spec: sandbox.limits.process
    memory = spec.limits.memory
    return () if memory is None else (Step("rlimit", ("DATA", memory, memory)),)


def landlock_steps(spec: SandboxSpec, facts: HostFacts, placed: tuple[Placed, ...]) -> tuple[Step, ...]:
    """Return the Landlock step: a second barrier, or the only one in the mode landlock; else empty."""
    # spec: sandbox.landlock
    abi = facts.landlock
    scoped = landlock.known_scopes(abi)
    if abi == 0 or (spec.nesting and not scoped):
        return ()
    if spec.nesting:
        # A process in a domain with rights on files may not mount, and a nested sandbox must.
        return (Step("landlock", (0, 0, scoped, ())),)
    writable = [(one.mount.target, "write", one.kind) for one in placed if one.mount.writable]
    if spec.rung == "namespaces":
        granted = [("/", "read", "directory"), ("/dev", "use", "directory"), ("/proc", "use", "directory")]
        granted += [("/dev/shm", "write", "directory"), (layout.TEMPORARY, "write", "directory")]
    else:
        granted = [(f"/dev/{name}", "use", "file") for name in facts.devices]
        granted += [(one.mount.target, "read", one.kind) for one in placed if not one.mount.writable]
    handled = landlock.known_fs(abi)
    rules = tuple(
        (path, landlock.rights(access, kind, handled)) for path, access, kind in (*granted, *writable)
    )
    net = landlock.known_net(abi) if spec.rung == "landlock" and not spec.network else 0
    return (Step("landlock", (handled, net, scoped, rules)),)


def filter_step(spec: SandboxSpec, facts: HostFacts) -> Step:
    """Return the step that installs the filter of system calls: the last before execve(2)."""
    # A network namespace closes the network; without one, the filter does.
    alone = spec.rung == "namespaces"
    variant = seccomp.Variant(nesting=spec.nesting, inet=spec.network or alone, alone=alone)
    return Step("seccomp", (variant.name, seccomp.program(facts.machine, variant).hex()))
