"""The pages about jobs: the newest ones, and one with its log. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bramble.commands.registry.jobs import QUEUED, Job
from bramble.commands.registry.pages.frame import Surroundings, counted, moment, page
from bramble.commands.registry.pages.markup import Html, Part, address, element, link
from bramble.record import NamedTuple


class Watched(NamedTuple):
    """A job, and what is known around it."""

    job: Job
    ahead: int  # jobs that come before it
    log: str  # its end
    cut: bool  # there is more of it


def jobs_page(around: Surroundings, jobs: Sequence[Job]) -> bytes:
    """Return the page with the newest jobs."""
    # spec: registry.pages.jobs
    head = element(
        "tr",
        *(element("th", name) for name in ("Job", "Package")),
        element("th", "State"),
        element("th", "Asked for", klass="wide"),
    )
    rows = [
        element(
            "tr",
            element("td", link(address(around.root, "job", str(job.id)), f"#{job.id}")),
            element("td", job.release),
            element("td", _state(job)),
            element("td", moment(job.asked), klass="wide"),
        )
        for job in jobs
    ]
    table: Part = element("table", head, *rows) if jobs else element("p", "There are no jobs yet.")
    how = element("p", "To publish a version of a package, in its project:", klass="soft")
    command = element("pre", f"bramble publish --registry {around.url}")
    return page(around, "Jobs", element("h1", "Jobs"), how, command, table)


def job_page(around: Surroundings, watched: Watched) -> bytes:
    """Return the page of one job."""
    # spec: registry.pages.jobs
    job = watched.job
    facts: list[tuple[str, Part]] = [("State", _state(job)), ("Package", _package(around, job))]
    if job.state == QUEUED:
        facts.append(("Before it", counted(watched.ahead, "job")))
    facts.append(("Asked for", moment(job.asked)))
    if job.started:
        facts.append(("Begun", moment(job.started)))
    if job.ended:
        facts.append(("Ended", moment(job.ended)))
    if job.commit:
        facts.append(("Commit", element("span", job.commit, klass="mono")))
    if job.digest:
        facts.append(("Digest", element("span", job.digest, klass="mono")))
    parts: list[Part] = [element("dl", *((element("dt", name), element("dd", said)) for name, said in facts))]
    problem = job.problem
    if problem is not None:
        parts.append(element("h2", "Why it is not published"))
        where = f"{problem.at}: " if problem.at else ""
        parts.append(
            element("p", element("code", problem.code), f" {where}{problem.message}", klass="failed")
        )
        if problem.remedy:
            parts.append(element("p", problem.remedy, klass="doc"))
        if problem.detail:
            parts.append(element("pre", problem.detail, klass="log"))
    parts.append(element("h2", "Log"))
    if watched.log:
        parts.append(element("pre", watched.log, klass="log"))
    all_of_it = link(address(around.root, "job", str(job.id), "logs"), "All of it, as text")
    parts.append(
        element("p", all_of_it, " (only the end is shown above)" if watched.cut else "", klass="soft")
    )
    return page(around, f"Job {job.id}", element("h1", f"Job {job.id}: {job.release}"), *parts)


def _package(around: Surroundings, job: Job) -> Part:
    if not job.version:
        return job.release
    return link(address(around.root, "package", *f"{job.package}@{job.version}".split("/")), job.release)


def _state(job: Job) -> Html:
    said = "published already" if job.already else job.state
    return element("span", said, klass=f"state {job.state}")
