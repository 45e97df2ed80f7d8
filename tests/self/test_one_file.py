"""The one file on all kinds of machines: what Python it takes, what it believes of its cache, its words."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bramble.self import boot
from bramble.self.unpack import unpack
from tests.self.conftest import Box


def copy_of(box: Box) -> Path:
    """The one copy in the cache, complete."""
    (found,) = [path for path in box.cache.iterdir() if not path.name.startswith(".")]
    return found


def test_the_first_run_makes_a_copy_and_the_next_uses_it(one_file: Path, box: Box) -> None:
    assert box.run([str(one_file), "version"]).returncode == 0
    copy = copy_of(box)
    before = copy.stat()
    assert box.run([str(one_file), "version"]).returncode == 0
    assert copy.stat().st_ino == before.st_ino
    assert list((copy / "bramble" / "cli" / "__pycache__").glob("main.*.pyc"))
    assert sorted(path.name for path in box.cache.iterdir()) == [copy.name]
    assert copy.name in box.run([str(one_file), "version"]).stdout


def test_it_finds_the_copy_before_it_loads_what_takes_long(one_file: Path, box: Box) -> None:
    assert box.run([str(one_file), "--version"]).returncode == 0
    watched = box.base / "watched"
    watched.write_text(f'#!/bin/sh\nexec "{sys.executable}" -X importtime "$@"\n')
    watched.chmod(0o755)
    done = box.run([str(one_file), "--version"], BRAMBLE_PYTHON=str(watched))
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert done.returncode == 0 and {"importlib.machinery", "bramble.cli.first"} <= loaded
    assert not {"collections", "contextlib", "enum", "hashlib", "re", "signal", "typing"} & loaded


@pytest.mark.parametrize("change", ["edit", "edit-unseen", "add", "remove", "mode", "link", "manifest"])
def test_a_copy_that_was_changed_is_made_anew(change: str, one_file: Path, box: Box) -> None:
    box.run([str(one_file), "version"])
    copy = copy_of(box)
    module = copy / "bramble" / "cli" / "main.py"
    text = module.read_text()
    evil = text.replace("from bramble import __version__", "raise SystemExit(99)#ramble import")
    module.chmod(0o644)
    if change == "edit":
        module.write_text(evil)
    elif change == "edit-unseen":
        status = module.stat()
        module.write_text(evil.ljust(len(text))[: len(text)])
        module.chmod(0o444)
        os.utime(module, ns=(status.st_atime_ns, status.st_mtime_ns))
    elif change == "add":
        (copy / "bramble" / "json.py").write_text("raise SystemExit(99)")
    elif change == "remove":
        module.unlink()
    elif change == "link":
        module.unlink()
        module.symlink_to(box.base / "evil.py")
        (box.base / "evil.py").write_text(evil)
    elif change == "manifest":
        (copy / "manifest").write_text("")
    done = box.run([str(one_file), "version"])
    assert (done.returncode, done.stdout[:8]) == (0, "bramble "), done.stderr
    assert (copy / "bramble" / "cli" / "main.py").read_text() == text
    assert boot.is_whole(str(copy))
    assert len(list(box.cache.iterdir())) == 1


def test_a_copy_that_others_may_change_is_not_used(one_file: Path, box: Box) -> None:
    box.run([str(one_file), "version"])
    copy = copy_of(box)
    (copy / "bramble" / "cli" / "main.py").chmod(0o644)
    (copy / "bramble" / "cli" / "main.py").write_text("raise SystemExit(99)")
    # As if it had been made so: all but who may write to it fits.
    (copy / "manifest").write_text(boot.manifest(str(copy)))
    assert box.run([str(one_file), "version"]).returncode == 99
    for directory, mode in ((copy, 0o777), (box.cache, 0o777), (box.base / "cache", 0o777)):
        before = directory.stat().st_mode
        directory.chmod(mode)
        done = box.run([str(one_file), "version"])
        assert (done.returncode, done.stdout[:8]) == (0, "bramble "), done.stderr
        if directory == copy:
            # It was put aside. Once more, for the next.
            (copy / "bramble" / "cli" / "main.py").chmod(0o644)
            (copy / "bramble" / "cli" / "main.py").write_text("raise SystemExit(99)")
            (copy / "manifest").write_text(boot.manifest(str(copy)))
        else:
            directory.chmod(before)
    assert box.run([str(one_file), "version"]).returncode == 99


@pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can make files that are another's; CI runs this as root"
)
def test_a_cache_of_another_owner_is_not_used(one_file: Path, box: Box) -> None:
    box.run([str(one_file), "version"])
    copy = copy_of(box)
    (copy / "bramble" / "cli" / "main.py").chmod(0o644)
    (copy / "bramble" / "cli" / "main.py").write_text("raise SystemExit(99)")
    (copy / "manifest").write_text(boot.manifest(str(copy)))
    assert boot.is_whole(str(copy))
    for directory in (copy, box.cache, box.base / "cache"):
        os.chown(directory, 12345, 12345)
        assert not boot.is_whole(str(copy))
        os.chown(directory, 0, 0)
    os.chown(box.cache, 12345, 12345)
    done = box.run([str(one_file), "version"])
    assert (done.returncode, done.stdout[:8]) == (0, "bramble ")


def test_where_no_copy_can_be_made_it_runs_from_the_archive(one_file: Path, box: Box) -> None:
    (box.base / "file").write_text("")
    for environ in (
        {"XDG_CACHE_HOME": ""},
        {"XDG_CACHE_HOME": str(box.base / "file" / "x")},
        {"XDG_CACHE_HOME": "x"},
    ):
        done = box.run([str(one_file), "explain", "load.cycle"], **environ)
        assert (done.returncode, done.stderr) == (0, "")
        assert "the rule" in done.stdout


@pytest.mark.parametrize("size", ["1m", "4m"])
def test_a_full_disk_while_unpacking_is_quiet(size: str, packed: bytes, tmp_path: Path) -> None:
    """A small file system, in namespaces of its own, where only what is root's has an owner who is known."""
    (tmp_path / "bramble").write_bytes(packed)
    (tmp_path / "full").mkdir()
    script = (
        f"mount -t tmpfs -o size={size} none {tmp_path}/full && "
        f"XDG_CACHE_HOME={tmp_path}/full sh {tmp_path}/bramble --version && find {tmp_path}/full -type f"
    )
    done = subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (done.stdout.split()[0], len(done.stdout.split()), done.stderr) == ("bramble", 2, "")


