"""The chapter and the code name the same things: every list that stands in spec/08-sandbox.md."""

from __future__ import annotations

import ast
import re
import signal
from pathlib import Path

import pytest

from bramble.sandbox import diagnosis, launch, probe, terminal
from bramble.sandbox.diagnosis import Settings
from bramble.sandbox.helper import RECEIVED
from bramble.sandbox.spec import PURPOSES, RUNGS, Limits, Mount, SandboxSpec
from bramble.sandbox.steps import PASSWD, HostFacts, steps
from bramble.sandbox.walls import landlock, numbers, seccomp
from bramble.sandbox.wire import DEVICES, NETWORK_FILES

TOP = Path(__file__).parents[2]
CHAPTER = (TOP / "spec" / "08-sandbox.md").read_text(encoding="utf-8")
FACTS = HostFacts("x86_64", landlock=7)
SPEC = SandboxSpec(("/x",), (), "/", (Mount("/a", "/a"), Mount("/w", "/w", writable=True)))
ERRNO = {"EPERM": 1, "ENOTTY": 25, "ENOSYS": 38, "EOPNOTSUPP": 95, "EAFNOSUPPORT": 97, "success": 0}


def paragraph(name: str) -> str:
    """Return a paragraph of the chapter as one line, without its cases."""
    found = re.search(
        rf"^\*\*`{re.escape(name)}`\*\*(.*?)(?=^\*\*`|^```|^<details>|^## |^\| )", CHAPTER, re.M | re.S
    )
    assert found is not None, name
    return " ".join(found[1].split())


def quoted(text: str) -> list[str]:
    """Return what stands in backquotes."""
    return re.findall(r"`([^`]+)`", text)


