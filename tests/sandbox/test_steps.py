"""The list of steps: what it holds for which wish, and in which order. Pure, no kernel."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bramble.errors import BrambleError
from bramble.sandbox import pid1, pid2
from bramble.sandbox.spec import Limits, Mount, SandboxSpec
from bramble.sandbox.steps import HostFacts, steps
from bramble.sandbox.vocabulary import ACTIONS, BUILDER, HELPER, INIT, Step, describe
from bramble.sandbox.walls import landlock

FACTS = HostFacts("x86_64", landlock=7, network_files=("/etc/hosts", "/etc/resolv.conf", "/etc/ssl/cert.pem"))
ROOT = FACTS._replace(other_user=True)
MOUNTS = (
    Mount("/s/in", "/s/in"),
    Mount("/s/file", "/s/file"),
    Mount("/var/work/x", "/s/out", writable=True),
    Mount("/s/out/sub", "/s/out/sub"),
)
SPEC = SandboxSpec(("/s/in/sh", "-c", "x"), (("b", "2"), ("a", "1")), "/s/out", MOUNTS)


def wish(**changes: Any) -> SandboxSpec:
    return SPEC._replace(**changes)


def actions(spec: SandboxSpec, facts: HostFacts = FACTS) -> list[str]:
    return [step.action for step in steps(spec, facts)]


def only(action: str, spec: SandboxSpec, facts: HostFacts = FACTS) -> list[tuple[Any, ...]]:
    return [step.args for step in steps(spec, facts) if step.action == action]


def position(done: tuple[Step, ...], action: str, target: str | None = None) -> int:
    (found,) = [
        i for i, step in enumerate(done) if step.action == action and (target is None or target in step.args)
    ]
    return found


def refusal(spec: SandboxSpec, facts: HostFacts = FACTS) -> BrambleError:
    with pytest.raises(BrambleError) as caught:
        steps(spec, facts)
    assert caught.value.remedy
    return caught.value


def test_every_action_of_the_vocabulary_has_one_function_in_the_child() -> None:
    of_init = {name for name, action in ACTIONS.items() if action.actor == INIT}
    of_builder = {name for name, action in ACTIONS.items() if action.actor == BUILDER}
    assert (of_init, of_builder) == (set(pid1.ACTIONS), set(pid2.ACTIONS))


@pytest.mark.parametrize("facts", [FACTS, ROOT, HostFacts("aarch64")])
@pytest.mark.parametrize("purpose", ["build", "run"])
def test_every_step_has_its_arguments_and_can_be_told_in_words_and_json(
    facts: HostFacts, purpose: str
) -> None:
    everything = wish(
        purpose=purpose,
        network=True,
        terminal=True,
        hidden=("/s/out/x",),
        limits=Limits(1, 1, 1 << 20, 10, 1 << 20),
    )
    done = steps(everything, facts)
    for step in done:
        assert len(step.args) == len(ACTIONS[step.action].names), step
        assert "{" not in step.describe()
        assert json.loads(json.dumps(step.to_json()))["text"]
    assert describe(done).count("\n") == len(done) + 3


def test_the_helper_acts_first_then_pid_1_then_pid_2() -> None:
    order = [step.actor for step in steps(SPEC, FACTS)]
    assert order == sorted(order, key=[HELPER, INIT, BUILDER].index)


def test_the_same_wish_and_facts_give_the_same_list() -> None:
    assert steps(SPEC, FACTS) == steps(wish(mounts=MOUNTS[::-1]), FACTS)


def test_all_seven_namespaces_are_new_and_only_the_network_may_be_shared() -> None:
    everything = ("user", "mount", "pid", "ipc", "uts", "net", "cgroup")
    assert only("clone", SPEC) == [(everything,)]
    assert only("clone", wish(network=True)) == [(tuple(name for name in everything if name != "net"),)]
    assert only("clone", SPEC, ROOT) == [(everything,)]


def test_inputs_are_mounted_before_the_root_is_made_read_only_and_outputs_after() -> None:
    done = steps(SPEC, FACTS)
    sealed = position(done, "protect", "/")
    assert position(done, "bind", "/s/in") < sealed < position(done, "bind", "/s/out")
    assert position(done, "bind", "/s/out") + 1 == position(done, "protect", "/s/out")
    assert only("protect", SPEC)[0] == ("/", "read-only nosuid nodev")


def test_one_call_protects_all_inputs() -> None:
    many = wish(mounts=tuple(Mount(f"/s/{i}", f"/s/{i}") for i in range(1000)))
    assert len(only("protect", many)) == len(only("protect", wish(mounts=())))


def test_mount_points_of_outputs_are_made_while_the_root_can_be_written() -> None:
    done = steps(SPEC, FACTS)
    assert position(done, "directory", "/s/out") < position(done, "protect", "/")


def test_a_mount_in_a_mount_follows_no_links_and_makes_nothing_there() -> None:
    done = steps(SPEC, FACTS)
    assert position(done, "bind", "/s/out") < position(done, "bind-within", "/s/out/sub")
    assert not [step for step in done if step.action in ("directory", "file") and "/s/out/sub" in step.args]
    assert only("protect", SPEC)[-1] != ("/s/out/sub", "nosuid nodev")
    assert ("/s/out/sub", "read-only nosuid nodev") in only("protect", SPEC)


def test_every_mount_ends_up_nosuid_and_nodev() -> None:
    for spec in (SPEC, wish(network=True, purpose="run")):
        for step in steps(spec, FACTS):
            if step.action == "protect":
                assert "nosuid" in str(step.args[1]).split()


def test_hidden_paths_are_covered_after_everything_is_mounted_and_before_the_root_is_entered() -> None:
    done = steps(wish(hidden=("/s/out/b", "/s/out/a", "/s/out/a/deep")), FACTS)
    assert only("cover-within", wish(hidden=("/s/out/b", "/s/out/a", "/s/out/a/deep"))) == [
        ("/s/out/a", "directory"),
        ("/s/out/b", "directory"),
    ]
    assert position(done, "bind-within", "/s/out/sub") < position(done, "cover-within", "/s/out/a")
    assert position(done, "cover-within", "/s/out/b") < position(done, "enter-root")


def test_what_nothing_shows_cannot_be_hidden() -> None:
    assert refusal(wish(hidden=("/elsewhere",))).code == "sandbox.mount"
    assert refusal(wish(hidden=("/s/outer",))).code == "sandbox.mount"


def test_a_place_in_tmp_is_made_after_the_private_tmp_is_there() -> None:
    spec = wish(mounts=(Mount("/a", "/tmp/work/a"), Mount("/b", "/tmp/work/b", True)))
    done = steps(spec, FACTS)
    assert position(done, "tmpfs", "/tmp") < position(done, "directory", "/tmp/work")
    assert position(done, "directory", "/tmp/work/a") < position(done, "bind", "/tmp/work/a")
    assert ("/tmp/work/a", "read-only nosuid nodev") in only("protect", spec)


def test_proc_comes_last_of_all_mounts_and_is_covered() -> None:
    done = steps(SPEC, FACTS)
    proc = position(done, "proc")
    assert not [step for step in done[proc:] if step.action in ("bind", "tmpfs", "devpts")]
    assert ("/proc/sys", "read-only nosuid nodev noexec") in only("protect", SPEC)
    assert ("/proc/kcore",) in only("cover-file", SPEC)
    assert ("/proc/acpi",) in only("cover-directory", SPEC)


def test_only_what_a_kernel_has_in_proc_is_covered() -> None:
    facts = FACTS._replace(proc=frozenset({"sys", "kcore"}))
    assert only("cover-file", SPEC, facts) == [("/proc/kcore",)]
    assert only("cover-directory", SPEC, facts) == []


def test_the_caller_s_keys_are_left_before_anything_else_runs() -> None:
    order = actions(SPEC)
    assert order.index("new-keyring") < order.index("start-program")
    assert "new-keyring" in actions(wish(nesting=True))


def test_pid_1_hides_before_there_is_anybody_else() -> None:
    order = actions(SPEC)
    assert order.index("enter-root") < order.index("hide-self") < order.index("start-program")


def test_the_filter_is_the_last_thing_before_the_program() -> None:
    for spec in (SPEC, wish(purpose="run"), wish(terminal=True)):
        assert actions(spec)[-2:] == ["seccomp", "execute"]


def test_privileges_are_given_up_in_an_order_that_works() -> None:
    order = actions(SPEC)
    # Landlock and an unprivileged filter want no_new_privs; dropping the bounding set wants a capability.
    assert order.index("no-new-privileges") < order.index("landlock") < order.index("seccomp")
    assert order.index("no-capabilities") < order.index("die-with-init")


def test_the_environment_is_sorted_by_bytes_whatever_order_it_came_in() -> None:
    ((argv, env),) = only(
        "execute", wish(env=(("b", "1"), ("ä", "2"), ("Z", "3"), ("a", "4"), ("\udcff", "5")))
    )
    assert env == ("Z=3", "a=4", "b=1", "ä=2", "\udcff=5")


def test_addresses_are_not_randomised_in_a_build_and_are_in_a_run() -> None:
    assert only("personality", SPEC) == [(0x40000,)]
    assert only("personality", wish(purpose="run")) == []


def test_a_run_and_whoever_has_a_terminal_can_be_signalled() -> None:
    assert "hand-out-self" not in actions(SPEC)
    assert "hand-out-self" in actions(wish(terminal=True))
    assert "hand-out-self" in actions(wish(purpose="run"))


def test_root_becomes_another_user_and_takes_hold_of_its_files_before() -> None:
    done = steps(SPEC, ROOT)
    assert [step.args for step in done if step.action == "open-tree"] == [
        ("/s/file", False), ("/s/in", False), ("/var/work/x", True), ("/s/out/sub", False),
    ]  # fmt: skip
    assert only("attach", SPEC, ROOT) == [
        ("/s/file", "/s/file", 0), ("/s/in", "/s/in", 1), ("/var/work/x", "/s/out", 2),
    ]  # fmt: skip
    assert only("attach-within", SPEC, ROOT) == [("/s/out/sub", "/s/out/sub", 3)]
    assert position(done, "become") < position(done, "new-root")
    assert "become" not in actions(SPEC)


def test_network_shows_the_files_that_name_resolution_needs_and_no_loopback_of_its_own() -> None:
    binds = [args for args in only("bind-machine", wish(network=True))]
    assert binds == [(path, path) for path in FACTS.network_files]
    assert "loopback" not in actions(wish(network=True))
    assert not [args for args in only("bind", SPEC) if str(args[1]).startswith("/etc")]


def test_nesting_leaves_proc_uncovered_and_the_filter_open_for_namespaces() -> None:
    spec = wish(nesting=True)
    assert not {"cover-file", "cover-directory", "bind-itself"} & set(actions(spec))
    assert only("seccomp", spec)[0][0] == "build+nesting"
    # A Landlock domain that holds rights on files could not mount.
    assert only("landlock", spec) == [(0, 0, landlock.SCOPE, ())]
    assert only("landlock", spec, FACTS._replace(landlock=5)) == []


def test_landlock_holds_what_the_kernel_knows_and_no_more() -> None:
    for abi in range(1, 8):
        ((fs, net, scoped, rules),) = only("landlock", SPEC, FACTS._replace(landlock=abi))
        assert fs == landlock.known_fs(abi) and scoped == landlock.known_scopes(abi)
        assert net == 0, "the network namespace closes the network, and a build may use its loopback"
        assert all(allowed and allowed & ~fs == 0 for _, allowed in rules)
    assert only("landlock", SPEC, FACTS._replace(landlock=0)) == []


def test_landlock_lets_writing_happen_where_mounts_do() -> None:
    ((_, _, _, rules),) = only("landlock", SPEC)
    writable = {path for path, allowed in rules if allowed & landlock.ALL_OF_ABI_1 == landlock.ALL_OF_ABI_1}
    assert writable == {"/s/out", "/tmp", "/dev/shm"}
    assert dict(rules)["/"] & landlock.WRITE_FILE == 0


def test_limits_become_steps() -> None:
    spec = wish(limits=Limits(memory=1 << 30, processes=50, file_size=1 << 20))
    assert only("limit-group", spec) == [(1 << 30, 50)]
    named = {args[0]: args[1] for args in only("rlimit", spec)}
    assert named == {
        "CORE": 1, "NOFILE": 1024, "STACK": 8 << 20, "FSIZE": 1 << 20, "DATA": 1 << 30, "NPROC": 52,
    }  # fmt: skip
    assert ("/tmp", 0o1777, str(1 << 30), str((1 << 20) + 1)) in only("tmpfs", spec)
    assert only("limit-group", SPEC) == []


def test_processes_are_not_counted_where_the_kernel_would_count_the_caller_s_too() -> None:
    old = FACTS._replace(counts_processes=False)
    spec = wish(limits=Limits(processes=50))
    assert "NPROC" not in [args[0] for args in only("rlimit", spec, old)]
    assert "NPROC" in [args[0] for args in only("rlimit", spec, old._replace(other_user=True))]


HOSTED = wish(mounts=(Mount("/s/in", "/s/in"), Mount("/s/out", "/s/out", True)))


def test_the_landlock_rung_has_no_namespaces_and_all_the_rest() -> None:
    spec = HOSTED._replace(rung="landlock")
    order = actions(spec)
    assert "clone" not in order and "fork" in order
    assert {"no-new-privileges", "landlock", "no-capabilities", "seccomp", "session", "signals"} <= set(order)
    ((fs, net, scoped, rules),) = only("landlock", spec)
    assert (net, scoped) == (landlock.TCP, landlock.SCOPE)
    assert "/" not in dict(rules) and "/proc" not in dict(rules)
    assert only("seccomp", spec)[0][0] == "build-inet-alone"
    assert only("landlock", spec._replace(network=True))[0][1] == 0


def test_the_none_rung_is_an_explicit_absence() -> None:
    order = actions(HOSTED._replace(rung="none"))
    assert not {"clone", "landlock", "seccomp", "no-new-privileges", "no-capabilities"} & set(order)
    assert {"session", "standard-streams", "signals", "start-program-hosted"} <= set(order)


@pytest.mark.parametrize("rung", ["landlock", "none"])
def test_the_weaker_rungs_refuse_what_they_cannot_do(rung: str) -> None:
    assert refusal(wish(rung=rung)).code == "sandbox.mount"
    assert refusal(HOSTED._replace(rung=rung, hidden=("/s/in/x",))).code == "sandbox.rung"
    assert refusal(HOSTED._replace(rung=rung, terminal=True)).code == "sandbox.rung"


def test_landlock_without_landlock_is_an_error_and_never_nothing() -> None:
    without = FACTS._replace(landlock=0)
    assert refusal(HOSTED._replace(rung="landlock"), without).code == "sandbox.unavailable"


@pytest.mark.parametrize(
    "changes, code",
    [
        ({"rung": "chroot"}, "sandbox.rung"),
        ({"argv": ()}, "sandbox.argument"),
        ({"argv": ("",)}, "sandbox.argument"),
        ({"argv": ("/x", "a\0b")}, "sandbox.argument"),
        ({"env": (("a=b", "c"),)}, "sandbox.argument"),
        ({"env": (("", "c"),)}, "sandbox.argument"),
        ({"env": (("a", "c\0"),)}, "sandbox.argument"),
        ({"env": (("a", "1"), ("a", "2"))}, "sandbox.argument"),
        ({"cwd": "relative"}, "sandbox.mount"),
        ({"cwd": "/a/../b"}, "sandbox.mount"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(changes: dict[str, Any], code: str) -> None:
    assert refusal(wish(**changes)).code == code
