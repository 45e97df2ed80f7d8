"""The answers of a registry: files, jobs, and HTML pages."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import json
import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from bramble.commands.registry.catalogue import Catalogue
from bramble.commands.registry.jobs import Job
from bramble.commands.registry.lining_up import Line
from bramble.commands.registry.pages.frame import POLICY, Surroundings, trouble
from bramble.commands.registry.pages.jobs import Watched, job_page, jobs_page
from bramble.commands.registry.pages.packages import list_page, package_page
from bramble.errors import BrambleError
from bramble.packages.registry.layout import PACKAGES, Kind, path_of, route, versions_path
from bramble.packages.registry.releases import broken_release, parse_release
from bramble.record import NamedTuple, dataclass, field
from bramble.serving.answer import REASONS, Answer, Coming, of_file
from bramble.serving.files import open_below
from bramble.serving.request import Refused, Request

_HTML, _JSON, _TEXT = "text/html", "application/json", "text/plain"
_SAFE = (
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", POLICY),
    ("Referrer-Policy", "no-referrer"),
)
_READ = ("GET", "HEAD")
_METHODS = (*_READ, "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT")
_ADDRESS = "check the address: `bramble registry serve` prints the one of the registry"
_KINDS = {
    Kind.CONFIG: "text/plain; charset=utf-8",
    Kind.SOURCE: "application/x-tar",
    Kind.DOCS: "application/json",
    Kind.VERSIONS: "application/json",
    PACKAGES: "application/json",
}
# A version never changes; everything else may at any time.
_FOR_GOOD = (Kind.CONFIG, Kind.SOURCE, Kind.DOCS)
_SHOWN_JOBS = 100
_SHOWN_LOG = 64 << 10  # bytes of a log on a page
_REFRESH = 3  # seconds
_LONGEST_REFERENCE = 255
# Logs at once, in all and for one client: each holds a connection for as long as its job takes.
_MOST_FOLLOWED, _FOLLOWED_BY_ONE = 64, 16
_ANY = "0.0.0"  # a version, where only a name is checked
# Codes of errors that are not the fault of what was asked for.
_STATUSES = {"registry.too-many": (429, "60"), "registry.busy": (503, "60")}


class Owned(NamedTuple):
    """The configuration of a registry by its operator."""

    origin: str
    key: str  # public
    url: str  # "" if it is the one that clients use
    tokens: tuple[bytes, ...] = ()  # SHA-256 of each that may publish; none: everybody may
    behind_proxy: bool = False  # clients are those that the field X-Forwarded-For names


@dataclass
class Site:
    """Answers requests about one registry."""

    owned: Owned
    catalogue: Catalogue
    line: Line
    _followed: list[str] = field(default_factory=list)  # clients, one for each log
    _counting: threading.Lock = field(default_factory=threading.Lock)

    def respond(self, request: Request) -> Answer:
        """Return the answer to a request. Raises Refused."""
        if request.method not in _METHODS:
            raise Refused(501, f"the method {request.method[:20]} is not known")
        # spec: registry.http.methods
        allowed = (*_READ, "POST") if request.path == ("job",) else _READ
        if request.method not in allowed:
            raise Refused(405, f"{request.method} is not for this address", [("Allow", ", ".join(allowed))])
        first = request.path[0]
        if request.path == ("",):
            return self._home(request)
        if first == "job":
            return self._post(request) if request.method == "POST" else self._jobs(request)
        return self._file(request) or self._package(request)

    def explain(self, request: Optional[Request], refused: Refused) -> Answer:
        """Return the answer that says why a request is not answered as it stands."""
        # spec: registry.http.errors
        error = BrambleError("registry.http", refused.fact, remedy=_ADDRESS)
        return self._error(request, refused.status, error, refused.fields)

    def _around(self, request: Request) -> Surroundings:
        url = self.owned.url or f"http://{request.fields.get('host', 'localhost')}"
        return Surroundings("../" * (len(request.path) - 1) or "./", self.owned.origin, self.owned.key, url)

    # --- files -------------------------------------------------------------------

    def _file(self, request: Request) -> Optional[Answer]:
        """Return a file of the registry; None for other addresses."""
        found = route("/".join(request.path))
        if found is None:
            return None
        keeps = "public, max-age=31536000, immutable" if found.kind in _FOR_GOOD else "no-cache"
        fields = [
            ("Content-Type", _KINDS.get(found.kind, "text/plain; charset=utf-8")),
            ("Cache-Control", keeps),
            *_SAFE,
        ]
        return self._stored(request, request.path, fields, Refused(404, "the registry has no such file"))

    def _stored(
        self, request: Request, parts: Sequence[str], fields: Sequence[tuple[str, str]], absent: Refused
    ) -> Answer:
        """Return a file below the root. Raises `absent` if it does not exist, Refused for a part of it."""
        opened = open_below(self.catalogue.top, parts)
        if opened is None:
            raise absent
        try:
            return of_file(request, *opened, fields)
        except Refused:
            os.close(opened[0])
            raise

    # --- packages ----------------------------------------------------------------

    def _home(self, request: Request) -> Answer:
        query = request.parameters.get("q", "")[:200]
        found = self.catalogue.search(query)
        if not request.prefers(_HTML, _JSON):
            listed = [{**one._asdict(), "requires": list(one.requires)} for one in found]
            return _json(200, {"version": 1, "packages": listed})
        total = len(self.catalogue.packages())
        return _page(200, list_page(self._around(request), found, total, query))

    def _package(self, request: Request) -> Answer:
        if request.path[0] != "package" or len(request.path) < 2:
            raise Refused(404, "there is nothing at this address")
        text = "/".join(request.path[1:])
        name, version = text, ""
        release = parse_release(text)
        if release is not None:
            name, version = release
        absent = Refused(404, f'the registry has no package "{text}"')
        if broken_release(name, _ANY) is not None:
            raise absent
        if request.prefers(_HTML, _JSON):
            shown = self.catalogue.shown(name, version)
            if shown is None:
                raise absent
            return _page(200, package_page(self._around(request), shown))
        path = versions_path(name) if release is None else path_of(Kind.DOCS, release)
        return self._stored(request, path.split("/"), _fields(_JSON), absent)

    # --- jobs --------------------------------------------------------------------

    def _jobs(self, request: Request) -> Answer:
        if len(request.path) == 1:
            jobs = self.line.latest(_SHOWN_JOBS, request.parameters.get("package", ""))
            if request.prefers(_HTML, _JSON):
                return _page(200, jobs_page(self._around(request), jobs))
            return _json(200, {"version": 1, "jobs": [job.to_json() for job in jobs]})
        number = request.path[1]
        known = number.isascii() and number.isdigit() and len(number) <= 15
        job = self.line.get(int(number)) if known else None
        if job is None:
            raise Refused(404, "the registry has no such job")
        if request.path[2:] == ("logs",):
            return self._log(request, job)
        if len(request.path) != 2:
            raise Refused(404, "there is nothing at this address")
        if not request.prefers(_HTML, _JSON):
            return _json(200, {**job.to_json(), "ahead": self.line.ahead(job)})
        log, cut = self.line.end_of_log(job.id, _SHOWN_LOG)
        watched = Watched(job, self.line.ahead(job), log.decode("utf-8", "replace"), cut)
        # Without a script a page that changes has to be asked for again.
        again = [] if job.is_over else [("Refresh", str(_REFRESH))]
        return _page(200, job_page(self._around(request), watched), again)

    def _log(self, request: Request, job: Job) -> Answer:
        """Return what a job prints, until it is over."""
        # spec: registry.jobs.log
        start = request.parameters.get("from", "0")
        if not (start.isascii() and start.isdigit() and len(start) <= 15):
            raise Refused(400, "`from` is a number of bytes")
        fields = [("Content-Type", f"{_TEXT}; charset=utf-8"), ("Cache-Control", "no-store"), *_SAFE]
        # spec: registry.jobs.bounds
        client = self._client(request)
        with self._counting:
            if len(self._followed) >= _MOST_FOLLOWED or self._followed.count(client) >= _FOLLOWED_BY_ONE:
                raise Refused(503, "too many follow logs", [("Retry-After", "10")])
            self._followed.append(client)
        pieces = self.line.follow(job.id, int(start))
        return Answer(200, fields, Coming(pieces, lambda: self._unfollow(client)))

    def _unfollow(self, client: str) -> None:
        with self._counting:
            self._followed.remove(client)

    def _post(self, request: Request) -> Answer:
        # spec: registry.jobs.ask
        self._check_token(request)
        if request.fields.get("content-type", "").partition(";")[0].strip().lower() != _JSON:
            # A form of another site can send neither this type nor an answer to the question for it.
            raise Refused(415, f"a request for a job has the type {_JSON}")
        try:
            wish = _wish(request.body)
            job = self.line.add(*wish, self._client(request))
        except BrambleError as error:
            status, again = _STATUSES.get(error.code, (400, ""))
            return self._error(request, status, error, [("Retry-After", again)] if again else [])
        return _json(202, {**job.to_json(), "ahead": self.line.ahead(job)}, [("Location", f"job/{job.id}")])

    def _check_token(self, request: Request) -> None:
        # spec: registry.jobs.who
        if not self.owned.tokens:
            return
        given = hashlib.sha256(_token(request.fields.get("authorization", ""))).digest()
        if not any([hmac.compare_digest(given, one) for one in self.owned.tokens]):
            raise Refused(
                401,
                "this registry publishes only for clients with a token",
                [("WWW-Authenticate", 'Bearer realm="bramble registry"')],
            )

    def _client(self, request: Request) -> str:
        """Return for whom a job is counted: an address, of IPv6 the network that one client has."""
        # spec: registry.jobs.bounds
        text = request.client
        if self.owned.behind_proxy:
            text = request.fields.get("x-forwarded-for", text).rpartition(",")[2].strip()
        try:
            address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            return "unknown"
        if address.version == 6:
            return str(ipaddress.ip_network((address, 64), strict=False))
        return str(address)

    # --- errors ------------------------------------------------------------------

    def _error(
        self, request: Optional[Request], status: int, error: BrambleError, fields: Sequence[tuple[str, str]]
    ) -> Answer:
        if request is not None and request.prefers(_HTML, _JSON):
            title = f"{status} {REASONS[status]}"
            return _page(status, trouble(self._around(request), title, error.message), fields)
        return _json(status, {"version": 1, **error.to_json()}, fields)


def _token(field: str) -> bytes:
    """Return the token in a field Authorization: of the scheme Bearer, or the password of Basic."""
    scheme, _, given = field.partition(" ")
    if scheme.lower() == "bearer":
        return given.strip().encode("latin-1", "replace")
    try:
        login = base64.b64decode(given, validate=True) if scheme.lower() == "basic" else b""
    except ValueError:
        return b""
    return login.partition(b":")[2]


def _wish(body: bytes) -> tuple[str, str]:
    """Return the package and the reference that a body asks for. Raises registry.request."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    package = found.get("package") if isinstance(found, dict) else None
    reference = found.get("reference", "") if isinstance(found, dict) else None
    if not isinstance(package, str) or not isinstance(reference, str):
        raise BrambleError(
            "registry.request",
            "no package is named",
            remedy='send {"package": "example.com/lib", "reference": "1.2.0"}',
        )
    wrong = broken_release(package, _ANY)
    if wrong is None and (len(reference) > _LONGEST_REFERENCE or not reference.isprintable()):
        wrong = "the reference is not valid as the name of a tag"
    if wrong is not None:
        raise BrambleError("registry.request", wrong, remedy="name a package by its address: example.com/lib")
    return package, reference


def _fields(kind: str) -> list[tuple[str, str]]:
    """Return the fields of an answer of which there is one as a page, and one as JSON."""
    charset = "" if kind == _JSON else "; charset=utf-8"
    return [("Content-Type", kind + charset), ("Vary", "Accept"), ("Cache-Control", "no-cache"), *_SAFE]


def _page(status: int, body: bytes, fields: Sequence[tuple[str, str]] = ()) -> Answer:
    return Answer(status, [*_fields(_HTML), *fields], body)


def _json(status: int, values: Mapping[str, Any], fields: Sequence[tuple[str, str]] = ()) -> Answer:
    body = json.dumps(values, ensure_ascii=True).encode("ascii") + b"\n"
    return Answer(status, [*_fields(_JSON), *fields], body)
