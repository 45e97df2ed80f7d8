"""The git of this machine, run without the configuration of this machine.

It reads one configuration, which is written here, and no environment but what is given
here. What is secret is in files without a name, open in git and in what it starts: no list of
processes, no environment and no directory shows it. Repositories of other owners may be read
(`safe.directory`): they are only served by git-upload-pack, which is made for repositories that
nobody trusts and runs neither hooks nor programs that their configuration names
(git-upload-pack(1), SECURITY).
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import select
import shlex
import signal
import subprocess
import threading
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Optional

from bramble.build.fetch.discretion import redact
from bramble.build.task import Cancelled, Listener
from bramble.errors import BrambleError
from bramble.record import dataclass, field
from bramble.store.files.small import make_directory

_SAID = 1 << 16  # bytes of what git says that are kept
_POLL = 0.1  # seconds until a cancellation is noticed
# What git says of a server that may do it at the next attempt, and of one that it could not even ask.
_PASSING = re.compile(
    rb"returned error: (?:408|425|429|5\d\d)|RPC failed|early EOF|Empty reply|Recv failure|"
    rb"unexpected disconnect|hung up unexpectedly|transfer closed|protocol error: bad"
)
_UNASKED = re.compile(rb"Could not resolve|Failed to connect|Couldn't connect|Connection refused")
_SLOW = re.compile(rb"Operation too slow|Operation timed out|Connection timed out|Timeout was reached")
# git's message about a server that requires authentication, or is itself unknown → what to do.
_REFUSED = (
    (
        re.compile(rb"could not read (?:Username|Password)|Authentication failed|returned error: 40[13]"),
        "if it is private, write a name and a password for its host into ~/.netrc, or a token into "
        "~/.config/bramble/credentials (bramble help environment)",
    ),
    (
        re.compile(rb"returned error: 30[12378]"),
        "its server redirects to another address, where credentials are not sent: write that URL",
    ),
    (
        re.compile(rb"Permission denied \("),
        "add your key to the agent with ssh-add; no other key is used",
    ),
    (
        re.compile(rb"Host key verification failed"),
        "add the key of that server to ~/.ssh/known_hosts, as `ssh HOST` does",
    ),
)
# Lines that `--progress` makes, which show that git gets on.
_PROGRESS = re.compile(
    rb"(?:remote: )?(?:Enumerating|Counting|Compressing|Receiving|Resolving|Unpacking|Checking|Total)\b.*"
)
_CONFIGURATION = """[safe]
	directory = *
[core]
	hooksPath = /dev/null
	attributesFile = /dev/null
	excludesFile = /dev/null
	fsmonitor = false
[fetch]
	unpackLimit = 1
[gc]
	auto = 0
[maintenance]
	auto = false
[protocol]
	version = 2
[advice]
	detachedHead = false
