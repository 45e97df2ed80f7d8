"""What this machine allows: settings read, a sandbox tried, findings for errors and `bramble doctor`."""

from __future__ import annotations

import os
import sys
from typing import Any, Optional

from bramble.errors import BrambleError
from bramble.record import NamedTuple
from bramble.sandbox import diagnosis
from bramble.sandbox.diagnosis import Settings
from bramble.sandbox.limits import groups
from bramble.sandbox.start import read
from bramble.sandbox.steps import PASSWD

SYSCTL = "/proc/sys/"
NAMESPACE_LIMITS = (
    "max_cgroup_namespaces", "max_ipc_namespaces", "max_mnt_namespaces", "max_net_namespaces",
    "max_pid_namespaces", "max_user_namespaces", "max_uts_namespaces",
)  # fmt: skip


class Finding(NamedTuple):
    """One thing that was looked at: `good` is None if it is only worth knowing."""

    topic: str
    good: Optional[bool]
    fact: str
    remedy: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the finding as an object."""
        return {"topic": self.topic, "good": self.good, "fact": self.fact, "remedy": self.remedy or None}


def read_settings(interpreter: str = sys.executable) -> Settings:
    """Return what the machine says of itself; what cannot be read counts as not there."""
    limits = {name: number(read(f"{SYSCTL}user/{name}")) for name in NAMESPACE_LIMITS}
    return Settings(
        kernel=os.uname().release,
        version=read("/proc/version"),
        root=os.geteuid() == 0,
        unprivileged_userns=number(read(SYSCTL + "kernel/unprivileged_userns_clone")),
        max_namespaces={name: value for name, value in limits.items() if value is not None},
        apparmor_restricts=number(read(SYSCTL + "kernel/apparmor_restrict_unprivileged_userns")) == 1,
        apparmor_profile=read("/proc/self/attr/current").rstrip("\n\0"),
        seccomp=number(status_field(read("/proc/self/status"), "Seccomp")) or 0,
        chroot=not any(line.split()[4:5] == ["/"] for line in read("/proc/self/mountinfo").splitlines()),
        nested=read("/etc/passwd") == PASSWD,
        interpreter=os.path.realpath(interpreter),
    )


def number(text: str) -> Optional[int]:
    """Return the number that a text is, or None."""
    text = text.strip()
    return int(text) if text.isdigit() else None


def status_field(status: str, name: str) -> str:
    """Return one field of proc_pid_status(5), empty when it is not there."""
    for line in status.splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return value.strip()
    return ""


def settings_findings(settings: Settings) -> tuple[Finding, ...]:
    """Return what the settings alone tell."""
    found = [Finding("kernel", None, settings.kernel)]
    forbidden = diagnosis.forbidding(settings)
    if forbidden is not None:
        found.append(Finding("user namespaces", False, forbidden.fact, forbidden.remedy))
    if settings.seccomp == 2:
        found.append(Finding("seccomp", None, "a filter of system calls is already installed"))
    if settings.apparmor_profile and settings.apparmor_profile != "unconfined":
        found.append(Finding("security module", None, settings.apparmor_profile))
    return tuple(found)


def sandbox_finding(refusal: Optional[BrambleError]) -> Finding:
    """Return what a tried sandbox tells: the error that it ended with, None for none."""
    if refusal is None or refusal.code == "sandbox.builder-missing":
        return Finding("sandbox", True, "a sandbox with namespaces can be made")
    return Finding("sandbox", False, refusal.message, refusal.remedy or "")


def landlock_finding(abi: int) -> Finding:
    """Return what the kernel's Landlock ABI means."""
    if abi == 0:
        return Finding("landlock", None, "absent: no second layer of protection, and no --sandbox=landlock")
    missing = [what for since, what in ((4, "TCP"), (6, "abstract sockets and signals")) if abi < since]
    return Finding("landlock", None, f"ABI {abi}" + (f", without {' and '.join(missing)}" if missing else ""))


def group_finding() -> Finding:
    """Return whether limits can hold for a whole sandbox."""
    path = groups.delegated()
    if path is None:
        fact = "none is delegated: limits of memory and processes hold for each process only"
        return Finding("control groups", None, fact, "systemd-run --user --scope -p Delegate=yes COMMAND")
    return Finding("control groups", None, "delegated: " + os.fsdecode(path))
