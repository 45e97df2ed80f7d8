"""What a program may miss in a sandbox is warned of, and what everybody does without is not."""

from __future__ import annotations

import glob
import os

from bramble.build.events import Absent
from bramble.build.tools.absent import named_by, named_in
from tests.build.tools.test_host_tools import HostWorld, tools
from tests.build.world import derivation


def there(path: str) -> bool:
    return "no-such" not in path


def elf(*strings: str) -> bytes:
    return b"\x7fELF\1\2\3" + b"".join(b"\0" + string.encode() + b"\0" for string in strings)


def test_a_program_in_machine_code_names_data_by_whole_strings() -> None:
    data = elf(
        "/usr/share/vim",
        "/usr/share/groff/site-font:/usr/share/groff/1.22.4/font:/etc/groff",
        "/usr/libexec/man-db/manconv",
        "/opt/tool/lib/data/",
        "/usr/share/no-such/file",
    )
    assert named_by(data, (), there) == (
        "/opt/tool/lib/data",
        "/usr/libexec/man-db/manconv",
        "/usr/share/groff/1.22.4/font",
        "/usr/share/groff/site-font",
        "/usr/share/vim",
    )


def test_what_programs_do_without_is_not_warned_of() -> None:
    data = elf(
        *("/usr/share/locale", "/usr/share/zoneinfo/", "/usr/lib/x86_64-linux-gnu", "/usr/lib", "/usr/lib64"),
        *("/usr/lib/x86_64-linux-gnu/gconv/gconv-modules.cache", "/usr/lib/debug/.build-id", "/etc/passwd"),
        *("/usr/lib/os-release", "/usr/share/terminfo/x", "/usr/local/share/man", "/usr/bin/perl"),
        *("see /usr/share/vim", "/usr/share/%s/data", "/usr/lib/systemd/private", "file:///usr/share/vim"),
    )
    assert named_by(data, ("/usr/lib/systemd/private",), there) == ()
    assert named_by(data, (), there) == ("/usr/lib/systemd/private",)


def test_a_script_names_it_in_its_text_but_not_in_comments_and_manuals() -> None:
    text = (
        "#!/usr/bin/perl\n# see /usr/share/doc2/tool\nrequire '/usr/share/tool/lib.pl';\n"
        'my $x = "$ENV{X}/usr/share/other"; . /usr/share/tool/more.sh;\nprint "/usr/share/doc/tool\\n";\n'
        "open(F, '/usr/lib/tool/data');\n__END__\n/usr/share/manual\n"
    )
    assert named_in(text, (), there) == (
        *("/usr/lib/tool/data", "/usr/share/tool/lib.pl", "/usr/share/tool/more.sh"),
    )
    assert named_in(text, ("/usr/share/tool",), there) == ("/usr/lib/tool/data",)


class OfThisMachine(HostWorld):
    def test_a_script_that_misses_its_data_is_warned_of_and_files_brings_them(self) -> None:
        names = (path for path in sorted(glob.glob("/usr/share/[a-z]*/[a-z]*")) if os.path.isfile(path))
        data = next((path for path in names if named_in(path, (), os.path.isfile)), "")
        if not data:
            self.skipTest("/usr/share has no data")
        self.program("speaks", f'#!/bin/sh\n[ "$1" = now ] || exit 0\ncat {data} && echo works\n'.encode())
        where = (self.bin, "/usr/bin", "/bin")
        given = tools("speaks sh cat")
        self.built(given, host_path=where)
        self.assertEqual(self.said(Absent), [Absent(given.id, "tools", "speaks", (data,), True)])
        given = derivation("tools", "host_tools", env={"tools": "speaks sh cat", "files": data})
        self.built(given, host_path=where)
        self.assertEqual(self.said(Absent), [])
        self.assertIn("works", self.run_in_sandbox(given, "speaks now", host_path=where))
