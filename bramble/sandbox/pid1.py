"""Pid 1 of a sandbox: builds the tree of files, starts the program's process, and waits.

Runs with every capability in its own new namespaces and none outside. Until
`enter-root` it still sees the host's files as the caller may; from there on
nothing of them.
"""

from __future__ import annotations

import _socket
import fcntl
import os
import select
import stat

from bramble.sandbox import pid2, remount, syscalls
from bramble.sandbox.child import Job, apply, close_all_but, fail, native

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Callable
else:
    import _signal as signal

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
CLONE_ONE = syscalls.OPEN_TREE_CLONE | syscalls.OPEN_TREE_CLOEXEC
CLONE_WHOLE = CLONE_ONE | syscalls.AT_RECURSIVE
WALK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
NO_LINKS = syscalls.open_how(os.O_PATH | os.O_CLOEXEC, syscalls.RESOLVE_NO_SYMLINKS)
TIOCSWINSZ = 0x5414
TIOCGPTN = 0x80045430
TIOCSPTLCK = 0x40045431
SIOCSIFFLAGS = 0x8914
UP_LOOPBACK_RUNNING = 0x49
EPERM, ENXIO, EINVAL, ENOSYS, ELOOP = 1, 6, 22, 38, 40


def run(job: Job) -> None:
    """Be pid 1: apply the steps; the last of them starts pid 2 and never returns."""
    try:
        close_all_but((2, job.link, *(fd for fd in job.streams if fd >= 0), *job.trees))
        apply(job, job.init, ACTIONS)
    except BaseException as error:
        fail(job, error)
    finally:
        os._exit(70)


def inside(path: str) -> bytes:
    """Return a path of the sandbox relative to the new root, where pid 1 stands until it enters it."""
    return native(path[1:]) or b"."


def die_with_parent(job: Job) -> None:
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)


def await_word(job: Job) -> None:
    """Wait for the helper. Its end before its word is its death before we could ask to die with it."""
    if os.read(job.link, 1) != b"g":
        os._exit(1)


def become(job: Job, uid: int, gid: int) -> None:
    """Take ids that are mapped. The change is not from or to user 0 of this namespace: capabilities stay."""
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    # A change of credentials clears the parent-death signal; the helper may have ended in between.
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    poll = select.poll()
    poll.register(job.link, select.POLLIN)
    if poll.poll(0):
        os._exit(1)


def new_keyring(job: Job) -> None:
    """Leave the session keyring of the caller, which may have keys; a container may forbid this."""
    # spec: sandbox.keys
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
    """Switch lo on, as netdevice(7) says: struct ifreq is a name of 16 bytes and flags of 2, 40 in all."""
    request = b"lo".ljust(16, b"\0") + UP_LOOPBACK_RUNNING.to_bytes(2, "little") + bytes(22)
    fd = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
    fcntl.ioctl(fd.fileno(), SIOCSIFFLAGS, request)
    fd.close()


def umask(job: Job, mode: int) -> None:
    os.umask(mode)