def test_a_full_disk_while_the_source_is_laid_out_leaves_nothing(packed: bytes, tmp_path: Path) -> None:
    (tmp_path / "bramble").write_bytes(packed)
    full = tmp_path / "full"
    full.mkdir()
    script = (
        f"mount -t tmpfs -o size=1m none {full} && mkdir {full}/kept && "
        f"! sh {tmp_path}/bramble self extract {full}/new/source && find {full} -mindepth 1 | sort"
    )
    done = subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"{full}/kept\n{full}/new\n{full}/new/source\n")
    assert "error[cli.unwritable]" in done.stderr and "No space left" in done.stderr


def test_a_cache_that_is_a_link_is_followed(one_file: Path, box: Box) -> None:
    """What is kept elsewhere by a link of the person's own; a link below it is nobody's to follow."""
    (box.base / "elsewhere").mkdir()
    (box.base / "cache").symlink_to("elsewhere")
    box.run([str(one_file), "--version"])
    copy = copy_of(box)
    assert boot.is_whole(os.path.realpath(copy))
    copy.rename(box.base / "other")
    copy.symlink_to(box.base / "other")
    (box.base / "other" / "bramble" / "cli" / "first.py").chmod(0o644)
    (box.base / "other" / "bramble" / "cli" / "first.py").write_text("raise SystemExit(99)")
    (box.base / "other" / "manifest").write_text(boot.manifest(str(copy)))
    assert box.run([str(one_file), "--version"]).returncode == 0
    assert not copy_of(box).is_symlink() and (box.base / "other").is_dir()


def test_first_runs_at_once_end_with_one_copy(one_file: Path, box: Box) -> None:
    environ = {"PATH": str(box.base / "bin"), "XDG_CACHE_HOME": str(box.base / "cache")}
    running = [
        subprocess.Popen([str(one_file), "version"], env=environ, stdout=subprocess.PIPE) for _ in range(6)
    ]
    said = {(process.communicate()[0], process.returncode) for process in running}
    assert len(said) == 1 and said.pop()[1] == 0
    assert boot.is_whole(str(copy_of(box)))
    assert len(list(box.cache.iterdir())) == 1


def test_two_versions_have_two_copies(one_file: Path, box: Box, packed: bytes, tmp_path: Path) -> None:
    assert unpack(packed[packed.index(b"PK\x03\x04") :], str(tmp_path / "cache" / "bramble" / "a"))
    box.run([str(one_file), "version"])
    assert len(list(box.cache.iterdir())) == 2