"""


@dataclass(frozen=True)
class Login:
    """A name and password for one server, `SCHEME://HOST:PORT`."""

    server: str
    name: str
    password: str


@dataclass(frozen=True)
class Authorization:
    """A value of the header `Authorization` for one server, `SCHEME://HOST:PORT`."""

    server: str
    value: str


@dataclass(frozen=True)
class Surroundings:
    """What git is given in the place of the environment."""

    search: Sequence[str]  # directories of programs
    timeout: int  # seconds without a byte
    silence: float  # seconds in which git itself says nothing of what it does
    pauses: Sequence[float] = ()  # before each further attempt where a server fails for the moment
    protocols: str = "file:git:http:https:ssh"  # that it may use, with ":" between
    proxy: Optional[str] = field(default=None, repr=False)
    authorities: Optional[bytes] = None  # certificates to trust, in the form PEM; None: those of the machine
    login: Optional[Login] = field(default=None, repr=False)
    authorization: Optional[Authorization] = field(default=None, repr=False)
    agent: Optional[str] = None  # the socket of the user's ssh-agent(1)
    known_hosts: Optional[str] = None  # the user's file of keys of servers, for ssh
    redirects: bool = True  # a server may send it on, once
    file_size: int = 64 << 30  # bytes of one file that git writes: all objects come in one
    memory: int = 1 << 40  # bytes of one process of git


class Git:
    """A git process and its bare repository in the directory `scratch`. `url` is for messages."""

    def __init__(
        self, program: str, scratch: str, url: str, given: Surroundings, seconds: float, listener: Listener
    ) -> None:
        self._program = _limited(program, given)
        self._scratch = scratch
        self._url = redact(url)
        self._listener = listener
        self._seconds = seconds
        self._until = time.monotonic() + seconds
        self._silence = given.silence
        self._pauses = given.pauses
        home = f"{scratch}/home"
        make_directory(home, 0o700)
        self._hidden: list[int] = []
        # Versions before 2.32 know no GIT_CONFIG_GLOBAL, and look into HOME.
        with open(f"{home}/.gitconfig", "w", encoding="utf-8") as out:
            out.write(_CONFIGURATION + _redirects(given) + self._credentials(given))
        with open(f"{home}/ssh_config", "w", encoding="utf-8") as out:
            out.write(_of_ssh(given))
        if given.authorities is not None:
            make_directory(f"{home}/none", 0o700)
            with open(f"{home}/authorities.pem", "wb") as pem:
                pem.write(given.authorities)
        self._environment = _environment(home, given)
        self.begin("sha1")

    def _credentials(self, given: Surroundings) -> str:
        """Return the part of a configuration that says where git finds what is secret."""
        # spec: build.fetch.secrets
        text = ""
        if given.login is not None:
            answer = f"username={given.login.name}\npassword={given.login.password}\n"
            helper = f'!f() {{ test \\"$1\\" = get && cat {self._hide(answer)}; }}; f'
            text += f'[credential "{given.login.server}"]\n\thelper = "{helper}"\n'
        more = _secret_configuration(given)
        return text + (f"[include]\n\tpath = {self._hide(more)}\n" if more else "")

    def _hide(self, text: str) -> str:
        """Return the path under which git and what it starts, and nobody else, finds a text."""
        path = f"{self._scratch}/hidden"
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        os.unlink(path)
        weakref.finalize(self, os.close, fd)
        os.write(fd, os.fsencode(text))
        self._hidden.append(fd)
        return f"/proc/self/fd/{fd}"

    def begin(self, hashes: str) -> None:
        """Make an empty repository for a kind of hashes ("sha1", "sha256"), and go on in it."""
        repository = f"{self._scratch}/{hashes}"
        # Versions before 2.29 know no other kind, and not the option.
        form = () if hashes == "sha1" else (f"--object-format={hashes}",)
        self.run("init", "--quiet", "--bare", "--template=", *form, repository)
        self._environment = {**self._environment, "GIT_DIR": repository}

    def run(self, *arguments: str, keep: int = _SAID) -> bytes:
        """Run git and return the end of what it says. Raises fetch.git, fetch.timeout, Cancelled."""
        status, said = self.ask(*arguments, keep=keep)
        if status:
            raise self.failure(arguments[0], said)
        return said

    def ask_server(self, *arguments: str, keep: int = _SAID) -> tuple[int, bytes]:
        """Do as `ask` where a server has to answer: one that fails for the moment is asked again."""
        # spec: build.fetch-git.patience
        for pause in self._pauses:
            status, said = self.ask(*arguments, keep=keep)
            if not status or not _is_passing(said):
                return status, said
            self._listener.cancelled.wait(min(pause, max(self._until - time.monotonic(), 0)))
            self._refuse_to_go_on()
        return self.ask(*arguments, keep=keep)

    def ask(self, *arguments: str, keep: int = _SAID) -> tuple[int, bytes]:
        """Run git and return its exit status and the last `keep` bytes that it says, errors included."""
        process = subprocess.Popen(
            [*self._program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._environment,
            cwd=self._scratch,
            start_new_session=True,
            pass_fds=self._hidden,
        )
        said = self._wait(process, keep)
        return process.returncode, said

    @contextlib.contextmanager
    def talking(self, *arguments: str) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
        """Run git, and give its standard input and output."""
        process = subprocess.Popen(
            [*self._program, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self._environment,
            cwd=self._scratch,
            start_new_session=True,
            pass_fds=self._hidden,
        )
        assert process.stdin is not None and process.stdout is not None
        done = threading.Event()
        watch = threading.Thread(target=self._watch, args=(process, done), daemon=True)
        watch.start()
        try:
            yield process.stdin, process.stdout
        except Exception:
            # What has ended git early is the reason, and not that it has ended.
            self._refuse_to_go_on()
            raise
        finally:
            done.set()
            watch.join()
            _end(process)
            with contextlib.suppress(OSError):
                process.stdin.close()
            process.stdout.close()

    def _watch(self, process: subprocess.Popen[bytes], done: threading.Event) -> None:
        """End git, which nobody waits for with a limit while it talks, when its time is over."""
        while not done.wait(_POLL):
            if self._listener.cancelled.is_set() or time.monotonic() > self._until:
                _kill(process)
                return

    def _refuse_to_go_on(self) -> None:
        if self._listener.cancelled.is_set():
            raise Cancelled
        if time.monotonic() > self._until:
            raise self._too_long()

    def failure(self, doing: str, said: bytes) -> BrambleError:
        """Return the error for something that git could not do."""
        return BrambleError(
            # spec: build.fetch-git.patience
            "fetch.timeout" if _SLOW.search(said) else "fetch.git",
            f'git could not get "{self._url}" ({doing})',
            remedy=refusal(said) or "check the URL and the reference; `git ls-remote` shows what is there",
            detail=_told(said).decode("utf-8", "replace").strip(),
        )

    def _wait(self, process: subprocess.Popen[bytes], keep: int) -> bytes:
        """Return the end of what git says: a server can have it say whatever it likes, for an hour."""
        assert process.stdout is not None
        said, ended, heard = bytearray(), False, time.monotonic()
        poll = select.poll()
        poll.register(process.stdout, select.POLLIN)
        try:
            while not ended:
                if poll.poll(_POLL * 1000):
                    piece, heard = os.read(process.stdout.fileno(), _SAID), time.monotonic()
                    said += piece
                    del said[: max(len(said) - keep, 0)]
                    ended = not piece
                self._refuse_to_go_on()
                if time.monotonic() > heard + self._silence:
                    raise self._too_silent()
            while process.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_POLL)
                self._refuse_to_go_on()
            return bytes(said)
        finally:
            if process.poll() is None:
                _end(process)
            process.stdout.close()

    def _too_silent(self) -> BrambleError:
        # spec: build.fetch-git.patience
        return BrambleError(
            "fetch.timeout",
            f'git printed nothing for {self._silence:g} seconds about "{self._url}"',
            remedy="check that its server answers, or give a local copy in the mirror table",
        )

    def _too_long(self) -> BrambleError:
        # spec: build.fetch.patience
        return BrambleError(
            "fetch.timeout",
            f'git took longer than {self._seconds:g} seconds for "{self._url}"',
            remedy="give it longer (--timeout), or a local copy in the mirror table",
        )


def refusal(said: bytes) -> str:
    """Return what to do where a server has refused to say anything to a stranger; "" if none has."""
    return next((remedy for pattern, remedy in _REFUSED if pattern.search(said)), "")


def was_unanswered(detail: str) -> bool:
    """Tell by git's messages whether a server has failed or was not reached: another attempt may help."""
    said = detail.encode("utf-8", "replace")
    return _is_passing(said) or bool(_UNASKED.search(said))


