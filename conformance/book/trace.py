"""Traceability: which paragraphs have cases, which cases and comments name paragraphs that exist.

One paragraph, one id, at least one case or a stated reason why there can be
none (spec: conformance.traceability).
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Optional

from conformance import runner
from conformance.casefile import ID_PATTERN, PARAGRAPH, Case, Chunk
from conformance.places import CASES, HOME, SPEC
from conformance.script import Error

_NUMBERED = re.compile(r"(\d\d)([a-z]?)-([a-z0-9-]+)\.md")
_ROOM = re.compile(r"^Code: .*`(?:bramble/[a-z/]+|conformance/)`", re.MULTILINE)
_INFORMATIVE = re.compile(r"\A# [^\n]*\n\nThis page is informative\.")
_WITHOUT_CASE = re.compile(r"^## [^\n]*\bRules without a case$(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_ROW = re.compile(r"^\| `([^`]+)` \| (.*\S) \|$", re.MULTILINE)
_CODE_REFERENCE = re.compile(r"\bspec:\s+(" + ID_PATTERN.pattern + r"(?:,\s+" + ID_PATTERN.pattern + r")*)")
_FENCE = re.compile(r"(`{3,}|~{3,})")


@dataclass(frozen=True)
class Paragraph:
    """One normative paragraph."""

    id: str
    path: str
    line: int
    untestable: Optional[str]  # the reason, where the chapter gives one


@dataclass(frozen=True)
class Chapter:
    """One chapter: its paragraphs, whether it names its package, and whether it states no rules."""

    path: str
    room: bool
    informative: bool
    paragraphs: tuple[Paragraph, ...]
    text: str
    unknown: tuple[str, ...] = ()  # what its table of rules without a case names, and it has no such rule


@dataclass(frozen=True)
class Reference:
    """A comment or docstring of the reference implementation that names a paragraph."""

    id: str
    path: str
    line: int


@dataclass(frozen=True)
class Trace:
    """What was found: problems that make the check fail, and facts that do not."""

    problems: tuple[str, ...]
    cases: Mapping[str, int]  # paragraph id → number of cases
    paragraphs: tuple[Paragraph, ...]
    without_code: tuple[str, ...]


def parse_chapter(path: str, text: str) -> Chapter:
    """Return a chapter's paragraphs; text in fenced blocks is not one."""
    paragraphs = []
    lines = text.split("\n")
    reasons = without_case(text)
    fence = ""
    for number, line in enumerate(lines, 1):
        mark = _FENCE.match(line)
        if mark and (not fence or line.strip().strip(fence[0]) == "" and len(mark.group(1)) >= len(fence)):
            fence = "" if fence else mark.group(1)
        named = PARAGRAPH.match(line) if not fence else None
        if named:
            paragraphs.append(Paragraph(named.group(1), path, number, reasons.get(named.group(1))))
    informative = _INFORMATIVE.match(text) is not None
    unknown = tuple(sorted(reasons.keys() - {paragraph.id for paragraph in paragraphs}))
    return Chapter(path, _ROOM.search(text) is not None, informative, tuple(paragraphs), text, unknown)


def without_case(text: str) -> dict[str, str]:
    """Return the rules without a case that a chapter lists in its last table, each with the reason."""
    section = _WITHOUT_CASE.search(text)
    return dict(_ROW.findall(section.group(1))) if section else {}


def _paragraph_text(lines: Sequence[str]) -> str:
    """Return everything up to the next id or heading: a rule may hold tables and blocks."""
    for index, line in enumerate(lines):
        if index and (PARAGRAPH.match(line) or line.startswith("#")):
            return "\n".join(lines[:index])
    return "\n".join(lines)


def texts(spec: str, most: int) -> dict[str, str]:
    """Return the text of every paragraph of a specification by its id: at most `most` lines of each."""
    found = {}
    for name in sorted(os.listdir(spec)):
        if _NUMBERED.fullmatch(name):
            with open(os.path.join(spec, name), encoding="utf-8") as file:
                lines = file.read().split("\n")
            for number, line in enumerate(lines):
                named = PARAGRAPH.match(line)
                if named:
                    found[named.group(1)] = _first_block(_paragraph_text(lines[number:]), most)
    return found


def _first_block(text: str, most: int) -> str:
    """Return a paragraph without its id, up to the first empty line."""
    block = PARAGRAPH.sub("", text.split("\n\n")[0], count=1).strip().split("\n")
    return "\n".join(block[:most] + (["…"] if len(block) > most else []))


def references(top: str) -> Iterator[Reference]:
    """Yield every `spec: id` in the Python files below a directory."""
    for directory, names, files in os.walk(top):
        names.sort()
        for name in sorted(files):
            if name.endswith(".py"):
                path = os.path.join(directory, name)
                with open(path, encoding="utf-8") as file:
                    for number, line in enumerate(file, 1):
                        for match in _CODE_REFERENCE.finditer(line):
                            for one in re.split(r",\s+", match.group(1)):
                                yield Reference(one, path, number)


def trace(chapters: Sequence[Chapter], cases: Sequence[Case], code: Sequence[Reference]) -> Trace:
    """Return what does not meet: chapters, cases and code."""
    paragraphs = tuple(paragraph for chapter in chapters for paragraph in chapter.paragraphs)
    known = {paragraph.id for paragraph in paragraphs}
    tested = Counter(one for case in cases for one in case.spec)
    problems = list(_chapter_problems(chapters))
    for case in cases:
        problems += [
            f"{case.path}:{case.line}: there is no paragraph {one}" for one in case.spec if one not in known
        ]
    problems += list(_untested(paragraphs, tested))
    problems += [
        f"{reference.path}:{reference.line}: there is no paragraph {reference.id}"
        for reference in code
        if reference.id not in known
    ]
    problems += list(_codes_unknown(chapters, cases))
    used = {reference.id for reference in code}
    return Trace(tuple(problems), tested, paragraphs, tuple(sorted(known - used)))