@pytest.mark.parametrize("keep", [0.0005, 0.001, 0.002, 0.5, 0.999])
def test_a_truncated_file_says_so_and_runs_nothing(
    keep: float, one_file: Path, box: Box, packed: bytes
) -> None:
    box.run([str(one_file), "version"])
    one_file.write_bytes(packed[: int(len(packed) * keep)])
    for environ in ({}, {"XDG_CACHE_HOME": ""}):
        done = box.run([str(one_file), "version"], **environ)
        assert (done.returncode != 0, done.stdout, "Traceback" in done.stderr) == (True, "", False)
        if keep > 0.001:
            assert "error[self.damaged]" in done.stderr


def test_an_appended_or_altered_file_says_so(one_file: Path, box: Box, packed: bytes) -> None:
    one_file.write_bytes(packed + b"x")
    assert "error[self.damaged]" in box.run([str(one_file), "version"]).stderr
    at = packed.index(b"def start(*, ends: ")
    one_file.write_bytes(packed[:at] + b"raise SystemExit(9)" + packed[at + 19 :])
    done = box.run([str(one_file), "version"])
    assert (done.returncode, "error[self.damaged]" in done.stderr) == (1, True)


def old_python(box: Box, name: str) -> None:
    """Put an interpreter there that says of itself that it is 3.6."""
    wrapper = box.base / "bin" / name
    if wrapper.is_symlink():
        wrapper.unlink()
    wrapper.write_text(
        f"#!/bin/sh\nfor word; do case $word in import*) break ;; esac; shift; done\n"
        f"code=$1; shift; exec {sys.executable} -I -S -c 'import sys\n"
        f'sys.version_info = (3, 6, 8)\ncode = sys.argv.pop(1)\nexec(code)\' "$code" "$@"\n'
    )
    wrapper.chmod(0o755)


def test_a_python_that_is_too_old_is_passed_by(one_file: Path, box: Box) -> None:
    (box.base / "bin" / "python3.11").symlink_to(os.path.realpath(sys.executable))
    old_python(box, "python3")
    done = box.run([str(one_file), "version"])
    assert (done.returncode, done.stdout[:8]) == (0, "bramble "), done.stderr
    (box.base / "bin" / "python3.11").unlink()
    done = box.run([str(one_file), "version"])
    assert (done.returncode, done.stdout) == (127, "")
    assert "error[self.no-python]" in done.stderr and "python3)" in done.stderr


def test_without_a_python_the_shell_says_what_to_install(one_file: Path, box: Box) -> None:
    shells = [shutil.which("dash") or "/bin/sh", *([shutil.which("bash")] if shutil.which("bash") else [])]
    busybox = shutil.which("busybox")
    for shell in [[path] for path in shells if path] + ([[busybox, "ash"]] if busybox else []):
        done = box.run([*shell, str(one_file), "build"], PATH=str(box.base / "nowhere"))
        assert (done.returncode, done.stdout) == (127, "")
        assert "error[self.no-python]" in done.stderr and "apt install python3" in done.stderr


def test_python_under_another_name_or_named_by_the_person(one_file: Path, box: Box) -> None:
    (box.base / "bin" / "python3").rename(box.base / "bin" / "python3.12")
    assert box.run([str(one_file), "version"]).returncode == 0
    (box.base / "bin" / "python3.12").rename(box.base / "a b")
    assert box.run([str(one_file), "version"], BRAMBLE_PYTHON=str(box.base / "a b")).returncode == 0
    done = box.run([str(one_file), "version"], BRAMBLE_PYTHON="/no/python")
    assert (done.returncode, "error[self.no-python]" in done.stderr) == (127, True)


def test_a_person_may_name_the_interpreter_first(one_file: Path, box: Box) -> None:
    """As one does with a clone, and where the disk lets nothing be executed."""
    (box.base / "bin" / "python3").rename(box.base / "mine")
    for flags in ([], ["-I"]):
        done = box.run([str(box.base / "mine"), *flags, one_file.name, "version", "--json"])
        assert (done.returncode, done.stderr, '"source": null' in done.stdout) == (0, "", False)
    done = box.run([str(box.base / "mine"), one_file.name, "no-such-command"])
    assert done.returncode == 2 and "Traceback" not in done.stderr