def _is_passing(said: bytes) -> bool:
    # A server that refuses says why, and may then hang up.
    return bool(_PASSING.search(said)) and b"remote error:" not in said


def _told(said: bytes) -> bytes:
    """Return git's messages without its progress."""
    lines = (line.rpartition(b"\r")[2] for line in said.replace(b"\r\n", b"\n").split(b"\n"))
    return b"\n".join(line for line in lines if not _PROGRESS.fullmatch(line))


def _limited(program: str, given: Surroundings) -> Sequence[str]:
    """Return how to call git so that no server can have it fill the disk or the memory."""
    # spec: build.fetch.size
    sizes = []
    for kind, size in ((resource.RLIMIT_FSIZE, given.file_size), (resource.RLIMIT_DATA, given.memory)):
        allowed = resource.getrlimit(kind)[1]
        sizes.append(size if allowed == resource.RLIM_INFINITY else min(size, allowed))
    # sh(1), ulimit: in blocks of 512 bytes and in kibibytes. Set before git begins, and without a fork hook,
    # which is not safe in a program with threads.
    script = 'ulimit -f "$1" && ulimit -d "$2" && shift 2 && exec "$@"'
    return "/bin/sh", "-c", script, "sh", str(sizes[0] // 512), str(sizes[1] // 1024), program


def _end(process: subprocess.Popen[bytes]) -> None:
    _kill(process)
    process.wait()


def _kill(process: subprocess.Popen[bytes]) -> None:
    # It has child processes, for https and ssh.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def find_git(name: str, host_path: Sequence[str]) -> str:
    """Return the path of git; `name` is the derivation's. Raises fetch.git-missing."""
    for directory in host_path:
        path = f"{directory}/git"
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    raise BrambleError(
        "fetch.git-missing",
        f'"{name}" needs git, which this machine does not have',
        remedy="install git, or fetch an archive of the commit with fetch_url",
    )


def _redirects(given: Surroundings) -> str:
    return "" if given.redirects else "[http]\n\tfollowRedirects = false\n"


def _secret_configuration(given: Surroundings) -> str:
    """Return the part of a configuration that is itself secret; "" if there is nothing."""
    text = ""
    if given.authorization is not None:
        # git would send the header on to whatever server it is led to.
        text += (
            f'[http "{given.authorization.server}"]\n\tfollowRedirects = false\n'
            f"\textraHeader = {_quoted(f'Authorization: {given.authorization.value}')}\n"
        )
    if given.proxy is not None and "@" in given.proxy:
        text += f"[http]\n\tproxy = {_quoted(given.proxy)}\n"
    return text


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _of_ssh(given: Surroundings) -> str:
    """Return a configuration of ssh(1): keys are those of the agent, and no server is new."""
    # spec: build.fetch-git.ssh
    settings = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "PreferredAuthentications": "publickey",
        "IdentityFile": "none",
        "ForwardAgent": "no",
        "ForwardX11": "no",
        "ClearAllForwardings": "yes",
        "PermitLocalCommand": "no",
        "UpdateHostKeys": "no",
        "ConnectTimeout": f"{given.timeout}",
        "ServerAliveInterval": f"{given.timeout}",
    }
    if given.known_hosts is not None and not {'"', "\n"} & {*given.known_hosts}:
        settings["UserKnownHostsFile"] = '"' + given.known_hosts.replace("%", "%%") + '"'
    return "".join(f"{name} {value}\n" for name, value in settings.items())


def _environment(home: str, given: Surroundings) -> Mapping[str, str]:
    # spec: build.fetch-git.alone
    variables = {
        "PATH": ":".join(given.search),
        "HOME": home,
        "XDG_CONFIG_HOME": home,
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": f"{home}/.gitconfig",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "SSH_ASKPASS_REQUIRE": "never",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_ALLOW_PROTOCOL": given.protocols,
        "GIT_SSH_COMMAND": f"ssh -F {shlex.quote(f'{home}/ssh_config')}",
        "GIT_HTTP_LOW_SPEED_LIMIT": "1",
        "GIT_HTTP_LOW_SPEED_TIME": f"{given.timeout}",
    }
    if given.agent is not None:
        variables["SSH_AUTH_SOCK"] = given.agent
    if given.proxy and "@" not in given.proxy:
        variables.update({f"{scheme}_proxy": given.proxy for scheme in ("http", "https", "all")})
    elif not given.proxy:
        variables["no_proxy"] = "*"
    if given.authorities is not None:
        # Both: what is not set is what the library has been built with.
        variables["GIT_SSL_CAINFO"] = f"{home}/authorities.pem"
        variables["GIT_SSL_CAPATH"] = f"{home}/none"
    return variables
