"""TOML 1.0.0 with the place of every value (spec: project.toml); dates are text (spec: dialect.toml)."""

from __future__ import annotations

import re

from conformance.mini.reader import Failure

SPACE = re.compile(r"[ \t]*")
GAP = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
END = re.compile(r"[ \t]*(?:#[^\n\x00-\x08\x0b-\x1f\x7f]*)?(?:\n|\Z)")
BARE = re.compile(r"[A-Za-z0-9_-]+")
STRING = re.compile(
    r'"""\n?((?:[^\\]|\\[\s\S])*?"{0,2})"""(?!")|\'\'\'\n?([\s\S]*?\'{0,2})\'\'\'(?!\')'
    r"|\"(?!\"\")((?:[^\"\\\n]|\\.)*)\"|'(?!'')([^'\n]*)'"
)
DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
TIME = r"([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]+))?"
MOMENT = re.compile(rf"(?:({DATE})(?:[Tt ](?={TIME}))?)?(?:{TIME}(?:[Zz]|[+-][0-9]{{2}}:[0-9]{{2}})?)?")
NUMBER = re.compile(
    r"0x[0-9a-fA-F]+(?:_[0-9a-fA-F]+)*|0o[0-7]+(?:_[0-7]+)*|0b[01]+(?:_[01]+)*|[+-]?(?:inf|nan)"
    r"|[+-]?(?:0|[1-9](?:_?[0-9])*)(?:\.[0-9](?:_?[0-9])*)?(?:[eE][+-]?[0-9](?:_?[0-9])*)?"
)
ESCAPE = re.compile(r'\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([btnfr"\\])|[ \t]*\n[ \t\n]*|([\s\S]))')
SHORT = dict(zip('btnfr"\\', '\b\t\n\f\r"\\'))


class Table(dict):
    """A table: `at` is where it begins, `places` where the value of each key does; `closed`: no more keys."""

    def __init__(self, at, closed=False):
        super().__init__()
        self.at, self.places, self.closed, self.header = at, {}, closed, False


class Document:
    """Reads one text; errors have `code` and `file`."""

    def __init__(self, text, code, file=None):
        self.text, self.place, self.code, self.file = text.replace("\r\n", "\n"), 0, code, file

    def at(self, place=None):
        before = self.text[: self.place if place is None else place]
        return before.count("\n") + 1, len(before) - before.rfind("\n")

    def refuse(self, message, place=None):
        raise Failure(self.code, message, self.at(place), self.file)

    def take(self, pattern):
        found = (pattern if hasattr(pattern, "match") else re.compile(re.escape(pattern))).match(
            self.text, self.place
        )
        self.place = found.end() if found else self.place
        return found

    def want(self, pattern):
        return self.take(pattern) or self.refuse("it is not TOML from here on")

    def read(self):
        """Return the top table."""
        top = table = Table((1, 1))
        while self.take(GAP) and self.place < len(self.text):
            start = self.place
            if self.take("["):
                array = self.take("[")
                *above, last = self.key()
                self.want("]]" if array else "]")
                table = self.descend(top, above, start)
                new = Table(self.at(start))
                if array:
                    if not isinstance(table.setdefault(last, []), list) or table.places.get(last) == "closed":
                        self.refuse("it is defined twice", start)
                    table.places.setdefault(last, new.at)
                    table[last].append(new)
                    table = new
                else:
                    found = table.setdefault(last, new)
                    if not isinstance(found, Table) or found.header or found.closed:
                        self.refuse("it is defined twice", start)
                    table.places.setdefault(last, new.at)
                    table, found.header, found.at = found, True, new.at
            else:
                self.pair(table)
            self.want(END)
        return top

    def descend(self, table, keys, start):
        for key in keys:
            below = table.setdefault(key, Table(self.at(start)))
            table.places.setdefault(key, self.at(start))
            table = below[-1] if isinstance(below, list) and below and isinstance(below[-1], Table) else below
            if not isinstance(table, Table) or table.closed:
                self.refuse("it is defined twice", start)
        return table

    def pair(self, table):
        start = self.place
        *above, last = self.key()
        self.want("=")
        self.take(SPACE)
        table = self.descend(table, above, start)
        if last in table:
            self.refuse("it is defined twice", start)
        table.places[last] = self.at()
        table[last] = self.value()

    def key(self):
        parts = []
        while not parts or self.take("."):
            self.take(SPACE)
            parts.append(
                self.string() if self.text[self.place : self.place + 1] in ('"', "'") else self.want(BARE)[0]
            )
            self.take(SPACE)
        return parts

    def string(self):
        start, found = self.place, self.take(STRING)
        if not found:
            self.refuse("the string does not end")
        escaped = found[1] if found[1] is not None else found[3]

        def one(escape):
            code = int(escape[1] or escape[2] or "0", 16)
            if escape[4] or code > 0x10FFFF or 0xD800 <= code < 0xE000:
                self.refuse("there is no such escape", start)
            return SHORT[escape[3]] if escape[3] else chr(code) if escape[1] or escape[2] else ""

        return (
            ESCAPE.sub(one, escaped)
            if escaped is not None
            else found[2]
            if found[2] is not None
            else found[4]
        )

    def value(self):
        sign, start = self.text[self.place : self.place + 1], self.place
        if sign in ('"', "'"):
            return self.string()
        if self.take("["):
            items = []
            while self.take(GAP) and not self.take("]"):
                items.append(self.value())
                if self.take(GAP) and not self.take(","):
                    self.want("]")
                    break
            return items
        if self.take("{"):
            table = Table(self.at(start))
            while self.take(SPACE) and (table or not self.take("}")):
                self.pair(table)
                if self.take(SPACE) and not self.take(","):
                    self.want("}")
                    break
            table.closed = True
            return table
        for word, value in (("true", True), ("false", False)):
            if self.take(word):
                return value
        if MOMENT.match(self.text, start)[0]:
            text = re.sub(r"z$|[+-]00:00$", "Z", self.take(MOMENT)[0]).replace(" ", "T").replace("t", "T")
            return re.sub(r"\.([0-9]+)", lambda found: "." + found[1][:6].ljust(6, "0"), text)
        text = self.want(NUMBER)[0].replace("_", "")
        return int(text, 0) if re.fullmatch("0[xob].*|[+-]?[0-9]+", text) else float(text)


def loads(text, code, file=None):
    """Return the table that a text says. Raises Failure with `code`."""
    return Document(text, code, file).read()