def test_nothing_of_where_one_stands_is_run(one_file: Path, box: Box) -> None:
    hostile = box.base / "hostile"
    hostile.mkdir()
    for name in (
        "json",
        "os",
        "argparse",
        "bramble",
        "signal",
        "importlib",
        "sitecustomize",
        "usercustomize",
    ):
        (hostile / f"{name}.py").write_text("raise SystemExit(99)")
    environ = {"PYTHONPATH": str(hostile), "PYTHONSTARTUP": str(hostile / "json.py"), "PYTHONINSPECT": "1"}
    for _ in range(2):
        done = box.run([str(one_file), "help"], cwd=str(hostile), **environ)
        assert (done.returncode, done.stderr) == (0, "")


def test_it_runs_through_a_link_and_from_a_path_with_spaces(one_file: Path, box: Box) -> None:
    odd = box.base / "a 'b\" $c"
    odd.mkdir()
    one_file.rename(odd / "the file")
    (box.base / "bin" / "bramble").symlink_to(odd / "the file")
    for command in (["bramble"], [str(odd / "the file")], ["/bin/sh", "./the file"]):
        found = shutil.which(command[0], path=str(box.base / "bin")) or command[0]
        done = box.run([found, *command[1:], "version"], cwd=str(odd))
        assert done.returncode == 0, done.stderr


def test_a_pipe_is_told_to_be_no_file(packed: bytes, box: Box) -> None:
    done = subprocess.run(["/bin/sh"], input=packed, cwd=box.base, capture_output=True)
    assert (done.returncode, b"error[self.no-file]" in done.stderr) == (1, True)


def test_an_interpreter_that_is_none_is_refused(one_file: Path, box: Box) -> None:
    for name in ("/bin/true", "/bin/false", "/bin/cat", str(box.base), "./python3"):
        done = box.run([str(one_file), "version"], BRAMBLE_PYTHON=name)
        assert (done.returncode, "error[self.no-python]" in done.stderr) == (127, True)


def test_a_shim_that_stands_for_nothing_is_passed_by(one_file: Path, box: Box) -> None:
    shims = box.base / "shims"
    shims.mkdir()
    (shims / "python3").write_text("#!/bin/sh\necho 'no version is selected' >&2\nexit 127\n")
    (shims / "python3").chmod(0o755)
    (box.base / "bin" / "python3").rename(box.base / "bin" / "python3.9")
    done = box.run([str(one_file), "version"], PATH=f"{shims}:{box.base}/bin")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("keep", [12, 40, 120, 250, 500, 1500, 2300, 2500, 16383, 16384, 16385])
def test_a_file_cut_at_its_beginning_fails(keep: int, one_file: Path, box: Box, packed: bytes) -> None:
    one_file.write_bytes(packed[:keep])
    done = box.run(["/bin/sh", str(one_file), "version"])
    assert (done.returncode != 0, done.stdout, "Traceback" in done.stderr) == (True, "", False)
    assert done.stderr


def test_a_bit_that_is_wrong_where_python_begins_is_found_before_it_runs(
    one_file: Path, box: Box, packed: bytes
) -> None:
    """In the text of the first Python, in the script's isolating flags, in its words."""
    box.run([str(one_file), "version"])
    places = (
        packed.index(b"def cache_directory") + 4,
        packed.index(b"-I -S -c") + 1,
        packed.index(b"zypper"),
    )
    for at in (*places, 16000):
        changed = bytearray(packed)
        changed[at] ^= 0x20
        one_file.write_bytes(changed)
        done = box.run([str(one_file), "version"])
        assert done.returncode == 1 and "Traceback" not in done.stderr
        assert "error[self.damaged]" in done.stderr or "option" in done.stderr


def test_a_file_that_is_named_as_the_shell_is_is_not_run(packed: bytes, box: Box) -> None:
    """Of `curl … | sh` in a directory of somebody else's."""
    at = packed.index(b'"""What the one file runs first')
    for name in ("sh", "bash"):
        (box.base / name).write_bytes(packed[:at] + b'"""x"""\nraise SystemExit(99)\n' + packed[at:])
        done = subprocess.run([name], executable="/bin/sh", input=packed, cwd=box.base, capture_output=True)
        assert (done.returncode, b"error[self.no-file]" in done.stderr) == (1, True)


def test_a_shell_that_reads_it_as_a_part_of_itself_goes_on(one_file: Path, box: Box) -> None:
    done = box.run(["/bin/sh", "-c", f". '{one_file}'; echo $?"])
    # One of the shells refuses by itself what holds bytes that are no text.
    assert done.stdout == "126\n" or (done.stdout, done.stderr[:19]) == ("1\n", "error[self.no-file]")


