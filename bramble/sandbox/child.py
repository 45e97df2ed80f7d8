"""The child: applies the steps of one sandbox, one after the other, and nothing else.

Two processes run this code, each forked from one of a single thread:

pid 1   a fresh clone(2) of the helper. It has every capability in its own new
        namespaces and none outside; it is the user that `map-ids` says. It
        builds the tree of files, starts pid 2, gives up its capabilities and
        then only waits. Its end is the end of every process in the sandbox.
pid 2   a fork of pid 1. It gives up everything and becomes the program.

Neither reads a file of the host beyond what its steps name, and neither
returns: both leave by `os._exit` or execve(2). Everything they use has been
imported before, because Python's library is out of reach once the root is new.
"""

from __future__ import annotations

import _socket
import fcntl
import os
import resource
import signal

from bramble.sandbox import autopsy, landlock as rights, remount, syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, NoReturn

# Where pid 1 gathers the new tree. A directory of the host that always exists and is never above a source;
# what is mounted there is seen by pid 1 alone, in its own mount namespace, and disappears with it.
STAGE = b"/proc"
STAGE_ROOT = STAGE + b"/root"
STAGE_EMPTY = STAGE + b"/empty"

ATTRIBUTES = {
    "read-only": syscalls.MOUNT_ATTR_RDONLY,
    "nosuid": syscalls.MOUNT_ATTR_NOSUID,
    "nodev": syscalls.MOUNT_ATTR_NODEV,
    "noexec": syscalls.MOUNT_ATTR_NOEXEC,
}
SAFE = syscalls.MS_NOSUID | syscalls.MS_NODEV
WALK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
EINVAL = 22
ENOSYS = 38
EPERM = 1
HIGHEST_FD = 0x7FFFFFFF


class Job:
    """What the helper hands to the child it forks.

    `init` and `builder` are lists of [number of the step, action, arguments];
    `link` is a socket to the helper that keeps messages apart; `streams` are
    the three standard streams; `trees` are detached mounts; `own_memory` are
    the addresses of our argv and environment.
    """

    def __init__(
        self,
        init: list[Any],
        builder: list[Any],
        link: int,
        streams: tuple[int, int, int],
        trees: list[int],
        own_memory: tuple[tuple[int, int], ...],
    ) -> None:
        self.init = init
        self.builder = builder
        self.link = link
        self.streams = streams
        self.trees = trees
        self.own_memory = own_memory
        self.slave = -1
        self.mountinfo = -1


def native(path: str) -> bytes:
    """Return a path of the wire as bytes of the kernel (spec: sandbox.launcher.text)."""
    return path.encode("utf-8", "surrogateescape")


def inside(path: str) -> bytes:
    """Return a path of the sandbox relative to the new root, where pid 1 stands until it enters it."""
    return native(path[1:]) or b"."


def run_init(job: Job) -> NoReturn:
    """Be pid 1: apply the steps; the last of them starts pid 2 and never returns."""
    code = 1
    try:
        close_all_but((2, job.link, *job.streams, *job.trees))
        apply(job, job.init, INIT_ACTIONS)
    finally:
        os._exit(code)


def apply(job: Job, steps: list[Any], actions: dict[str, Callable[..., None]]) -> None:
    """Apply `steps` in order; the first that the kernel refuses is told to the helper, and ends this process."""
    for number, action, arguments in steps:
        try:
            actions[action](job, *arguments)
        except OSError as error:
            path = native(error.filename) if isinstance(error.filename, str) else error.filename or b""
            detail = native(str(getattr(error, "detail", "")))
            os.write(job.link, b"E\0%d\0%d\0%s\0%s" % (number, error.errno or 0, path, detail))
            os._exit(1)


def close_all_but(keep: tuple[int, ...]) -> None:
    """Close every descriptor that is not in `keep`: the helper's, and those of other sandboxes."""
    first = 0
    for fd in sorted(keep):
        if fd > first:
            close_range(first, fd - 1)
        first = fd + 1
    close_range(first, HIGHEST_FD)


