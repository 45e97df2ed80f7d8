"""`bramble explain`: what the specification says of an error."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from bramble.record import dataclass
from bramble.self.tree import specification

_PARAGRAPH = re.compile(r"^\*\*`([a-z0-9.-]+)`\*\*", re.M)
# Says of codes that they have no case, and of errors nothing.
_NO_RULE = "cli.errors.codes"
# What ends the text of a paragraph: a heading, cases.
_END = re.compile(r"^(?:#|```(?:case|star)|<details>)", re.M)
# Grammars and examples in a paragraph; they are read in the chapter.
_FENCED = re.compile(r"^(`{3,})(?!case|star).*?^\1$", re.M | re.S)
_PARTS = re.compile(r"\n\s*\n|\n(?=- |\d+\. )")  # paragraphs, and items of lists
_LINK = re.compile(r"\[([^]\[]+)\]\([^()\s]*(?:\.md|#)[^()\s]*\)")


@dataclass(frozen=True)
class Rule:
    """A paragraph of the specification: `blocks` are its parts, each on one line, without tables.

    `id` is "" for a row of a table outside of paragraphs.
    """

    id: str
    chapter: str  # the file
    blocks: tuple[str, ...]


def chapters() -> Mapping[str, str]:
    """Return the chapters of the specification, file name to text; none where it was not brought along."""
    # spec: cli.explain.rule
    return {name: data.decode("utf-8") for name, data in specification().items() if _is_chapter(name)}


def _is_chapter(name: str) -> bool:
    return re.fullmatch(r"\d\d[a-z]?-[a-z-]+\.md", name) is not None


def rules_about(code: str, texts: Mapping[str, str]) -> Sequence[Rule]:
    """Return the paragraphs that name an error code: first the one of that name, then those that name the
    code in their text, then tables.

    Without such paragraphs, tables outside of paragraphs are searched.
    """
    named: list[Rule] = []
    listed: list[Rule] = []
    for chapter, id, body in _paragraphs(texts):
        tables, prose = _parted(body)
        if id == _NO_RULE:
            continue
        if id == code:
            named.insert(0, Rule(id, chapter, _blocks(prose)))
            continue
        if f"`{code}`" in prose:
            named.append(Rule(id, chapter, _blocks(prose)))
            continue
        rows = [row for row in tables if f"`{code}`" in row]
        if rows:
            listed.append(Rule(id, chapter, (*_blocks(prose)[:1], *map(_as_text, rows))))
    if named or listed:
        return [*named, *listed]
    row = re.compile(rf"^\|[^|]*`{re.escape(code)}`.*\|$", re.M)
    places = ((chapter, row.search(text)) for chapter, text in texts.items() if _NO_RULE not in text)
    return [Rule("", chapter, (_as_text(found[0]),)) for chapter, found in places if found is not None]


def rule_named(id: str, texts: Mapping[str, str]) -> Sequence[Rule]:
    """Return the paragraph with this id, in a list of one or none."""
    return [
        Rule(id, chapter, (*_blocks(prose), *map(_as_text, tables[2:])))
        for chapter, found, body in _paragraphs(texts)
        if found == id
        for tables, prose in [_parted(body)]
    ]


def _paragraphs(texts: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield chapter, id and text of every paragraph that has an id: of links what is read."""
    for chapter, text in texts.items():
        starts = list(_PARAGRAPH.finditer(text))
        for start, following in zip(starts, [*starts[1:], None]):
            body = text[start.end() : following.start() if following is not None else len(text)]
            body = _FENCED.sub("", body)
            end = _END.search(body)
            body = body[: end.start()] if end is not None else body
            yield chapter, start[1], _LINK.sub(r"\1", body).replace("*Why.* ", "Why: ")


def _parted(body: str) -> tuple[Sequence[str], str]:
    """Return the lines of tables in a paragraph, and the rest of it."""
    lines = body.split("\n")
    return [line for line in lines if line.startswith("|")], "\n".join(
        line for line in lines if not line.startswith("|")
    )


def _blocks(prose: str) -> tuple[str, ...]:
    return tuple(" ".join(block.split()) for block in _PARTS.split(prose) if block.strip())


def _as_text(row: str) -> str:
    """Return a row of a table as text: `a: b; c`."""
    cells = [cell.replace("\\|", "|").strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]
    first, *rest = [cell for cell in cells if cell]
    return f"{first}: {'; '.join(rest)}" if rest else first
