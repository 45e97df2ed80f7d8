"""Pid 2 of a sandbox: gives up everything it may hold, and becomes the program.

Runs as the sandbox's user, in the sandbox's root; begins with the
capabilities of pid 1 and ends with none. What it does cannot be undone by the
program. The filter of system calls comes last, so that the steps before it
need not be allowed to the program.
"""

from __future__ import annotations

import _socket
import fcntl
import os
import resource

from bramble.sandbox import autopsy, syscalls
from bramble.sandbox.child import HIGHEST_FD, Job, apply, close_range, fail, native
from bramble.sandbox.walls import landlock as structures

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Callable
else:
    import _signal as signal

LINK = 3
TIOCSCTTY = 0x540E
EPERM, ENOMEM, EINVAL = 1, 12, 22


def run(job: Job) -> None:
    """Be pid 2: apply the steps; the last of them becomes the program."""
    try:
        apply(job, job.builder, ACTIONS)
    except BaseException as error:
        fail(job, error)
    finally:
        os._exit(70)


def session(job: Job) -> None:
    os.setsid()


def standard_streams(job: Job, terminal: bool) -> None:
    """Put the streams at 0, 1 and 2 and the link, which execve closes, at 3; nothing else stays open."""
    # spec: sandbox.streams.build, sandbox.streams.run
    if terminal:
        fcntl.ioctl(job.terminal, TIOCSCTTY, 0)
    for number, fd in enumerate(job.streams):
        os.dup2(job.terminal if fd < 0 else fd, number)
    if job.link != LINK:
        os.dup2(job.link, LINK, inheritable=False)
        job.link = LINK
    close_range(LINK + 1, HIGHEST_FD)


def signals(job: Job) -> None:
    """Unblock every signal. Their actions are the default since the helper began."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def rlimit(job: Job, name: str, soft: int, hard: int | None) -> None:
    """Set one limit of getrlimit(2), never above what the caller has; without `hard` only the soft one."""
    which = getattr(resource, "RLIMIT_" + name)
    most = resource.getrlimit(which)[1]
    if hard is not None and (most == resource.RLIM_INFINITY or hard < most):
        most = hard
    if most != resource.RLIM_INFINITY:
        soft = min(soft, most)
    resource.setrlimit(which, (soft, most))


def working_directory(job: Job, path: str) -> None:
    os.chdir(native(path))


def no_new_privileges(job: Job) -> None:
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)


def landlock(job: Job, fs: int, net: int, scoped: int, rules: list[tuple[str, int]]) -> None:
    """Take every right that the kernel knows, give back those of `rules`: [path, rights]."""
    ruleset = syscalls.landlock_create_ruleset(structures.ruleset_attributes(fs, net, scoped))
    for path, allowed in rules:
        fd = os.open(native(path), os.O_PATH | os.O_CLOEXEC)
        rule = structures.path_beneath(allowed, fd)
        syscalls.landlock_add_rule(ruleset, structures.RULE_PATH_BENEATH, rule)
        os.close(fd)
    syscalls.landlock_restrict_self(ruleset)
    os.close(ruleset)


def no_capabilities(job: Job) -> None:
    """Empty the bounding, ambient, effective, permitted and inheritable sets."""
    # spec: sandbox.capabilities
    try:
        for capability in range(64):
            syscalls.prctl(syscalls.PR_CAPBSET_DROP, capability)
    except OSError as error:
        # EINVAL: past the last one. EPERM: a mode without namespaces, whose user had none to drop.
        if error.errno not in (EINVAL, EPERM):
            raise
    syscalls.prctl(syscalls.PR_CAP_AMBIENT, syscalls.PR_CAP_AMBIENT_CLEAR_ALL)
    drop_capability_sets()


def drop_capability_sets() -> None:
    """Empty the effective, permitted and inheritable sets: capset(2)."""
    header = syscalls.LINUX_CAPABILITY_VERSION_3.to_bytes(4, "little") + bytes(4)
    syscalls.capset(header, bytes(24))


def personality(job: Job, persona: int) -> None:
    try:
        syscalls.personality(persona)
    except OSError as error:
        if error.errno != EPERM:  # the filter of a container
            raise


def die_with_init(job: Job) -> None:
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)


def hand_out_self(job: Job) -> None:
    """Send a pidfd of this process: the helper can then pass on signals, and never to another process."""
    # spec: sandbox.signals.run
    pidfd = syscalls.pidfd_open(os.getpid())
    send_descriptor(job.link, b"P", pidfd)
    os.close(pidfd)


def send_descriptor(link: int, word: bytes, fd: int) -> None:
    """Send a word and a copy of a descriptor to the helper: unix(7), SCM_RIGHTS."""
    socket = _socket.socket(fileno=link)
    socket.sendmsg([word], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, fd.to_bytes(4, "little"))])
    socket.detach()


def seccomp(job: Job, name: str, program: str) -> None:
    """Install the filter; without SPEC_ALLOW, kernels before 5.16 slow the whole program down."""
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
    except MemoryError as error:
        # The limit of memory leaves no place for the arguments.
        raise OSError(ENOMEM, os.strerror(ENOMEM), argv[0]) from error
    except OSError as error:
        error.filename = program
        error.detail = autopsy.explain(program, error.errno or 0)  # type: ignore[attr-defined]
        raise


ACTIONS: dict[str, Callable[..., None]] = {
    "session": session,
    "standard-streams": standard_streams,
    "signals": signals,
    "rlimit": rlimit,
    "working-directory": working_directory,
    "no-new-privileges": no_new_privileges,
    "landlock": landlock,
    "no-capabilities": no_capabilities,
    "personality": personality,
    "die-with-init": die_with_init,
    "hand-out-self": hand_out_self,
    "seccomp": seccomp,
    "execute": execute,
}
