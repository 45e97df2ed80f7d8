"""The pages of the specification that are made by program: `python3 -m conformance.book [--check]`.

The index of rules, that of error codes, and the list of files and variables are made of the chapters: of
their headings, of the paragraphs with an id, of the tables of codes (`| code | meaning |`), of files
(`| file | …`) and of variables (`| variable | …`). What a user can do about an error is in the help of the
reference implementation; where that is not beside the specification, the pages stay as they are.

`--check` writes nothing: it names the pages that are not what they should be, and every reference in the
documents that leads to nothing (spec: conformance.index).
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from conformance.casefile import PARAGRAPH
from conformance.places import HOME, SPEC

TOP = os.path.dirname(HOME)
REMEDIES = os.path.join(TOP, "bramble", "cli", "topics", "codes.md")
CODE = re.compile(r"[a-z]+\.[a-z]+(?:-[a-z0-9]+)*")
_CHAPTER = re.compile(r"(\d\d[a-z]?)-[a-z0-9-]+\.md")
_FENCE = re.compile(r"(`{3,}|~{3,})")
_ROW = re.compile(r"\| (.*) \|")
_CELL = re.compile(r"(?<!\\)\| ")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_NAMED_CODES = re.compile(r"(?:`[a-z]+\.[a-z0-9-]+`(?:, )?)+")


class Line(NamedTuple):
    """A line of a chapter outside of fenced blocks, with the heading and the rule that it belongs to."""

    chapter: str  # the file's name
    heading: str
    rule: str  # "" if there is none
    text: str


class Row(NamedTuple):
    """A row of a table: the name of its first column, and its cells."""

    line: Line
    column: str
    cells: tuple[str, ...]


def lines_of(chapters: Mapping[str, str]) -> Iterator[Line]:
    """Yield the lines of chapters, file name to text, outside of fenced blocks."""
    for name, text in chapters.items():
        heading = rule = fence = ""
        for line in text.split("\n"):
            mark = _FENCE.match(line)
            if mark and (not fence or line.strip() == fence):
                fence = "" if fence else mark.group(1)
            elif not fence:
                if line.startswith("#"):
                    heading, rule = line.lstrip("#").strip(), ""
                named = PARAGRAPH.match(line)
                rule = named.group(1) if named else rule
                yield Line(name, heading, rule, line)


def rows_of(lines: Sequence[Line]) -> Iterator[Row]:
    """Yield the rows of all tables."""
    column = ""
    for line, following in zip(lines, [*lines[1:], None]):
        found = _ROW.fullmatch(line.text)
        if found is None:
            column = "" if not line.text.startswith("|") else column
            continue
        cells = tuple(cell.strip() for cell in _CELL.split(found.group(1)))
        if following is not None and following.text.startswith("|--"):
            column = cells[0]
        elif column:
            yield Row(line, column, cells)


def anchor(heading: str) -> str:
    """Return the name that a heading has in links."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def to(line: Line, text: str) -> str:
    """Return a link to the section that a line belongs to."""
    return f"[{text}]({line.chapter}#{anchor(line.heading)})"


def first_sentence(lines: Sequence[Line], at: int) -> str:
    """Return the first sentence of the rule whose id is in line `at`."""
    text = []
    for line in lines[at:]:
        if not line.text.strip() or (text and PARAGRAPH.match(line.text)):
            break
        text.append(line.text.strip())
    whole = PARAGRAPH.sub("", " ".join(text), count=1).strip()
    sentence = re.match(r"(?:`[^`]*`|\([^)]*\)|[^.`(:]|\.(?! |$)|:(?! *$))*", whole)
    found = (sentence.group() if sentence else whole).strip().replace("|", "\\|")
    return found.replace("](#", f"]({lines[at].chapter}#") + "."


