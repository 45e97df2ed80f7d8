"""Every symptom of a machine that does not allow a sandbox has a sentence and something to change. Pure."""

from __future__ import annotations

import errno

import pytest

from bramble.errors import BrambleError
from bramble.sandbox import diagnosis, probe, refusals
from bramble.sandbox.diagnosis import Settings, diagnose
from bramble.sandbox.vocabulary import Step

PLAIN = Settings(kernel="6.1", version="Linux version 6.1", max_namespaces={"max_user_namespaces": 15000})


def settings(**changes: object) -> Settings:
    return PLAIN._replace(**changes)  # type: ignore[arg-type]


CASES = [
    # (step, errno, settings, in the fact, in the remedy)
    ("clone", errno.EINVAL, settings(), "no user namespaces", "CONFIG_USER_NS"),
    ("clone", errno.ENOSYS, settings(), "no user namespaces", "CONFIG_USER_NS"),
    ("clone", errno.EINVAL, settings(version="Linux version 4.4-Microsoft"), "WSL 1", "wsl --set-version"),
    ("clone", errno.EPERM, settings(unprivileged_userns=0), "userns_clone is 0", "userns_clone=1"),
    ("clone", errno.EPERM, settings(seccomp=2), "filter", "seccomp=unconfined"),
    ("clone", errno.EPERM, settings(chroot=True), "chroot", "pivot_root"),
    ("clone", errno.EPERM, settings(nested=True, seccomp=2), "sandbox of Bramble", "nesting"),
    ("clone", errno.EPERM, settings(), "refuses", "chroot"),
    ("clone", errno.ENOSPC, settings(max_namespaces={"max_net_namespaces": 0}), "user.max_net_", "sysctl -w"),
    ("clone", diagnosis.EUSERS, settings(), "too many", "max_user_namespaces"),
    ("clone", errno.EAGAIN, settings(), "no process", "ulimit -u"),
    ("map-ids", errno.EPERM, settings(apparmor_restricts=True), "AppArmor", "/opt/python flags=(unconfined)"),
    ("private-mounts", errno.EACCES, settings(apparmor_restricts=True), "AppArmor", "unprivileged_userns=0"),
    ("new-root", errno.EPERM, settings(), "security module", "dmesg"),
    ("private-mounts", errno.EPERM, settings(seccomp=2), "filter", "unmask=all"),
    ("proc", errno.EPERM, settings(), "/proc", "systempaths=unconfined"),
    ("bind", errno.ENOSPC, settings(), "too many mounts", "mount-max"),
    ("open-tree", errno.EMFILE, settings(), "mounts", "ulimit -n"),
]  # fmt: skip


@pytest.mark.parametrize("action, code, machine, fact, remedy", CASES)
def test_a_symptom_has_a_cause_and_a_way_out(
    action: str, code: int, machine: Settings, fact: str, remedy: str
) -> None:
    found = diagnose(action, code, machine._replace(interpreter="/opt/python"))
    assert found is not None and fact in found.fact and remedy in found.remedy


def test_what_is_not_known_is_not_guessed() -> None:
    assert diagnose("bind", errno.ENOENT, PLAIN) is None
    assert diagnose("execute", errno.ENOENT, PLAIN) is None


def test_settings_for_ordinary_users_do_not_bind_root() -> None:
    assert diagnosis.forbidding(settings(unprivileged_userns=0, root=True)) is None
    assert diagnosis.forbidding(settings(apparmor_restricts=True, root=True)) is None
    assert (
        diagnosis.forbidding(settings(apparmor_restricts=True, apparmor_profile="bramble (unconfined)"))
        is None
    )
    assert diagnosis.forbidding(settings(apparmor_restricts=True)) is not None
    assert diagnosis.forbidding(PLAIN) is None


def test_wsl_2_is_a_linux() -> None:
    assert not diagnosis.wsl1(settings(version="Linux version 5.15.90.1-microsoft-standard-WSL2"))
    assert diagnosis.wsl1(settings(version="Linux version 4.4.0-19041-Microsoft (Microsoft@Microsoft.com)"))


def test_the_settings_of_this_machine_can_be_read() -> None:
    found = probe.read_settings("/usr/bin/../bin/python3")
    assert found.kernel and found.version.startswith("Linux") and ".." not in found.interpreter
    assert not found.nested and not diagnosis.wsl1(found)