def rows(after: str) -> list[list[str]]:
    """Return the cells of the first table behind `after`, without its head."""
    lines = CHAPTER[CHAPTER.index(after) :].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|---"))
    found = []
    for line in lines[start + 1 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return found


def args(action: str, spec: SandboxSpec = SPEC, facts: HostFacts = FACTS) -> list[tuple[object, ...]]:
    return [step.args for step in steps(spec, facts) if step.action == action]


def files() -> dict[object, object]:
    return {step[0]: step[1] for step in args("file")}


def test_the_rungs_and_the_purposes() -> None:
    assert quoted(paragraph("sandbox.rungs"))[:3] == list(RUNGS)
    build, run = PURPOSES
    assert f"a *{build}* or for a *{run}*" in paragraph("sandbox.purposes")
    randomised = [args("personality", SPEC._replace(purpose=purpose)) == [] for purpose in PURPOSES]
    assert randomised == [False, True]


def test_the_wish_has_the_fields_that_are_named() -> None:
    words = {
        "argv": "arguments",
        "env": "environment",
        "cwd": "directory",
        "mounts": "mounts",
        "hidden": "hidden paths",
        "network": "network",
        "terminal": "terminal",
        "nesting": "nesting",
        "rung": "mode",
        "limits": "limits",
        "purpose": "purpose",
    }
    assert list(words) == [*SandboxSpec._fields]
    assert [row[0] for row in rows("**`sandbox.wish`**")] == [*words.values()]


def test_who_the_program_is() -> None:
    text = paragraph("sandbox.identity.user")
    ((uid, gid),) = args("map-ids")
    assert f"user {uid} and group {gid}" in text
    passwd, group = (str(files()[path]) for path in ("/etc/passwd", "/etc/group"))
    assert quoted(text) == ["/etc/passwd", passwd.strip(), "/etc/group", group.strip()]
    assert passwd == PASSWD and passwd.count("\n") == group.count("\n") == 1


def test_what_the_machine_is_called() -> None:
    text = paragraph("sandbox.identity.machine")
    (host,), (domain,) = args("hostname")[0], args("domainname")[0]
    hosts = str(files()["/etc/hosts"]).splitlines()
    assert quoted(text) == [host, domain, "/etc/hosts", *hosts]


def test_the_constants_of_a_process() -> None:
    text = paragraph("sandbox.constants.process")
    limits = {name: values for name, *values in args("rlimit")}
    assert limits == {"CORE": [1, 1], "NOFILE": [1024, None], "STACK": [8 << 20, None]}
    assert "1024 files" in text and "8 MiB" in text and "no core" in text
    assert args("umask") == [(0o022,)] and "mask 022" in text


def test_the_tree_of_files() -> None:
    text = paragraph("sandbox.tree")
    there, etc, gone = text.split("directories", 1)[1].split(".", 2)
    assert "nothing else" in there and " There is no " in gone
    made = [path for path, _ in args("directory", SPEC._replace(mounts=()))]
    assert quoted(there) == [path for path in made if str(path).count("/") == 1]
    assert [f"/etc/{name}" for name in quoted(etc)[1:]] == [
        path for path in files() if str(path).startswith("/etc/")
    ]
    assert not set(quoted(gone)) & set(made)


def test_the_file_systems_in_memory() -> None:
    text = paragraph("sandbox.temporary")
    shown = {target: (size, inodes) for target, mode, size, inodes in args("tmpfs") if mode == 0o1777}
    assert sorted(shown) == sorted(quoted(text), key=len, reverse=True) or sorted(shown) == sorted(
        quoted(text)
    )
    assert (
        shown == {"/tmp": ("25%", "1m"), "/dev/shm": ("12%", "1m")}
        and "25% and 12% of the memory of the machine, in this order" in text
        and f"{1 << 20:,} files" in text
    )
    limited = SPEC._replace(limits=Limits(memory=1 << 20))
    assert {(size, inodes) for _, mode, size, inodes in args("tmpfs", limited) if mode == 0o1777} == {
        (str(1 << 20), str((1 << 20) // 1024 + 1))
    }
    assert "each 1024 bytes" in text


def test_the_devices() -> None:
    nodes, links, own = (names for _, names in rows("**`sandbox.devices`**"))
    assert quoted(nodes) == list(DEVICES)
    made = [str(path)[5:] for path, _ in args("symlink")]
    assert quoted(links) == made
    own_mounts = [
        *(path for (path,) in args("devpts")),
        *(path for path, *_ in args("tmpfs") if path == "/dev/shm"),
    ]
    assert [f"/dev/{name}" for name in quoted(own)] == own_mounts
    assert ("/dev", "read-only nosuid noexec") in args("protect")


def test_what_of_proc_is_read_only_and_what_is_covered() -> None:
    proc, *names = quoted(paragraph("sandbox.proc.read-only"))
    assert [f"{proc}/{name}" for name in names] == [path for (path,) in args("bind-itself")]
    text = paragraph("sandbox.proc.hidden")
    covered, directories = text.split("are covered")
    assert [f"/proc/{name}" for name in quoted(covered)[1:]] == [path for (path,) in args("cover-file")]
    assert [f"/proc/{name}" for name in quoted(directories)] == [path for (path,) in args("cover-directory")]


def test_what_can_be_mounted_where() -> None:
    areas = quoted(re.split(r"No target is at or below|is `/tmp` itself", paragraph("sandbox.mounts"))[1])
    assert areas == [f"/{name}" for name in ("dev", "proc", "sys")]
    assert sorted(area[1:] for area in areas) == sorted(launch.layout.OWN_AREAS)


def test_the_namespaces() -> None:
    text = paragraph("sandbox.namespaces")
    words = {
        "user": "users",
        "mount": "mounts",
        "pid": "processes",
        "ipc": "IPC",
        "uts": " names",
        "net": "network",
        "cgroup": "control groups",
    }
    (made,) = args("clone")[0]
    assert list(made) == list(words)  # type: ignore[call-overload]
    places = [text.index(word, len("A sandbox has namespaces")) for word in words.values()]
    assert places == sorted(places)
    (shared,) = args("clone", SPEC._replace(network=True))[0]
    assert set(made) - set(shared) == {"net"}  # type: ignore[call-overload]


def test_the_files_that_come_with_the_network() -> None:
    assert quoted(paragraph("sandbox.network.files")) == list(NETWORK_FILES)


def test_the_families_of_sockets() -> None:
    text = paragraph("sandbox.sockets").split(";")[0]
    named = {"Unix": 1, "IPv4": 2, "IPv6": 10, "netlink": 16}
    rules = [rule for rule in seccomp.table(seccomp.Variant()) if rule.call == "socket"]
    assert [rule.tests[0][2] for rule in rules] == [tuple(named.values())]
    assert all(name in text for name in named)


def said_of_calls() -> dict[str, tuple[set[int], str]]:
    """Return what the table of the chapter says: call → (errnos, the words on its conditions)."""
    said: dict[str, tuple[set[int], str]] = {}
    for calls, answer in rows("**`sandbox.seccomp`**"):
        words = re.findall(r"[a-z_0-9]+", calls)
        names = [word for word in words if word in numbers.TABLE]
        if "forms for links and descriptors" in calls:
            names += [form + name for name in names[:4] for form in "lf"]
        number = next(ERRNO[word] for word in re.findall(r"\w+", answer) if word in ERRNO)
        for name in names:
            # "clone with a namespace" stands among calls that are refused whatever they ask for.
            numbers_before, words_before = said.get(name, (set(), ""))
            said[name] = (numbers_before | {number}, words_before + calls)
    return said


def test_every_call_is_answered_as_the_table_says_and_no_other_is() -> None:
    done: dict[str, set[int]] = {}
    for rule in seccomp.table(seccomp.Variant()):
        done.setdefault(rule.call, set()).add(rule.errno)
    assert {call: number for call, (number, _) in said_of_calls().items()} == done


def test_the_conditions_on_calls_are_those_of_the_table() -> None:
    said = said_of_calls()
    conditional = {rule.call for rule in seccomp.table(seccomp.Variant()) if rule.tests}
    words = (
        "with a setuid or setgid bit",
        "of RLIMIT_CORE",
        "other families",
        "ioctl TIOCSTI",
        "of another process",
    )
    assert conditional - {"clone"} == {
        call for call, (_, text) in said.items() if any(word in text for word in words)
    }
    assert "clone with a namespace" in said["clone"][1]
    assert "TIOCSTI, TIOCLINUX, TIOCSETD, TIOCCONS" in said["ioctl"][1]
    assert seccomp.TERMINAL_IOCTLS == (0x5412, 0x541C, 0x5423, 0x541D)


def test_what_nesting_allows_is_the_row_that_says_so() -> None:
    allowed = {rule.call for rule in seccomp.table(seccomp.Variant())} - {
        rule.call for rule in seccomp.table(seccomp.Variant(nesting=True))
    }
    rows_of_nesting = [
        calls for calls, answer in rows("**`sandbox.seccomp`**") if "allowed with nesting" in answer
    ]
    assert len(rows_of_nesting) == 1
    assert allowed == {
        word for word in re.findall(r"[a-z_0-9]+", rows_of_nesting[0]) if word in numbers.TABLE
    }


def test_the_second_wall() -> None:
    named = quoted(paragraph("sandbox.landlock"))
    ((_, _, scoped, rules),) = args("landlock")
    writes = landlock.WRITE_FILE
    assert [path for path, rights in rules if rights & writes] and scoped == 0b11  # type: ignore[attr-defined]
    assert sorted(path for path, rights in rules if rights & writes and path != "/w") == sorted(named)  # type: ignore[attr-defined]


def test_the_signals_that_go_to_a_run() -> None:
    forwarded = paragraph("sandbox.signals.run").partition("the signal goes")[0]
    assert re.findall(r"SIG[A-Z0-9]+", forwarded) == [
        signal.Signals(number).name for number in terminal.FORWARDED
    ]


def test_the_limits() -> None:
    words = {
        "seconds": "wall clock",
        "silence": "silence",
        "memory": "memory",
        "processes": "processes",
        "file_size": "file size",
        "output_size": "output size",
        "output_files": "output files",
    }
    assert list(words) == [*Limits._fields]
    assert [row[0] for row in rows("**`sandbox.limits`**")] == [*words.values()]
    by_process = Limits(memory=1, processes=1, file_size=1)
    set_by_step = {name for name, *_ in args("rlimit", SPEC._replace(limits=by_process))}
    assert {f"RLIMIT_{name}" for name in set_by_step - {"CORE", "NOFILE", "STACK"}} == set(
        re.findall(r"RLIMIT_[A-Z]+", paragraph("sandbox.limits.process"))
    )


def test_the_order_of_giving_up_rights() -> None:
    text = paragraph("sandbox.order")
    words = {
        "no-new-privileges": "`no_new_privs`",
        "landlock": "Landlock",
        "no-capabilities": "capabilities",
        "seccomp": "the filter",
        "execute": "executes",
    }
    tail = text[text.index("gives up rights") :]
    assert [tail.index(word) for word in words.values()] == sorted(
        tail.index(word) for word in words.values()
    )
    assert [step.action for step in steps(SPEC, FACTS) if step.action in words] == list(words)


def test_the_words_between_the_caller_and_the_helper() -> None:
    text = paragraph("sandbox.launcher")
    numbers_in_words = ("none", "one", "two", "three", "four", "five", "six")
    assert f"with {numbers_in_words[RECEIVED]} descriptors" in text
    source = (TOP / "bramble" / "sandbox" / "helper.py").read_text(encoding="utf-8")
    obeyed = set(re.findall(r'words?(?:\[0\])? == ord\("(\w)"\)', source))
    assert obeyed == {word for word in quoted(text) if len(word) == 1}


def codes_in_source() -> set[str]:
    """Return every error code of this chapter that the code can raise."""
    found = set()
    for path in (TOP / "bramble").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "BrambleError"
                and node.args
                and isinstance(node.args[0], ast.Constant)
                and str(node.args[0].value).startswith("sandbox.")
            ):
                found.add(str(node.args[0].value))
    return found


def test_the_codes_of_errors() -> None:
    assert {quoted(code)[0] for code, _ in rows("## 8.14 Codes")} == codes_in_source()


@pytest.mark.parametrize(
    "name", ["kernel.unprivileged_userns_clone", "kernel.apparmor_restrict_unprivileged_userns"]
)
def test_the_settings_that_are_diagnosed(name: str) -> None:
    assert name in quoted(paragraph("sandbox.errors.unavailable"))
    off = Settings(unprivileged_userns=0) if "clone" in name else Settings(apparmor_restricts=True)
    found = diagnosis.forbidding(off)
    assert found is not None and name in found.fact


def test_every_limit_of_namespaces_is_diagnosed() -> None:
    assert "user.max_*_namespaces" in quoted(paragraph("sandbox.errors.unavailable"))
    for name in probe.NAMESPACE_LIMITS:
        found = diagnosis.forbidding(Settings(max_namespaces={name: 0}))
        assert (
            found is not None
            and f"user.{name} is 0" == found.fact
            and re.fullmatch(r"max_\w+_namespaces", name)
        )