def remedies(text: str) -> dict[str, str]:
    """Return what to do about each code: of the help page, the lines that are indented by two."""
    found: dict[str, str] = {}
    code = ""
    for line in text.split("\n"):
        if CODE.fullmatch(line):
            code = line
        elif code and re.match(r"  \S", line):
            found[code] = f"{found.get(code, '')} {line.strip()}".strip()
    return found


def rules_page(lines: Sequence[Line]) -> str:
    """Return the index of rules: each with its section and its first sentence."""
    found = {}
    for at, line in enumerate(lines):
        if PARAGRAPH.match(line.text):
            found[line.rule] = (line, first_sentence(lines, at))
    rows = [
        f"| {to(line, f'`{rule}`')} | {line.heading.split()[0]} | {sentence} |"
        for rule, (line, sentence) in sorted(found.items())
    ]
    return page(
        "Index of rules",
        f"All {len(rows)} rules of the specification, with their section and their first sentence.",
        ["| rule | section | it says |", "|---|---|---|", *rows],
    )


def codes_page(lines: Sequence[Line], advice: Mapping[str, str]) -> str:
    """Return the index of error codes: meaning, the rules that name them, what to do."""
    tables = [row for row in rows_of(lines) if row.column == "code"]
    meanings: dict[str, tuple[Line, str]] = {}
    # A table in a rule says when the rule has which error; the meaning of a code is in a table of codes.
    for row in sorted(tables, key=lambda row: bool(row.line.rule)):
        for code in re.findall(r"`([^`]+)`", row.cells[0]):
            meanings.setdefault(code, (row.line, row.cells[1]))
    named: dict[str, dict[str, Line]] = {code: {} for code in meanings}
    for line in lines:
        for code in re.findall(r"`([a-z]+\.[a-z0-9-]+)`", line.text):
            if line.rule and code in named and not line.text.startswith("|"):
                named[code].setdefault(line.rule, line)
    for row in tables:
        for code in re.findall(r"`([^`]+)`", row.cells[0]) if row.line.rule else ():
            named[code].setdefault(row.line.rule, row.line)
    rows = []
    for code, (line, meaning) in sorted(meanings.items()):
        by = ", ".join(to(place, f"`{rule}`") for rule, place in named[code].items())
        do = advice.get(code, "").replace("|", "\\|")
        rows.append(f"| `{code}` | {meaning} | {to(line, line.heading.split()[0])} | {by} | {do} |")
    return page(
        "Index of error codes",
        f"All {len(rows)} codes: what each means, the section that defines it, the rules that name it, and\n"
        "what a user can do. `bramble explain CODE` prints the text of the rules, and an example.",
        ["| code | meaning | section | rules | remedy |", "|---|---|---|---|---|", *rows],
    )


def things_page(lines: Sequence[Line]) -> str:
    """Return the lists of files and of variables."""
    parts = []
    for column, title in (("file", "Files on disk"), ("variable", "Environment variables")):
        rows = [row for row in rows_of(lines) if row.column == column]
        parts += ["", f"## {title}", "", f"| {column} | meaning | section |", "|---|---|---|"]
        for row in sorted(rows, key=lambda row: row.cells[0]):
            parts.append(f"| {row.cells[0]} | {row.cells[1]} | {to(row.line, row.line.heading.split()[0])} |")
    return page(
        "Files and variables",
        "Every file that an implementation reads or writes, and every variable that it reads or sets.",
        parts[1:],
    )


def page(title: str, says: str, body: Sequence[str]) -> str:
    """Return a page that says of itself where it comes from."""
    made = "This page is informative. It is made of the chapters by `python3 -m conformance.book`."
    return "\n".join([f"# {title}", "", made, says, "", *body]) + "\n"


def pages(chapters: Mapping[str, str], advice: Mapping[str, str]) -> dict[str, str]:
    """Return the pages, name to text, that are made of the chapters."""
    lines = list(lines_of(chapters))
    return {
        "index-rules.md": rules_page(lines),
        "index-codes.md": codes_page(lines, advice),
        "index-files.md": things_page(lines),
    }


