"""Why a machine does not allow a sandbox, and what to change: settings and a symptom in, a sentence out."""

from __future__ import annotations

import errno as codes
from collections.abc import Mapping

from bramble.record import NamedTuple

EUSERS = 87
NESTED_REMEDY = "start the outer sandbox with nesting allowed: bramble run --nesting"
FIRST_PRIVILEGED = (
    "map-ids", "become", "hostname", "domainname", "loopback", "private-mounts", "new-root", "prefer-to-kill",
)  # fmt: skip


class Settings(NamedTuple):
    """What a machine says of itself, as far as it decides about sandboxes.

    `kernel` is its release, `version` its /proc/version; `unprivileged_userns`
    kernel.unprivileged_userns_clone (Debian, Arch), None if there is no such
    setting; `max_namespaces` the user.max_*_namespaces by their names;
    `apparmor_restricts` kernel.apparmor_restrict_unprivileged_userns (Ubuntu);
    `seccomp` the mode in /proc/self/status, 2 under somebody's filter; `chroot`
    whether our root is not that of our mount namespace; `nested` whether this is
    a sandbox of ours; `interpreter` the Python that runs the helper.
    """

    kernel: str = ""
    version: str = ""
    root: bool = False
    unprivileged_userns: int | None = None
    max_namespaces: Mapping[str, int] = {}
    apparmor_restricts: bool = False
    apparmor_profile: str = ""
    seccomp: int = 0
    chroot: bool = False
    nested: bool = False
    interpreter: str = "/usr/bin/python3"


class Diagnosis(NamedTuple):
    """A cause, and what to do about it."""

    fact: str
    remedy: str


def wsl1(settings: Settings) -> bool:
    """Return whether this is the first Windows Subsystem for Linux, which has no Linux kernel."""
    return "Microsoft" in settings.version and "WSL2" not in settings.version


def forbidding(settings: Settings) -> Diagnosis | None:
    """Return a setting that forbids user namespaces to us before any is tried, or None."""
    if wsl1(settings):
        return Diagnosis("WSL 1 is not supported: it has no Linux kernel", "wsl --set-version DISTRIBUTION 2")
    if settings.unprivileged_userns == 0 and not settings.root:
        return Diagnosis(
            "kernel.unprivileged_userns_clone is 0", "sudo sysctl -w kernel.unprivileged_userns_clone=1"
        )
    for name, value in sorted(settings.max_namespaces.items()):
        if value == 0:
            return Diagnosis(f"user.{name} is 0", f"sudo sysctl -w user.{name}=15000")
    if settings.apparmor_restricts and not settings.root and "unconfined" not in settings.apparmor_profile:
        return apparmor(settings)
    return None


def apparmor(settings: Settings) -> Diagnosis:
    """Return the diagnosis for Ubuntu 23.10 and later, which takes capabilities in user namespaces away."""
    profile = (
        f"abi <abi/4.0>, profile bramble {settings.interpreter} flags=(unconfined) {{ userns, }} "
        "in /etc/apparmor.d/bramble, then sudo apparmor_parser -r /etc/apparmor.d/bramble"
    )
    return Diagnosis(
        "AppArmor forbids user namespaces to programs without a profile "
        "(kernel.apparmor_restrict_unprivileged_userns is 1)",
        f"write {profile}; or sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    )


def diagnose(action: str, errno: int, settings: Settings) -> Diagnosis | None:
    """Return why the kernel refused the step `action` with `errno`, or None when nothing is known."""
    # spec: sandbox.errors.unavailable
    if action == "clone":
        return clone_refused(errno, settings)
    refused = errno in (codes.EPERM, codes.EACCES)
    if action == "proc" and refused:
        return Diagnosis(
            "/proc is partly covered here, as containers do, and the kernel gives no fresh one to a sandbox",
            "docker run --security-opt systempaths=unconfined, or podman run --security-opt unmask=all",
        )
    if action in FIRST_PRIVILEGED and refused:
        if settings.apparmor_restricts:
            return apparmor(settings)
        return in_container(settings) or Diagnosis(
            "a security module (AppArmor, SELinux) removes the capabilities of new user namespaces",
            "look into the kernel's log (dmesg, audit) for the denial, and allow it",
        )
    if action in ("bind", "tmpfs", "attach") and errno == codes.ENOSPC:
        return Diagnosis("there are too many mounts", "sudo sysctl -w fs.mount-max=200000")
    if action in ("open-tree", "attach") and errno == codes.EMFILE:
        return Diagnosis(
            "there are more mounts than files that may be open", "raise the limit: ulimit -n 65536"
        )
    return None


def clone_refused(errno: int, settings: Settings) -> Diagnosis | None:
    """Return why there is no new user namespace: clone(2), user_namespaces(7)."""
    known = forbidding(settings)
    if known is not None:
        return known
    if errno in (codes.EINVAL, codes.ENOSYS):
        return in_container(settings) or Diagnosis(
            "this kernel has no user namespaces",
            "use a kernel with CONFIG_USER_NS, CONFIG_PID_NS, CONFIG_NET_NS, CONFIG_IPC_NS, CONFIG_UTS_NS",
        )
    if errno in (codes.EPERM, codes.EACCES):
        if settings.chroot:
            return Diagnosis(
                "this is a chroot, and the kernel gives no user namespaces in one",
                "enter the directory by a mount namespace (pivot_root) in place of chroot",
            )
        return in_container(settings) or Diagnosis(
            "the kernel refuses new user namespaces, and no setting says why",
            "if this is a chroot, enter it by pivot_root in place of chroot; "
            "else look into the kernel's log (dmesg, audit) for the denial of a security module",
        )
    if errno in (codes.ENOSPC, EUSERS):
        return Diagnosis(
            "there are too many user namespaces, one in the other or side by side",
            "end some sandboxes, or raise user.max_user_namespaces",
        )
    if errno in (codes.EAGAIN, codes.ENOMEM):
        return Diagnosis("no process can be started", "end some processes, or raise the limit: ulimit -u")
    return None


def in_container(settings: Settings) -> Diagnosis | None:
    """Return the diagnosis for a filter of system calls that somebody has put on us, or None without one."""
    if settings.nested:
        return Diagnosis("this is a sandbox of Bramble, which allows no sandboxes in it", NESTED_REMEDY)
    if settings.seccomp == 2:
        return Diagnosis(
            "a filter of system calls, such as container runtimes and systemd install, prevents it",
            "docker run --security-opt seccomp=unconfined --security-opt systempaths=unconfined (podman: "
            "--security-opt seccomp=unconfined --security-opt unmask=all); systemd: no RestrictNamespaces=",
        )
    return None
