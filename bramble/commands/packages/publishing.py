"""`bramble publish`: what can be seen here before a registry is asked, the asking, and how its job goes."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any, Optional

from bramble.build.fetch.exchange import Sent, exchange
from bramble.build.options import FetchOptions
from bramble.commands.context.setting import Setting, credentials_of
from bramble.commands.packages.checkout import git, has_changes
from bramble.commands.packages.obtain import repositories_of
from bramble.commands.packages.registry.trusting import configured
from bramble.errors import BrambleError
from bramble.packages.names import is_remote, places, tag_of, version_of
from bramble.project.config import LARGEST, parse_config
from bramble.project.names import CONFIG_NAME
from bramble.project.project import Project, find_project
from bramble.project.toml import decode
from bramble.project.versions import Version
from bramble.record import NamedTuple, dataclass

_LARGEST = 1 << 20  # bytes of an answer
_LOOKS = 6  # times that a log may break off without anything new before that is an error
_PAUSE, _LONGEST_PAUSE = 0.5, 8.0  # seconds between two looks at a job
# Codes of errors that are over when a server has been started again.
_PASSING = ("fetch.timeout", "fetch.cut-short", "fetch.unreachable")
_TOO_MANY = 503
_JSON = "application/json"
STATES = ("queued", "running", "published", "failed")


class Wish(NamedTuple):
    """What a registry is going to be asked for."""

    package: str
    version: str
    tag: str
    commit: str
    warnings: tuple[str, ...]


class Job(NamedTuple):
    """The state of a job as a registry reports it. Its texts are not trusted."""

    id: str
    state: str
    package: str
    version: str
    commit: str
    digest: str
    already: bool
    impure: tuple[str, ...]
    ahead: int
    error: Optional[BrambleError]

    @property
    def is_over(self) -> bool:
        """Return whether nothing of it will change any more."""
        return self.state in ("published", "failed")


# --- here ------------------------------------------------------------------------


def wish_of(reference: str, setting: Setting) -> Wish:
    """Return what `reference` means, a version or its tag, "" for the version in bramble.toml.

    Raises packages.unknown for a name that is not an address, packages.* for what prevents publication,
    and those of reading a project.
    """
    # spec: registry.client.checks
    project = find_project(setting.cwd)
    name = project.name
    if not is_remote(name) or not places(name):
        raise BrambleError(
            "packages.unknown",
            f'the name "{name}" is not the address of a repository: HOST/PATH is expected',
            remedy=f"name the project after its repository, in {CONFIG_NAME}: github.com/you/it",
        )
    top = os.path.realpath(git(project.root, "rev-parse", "--show-toplevel").strip())
    directory = os.path.relpath(os.path.realpath(project.root), top)
    directory = "" if directory == "." else directory
    version = _version(project, reference, directory)
    tag = tag_of(directory, version)
    commit = _commit(project.root, tag)
    if not commit:
        raise BrambleError(
            "packages.no-tag",
            f"there is no tag {tag} in this repository",
            remedy=("" if _commit(project.root, "HEAD", "") else "git add -A && git commit, then: ")
            + f"git tag {tag} && git push origin {tag}",
        )
    _check_config(project, directory, commit, tag, version)
    warnings = []
    if has_changes(project.root):
        warnings.append(f"changes that are not committed are not in {tag}")
    if _commit(project.root, "HEAD", "") != commit:
        warnings.append(f"{tag} is commit {commit[:12]}, and not what you have checked out")
    if not setting.offline:
        warnings += _pushed(project, tag, directory, version, commit, setting)
    return Wish(name, str(version), tag, commit, tuple(warnings))


def _version(project: Project, reference: str, directory: str) -> Version:
    if not reference:
        return Version.parse(project.config.version)
    return version_of(directory, reference) or version_of("", reference) or Version.parse(reference)


def _commit(root: str, reference: str, kind: str = "refs/tags/") -> str:
    return git(root, "rev-parse", "--quiet", "--verify", f"{kind}{reference}^{{commit}}", fails=True).strip()


def _text_in(root: str, name: str) -> str:
    """Return the text of a file that git has under this name; "" if it is no file, or is too large."""
    # spec: registry.client.checks
    size = git(root, "cat-file", "-s", name, fails=True).strip() or "0"
    # Not `git show`: it shows a commit that stands there by programs that the repository names.
    return git(root, "cat-file", "blob", name, fails=True) if int(size) <= LARGEST else ""


def _check_config(project: Project, directory: str, commit: str, tag: str, version: Version) -> None:
    """Demand that the bramble.toml of a tag says what the tag does. Raises packages.*, config.*."""
    # spec: packages.name.agrees, packages.tag.agrees
    path = f"{directory}/{CONFIG_NAME}" if directory else CONFIG_NAME
    text = _text_in(project.root, f"{commit}:{path}")
    again = f"commit what is right, then: git tag -d {tag} && git tag {tag}"
    if not text:
        fact = f"there is no {path} in {tag}, or it is no file, or larger than {LARGEST >> 20} MiB"
        raise BrambleError("packages.no-project", fact, remedy=again)
    config = parse_config(decode(text.encode("utf-8", "surrogateescape"), path), f"{tag}:{path}")
    if config.name != project.name:
        raise BrambleError("packages.name", f'{path} in {tag} says the name "{config.name}"', remedy=again)
    if config.version != str(version):
        raise BrambleError(
            "packages.version",
            f"{path} in {tag} says version {config.version}, and the tag {version}",
            remedy=f'write version = "{version}" and commit it; {again}',
        )


def _pushed(
    project: Project, tag: str, directory: str, version: Version, commit: str, setting: Setting
) -> list[str]:
    """Demand that the repository that the name says has the tag. What cannot be asked is a warning."""
    push = f"git push origin {tag}"
    try:
        with repositories_of(project, setting) as (_, repositories):
            found = repositories.of(project.name)
    except BrambleError as error:
        if error.code == "packages.unknown":
            raise BrambleError(
                "packages.not-pushed",
                error.message,
                remedy="push to the repository of that name, or correct the name",
                detail=error.detail,
            ) from None
        return [f"whether {tag} is pushed could not be determined: {error.message}"]
    there = found.versions.get(version)
    if found.place.directory != directory or there is None:
        raise BrambleError(
            "packages.not-pushed", f"{found.place.url} has no tag {tag} for {project.name}", remedy=push
        )
    if there != commit:
        raise BrambleError(
            "packages.not-pushed",
            f"{tag} is commit {commit[:12]} here, and {there[:12]} in {found.place.url}",
            remedy=f"git fetch --tags shows what is there; if nobody uses it yet: {push} --force",
        )
    return []


# --- there -----------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """A registry that is asked."""

    url: str  # its root, without a slash at the end
    options: FetchOptions
    cancelled: threading.Event

    def publish(self, package: str, reference: str) -> Job:
        """Ask for a version to be published. Raises registry.refused, registry.answer, fetch.*."""
        # spec: registry.jobs.ask
        wish = json.dumps({"package": package, "reference": reference}).encode("ascii")
        return self._job("job", Sent(_JSON, wish))

    def job(self, id: str) -> Job:
        """Return what has become of a job."""
        return self._job(f"job/{id}", None)

    def _job(self, path: str, sent: Optional[Sent]) -> Job:
        url = f"{self.url}/{path}"
        with exchange(url, self.options, self.cancelled, sent=sent) as (head, body):
            data = b""
            for piece in body:
                data += piece
                if len(data) > _LARGEST:
                    raise _no_answer(url, "its answer does not end")
        values = _read(url, data)
        if not 200 <= head.status < 300:
            raise _refused(url, head.status, values)
        try:
            return _read_job(values)
        except (KeyError, TypeError, ValueError):
            raise _no_answer(url, "its description of a job is not valid") from None

    def follow(self, job: Job, on_text: Callable[[str], None]) -> Job:
        """Hand on what a job prints until it is over, whole lines, and return what has become of it.

        A server that is started again meanwhile is waited for. Raises as `job` does.
        """
        # spec: registry.jobs.log, registry.client.follow
        log, in_vain = _Log(on_text), 0
        while not job.is_over:
            before = log.read
            try:
                self._follow(job.id, log)
                job = self.job(job.id)
                in_vain, pause = 0, _PAUSE
            except BrambleError as error:
                in_vain = 0 if log.read > before else in_vain + 1
                if error.code not in _PASSING or in_vain > _LOOKS:
                    raise
                pause = min(_PAUSE * 2**in_vain, _LONGEST_PAUSE)
            if not job.is_over and self.cancelled.wait(pause):
                break
        return job

    def _follow(self, id: str, log: _Log) -> None:
        url = f"{self.url}/job/{id}/logs?from={log.read}"
        with exchange(url, self.options, self.cancelled, accept="text/plain") as (head, body):
            if head.status == _TOO_MANY:
                return  # What becomes of the job can be asked all the same.
            if head.status != 200:
                raise _refused(url, head.status, {})
            held = b""
            for piece in body:
                # Whole lines: what is cut off is asked for again.
                whole, newline, held = (held + piece).rpartition(b"\n")
                log.add(whole + newline)
                if len(held) > _LARGEST:
                    raise _no_answer(url, "a line of the log does not end")
            log.add(held)


@dataclass
class _Log:
    """A log that is handed on: `read` is how many bytes of it have been."""

    on_text: Callable[[str], None]
    read: int = 0

    def add(self, data: bytes) -> None:
        """Hand on what comes next."""
        self.read += len(data)
        if data:
            self.on_text(data.decode("utf-8", "replace").rstrip("\n"))


def _read(url: str, data: bytes) -> dict[str, Any]:
    try:
        values = json.loads(data)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise _no_answer(url, "it does not answer with JSON")
    return values


def _read_job(values: dict[str, Any]) -> Job:
    id, state = values["id"], values["state"]
    if not (isinstance(id, str) and id.isascii() and id.isalnum() and len(id) <= 64 and state in STATES):
        raise ValueError("no job")
    texts = [values.get(key) or "" for key in ("package", "release", "commit", "digest")]
    impure, ahead, error = values.get("impure", []), values.get("ahead", 0), values.get("error")
    if not all(isinstance(text, str) for text in (*texts, *impure)) or not isinstance(ahead, int):
        raise TypeError("no job")
    package, version, commit, digest = texts
    return Job(
        *(id, state, package, version, commit, digest),
        *(bool(values.get("already")), tuple(impure), ahead, None if error is None else _error(error)),
    )


def _error(values: Any) -> BrambleError:
    if not isinstance(values, dict):
        raise TypeError("no error")
    code, message, remedy, detail = (
        str(values.get(key) or "") for key in ("error", "message", "remedy", "detail")
    )
    # Printed as one line, so that a server cannot forge further lines.
    code, message, at = (" ".join(text.split()) for text in (code, message, str(values.get("at") or "")))
    return BrambleError(
        "registry.failed",
        f"the registry does not publish it: [{code}] {f'{at}: ' if at else ''}{message}",
        remedy=remedy or None,
        detail=detail,
    )


def _refused(url: str, status: int, values: dict[str, Any]) -> BrambleError:
    message, remedy = (values.get(key) for key in ("message", "remedy"))
    said = f": {message}" if isinstance(message, str) else ""
    if status == 401:
        remedy = "write the token for the host of the registry into ~/.config/bramble/credentials: "
        remedy += "HOST Bearer TOKEN"
    return BrambleError(
        "registry.refused",
        f"the registry answers {status}{said}",
        remedy=remedy if isinstance(remedy, str) else f"check the URL: {url}",
    )


def _no_answer(url: str, fact: str) -> BrambleError:
    return BrambleError(
        "registry.answer", f"{url} does not answer as a registry: {fact}", remedy="check the URL"
    )


def own_registry(setting: Setting) -> str:
    """Return the URL of the first registry of the user that is a server, "" for none.

    Raises config.registries.
    """
    # spec: registry.client.which
    urls = (one.url for one in configured(setting).registries)
    return next((url for url in urls if not url.startswith("file:")), "")


def fetch_options(setting: Setting) -> FetchOptions:
    """Return how this machine reaches registries."""
    return FetchOptions(
        offline=setting.offline,
        proxies=setting.proxies,
        ca_file=setting.ca_file,
        ca_directory=setting.ca_directory,
        netrc=setting.netrc,
        credentials=credentials_of(setting),
    )


def as_json(url: str, job: Job, warnings: Sequence[str]) -> dict[str, Any]:
    """Return what `publish --json` prints."""
    # spec: registry.client.json
    return {
        "version": 1,
        "registry": url,
        "job": job.id,
        "state": job.state,
        "package": job.package,
        "release": job.version or None,
        "commit": job.commit or None,
        "digest": job.digest or None,
        "already": job.already,
        "impure": list(job.impure),
        "warnings": list(warnings),
    }