def test_a_name_is_looked_up_as_the_shell_does(one_file: Path, box: Box) -> None:
    one_file.rename(box.base / "bin" / "bramble")
    (box.base / "elsewhere").mkdir()
    done = box.run(
        [shutil.which("bash") or "/bin/bash", "bramble", "version"],
        cwd=str(box.base / "elsewhere"),
    )
    assert (done.returncode, done.stdout[:8]) == (0, "bramble "), done.stderr


def test_the_script_leaves_the_environment_as_it_is(one_file: Path, box: Box) -> None:
    """A variable that comes from outside keeps its value, if the script has one of that name."""
    (box.base / "bin" / "python3").rename(box.base / "python3")
    (box.base / "bin" / "python3").write_text("#!/bin/sh\nexec /usr/bin/env\n")
    (box.base / "bin" / "python3").chmod(0o755)
    names = ("start", "file", "python", "head", "boot", "IFS", "word")
    done = box.run([str(one_file)], **{name: "mine" for name in names})
    lines = done.stdout.splitlines()
    assert all(f"{name}=mine" in lines for name in names if name != "IFS")
    assert not [line for line in lines if line.startswith("bramble_")]


def test_what_killed_runs_have_left_goes_when_it_is_old(one_file: Path, box: Box) -> None:
    old, young = box.cache / ".unpack-old", box.cache / ".unpack-young"
    for directory in (old, young):
        (directory / "bramble").mkdir(parents=True)
    os.utime(old, (1, 1))
    box.cache.chmod(0o700)
    assert box.run([str(one_file), "version"]).returncode == 0
    assert (old.exists(), young.exists()) == (False, True)


@pytest.mark.parametrize("umask", [0, 0o077, 0o777])
def test_a_copy_is_private_with_any_umask(umask: int, one_file: Path, box: Box) -> None:
    for _ in range(2):
        done = box.run(["/bin/sh", "-c", f'umask {umask:o}; exec "$0" --version', str(one_file)])
        assert (done.returncode, done.stderr) == (0, "")
    assert boot.is_whole(str(copy_of(box)))
    assert (box.base / "cache").stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can make files that are another's; CI runs this as root"
)
def test_root_makes_nothing_in_the_home_of_another(one_file: Path, box: Box) -> None:
    home = box.base / "home"
    home.mkdir()
    os.chown(home, 12345, 12345)
    done = box.run([str(one_file), "version"], XDG_CACHE_HOME="", HOME=str(home))
    assert (done.returncode, done.stderr) == (0, "")
    assert os.listdir(home) == []


def test_a_run_from_the_archive_goes_on_when_the_file_is_overwritten(one_file: Path, box: Box) -> None:
    """`help` is asked for when the file is no longer there: its modules come from memory."""
    script = (
        "import os, sys\n"
        "sys.argv = ['-c', sys.argv[1], 'python3', 'explain', 'load.cycle']\n"
        "head = open(sys.argv[1], 'rb').read(16384)\n"
        'boot = head[head.index(b\'"""What the one file\'):]\n'
        "import importlib\n"
        "real = importlib.import_module\n"
        "def spoil(name):\n"
        "    if name == 'bramble.__main__':\n"
        "        with open(sys.argv[0], 'wb') as file:\n"
        "            file.write(b'#' * 4000000)\n"
        "    return real(name)\n"
        "importlib.import_module = spoil\n"
        "exec(boot)\n"
    )
    done = box.run(["python3", "-I", "-S", "-c", script, str(one_file)], XDG_CACHE_HOME="")
    assert (done.returncode, done.stderr) == (0, "")
    assert "the rule" in done.stdout


def test_bytecode_is_whole_or_not_there(one_file: Path, box: Box) -> None:
    """The limit lets the sources be read, not their bytecode be written; the next run finds none of it."""
    assert box.run([str(one_file), "version"]).returncode == 0
    copy = copy_of(box)
    for cached in copy.rglob("__pycache__"):
        shutil.rmtree(cached)
    limited = box.run(["/bin/sh", "-c", f"ulimit -f 8; exec '{one_file}' --version"])
    assert (limited.returncode, limited.stderr) == (0, "")
    assert [path.name for path in copy.rglob("*.pyc.*")] == []
    done = box.run([str(one_file), "version"])
    assert (done.returncode, done.stderr) == (0, "")
    assert list((copy / "bramble" / "cli" / "__pycache__").glob("main.*.pyc"))


def test_the_file_itself_as_its_python_is_refused(one_file: Path, box: Box) -> None:
    """Once: each would ask the next."""
    done = box.run([str(one_file), "--version"], BRAMBLE_PYTHON=str(one_file))
    assert (done.returncode, "error[self.no-python]" in done.stderr) == (127, True)
