"""Cases as text: one parser for case files, for fenced blocks of the chapters and for chunked `.star` files.

Pure: from text to frozen cases. Whatever the text says that the
chapter does not know (a header key, a verb, a capability, a path that climbs)
is a `CaseError`; nothing is skipped in silence (spec: conformance.case).
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Optional, Union

from conformance.listing import BadListing, parse_listing
from conformance.routes import BadRoutes, parse_routes
from conformance.script import (
    CODE,
    BadStep,
    Command,
    Error,
    Serve,
    Signal,
    Step,
    Tree,
    Write,
    check_capability,
    check_path,
    parse_step,
)
from conformance.words import names_of

LEVELS = ("language", "evaluate", "store", "build", "exchange")
DIALECT_OPTIONS = ("recursion", "while", "global-reassign", "toplevel-control")
SCRIPT_KEYS = ("spec", "level", "need", "audit")
STAR_KEYS = ("spec", "level", "need", "allow")
CHUNK_KEYS = ("spec", "allow")
# Names that have a value in every script.
GIVEN_NAMES = frozenset({"WORK", "HOME", "STORE", "BRAMBLE_PATH", "PLATFORM"})

ID_PATTERN = re.compile(r"[a-z][a-z0-9]*(?:[.-][a-z0-9]+)*\.[a-z0-9]+(?:-[a-z0-9]+)*")
PARAGRAPH = re.compile(r"\*\*`([^`]+)`\*\*")
_NEXT_CASE = "=== "
_MARKER = re.compile(r"-- (.+) --")
_HEADER = re.compile(r"([a-z]+):(?:\s+(.*))?")
EXPECTED = re.compile(r"###\s*(.*)")
_ONE_EXPECTED = re.compile(r"(" + CODE + r")(?::([1-9][0-9]*))?")
_FENCE = re.compile(r"(`{3,}|~{3,})\s*(\S*)\s*(.*)")

Header = Mapping[str, tuple[int, str]]  # key → line, value


class CaseError(Exception):
    """A case that cannot be understood: the fault of its author, reported with its place."""

    def __init__(self, path: str, line: int, message: str) -> None:
        super().__init__(f"{path}:{line}: {message}")
        self.path = path
        self.line = line
        self.message = message


@dataclass(frozen=True)
class Section:
    """One file that a case carries. A name that starts with `@` is kept aside and not written to $WORK."""

    name: str
    line: int  # of the first line of its content
    content: str


@dataclass(frozen=True)
class Script:
    """A case made of a script and files."""

    id: str
    path: str
    line: int
    sentence: str
    spec: tuple[str, ...]
    level: str
    need: tuple[str, ...]
    audit: bool  # whether the store is inspected afterwards
    steps: tuple[Step, ...]
    sections: tuple[Section, ...]


@dataclass(frozen=True)
class ExpectedError:
    """One `### code` of a chunk: the line, the code, and the column where the case says it."""

    line: int
    code: str
    column: Optional[int]


@dataclass(frozen=True)
class Chunk:
    """A case that is one piece of Starlark: it runs to its end, or fails exactly as its `###` comments say.

    `source` is padded with empty lines, so that its lines have the numbers they have in the case's file.
    """

    id: str
    path: str
    line: int
    sentence: str
    spec: tuple[str, ...]
    level: str
    need: tuple[str, ...]
    allow: tuple[str, ...]
    source: str
    errors: tuple[ExpectedError, ...]


Case = Union[Script, Chunk]


def parse_case_file(path: str, text: str, case_id: str) -> Script:
    """Return the one case of a `.txt` file. Raises CaseError."""
    return _parse_script(path, _lines(text), 1, case_id, ())


def parse_star_file(path: str, text: str, case_id: str) -> tuple[Chunk, ...]:
    """Return the chunks of a `.star` file, in order; their ids are `CASE_ID:LABEL`. Raises CaseError."""
    return _parse_chunks(path, _lines(text), 1, case_id, ())


def parse_table_file(path: str, text: str, case_id: str) -> tuple[Script, ...]:
    """Return the cases of a `.table` file, in order; their ids are `CASE_ID:LABEL`. Raises CaseError."""
    # spec: conformance.table
    lines = _lines(text)
    starts = [i for i, line in enumerate(lines) if line.startswith(_NEXT_CASE)]
    if not starts:
        raise CaseError(path, 1, f"a table has cases, each after a line {_NEXT_CASE}SENTENCE")
    head = _Part(path, lines[: starts[0]], 1)
    _, header, body_at = _script_header(path, head.script, 1)
    shared = head.sections
    common = tuple(_parse_steps(path, head.script[body_at:], 1 + body_at))
    cases = []
    for start, end in zip(starts, [*starts[1:], len(lines)]):
        sentence = lines[start][len(_NEXT_CASE) :].strip()
        if not sentence:
            raise CaseError(path, start + 1, "a case begins with a sentence that must be true")
        part = _Part(path, lines[start + 1 : end], start + 2)
        own, body_at = _own_header(path, part.script, start + 2)
        steps = (*common, *_parse_steps(path, part.script[body_at:], start + 2 + body_at))
        used = {step.section() for step in steps}
        names = {section.name for section in part.sections}
        sections = (
            *(one for one in shared if one.name not in names and (one.name[0] != "@" or one.name in used)),
            *part.sections,
        )
        _check_script(path, start + 1, steps, sections)
        both = {**header, **own}
        cases.append(
            Script(
                id=f"{case_id}:{label(sentence)}",
                path=path,
                line=start + 1,
                sentence=sentence,
                spec=_header_ids(path, start + 1, both, ()),
                level=_header_level(path, start + 1, both, None),
                need=_header_capabilities(path, start + 1, both),
                audit=_header_audit(path, start + 1, both),
                steps=steps,
                sections=sections,
            )
        )
    return tuple(cases)


class _Part:
    """Lines of a script and of the files behind it."""

    def __init__(self, path: str, lines: Sequence[str], first: int) -> None:
        at = next((i for i, line in enumerate(lines) if _MARKER.fullmatch(line)), len(lines))
        self.script = lines[:at]
        self.sections = _parse_sections(path, lines[at:], first + at)


def _own_header(path: str, lines: Sequence[str], first: int) -> tuple[Header, int]:
    """Return the keys at the beginning, and the index of the first line after them."""
    header: dict[str, tuple[int, str]] = {}
    for index, raw in enumerate(lines):
        if not _HEADER.fullmatch(raw.strip()):
            return header, index
        _add_key(path, first + index, raw.strip(), header, SCRIPT_KEYS)
    return header, len(lines)


def parse_chapter(path: str, text: str) -> tuple[Case, ...]:
    """Return the cases of a chapter, in order: its blocks with the info string `case` or `star`.

    Their ids are `spec/PARAGRAPH:LABEL`, with the first paragraph that they check.

    A block that names no ids checks the paragraph before it. Other fenced
    blocks are text, also where they show a `case` block. Raises CaseError.
    """
    cases: list[Case] = []
    paragraph: tuple[str, ...] = ()
    lines = _lines(text)
    for number, info, body in _blocks(path, lines):
        if info == "":
            paragraph = (body[0],)
        elif info == "case":
            case = _parse_script(path, body, number + 1, "", paragraph)
            cases.append(replace(case, id=f"spec/{case.spec[0]}:{label(case.sentence)}"))
        else:
            chunks = _parse_chunks(path, body, number + 1, "", paragraph)
            cases += [replace(chunk, id=f"spec/{chunk.spec[0]}{chunk.id}") for chunk in chunks]
    return tuple(cases)


def label(text: str) -> str:
    """Return a digest of a text: six characters.

    A case keeps its id as long as it says the same, wherever it is moved and whatever is put before it: the
    lists of others (`--expect-fail`) name cases by their ids.
    """
    # spec: conformance.case.id
    return base64.b32encode(hashlib.sha256(text.strip().encode()).digest()[:5]).decode().lower()[:6]


def _blocks(path: str, lines: Sequence[str]) -> Iterator[tuple[int, str, Sequence[str]]]:
    """Yield (line, "", [id]) for a paragraph with an id, (line, info, body) for a block that is a case."""
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        named = PARAGRAPH.match(line)
        if named:
            yield number, "", [named.group(1)]
        fence = _FENCE.match(line)
        if fence is None:
            continue
        first = number
        closing = re.compile(re.escape(fence.group(1)[0]) + "{" + str(len(fence.group(1))) + r",}\s*")
        while number < len(lines) and not closing.fullmatch(lines[number]):
            number += 1
        if number == len(lines):
            raise CaseError(path, first, "this fenced block is never closed")
        if fence.group(2) in ("case", "star"):
            yield first, fence.group(2), lines[first:number]
        number += 1


def _lines(text: str) -> list[str]:
    # Not splitlines(): a form feed or U+2028 in a case is content and ends no line.
    lines = text.split("\n")
    return lines[:-1] if lines and lines[-1] == "" else lines


def _parse_script(
    path: str, lines: Sequence[str], first: int, case_id: str, default: tuple[str, ...]
) -> Script:
    sections_at = next((i for i, line in enumerate(lines) if _MARKER.fullmatch(line)), len(lines))
    sections = _parse_sections(path, lines[sections_at:], first + sections_at)
    sentence, header, body_at = _script_header(path, lines[:sections_at], first)
    steps = tuple(_parse_steps(path, lines[body_at:sections_at], first + body_at))
    _check_script(path, first, steps, sections)
    return Script(
        id=case_id,
        path=path,
        line=first,
        sentence=sentence,
        spec=_header_ids(path, first, header, default),
        level=_header_level(path, first, header, None),
        need=_header_capabilities(path, first, header),
        audit=_header_audit(path, first, header),
        steps=steps,
        sections=sections,
    )


def _script_header(path: str, lines: Sequence[str], first: int) -> tuple[str, Header, int]:
    """Return the sentence, the keys, and the index of the first line after the header."""
    sentence: list[str] = []
    header: dict[str, tuple[int, str]] = {}
    for index, raw in enumerate(lines):
        line = raw.strip()
        if not line and (sentence or header):
            return _sentence(path, first, sentence), header, index
        if line.startswith("#"):
            if header:
                raise CaseError(path, first + index, "the sentence must be before the keys of the header")
            sentence.append(line[1:].strip())
        elif line:
            _add_key(path, first + index, line, header, SCRIPT_KEYS)
    return _sentence(path, first, sentence), header, len(lines)


def _comment_header(
    path: str, lines: Sequence[str], first: int, allowed: Collection[str]
) -> tuple[str, Header, int]:
    """As `_script_header` for a block of comments, which in a `.star` file is the header."""
    sentence: list[str] = []
    header: dict[str, tuple[int, str]] = {}
    for index, raw in enumerate(lines):
        if not raw.startswith("#") or raw.startswith("###"):
            return " ".join(sentence), header, index
        line = raw[1:].strip()
        if _HEADER.fullmatch(line):
            _add_key(path, first + index, line, header, allowed)
        elif line:
            sentence.append(line)
    return " ".join(sentence), header, len(lines)


def _sentence(path: str, first: int, parts: Sequence[str]) -> str:
    if not parts:
        raise CaseError(path, first, "a case begins with a comment: a sentence that must be true")
    return " ".join(part for part in parts if part)


def _add_key(
    path: str, number: int, line: str, header: dict[str, tuple[int, str]], allowed: Collection[str]
) -> None:
    key = _HEADER.fullmatch(line)
    if key is None:
        raise CaseError(path, number, f"this is not a header line: {line!r}; expected KEY: VALUE")
    if key.group(1) not in allowed:
        raise CaseError(path, number, f"unknown header key {key.group(1)!r}; known: {', '.join(allowed)}")
    if key.group(1) in header:
        raise CaseError(path, number, f"header key {key.group(1)!r} occurs twice")
    header[key.group(1)] = (number, (key.group(2) or "").strip())


def _comma_list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _header_ids(path: str, first: int, header: Header, default: tuple[str, ...]) -> tuple[str, ...]:
    line, text = header.get("spec", (first, ""))
    ids = _comma_list(text) or default
    if not ids:
        raise CaseError(path, line, "a case names the paragraphs it checks: spec: CHAPTER.TOPIC")
    for one in ids:
        if not ID_PATTERN.fullmatch(one):
            raise CaseError(path, line, f"{one!r} is not the id of a paragraph")
    if len(set(ids)) != len(ids):
        raise CaseError(path, line, "an id occurs twice")
    return ids


def _header_level(path: str, first: int, header: Header, default: Optional[str]) -> str:
    line, level = header.get("level", (first, default))
    if level not in LEVELS:
        raise CaseError(path, line, f"a case names its level, one of {', '.join(LEVELS)}; not {level!r}")
    return str(level)


def _header_capabilities(path: str, first: int, header: Header) -> tuple[str, ...]:
    line, text = header.get("need", (first, ""))
    for one in _comma_list(text):
        try:
            check_capability(one)
        except BadStep as problem:
            raise CaseError(path, line, str(problem)) from None
    return _comma_list(text)


def _header_audit(path: str, first: int, header: Header) -> bool:
    line, text = header.get("audit", (first, "yes"))
    if text not in ("yes", "no"):
        raise CaseError(path, line, f"audit is yes or no, not {text!r}")
    return text == "yes"


def _header_options(path: str, first: int, header: Header) -> tuple[str, ...]:
    line, text = header.get("allow", (first, ""))
    for one in _comma_list(text):
        if one not in DIALECT_OPTIONS:
            raise CaseError(path, line, f"unknown option {one!r}; known: {', '.join(DIALECT_OPTIONS)}")
    return _comma_list(text)


def _parse_sections(path: str, lines: Sequence[str], first: int) -> tuple[Section, ...]:
    # spec: conformance.case.files
    sections: list[Section] = []
    markers = [
        (i, match.group(1).strip()) for i, line in enumerate(lines) if (match := _MARKER.fullmatch(line))
    ]
    for (start, name), end in zip(markers, [i for i, _ in markers[1:]] + [len(lines)]):
        try:
            check_path(name[1:] if name.startswith("@") else name)
        except BadStep as problem:
            raise CaseError(path, first + start, str(problem)) from None
        for other in sections:
            if other.name == name:
                raise CaseError(path, first + start, f"the file {name!r} occurs twice")
            if other.name.startswith(name + "/") or name.startswith(other.name + "/"):
                raise CaseError(path, first + start, f"{name!r} and {other.name!r} cannot both be files")
        content = "".join(line + "\n" for line in lines[start + 1 : end])
        sections.append(Section(name, first + start + 1, content))
    return tuple(sections)


def _parse_steps(path: str, lines: Sequence[str], first: int) -> Iterator[Step]:
    phase = ""
    for number, raw in enumerate(lines, first):
        line = raw.strip()
        if line.startswith("#"):
            phase = line.lstrip("#").strip()
        elif line:
            try:
                yield parse_step(number, line, phase)
            except BadStep as problem:
                raise CaseError(path, number, str(problem)) from None


def _check_script(path: str, first: int, steps: Sequence[Step], sections: Sequence[Section]) -> None:
    """Refuse scripts that run nothing, leave a failure unnamed, or whose names and sections do not meet."""
    # spec: conformance.case.strict
    if not any(isinstance(step.action, Command) for step in steps):
        raise CaseError(path, first, "a script runs something")
    aside = {section.name for section in sections if section.name.startswith("@")}
    used: set[str] = set()
    known = set(GIVEN_NAMES)
    unnamed: Optional[Step] = None
    signal: Optional[Step] = None
    ran = False
    for step in steps:
        if signal is not None and not isinstance(step.action, (Command, Signal)):
            break
        signal = step if isinstance(step.action, Signal) else None
        if isinstance(step.action, Command):
            _check_failure_is_named(path, unnamed)
            # The status 1 is a rejection that the specification names, unless the script says that it is a
            # command's answer; other statuses may be a program's own.
            unnamed = step if step.action.status == 1 and not _ANSWER.match(step.source) else None
            ran = True
        elif isinstance(step.action, Error):
            unnamed = None
            if not ran:
                raise CaseError(path, step.line, "there is no command before this error")
        section = step.section()
        if section is not None:
            if section not in aside:
                raise CaseError(path, step.line, f"there is no section {section!r}")
            used.add(section)
            _check_section(path, step, sections)
        for name in names_of(step.words()):
            if name not in known and name != step.defines():
                raise CaseError(path, step.line, f"${name} has no value here")
        known.update(step.all_defined())
    if signal is not None:
        raise CaseError(path, signal.line, "a signal is followed by the command that gets it")
    _check_failure_is_named(path, unnamed)
    for name in sorted(aside - used):
        raise CaseError(path, first, f"the section {name!r} is never used")


def _check_section(path: str, step: Step, sections: Sequence[Section]) -> None:
    """Refuse a section that is not a listing, or not routes, if the step reads it as such."""
    contents = {section.name: section.content for section in sections}
    action = step.action
    content = contents[str(step.section())]
    try:
        if isinstance(action, Serve):
            parse_routes(content)
        elif isinstance(action, (Write, Tree)) and action.how in ("tree", "archive", "listing"):
            parse_listing(content, contents)
    except (BadListing, BadRoutes) as problem:
        raise CaseError(path, step.line, str(problem)) from None


_ANSWER = re.compile(r"fail\s+1\s")


def _check_failure_is_named(path: str, unnamed: Optional[Step]) -> None:
    if unnamed is not None:
        raise CaseError(path, unnamed.line, "a fail with status 1 is followed by the error that it prints")


def _parse_chunks(
    path: str, lines: Sequence[str], first: int, file_id: str, default: tuple[str, ...]
) -> tuple[Chunk, ...]:
    # spec: conformance.star
    sentence, header, start = _comment_header(path, lines, first, STAR_KEYS)
    if not sentence and not default:
        raise CaseError(path, first, "a file begins with a comment: a sentence that must be true")
    spec = _header_ids(path, first, header, default)
    level = _header_level(path, first, header, "language")
    need = _header_capabilities(path, first, header)
    chunks: list[Chunk] = []
    for end in [i for i in range(start, len(lines)) if lines[i].rstrip() == "---"] + [len(lines)]:
        body = lines[start:end]
        begin = next((i for i in range(start, end) if lines[i].strip()), None)
        if begin is None and (chunks or end == len(lines)):
            raise CaseError(path, first + max(start - 1, 0), "a chunk is empty")
        if begin is not None:
            own_sentence, own, _ = _comment_header(path, lines[begin:end], first + begin, CHUNK_KEYS)
            chunks.append(
                Chunk(
                    id=file_id + ":" + label("\n".join(body)),
                    path=path,
                    line=first + begin,
                    sentence=own_sentence or sentence or f"The example of {default[0]} holds.",
                    spec=_header_ids(path, first + begin, own, spec),
                    level=level,
                    need=need,
                    allow=_header_options(path, first, own if "allow" in own else header),
                    source="\n" * (first + start - 1) + "".join(line + "\n" for line in body),
                    errors=tuple(_expected_errors(path, body, first + start)),
                )
            )
        start = end + 1
    return tuple(chunks)


def _expected_errors(path: str, body: Sequence[str], first: int) -> Iterator[ExpectedError]:
    for number, line in enumerate(body, first):
        marker = EXPECTED.search(line)
        if marker is None:
            continue
        expected = _comma_list(marker.group(1))
        if not expected:
            raise CaseError(path, number, "### names the code of the error")
        for one in expected:
            parts = _ONE_EXPECTED.fullmatch(one)
            if parts is None:
                raise CaseError(
                    path, number, f"{one!r} is not an error code: phase.slug or phase.slug:COLUMN"
                )
            yield ExpectedError(number, parts.group(1), int(parts.group(2)) if parts.group(2) else None)
