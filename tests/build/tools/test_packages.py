"""What package managers say, read."""

from __future__ import annotations

import pytest

from bramble.build.tools.distribution import how_to_install, read_os_release
from bramble.build.tools.machine import Answer
from bramble.build.tools.packages import (
    apk_files,
    apk_owners,
    dpkg_files,
    dpkg_owners,
    files_of,
    owners,
    pacman_files,
    pacman_owners,
    rpm_files,
    rpm_owners,
)
from tests.build.tools.machines import Recorded


def test_dpkg_names_several_owners_architectures_and_diversions() -> None:
    said = (
        "libc6-dev:amd64: /usr/lib/x86_64-linux-gnu/crt1.o\n"
        "diversion by dash from: /bin/sh\n"
        "diversion by dash to: /bin/sh.distrib\n"
        "dash, bash: /bin/sh\n"
        "dash: /usr/share/doc: odd\n"
    )
    assert dpkg_owners(said) == ("libc6-dev:amd64", "dash", "bash")
    listed = "/.\n/usr\n/usr/bin/x\ndiverted by other to: /usr/bin/x.other\n/usr/bin/a b\n"
    assert dpkg_files(listed) == ("/usr", "/usr/bin/x", "/usr/bin/a b")


def test_rpm_says_in_sentences_what_nobody_owns() -> None:
    said = "gcc\nglibc-devel\nfile /usr/local/bin/x is not owned by any package\nglibc-devel\n"
    assert rpm_owners(said) == ("gcc", "glibc-devel")
    assert rpm_files("/usr/bin/gcc\n(contains no files)\n/usr/lib/.build-id/12\n") == (
        "/usr/bin/gcc",
        "/usr/lib/.build-id/12",
    )


def test_apk_adds_versions_to_names_and_leaves_out_the_first_slash() -> None:
    said = (
        "/usr/bin/gcc is owned by gcc-13.2.1_git20231014-r0\n"
        "/usr/bin/cc symlink target is owned by gcc-13.2.1_git20231014-r0\n"
        "/usr/include/c++/13.2.1/vector is owned by libstdc++-dev-13.2.1_git20231014-r0\n"
        "ERROR: /x: Could not find owner package\n"
    )
    assert apk_owners(said) == ("gcc", "libstdc++-dev")
    assert apk_files("musl-dev-1.2.4_git20230717-r4 contains:\nusr/include/stdio.h\nusr/lib/crt1.o\n\n") == (
        "/usr/include/stdio.h",
        "/usr/lib/crt1.o",
    )


def test_pacman_repeats_the_name_of_the_package() -> None:
    assert pacman_owners("/usr/bin/gcc is owned by gcc 13.2.1-3\nerror: No package owns /x\n") == ("gcc",)
    assert pacman_files("gcc /usr/\ngcc /usr/bin/\ngcc /usr/bin/gcc\ngcc /usr/share/a b\n") == (
        "/usr/bin/gcc",
        "/usr/share/a b",
    )


def test_a_file_is_asked_for_under_every_name_that_a_package_may_list_it_by() -> None:
    question = (
        *("/usr/bin/dpkg-query", "-S"),
        *("/lib/x/libc.so.6", "/usr/lib/x/libc.so.6", "/usr/bin/\\[", "/bin/\\["),
    )
    machine = Recorded(
        {"/lib": "-> usr/lib", "/usr/lib/x/libc.so.6": "", "/usr/bin/[": "", "/usr/bin/dpkg-query": ""},
        {
            question: Answer(1, "libc6:amd64: /lib/x/libc.so.6\n", "dpkg-query: no path found"),
            ("/usr/bin/dpkg-query", "-L", "libc6:amd64"): Answer(0, "/lib/x/libc.so.6\n"),
        },
    )
    assert owners(machine, ["/lib/x/libc.so.6", "/usr/bin/["]) == ("libc6:amd64",)
    assert files_of(machine, ["libc6:amd64"]) == ("/lib/x/libc.so.6",)


def test_a_machine_without_a_package_manager_is_told_apart_from_one_that_owns_nothing() -> None:
    assert owners(Recorded({}), ["/usr/bin/gcc"]) is None
    assert owners(Recorded({"/usr/bin/rpm": ""}), ["/usr/bin/gcc"]) == ()


@pytest.mark.parametrize(
    ("release", "what", "command"),
    [
        ("ID=debian\n", "libc headers", "apt install libc6-dev"),
        ('NAME=x\nID="linuxmint"\nID_LIKE="ubuntu debian"\n', "pkg-config", "apt install pkg-config"),
        ("ID=fedora\n", "g++", "dnf install gcc-c++"),
        ("ID='rocky'\nID_LIKE='rhel centos fedora'\n", "ninja", "dnf install ninja-build"),
        ("ID=alpine\n", "libc headers", "apk add musl-dev"),
        ("ID=arch\n", "node", "pacman -S nodejs"),
        ("ID=opensuse-leap\n", "make", "zypper install make"),
        ("ID=nixos\n", "make", None),
        ("ID=debian\n", "no-such-program", None),
        ("", "make", None),
    ],
)
def test_what_to_install_is_said_in_the_words_of_the_distribution(
    release: str, what: str, command: object
) -> None:
    assert how_to_install(Recorded({"/etc/os-release": release}), what) == command


def test_lines_of_os_release_that_say_nothing_are_passed_over() -> None:
    assert read_os_release('# ID=no\n\nID = a\nID_LIKE="b c"\nVERSION') == ("a", "b", "c")