def private_mounts(job: Job) -> None:
    # spec: sandbox.mounts.private
    syscalls.mount(None, b"/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)


def new_root(job: Job, size: str) -> None:
    """Mount the stage, with an empty directory to cover things with and the new root; change to the root."""
    job.mountinfo = os.open(STAGE + b"/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
    syscalls.mount(b"tmpfs", STAGE, b"tmpfs", SAFE, b"mode=0755,size=64k")
    os.mkdir(STAGE_ROOT)
    os.mkdir(STAGE_EMPTY, 0)
    how = syscalls.MS_REMOUNT | syscalls.MS_BIND | syscalls.MS_RDONLY | SAFE
    syscalls.mount(None, STAGE, None, how)
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


def take(source: str) -> int:
    """Return a detached copy of the mount at `source` of the host, and of those in it; no link is followed.

    A process that may write above `source` could otherwise redirect it after it was approved.
    """
    # spec: sandbox.mounts.source
    try:
        try:
            place = syscalls.openat2(syscalls.AT_FDCWD, native(source), NO_LINKS)
        except OSError as error:
            # Before Linux 5.6, in a sandbox of ours, or of a container that does not know the call.
            if error.errno not in (ENOSYS, EPERM):
                raise
            place = walk(source)
        try:
            return syscalls.open_tree(place, b"", CLONE_WHOLE | syscalls.AT_EMPTY_PATH)
        finally:
            os.close(place)
    except OSError as error:
        error.filename = source
        raise


def walk(path: str) -> int:
    """Return what openat2(2) would: a descriptor for `path`, with ELOOP if it contains a link."""
    here = os.open(b"/", WALK | os.O_DIRECTORY)
    try:
        for name in native(path).split(b"/"):
            if name:
                below = os.open(name, WALK, dir_fd=here)
                os.close(here)
                here = below
                if stat.S_ISLNK(os.fstat(here).st_mode):
                    raise OSError(ELOOP, "a symbolic link", path)
    except OSError:
        os.close(here)
        raise
    return here


def bind(job: Job, source: str, target: str) -> None:
    tree = take(source)
    syscalls.move_mount(tree, b"", syscalls.AT_FDCWD, inside(target), syscalls.MOVE_MOUNT_F_EMPTY_PATH)
    os.close(tree)


def bind_machine(job: Job, source: str, target: str) -> None:
    syscalls.mount(native(source), inside(target), None, syscalls.MS_BIND | syscalls.MS_REC)


def device(job: Job, path: str, major: int, minor: int) -> None:
    """Show a device of the host: what is looked at and what is mounted are one descriptor."""
    # spec: sandbox.devices.checked
    tree = syscalls.open_tree(syscalls.AT_FDCWD, native(path), CLONE_ONE)
    status = os.fstat(tree)
    if not stat.S_ISCHR(status.st_mode) or status.st_rdev != os.makedev(major, minor):
        raise OSError(ENXIO, "another file", path)
    how = syscalls.MOVE_MOUNT_F_EMPTY_PATH
    syscalls.move_mount(tree, b"", syscalls.AT_FDCWD, inside(path), how)
    os.close(tree)


def bind_itself(job: Job, target: str) -> None:
    syscalls.mount(inside(target), inside(target), None, syscalls.MS_BIND | syscalls.MS_REC)


def attach(job: Job, source: str, target: str, tree: int) -> None:
    """Mount a tree that the helper took hold of. It may still be a peer of the host's mount: end that."""
    fd = job.trees[tree]
    syscalls.move_mount(fd, b"", syscalls.AT_FDCWD, inside(target), syscalls.MOVE_MOUNT_F_EMPTY_PATH)
    os.close(fd)
    syscalls.mount(None, inside(target), None, syscalls.MS_REC | syscalls.MS_PRIVATE)


def bind_within(job: Job, source: str, target: str) -> None:
    put_within(take(source), target)


def attach_within(job: Job, source: str, target: str, tree: int) -> None:
    put_within(job.trees[tree], target)
    syscalls.mount(None, inside(target), None, syscalls.MS_REC | syscalls.MS_PRIVATE)


def put_within(tree: int, target: str) -> None:
    """Mount the detached `tree` at `target`, which is in a mount that others may write to.

    Every component is opened by itself and no link is followed: a link that
    somebody plants cannot lead the mount to another place.
    """
    place = open_within(target)
    how = syscalls.MOVE_MOUNT_F_EMPTY_PATH | syscalls.MOVE_MOUNT_T_EMPTY_PATH
    syscalls.move_mount(tree, b"", place, b"", how)
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


def protect(job: Job, target: str, attributes: str) -> None:
    """Add attributes to a mount and to those in it. None is ever taken, so no locked one is in the way."""
    wanted = 0
    for word in attributes.split():
        wanted |= ATTRIBUTES[word]
    path = inside(target)
    try:
        syscalls.mount_setattr(
            syscalls.AT_FDCWD, path, syscalls.AT_RECURSIVE, syscalls.mount_attributes(wanted)
        )
    except OSError as error:
        if error.errno != ENOSYS:
            raise
        remount.each(job.mountinfo, path, wanted)


def tmpfs(job: Job, target: str, mode: int, size: str, inodes: str) -> None:
    options = b"mode=%04o,size=%s,nr_inodes=%s" % (mode, native(size), native(inodes))
    syscalls.mount(b"tmpfs", inside(target), b"tmpfs", SAFE, options)


def devpts(job: Job, target: str) -> None:
    """Mount terminals. Old kernels require that group 5 is mapped (EINVAL); then there are no terminals."""
    options = b"newinstance,ptmxmode=0666,mode=0620"
    flags = syscalls.MS_NOSUID | syscalls.MS_NOEXEC
    try:
        syscalls.mount(b"devpts", inside(target), b"devpts", flags, options)
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
    put_within(syscalls.open_tree(syscalls.AT_FDCWD, source, CLONE_ONE), target)


def hand_out_memory(job: Job, paths: list[str]) -> None:
    """Give the helper handles by which the size of a file system can be asked, and nothing be opened."""
    for path in paths:
        fd = os.open(inside(path), WALK)
        pid2.send_descriptor(job.link, b"M", fd)
        os.close(fd)


def enter_root(job: Job) -> None:
    """pivot_root(2) with one directory for both: the old root is then on top of the new one; unmount it."""
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
    """Open a terminal in the sandbox's own /dev/pts, as pts(4) says; its master end goes to the helper."""
    master = os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    fcntl.ioctl(master, TIOCSPTLCK, bytes(4))
    number = int.from_bytes(fcntl.ioctl(master, TIOCGPTN, bytes(4)), "little")
    job.terminal = os.open(f"/dev/pts/{number}", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    fcntl.ioctl(job.terminal, TIOCSWINSZ, job.window)
    pid2.send_descriptor(job.link, b"T", master)
    os.close(master)


def hide_self(job: Job) -> None:
    """Before there is anybody to look: no argv, no environment, nothing of ours to trace or to read."""
    # spec: sandbox.processes
    for address, length in job.own_memory:
        syscalls.overwrite(address, length)
    syscalls.prctl_bytes(syscalls.PR_SET_NAME, b"init\0")
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)


def start_program(job: Job) -> None:
    """Fork pid 2; then hold nothing, and reap until it has ended. What still lives then, dies with us."""
    # spec: sandbox.end, sandbox.end.status
    program = syscalls.clone(syscalls.SIGCHLD)
    if program == 0:
        pid2.run(job)
    close_all_but((job.link,))
    pid2.drop_capability_sets()
    while True:
        pid, status = os.waitpid(-1, 0)
        if os.WIFSTOPPED(status):
            let_go(pid, status)
        elif pid == program:
            os.write(job.link, b"X\0%d" % status)
            os._exit(0)


def let_go(pid: int, status: int) -> None:
    """Let a child go on that asked its parent to trace it: it has not ended, it waits for what we say."""
    number = os.WSTOPSIG(status)
    try:
        # SIGTRAP is not a signal that was sent to it, but how its tracer hears of an execve(2).
        syscalls.ptrace_detach(pid, 0 if number == signal.SIGTRAP else number)
    except OSError:
        return  # it was killed meanwhile


def start_program_hosted(job: Job) -> None:
    """The same where no pid namespace ends the others.

    Orphans become children of this process, a subreaper, and are killed until none is left: when
    the program has ended, when the helper says so, and when the helper is gone.
    """
    # spec: sandbox.rungs.landlock, sandbox.rungs.none
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
    program = syscalls.clone(syscalls.SIGCHLD)
    if program == 0:
        pid2.run(job)
    close_all_but((job.link,))
    wait = select.poll()
    wait.register(job.link, select.POLLIN)
    wait.register(syscalls.pidfd_open(program), select.POLLIN)
    last = None
    while last is None:
        spoken = wait.poll(1000)
        pid = program
        while pid and last is None:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid and os.WIFSTOPPED(status):
                let_go(pid, status)
            elif pid == program:
                last = b"X\0%d" % status
        if last is None and any(fd == job.link for fd, _ in spoken):
            last = b"K"
    kill_descendants()
    os.write(job.link, last)
    os._exit(0)


def kill_descendants() -> None:
    """Kill every child we have, again and again: the children of the killed become ours."""
    own = f"/proc/self/task/{os.getpid()}/children"
    while True:
        fd = os.open(own, os.O_RDONLY | os.O_CLOEXEC)
        children = syscalls.read_all(fd).split()
        os.close(fd)
        if not children:
            return
        for child in children:
            os.kill(int(child), signal.SIGKILL)
        for child in children:
            os.waitpid(int(child), 0)


ACTIONS: dict[str, Callable[..., None]] = {
    "die-with-parent": die_with_parent,
    "await-word": await_word,
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
    "bind-machine": bind_machine,
    "attach": attach,
    "bind-within": bind_within,
    "attach-within": attach_within,
    "device": device,
    "bind-itself": bind_itself,
    "protect": protect,
    "tmpfs": tmpfs,
    "devpts": devpts,
    "proc": proc,
    "cover-file": cover_file,
    "cover-directory": cover_directory,
    "cover-within": cover_within,
    "hand-out-memory": hand_out_memory,
    "enter-root": enter_root,
    "open-terminal": open_terminal,
    "hide-self": hide_self,
    "start-program": start_program,
    "start-program-hosted": start_program_hosted,
}