def dead_links(documents: Mapping[str, str]) -> Iterator[str]:
    """Yield the links between documents, path to text, that lead to no document or to no heading of one."""
    anchors = {
        path: {anchor(line.heading) for line in lines_of({path: text})} for path, text in documents.items()
    }
    for path, text in documents.items():
        for line in lines_of({path: text}):
            for target in _LINK.findall(re.sub(r"`[^`]*`", "", line.text)):
                if "://" in target:
                    continue
                file, _, name = target.partition("#")
                whole = os.path.normpath(os.path.join(os.path.dirname(path), file)) if file else path
                if whole in anchors:
                    if name and name not in anchors[whole]:
                        yield f"{path}: {whole} has no section {name}"
                elif not os.path.exists(os.path.join(TOP, whole)):
                    yield f"{path}: there is no {whole}"


def dead_names(chapters: Mapping[str, str]) -> Iterator[str]:
    """Yield the references in the chapters to rules, codes or sections that do not exist."""
    lines = list(lines_of(chapters))
    rules = {line.rule for line in lines}
    rows = [row for row in rows_of(lines) if row.column == "code"]
    codes = {code for row in rows for code in re.findall(r"`([^`]+)`", row.cells[0])}
    first = {name.partition(".")[0] for name in rules | codes if CODE.match(name)}
    sections = {line.heading.split()[0].rstrip(".") for line in lines if line.heading}
    for line in lines:
        for name in re.findall(r"`([a-z]+(?:\.[a-z0-9-]+)+)`", line.text):
            if name.partition(".")[0] in first and name not in rules | codes and not _is_file(name):
                yield f"{line.chapter}: {name} is neither a rule nor a code ({line.heading})"
        for number in re.findall(r"\b[Ss]ection (\d+[a-z]?\.\d+[a-z]?)\b", line.text):
            if number not in sections:
                yield f"{line.chapter}: there is no section {number} ({line.heading})"


def _is_file(name: str) -> bool:
    return name.rpartition(".")[2] in (
        "bramble",
        "toml",
        "lock",
        "json",
        "md",
        "txt",
        "py",
        "drv",
        "c",
        "git",
        "gz",
    )


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def _chapters(spec: str) -> dict[str, str]:
    return {
        name: _read(os.path.join(spec, name)) for name in sorted(os.listdir(spec)) if _CHAPTER.fullmatch(name)
    }


def _documents() -> dict[str, str]:
    found = {}
    for directory in (".", "spec", "spec/guide", "conformance", "conformance/vectors"):
        where = os.path.join(TOP, directory)
        if os.path.isdir(where):
            for name in sorted(os.listdir(where)):
                if name.endswith(".md"):
                    found[os.path.normpath(os.path.join(directory, name))] = _read(os.path.join(where, name))
    return found


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or check them and all references; return 1 where something is wrong."""
    parser = argparse.ArgumentParser(
        prog="python3 -m conformance.book", description="Make the indexes of spec/."
    )
    parser.add_argument("--check", action="store_true", help="write nothing; name what is wrong")
    check = parser.parse_args(arguments).check
    chapters = _chapters(SPEC)
    made = pages(chapters, remedies(_read(REMEDIES)) if os.path.exists(REMEDIES) else {})
    if not check:
        for name, text in made.items():
            with open(os.path.join(SPEC, name), "w", encoding="utf-8") as file:
                file.write(text)
        return 0
    wrong = []
    if os.path.exists(REMEDIES):
        for name, text in made.items():
            path = os.path.join(SPEC, name)
            if not os.path.exists(path) or _read(path) != text:
                wrong.append(f"spec/{name} is not what the chapters say: run python3 -m conformance.book")
    wrong += [*dead_links(_documents()), *dead_names(chapters)]
    print("\n".join([*wrong, f"{len(wrong)} problems"]))
    return 1 if wrong else 0