@pytest.mark.parametrize("text, expected", [("1\n", 1), ("0", 0), ("", None), ("-1", None), ("x", None)])
def test_a_setting_that_is_not_there_is_none(text: str, expected: int | None) -> None:
    assert probe.number(text) == expected


def test_findings_say_what_is_good_and_what_to_do() -> None:
    bad = probe.settings_findings(
        settings(unprivileged_userns=0, seccomp=2, apparmor_profile="docker-default")
    )
    assert [finding.good for finding in bad] == [None, False, None, None] and "sysctl" in bad[1].remedy
    assert probe.sandbox_finding(None).good is True
    assert probe.sandbox_finding(BrambleError("sandbox.builder-missing", "x")).good is True
    broken = probe.sandbox_finding(BrambleError("sandbox.unavailable", "why", remedy="do"))
    assert (broken.good, broken.fact, broken.remedy) == (False, "why", "do")
    assert "ABI 3, without TCP and abstract" in probe.landlock_finding(3).fact
    assert probe.landlock_finding(7).fact == "ABI 7" and "absent" in probe.landlock_finding(0).fact


def test_a_refused_step_becomes_an_error_with_a_way_out() -> None:
    for step in (
        Step("hide-self"),
        Step("proc", ("/proc",)),
        Step("seccomp", ("build", "00")),
        Step("clone", (("user",),)),
    ):
        error = refusals.refusal(step, errno.EPERM, "", "")
        assert error.code == "sandbox.unavailable" and error.remedy and step.describe() in error.detail
    mount = refusals.refusal(Step("bind-within", ("/a", "/b/c")), errno.ENOENT, "/b/c", "")
    assert mount.code == "sandbox.mount" and "/b/c" in mount.message
    assert refusals.refusal(Step("working-directory", ("/w",)), errno.ENOENT, "/w", "").code == "sandbox.cwd"


@pytest.mark.parametrize(
    "detail, code, said",
    [
        ("missing", errno.ENOENT, "does not exist"),
        ("link /x", errno.ENOENT, "link to /x"),
        ("script /x/sh", errno.ENOENT, "interpreter /x/sh"),
        ("loader /lib/ld", errno.ENOENT, "loader /lib/ld"),
        ("missing", errno.ENOTDIR, "does not exist"),
    ],
)
def test_what_is_missing_is_named(detail: str, code: int, said: str) -> None:
    error = refusals.not_executed("/p", code, detail)
    assert (error.code, said in error.message) == ("sandbox.builder-missing", True)


def test_what_is_missing_in_what_is_shown_is_looked_for_there() -> None:
    shown = ("/s", "/s/object", "/other")
    for path, detail in (
        ("/s/object/bin/x", "missing"),
        ("/x", "script /s/object/bin/sh"),
        ("/x", "link /s/object/x"),
    ):
        remedy = refusals.not_executed(path, errno.ENOENT, detail, shown).remedy or ""
        assert remedy.startswith("/s/object is shown") and "bramble store verify --repair" in remedy
    for path, detail in (("/s/object/x", "script /bin/sh"), ("./x", "missing"), ("/objects/x", "missing")):
        assert "verify" not in (refusals.not_executed(path, errno.ENOENT, detail, shown[1:]).remedy or "")


@pytest.mark.parametrize(
    "word", ["directory", "special", "noexec", "mode", "format", "architecture", "other", "unreadable", ""]
)
def test_what_cannot_be_executed_is_told_apart(word: str) -> None:
    error = refusals.not_executed("/p", errno.EACCES, word)
    assert error.code == "sandbox.builder-not-executable" and error.remedy
    assert refusals.not_executed("/p", errno.E2BIG, word).code == "sandbox.argument"


@pytest.mark.parametrize(
    "detail, said",
    [
        ("script /bin/sh", "PATH"),
        ("script /usr/bin/env", "PATH"),
        ("script /usr/bin/perl", "/usr/bin/env"),
        ("loader /lib64/ld-linux-x86-64.so.2", "host_tools"),
    ],
)
def test_what_is_missing_says_what_to_add(detail: str, said: str) -> None:
    assert said in (refusals.not_executed("/s/p", errno.ENOENT, detail, ("/s",)).remedy or "")


@pytest.mark.parametrize("shell", ["/bin/sh", "/usr/bin/env"])
def test_a_run_has_no_path_of_a_derivation(shell: str) -> None:
    refused = refusals.not_executed("/s/p", errno.ENOENT, f"script {shell}", ("/s",), "run")
    assert "closure_path=True" in (refused.remedy or "") and "derivation" not in (refused.remedy or "")