def _chapter_problems(chapters: Sequence[Chapter]) -> Iterator[str]:
    seen: dict[str, Paragraph] = {}
    prefixes: dict[str, str] = {}
    for chapter in chapters:
        name = os.path.basename(chapter.path)
        numbered = _NUMBERED.fullmatch(name)
        if numbered is None:
            yield f"{chapter.path}: a chapter is called NN-name.md"
            continue
        if chapter.informative:
            # Rules that stand apart from their chapter would be found by nobody.
            for paragraph in chapter.paragraphs:
                yield f"{paragraph.path}:{paragraph.line}: an informative page holds no rule"
            continue
        if not chapter.room:
            yield f"{chapter.path}: it does not name its code (Code: `bramble/…`)"
        if not chapter.paragraphs:
            yield f"{chapter.path}: it has no paragraph with an id"
        for name in chapter.unknown:
            yield f"{chapter.path}: {name} is among the rules without a case, but not a rule of this chapter"
        for paragraph in chapter.paragraphs:
            where = f"{paragraph.path}:{paragraph.line}"
            if not ID_PATTERN.fullmatch(paragraph.id):
                yield f"{where}: {paragraph.id!r} is no id"
            if paragraph.id in seen:
                first = seen[paragraph.id]
                yield f"{where}: {paragraph.id} occurs twice, first at {first.path}:{first.line}"
            seen[paragraph.id] = paragraph
            prefix = paragraph.id.partition(".")[0]
            if prefixes.setdefault(prefix, numbered.group(1)) != numbered.group(1):
                yield f"{where}: the ids of chapter {prefixes[prefix]} begin with {prefix}."


def _untested(paragraphs: Sequence[Paragraph], tested: Mapping[str, int]) -> Iterator[str]:
    for paragraph in paragraphs:
        where = f"{paragraph.path}:{paragraph.line}"
        if not tested.get(paragraph.id) and paragraph.untestable is None:
            yield f"{where}: {paragraph.id} has no case, and no reason in the table of rules without a case"


def _codes_unknown(chapters: Sequence[Chapter], cases: Sequence[Case]) -> Iterator[str]:
    text = "\n".join(chapter.text for chapter in chapters)
    for case in cases:
        for code, line in sorted(_codes_of(case)):
            if f"`{code}`" not in text:
                yield f"{case.path}:{line}: no chapter defines the error {code}"


def _codes_of(case: Case) -> set[tuple[str, int]]:
    if isinstance(case, Chunk):
        return {(error.code, error.line) for error in case.errors}
    return {(step.action.code, step.line) for step in case.steps if isinstance(step.action, Error)}


def _shown(problem: str) -> str:
    return problem.replace(os.path.dirname(HOME) + os.sep, "")


def of_repository(spec: str, cases: str, code: Sequence[str]) -> Trace:
    """Return the trace of chapters, cases and code on disk. Raises BadSuite for cases that cannot be read."""
    chapters = []
    for name in sorted(os.listdir(spec)):
        # README.md is the table of contents; index-*.md are made of the chapters.
        if name.endswith(".md") and name != "README.md" and not name.startswith("index-"):
            path = os.path.join(spec, name)
            with open(path, encoding="utf-8") as file:
                chapters.append(parse_chapter(path, file.read()))
    found = [reference for top in code for reference in references(top)]
    return trace(chapters, runner.load(cases, spec), found)


def as_text(result: Trace) -> str:
    """Return the coverage table, chapter by chapter, and the problems."""
    lines = []
    by_chapter: dict[str, list[Paragraph]] = {}
    for paragraph in result.paragraphs:
        by_chapter.setdefault(os.path.basename(paragraph.path), []).append(paragraph)
    for name, paragraphs in by_chapter.items():
        tested = sum(1 for paragraph in paragraphs if result.cases.get(paragraph.id))
        reasons = sum(1 for paragraph in paragraphs if paragraph.untestable is not None)
        uncoded = sum(1 for paragraph in paragraphs if paragraph.id in result.without_code)
        lines.append(
            f"{name:28} {len(paragraphs):4} paragraphs, {tested:4} with cases, "
            f"{reasons:3} with a reason, {uncoded:4} not named in code"
        )
    lines += [f"problem: {_shown(problem)}" for problem in result.problems]
    lines.append(f"{len(result.problems)} problems")
    return "\n".join(lines) + "\n"


def main(as_document: bool) -> int:
    """Print the trace of this repository; return 1 where there are problems."""
    top = os.path.dirname(HOME)
    result = of_repository(SPEC, CASES, [os.path.join(top, "bramble"), HOME])
    if as_document:
        document = {
            "version": 1,
            "problems": [_shown(problem) for problem in result.problems],
            "paragraphs": {
                paragraph.id: {
                    "at": _shown(f"{paragraph.path}:{paragraph.line}"),
                    "cases": result.cases.get(paragraph.id, 0),
                    "untestable": paragraph.untestable,
                    "in_code": paragraph.id not in result.without_code,
                }
                for paragraph in result.paragraphs
            },
        }
        print(json.dumps(document, indent=1))
    else:
        print(as_text(result), end="")
    return 1 if result.problems else 0