def close_range(first: int, last: int) -> None:
    """Close the descriptors from `first` to `last`; before Linux 5.9, those that the limit allows to exist."""
    try:
        syscalls.close_range(first, last)
    except OSError as error:
        if error.errno != ENOSYS:
            raise
        os.closerange(first, min(last + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


# ---- pid 1 ---------------------------------------------------------------------------------------------


def die_with_parent(job: Job) -> None:
    """Ask to be killed with the helper; then wait for its word, which also means that our ids are mapped."""
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.read(job.link, 1) != b"g":  # the helper ended before we could ask
        os._exit(1)


def become(job: Job, uid: int, gid: int) -> None:
    """Take ids that are mapped. Not being a change from or to user 0 of this namespace, it keeps capabilities."""
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)  # a change of credentials has cleared it


def new_keyring(job: Job) -> None:
    """Leave the session keyring of the caller, where keys may lie; a container may forbid the whole subject."""
    try:
        syscalls.keyctl(syscalls.KEYCTL_JOIN_SESSION_KEYRING)
    except OSError as error:
        if error.errno not in (EPERM, ENOSYS):
            raise


def hostname(job: Job, name: str) -> None:
    syscalls.sethostname(native(name))


def domainname(job: Job, name: str) -> None:
    syscalls.setdomainname(native(name))


def loopback(job: Job) -> None:
    """Switch lo on: netdevice(7), SIOCSIFFLAGS with IFF_UP | IFF_LOOPBACK | IFF_RUNNING."""
    with_flags = b"lo".ljust(16, b"\0") + (0x49).to_bytes(2, "little") + bytes(22)
    fd = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    fcntl.ioctl(fd.fileno(), 0x8914, with_flags)
    fd.close()


def umask(job: Job, mode: int) -> None:
    os.umask(mode)


def private_mounts(job: Job) -> None:
    syscalls.mount(None, b"/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)


def new_root(job: Job, size: str) -> None:
    """Mount the stage, with an empty directory to cover things with and the new root; stand in the root."""
    job.mountinfo = os.open(STAGE + b"/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
    syscalls.mount(b"tmpfs", STAGE, b"tmpfs", SAFE, b"mode=0755,size=4k,nr_inodes=8")
    os.mkdir(STAGE_ROOT)
    os.mkdir(STAGE_EMPTY, 0)
    syscalls.mount(None, STAGE, None, syscalls.MS_REMOUNT | syscalls.MS_BIND | syscalls.MS_RDONLY | SAFE)
    syscalls.mount(b"tmpfs", STAGE_ROOT, b"tmpfs", SAFE, b"mode=0755,size=" + native(size))
    os.chdir(STAGE_ROOT)


def directory(job: Job, path: str, mode: int) -> None:
    os.mkdir(inside(path), mode)


def file(job: Job, path: str, text: str) -> None:
    fd = os.open(inside(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    if text:
        os.write(fd, native(text))
    os.close(fd)


def symlink(job: Job, path: str, to: str) -> None:
    os.symlink(native(to), inside(path))


def bind(job: Job, source: str, target: str) -> None:
    syscalls.mount(native(source), inside(target), None, syscalls.MS_BIND | syscalls.MS_REC)


def bind_itself(job: Job, target: str) -> None:
    syscalls.mount(inside(target), inside(target), None, syscalls.MS_BIND | syscalls.MS_REC)


def attach(job: Job, tree: int, target: str) -> None:
    syscalls.move_mount(job.trees[tree], b"", syscalls.AT_FDCWD, inside(target), syscalls.MOVE_MOUNT_F_EMPTY_PATH)
    os.close(job.trees[tree])


def bind_within(job: Job, source: str, target: str) -> None:
    put_within(syscalls.open_tree(syscalls.AT_FDCWD, native(source), OPEN_WHOLE), target)


def attach_within(job: Job, tree: int, target: str) -> None:
    put_within(job.trees[tree], target)


OPEN_WHOLE = syscalls.OPEN_TREE_CLONE | syscalls.OPEN_TREE_CLOEXEC | syscalls.AT_RECURSIVE


def put_within(tree: int, target: str) -> None:
    """Attach the detached mount `tree` at `target`, which lies in a mount that others may write to.

    Every component is opened by itself and no link is followed: a link that
    somebody plants cannot lead the mount to another place.
    """
    place = open_within(target)
    both_empty = syscalls.MOVE_MOUNT_F_EMPTY_PATH | syscalls.MOVE_MOUNT_T_EMPTY_PATH
    syscalls.move_mount(tree, b"", place, b"", both_empty)
    os.close(tree)
    os.close(place)


def open_within(target: str) -> int:
    """Return a descriptor for the path `target` below the new root, following no link."""
    here = os.open(b".", WALK | os.O_DIRECTORY)
    *parents, last = native(target).split(b"/")[1:]
    try:
        for name in parents:
            below = os.open(name, WALK | os.O_DIRECTORY, dir_fd=here)
            os.close(here)
            here = below
        return os.open(last, WALK, dir_fd=here)
    except OSError as error:
        error.filename = target
        raise
    finally:
        os.close(here)


def protect(job: Job, target: str, attributes: str, recursive: bool) -> None:
    """Add attributes to a mount and those in it. They are only ever added, so no locked one is in the way."""
    wanted = 0
    for word in attributes.split():
        wanted |= ATTRIBUTES[word]
    path = inside(target)
    flags = syscalls.AT_RECURSIVE if recursive else 0
    try:
        syscalls.mount_setattr(syscalls.AT_FDCWD, path, flags, syscalls.mount_attributes(wanted))
    except OSError as error:
        if error.errno != ENOSYS:
            raise
        remount.each(job.mountinfo, path, wanted, recursive)


def tmpfs(job: Job, target: str, mode: int, size: str) -> None:
    syscalls.mount(b"tmpfs", inside(target), b"tmpfs", SAFE, b"mode=%04o,size=%s" % (mode, native(size)))


def devpts(job: Job, target: str) -> None:
    """Mount terminals; before 4.7 a kernel wants group 5 mapped, and then there are none."""
    options = b"newinstance,ptmxmode=0666,mode=0620"
    try:
        syscalls.mount(b"devpts", inside(target), b"devpts", syscalls.MS_NOSUID | syscalls.MS_NOEXEC, options)
    except OSError as error:
        if error.errno != EINVAL:
            raise


def proc(job: Job, target: str) -> None:
    """Mount /proc; hidepid=2 keeps pid 1, which nobody may trace, out of sight altogether."""
    flags = SAFE | syscalls.MS_NOEXEC
    try:
        syscalls.mount(b"proc", inside(target), b"proc", flags, b"hidepid=2")
    except OSError as error:
        if error.errno != EINVAL:
            raise
        syscalls.mount(b"proc", inside(target), b"proc", flags)


def cover_file(job: Job, target: str) -> None:
    syscalls.mount(b"dev/null", inside(target), None, syscalls.MS_BIND)


def cover_directory(job: Job, target: str) -> None:
    syscalls.mount(STAGE_EMPTY, inside(target), None, syscalls.MS_BIND)


def cover_within(job: Job, target: str, kind: str) -> None:
    source = STAGE_EMPTY if kind == "directory" else b"dev/null"
    put_within(syscalls.open_tree(syscalls.AT_FDCWD, source, syscalls.OPEN_TREE_CLONE | syscalls.OPEN_TREE_CLOEXEC), target)


def enter_root(job: Job) -> None:
    """pivot_root(2) with one directory for both: the old root lies on top of the new, and is let go of."""
    try:
        syscalls.pivot_root(b".", b".")
    except OSError as error:
        if error.errno != EINVAL:
            raise
        # The host's root is an initramfs, which cannot be left, only covered.
        syscalls.mount(b".", b"/", None, syscalls.MS_MOVE)
        os.chroot(b".")
    else:
        syscalls.umount2(b".", syscalls.MNT_DETACH)
    os.chdir(b"/")


def open_terminal(job: Job) -> None:
    """Open a terminal in the sandbox's own /dev/pts; its master end goes out to the helper."""
    master = os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    fcntl.ioctl(master, 0x40045431, bytes(4))  # TIOCSPTLCK: unlock
    number = fcntl.ioctl(master, 0x80045430, bytes(4))  # TIOCGPTN
    name = "/dev/pts/%d" % int.from_bytes(number, "little")
    job.slave = os.open(name, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    link = _socket.socket(fileno=job.link)
    link.sendmsg([b"T"], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, master.to_bytes(4, "little"))])
    link.detach()
    os.close(master)


def hide_self(job: Job) -> None:
    """Before there is anybody to look: no argv, no environment, nothing of ours to trace or to read."""
    for address, length in job.own_memory:
        syscalls.overwrite(address, length)
    syscalls.prctl_bytes(syscalls.PR_SET_NAME, b"init\0")
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)


def start_program(job: Job) -> None:
    """Fork pid 2; then hold nothing, and reap until it has ended. What still lives then, dies with us."""
    program = syscalls.clone(syscalls.SIGCHLD)
    if program == 0:
        run_builder(job)
    drop_capability_sets()
    close_all_but((job.link,))
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == program:
            os.write(job.link, b"X\0%d" % status)
            os._exit(0)


def start_program_hosted(job: Job) -> None:
    """The same where there is no pid namespace: orphans come to us, and are killed until there are none."""
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
    program = syscalls.clone(syscalls.SIGCHLD)
    if program == 0:
        run_builder(job)
    close_all_but((job.link,))
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == program:
            break
    kill_descendants()
    os.write(job.link, b"X\0%d" % status)
    os._exit(0)


def kill_descendants() -> None:
    """Kill every child we have, again and again: the children of the killed become ours."""
    own = b"/proc/self/task/%d/children" % os.getpid()
    while True:
        fd = os.open(own, os.O_RDONLY | os.O_CLOEXEC)
        children = os.read(fd, 1 << 16).split()
        os.close(fd)
        if not children:
            return
        for child in children:
            os.kill(int(child), signal.SIGKILL)
        os.waitpid(int(children[0]), 0)


# ---- pid 2 ---------------------------------------------------------------------------------------------


def run_builder(job: Job) -> NoReturn:
    """Be pid 2: apply the steps; the last of them becomes the program."""
    try:
        apply(job, job.builder, BUILDER_ACTIONS)
    finally:
        os._exit(1)


def session(job: Job) -> None:
    os.setsid()


def standard_streams(job: Job, terminal: bool) -> None:
    """Put the streams at 0, 1 and 2 and the link, which execve closes, at 3; nothing else stays open."""
    if terminal:
        fcntl.ioctl(job.slave, 0x540E, bytes(4))  # TIOCSCTTY: our controlling terminal
    for number, fd in enumerate(job.streams):
        os.dup2(job.slave if fd < 0 else fd, number)
    if job.link != 3:
        os.dup2(job.link, 3, inheritable=False)
        job.link = 3
    close_range(4, HIGHEST_FD)


def reset_signals(job: Job) -> None:
    for number in range(1, signal.NSIG):
        if signal.getsignal(number) not in (signal.SIG_DFL, None):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def rlimit(job: Job, name: str, soft: int, hard: int | None) -> None:
    """Lower one limit of getrlimit(2); never above what the caller has."""
    which = getattr(resource, "RLIMIT_" + name)
    _, most = resource.getrlimit(which)
    if hard is not None and (most < 0 or hard < most):
        most = hard
    if most >= 0:
        soft = min(soft, most)
    resource.setrlimit(which, (soft, most))


def working_directory(job: Job, path: str) -> None:
    os.chdir(native(path))


def no_new_privileges(job: Job) -> None:
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)


def landlock(job: Job, fs: int, net: int, scoped: int, rules: list[tuple[str, int]]) -> None:
    """Take every right that the kernel knows, give back those of `rules`: [path, rights]."""
    ruleset = syscalls.landlock_create_ruleset(rights.ruleset_attributes(fs, net, scoped))
    for path, allowed in rules:
        fd = os.open(native(path), os.O_PATH | os.O_CLOEXEC)
        syscalls.landlock_add_rule(ruleset, rights.RULE_PATH_BENEATH, rights.path_beneath(allowed, fd))
        os.close(fd)
    syscalls.landlock_restrict_self(ruleset)
    os.close(ruleset)


def no_capabilities(job: Job) -> None:
    """Empty the bounding, ambient, effective, permitted and inheritable sets."""
    try:
        for capability in range(64):
            syscalls.prctl(syscalls.PR_CAPBSET_DROP, capability)
    except OSError as error:
        # EINVAL: the last one is past. EPERM: a rung without namespaces, whose user had none to drop.
        if error.errno not in (EINVAL, EPERM):
            raise
    syscalls.prctl(syscalls.PR_CAP_AMBIENT, syscalls.PR_CAP_AMBIENT_CLEAR_ALL)
    drop_capability_sets()


def drop_capability_sets() -> None:
    """Empty the effective, permitted and inheritable sets: capset(2)."""
    syscalls.capset(syscalls.LINUX_CAPABILITY_VERSION_3.to_bytes(4, "little") + bytes(4), bytes(24))


def personality(job: Job, persona: int) -> None:
    try:
        syscalls.personality(persona)
    except OSError as error:
        if error.errno != EPERM:  # docker's filter refuses it
            raise


def die_with_init(job: Job) -> None:
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)


def seccomp(job: Job, program: str, name: str) -> None:
    """Install the filter; with SPEC_ALLOW, or kernels before 5.16 slow down the whole program."""
    syscalls.seccomp_filter(bytes.fromhex(program), syscalls.SECCOMP_FILTER_FLAG_SPEC_ALLOW)


def execute(job: Job, argv: list[str], env: list[str]) -> None:
    """Become the program: execve(2). A name without a slash is looked for in PATH, inside."""
    arguments = [native(word) for word in argv]
    environment = dict(native(pair).split(b"=", 1) for pair in env)
    program = arguments[0]
    if b"/" not in program:
        program = autopsy.find(program, environment.get(b"PATH", b""))
    try:
        os.execve(program, arguments, environment)
    except OSError as error:
        error.filename = program
        error.detail = autopsy.explain(program, error.errno)  # type: ignore[attr-defined]
        raise


INIT_ACTIONS: dict[str, Callable[..., None]] = {
    "die-with-parent": die_with_parent,
    "become": become,
    "new-keyring": new_keyring,
    "hostname": hostname,
    "domainname": domainname,
    "loopback": loopback,
    "umask": umask,
    "private-mounts": private_mounts,
    "new-root": new_root,
    "directory": directory,
    "file": file,
    "symlink": symlink,
    "bind": bind,
    "bind-itself": bind_itself,
    "bind-within": bind_within,
    "attach": attach,
    "attach-within": attach_within,
    "protect": protect,
    "tmpfs": tmpfs,
    "devpts": devpts,
    "proc": proc,
    "cover-file": cover_file,
    "cover-directory": cover_directory,
    "cover-within": cover_within,
    "enter-root": enter_root,
    "open-terminal": open_terminal,
    "hide-self": hide_self,
    "start-program": start_program,
    "start-program-hosted": start_program_hosted,
}
BUILDER_ACTIONS: dict[str, Callable[..., None]] = {
    "session": session,
    "standard-streams": standard_streams,
    "reset-signals": reset_signals,
    "rlimit": rlimit,
    "working-directory": working_directory,
    "no-new-privileges": no_new_privileges,
    "landlock": landlock,
    "no-capabilities": no_capabilities,
    "personality": personality,
    "die-with-init": die_with_init,
    "seccomp": seccomp,
    "execute": execute,
}
