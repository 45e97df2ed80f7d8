"""The closed vocabulary of scripts: each verb, its shape, and what a line of it says.

Pure. A line becomes one frozen step or a `BadStep`; `expect` carries steps out.
The shapes are those of spec/13-conformance.md (spec: conformance.verbs).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Optional, Union

from conformance.words import BadWords, Word, split_words, whole_text

CODE = r"[a-z]+\.[a-z0-9]+(?:-[a-z0-9]+)*"
DIGEST = re.compile(r"[a-z2-7]{32}")
IMPLEMENTATION_CAPABILITIES = ("host-tools", "records", "star-batch")
MACHINE_CAPABILITIES = ("fixture", "git", "ordinary-user", "root")
CAPABILITIES = IMPLEMENTATION_CAPABILITIES + MACHINE_CAPABILITIES
ARCHIVES = (".tar", ".tar.gz", ".tar.bz2", ".tar.xz", ".zip")
FIXTURES = ("builder",)
SIGNALS = ("INT", "TERM", "HUP", "QUIT", "USR1", "USR2", "KILL")

_SIGNAL = re.compile(rf"({'|'.join(SIGNALS)}) +when +(?:(exists|asked) +(.+)|(stdout|stderr) +line (.+))")
_PLACE = re.compile(r"([^:]+)(?::([1-9][0-9]*)(?::([1-9][0-9]*))?)?")
_ENV = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(=.*)?", re.DOTALL)


class BadStep(Exception):
    """A line that is not in the vocabulary."""


@dataclass(frozen=True)
class Command:
    """`run` and `fail`: arguments for the implementation, and the exit status that it must end with."""

    arguments: tuple[Word, ...]
    status: int
    directory: Optional[str]  # below $WORK; None is $WORK itself
    standard_input: Optional[Word]
    standard_output: Optional[Word]


@dataclass(frozen=True)
class Signal:
    """`signal`: a signal that the next command gets while it runs, as soon as something is the case."""

    name: str  # as in SIGNALS
    how: str  # exists, asked, stdout, stderr
    what: Word  # a path, an address, a line


@dataclass(frozen=True)
class Error:
    """`error`: one error that the last command must have printed."""

    code: str
    file: Optional[Word]  # None: the place is not checked
    line: Optional[int]
    column: Optional[int]
    nowhere: bool = False  # the error must have no place


@dataclass(frozen=True)
class Json:
    """`json`: a value in the document that the last command printed."""

    path: tuple[Union[Word, int], ...]  # keys, which may use names, and indexes
    text: str
    value: Word
    absent: bool
    any_order: bool


@dataclass(frozen=True)
class Text:
    """`text`: bytes that the last command printed, or that a file holds."""

    subject: Word  # stdout, stderr, or a path
    how: str  # is, empty, like, line, holds, lacks
    expected: Word


@dataclass(frozen=True)
class Tree:
    """`tree`: everything below a directory, or that there is nothing at all."""

    path: Word
    how: str  # listing, digest, gone
    expected: Word


@dataclass(frozen=True)
class Same:
    """`same`: two files or directories that must be equal."""

    first: Word
    second: Word


@dataclass(frozen=True)
class Write:
    """`write`: a change to $WORK between commands."""

    path: Word
    how: str
    argument: Word


@dataclass(frozen=True)
class Env:
    """`env`: a variable of the environment from here on; no value removes it."""

    name: str
    value: Optional[Word]


@dataclass(frozen=True)
class Serve:
    """`serve`: a loopback server from here to the end of the case; its address becomes `$name`."""

    name: str
    routes: str  # the section that says what it answers
    certificate: Optional[Word] = None  # the file with its key and its certificate, where it speaks TLS


@dataclass(frozen=True)
class Git:
    """`git`: a change to a git repository of the case; the hash of a new commit becomes `$hash_name`."""

    path: Word
    how: str  # commit, tag, annotate, branch, untag, module
    name: Word  # of the tag, the branch or the submodule; of a commit: the directory that it is made of
    commit: Optional[Word] = None  # what the name means; None: the newest commit
    tags: tuple[Word, ...] = ()  # of a new commit
    hash_name: Optional[str] = None


@dataclass(frozen=True)
class Need:
    """`need`: a capability without which the case ends here, unclaimed."""

    capability: str


Action = Union[Command, Signal, Error, Json, Text, Tree, Same, Write, Env, Serve, Git, Need]


@dataclass(frozen=True)
class Step:
    """One line of a script."""

    line: int
    source: str  # the line as it stands, for reports
    phase: str  # the comment that opened this part of the script, "" before the first
    action: Action

    def words(self) -> tuple[Word, ...]:
        """Return every text of the step that may use names."""
        action = self.action
        if isinstance(action, Command):
            ends = (action.standard_input, action.standard_output)
            return action.arguments + tuple(word for word in ends if word is not None)
        if isinstance(action, Signal):
            return (action.what,)
        if isinstance(action, Error):
            return () if action.file is None else (action.file,)
        if isinstance(action, Json):
            return (*(key for key in action.path if isinstance(key, Word)), action.value)
        if isinstance(action, Text):
            return (action.subject, action.expected)
        if isinstance(action, Tree):
            return (action.path, action.expected)
        if isinstance(action, Same):
            return (action.first, action.second)
        if isinstance(action, Write):
            return (action.path, action.argument)
        if isinstance(action, Env):
            return () if action.value is None else (action.value,)
        if isinstance(action, Git):
            ends = () if action.commit is None else (action.commit,)
            return (action.path, action.name, *ends, *action.tags)
        return ()

    def defines(self) -> Optional[str]:
        """Return the name that gets a value here, if it has none yet."""
        action = self.action
        if isinstance(action, Serve):
            return action.name
        if isinstance(action, Git):
            return action.hash_name
        if isinstance(action, Json):
            return action.value.only_name()
        if isinstance(action, Text) and action.how == "is":
            return action.expected.only_name()
        return None

    def all_defined(self) -> Iterator[str]:
        """Yield the names that have a value after the step."""
        name = self.defines()
        if name is not None:
            yield name
            if isinstance(self.action, Serve):
                yield f"{name}_at"

    def section(self) -> Optional[str]:
        """Return the section kept aside (`@…`) that the step uses."""
        action = self.action
        if isinstance(action, Serve):
            return action.routes
        if isinstance(action, (Text, Tree)) and action.how in ("like", "listing"):
            return str(action.expected)
        if isinstance(action, Write) and _WRITES[action.how] == "@SECTION":
            return str(action.argument)
        return None


def parse_step(line: int, source: str, phase: str) -> Step:
    """Return one line of a script as a step. Raises BadStep if it is not in the vocabulary."""
    verb, _, rest = source.strip().partition(" ")
    if verb not in _PARSERS:
        raise BadStep(f"unknown verb {verb!r}; known: {', '.join(VERBS)}")
    try:
        return Step(line, source.strip(), phase, _PARSERS[verb](rest.strip()))
    except BadWords as problem:
        raise BadStep(str(problem)) from None


def _run(rest: str) -> Command:
    # spec: conformance.verbs.run
    return _command(list(split_words(rest)), 0)


def _fail(rest: str) -> Command:
    # spec: conformance.verbs.fail
    words = list(split_words(rest))
    status = 1
    if words and str(words[0]).isdigit():
        status = int(str(words.pop(0)))
        if not 1 <= status <= 255:
            raise BadStep("fail takes an exit status from 1 to 255")
    return _command(words, status)


def _command(words: list[Word], status: int) -> Command:
    directory = None
    if words and str(words[0]).startswith("@"):
        directory = str(words.pop(0))[1:]
        check_path(directory)
    ends: dict[str, Optional[Word]] = {"<": None, ">": None}
    arguments: list[Word] = []
    while words:
        word = words.pop(0)
        if str(word) not in ends:
            arguments.append(word)
        elif not words or ends[str(word)] is not None:
            raise BadStep(f"{word} is followed by one file, and occurs once")
        else:
            ends[str(word)] = words.pop(0)
    if not arguments:
        raise BadStep("run and fail are followed by the arguments of the command")
    return Command(tuple(arguments), status, directory, ends["<"], ends[">"])


def _signal(rest: str) -> Signal:
    # spec: conformance.verbs.signal
    match = _SIGNAL.fullmatch(rest)
    if match is None:
        raise BadStep(
            f"signal has the shape: signal NAME when HOW; NAME is one of {', '.join(SIGNALS)}; HOW is one of "
            "exists PATH, asked ADDRESS, stdout line TEXT, stderr line TEXT"
        )
    name, one_word, operand, stream, text = match.groups()
    if stream is not None:
        return Signal(name, stream, whole_text(text))
    words = split_words(operand)
    if len(words) != 1:
        raise BadStep(f"signal … when {one_word} takes one word")
    return Signal(name, one_word, words[0])


def _error(rest: str) -> Error:
    # spec: conformance.verbs.error
    words = split_words(rest)
    if not words or not re.fullmatch(CODE, str(words[0])):
        raise BadStep("error is followed by a code: phase.slug")
    if len(words) == 1:
        return Error(str(words[0]), None, None, None)
    if len(words) != 3 or str(words[1]) != "at":
        raise BadStep("error has the shape: error CODE [at FILE[:LINE[:COLUMN]] | at none]")
    if str(words[2]) == "none":
        return Error(str(words[0]), None, None, None, nowhere=True)
    place = _PLACE.fullmatch(str(words[2]))
    if place is None:
        raise BadStep(f"{words[2]} is not a place; expected FILE, FILE:LINE or FILE:LINE:COLUMN")
    file, line, column = place.groups()
    return Error(
        str(words[0]), whole_text(file), int(line) if line else None, int(column) if column else None
    )


def _json(rest: str) -> Json:
    # spec: conformance.verbs.json
    path, _, text = rest.partition(" ")
    if path.startswith('"') or '."' in path:
        path, text = _quoted_path(rest)
    text = text.strip()
    if not text:
        raise BadStep("json has the shape: json PATH VALUE")
    any_order = text.startswith("~[")
    return Json(_json_path(path), text, whole_text(text), text == "(absent)", any_order)


def _quoted_path(rest: str) -> tuple[str, str]:
    match = re.match(r'((?:"(?:[^"\\]|\\.)*"|[^\s"])+)\s+(.*)', rest)
    if match is None:
        raise BadStep("json has the shape: json PATH VALUE")
    return match.group(1), match.group(2)


def _json_path(path: str) -> tuple[Union[Word, int], ...]:
    if path == ".":
        return ()
    keys: list[Union[Word, int]] = []
    for part in re.findall(r'"(?:[^"\\]|\\.)*"|[^."]+|(?<=\.)(?=\.|$)', path):
        if part.startswith('"'):
            keys.append(Word((str(json.loads(part)),)))
        elif not part:
            raise BadStep(f"{path!r} has an empty part")
        else:
            keys.append(int(part) if part.isdigit() else whole_text(part))
    return tuple(keys)


def _text(rest: str) -> Text:
    # spec: conformance.verbs.text
    match = re.fullmatch(r"(\S+)\s+(is|like|line|holds|lacks|empty)(?: (.*))?", rest)
    if match is None:
        raise BadStep(
            "text has the shape: text SUBJECT HOW; HOW is one of "
            "is TEXT, line TEXT, holds TEXT, lacks TEXT, like @SECTION, empty"
        )
    subject, how, expected = match.groups()
    if how == "like":
        _check_section(expected or "")
    elif (how == "empty") != (not expected):
        raise BadStep("'text … empty' takes nothing more; every other form takes a text")
    if subject == "stderr" and how in ("is", "like", "empty"):
        raise BadStep("the text on stderr is not specified; only line, holds and lacks can be used for it")
    return Text(whole_text(subject), how, whole_text(expected or ""))


def _tree(rest: str) -> Tree:
    # spec: conformance.verbs.tree
    words = split_words(rest)
    if len(words) != 2:
        raise BadStep("tree has the shape: tree PATH @SECTION | DIGEST | gone")
    expected = str(words[1])
    if expected == "gone":
        return Tree(words[0], "gone", words[1])
    if expected.startswith("@"):
        _check_section(expected)
        return Tree(words[0], "listing", words[1])
    if DIGEST.fullmatch(expected) or words[1].only_name():
        return Tree(words[0], "digest", words[1])
    raise BadStep(f"{expected!r} is neither a section nor a digest nor 'gone'")


def _same(rest: str) -> Same:
    # spec: conformance.verbs.same
    words = split_words(rest)
    if len(words) != 2:
        raise BadStep("same has the shape: same PATH PATH")
    return Same(words[0], words[1])


def _write(rest: str) -> Write:
    # spec: conformance.verbs.write
    match = re.fullmatch(r"(\S+)\s+([a-z]+)(?:\s+(.*))?", rest)
    if match is None or match.group(2) not in _WRITES:
        raise BadStep(f"write has the shape: write PATH HOW [ARGUMENT]; HOW is one of {', '.join(_WRITES)}")
    path, how, argument = match.group(1), match.group(2), (match.group(3) or "").strip()
    if bool(argument) != (_WRITES[how] != ""):
        raise BadStep(f"write … {how} takes {_WRITES[how] or 'nothing more'}")
    if not path.startswith("$"):
        check_path(path)
    if _WRITES[how] == "@SECTION":
        _check_section(argument)
    if how == "mode" and not re.fullmatch(r"[0-7]{4}", argument):
        raise BadStep("a mode has four octal digits")
    if how == "age" and not re.fullmatch(r"[0-9]+[smhd]", argument):
        raise BadStep("an age is a number and one of the units s, m, h, d")
    if how == "replace" and not all(argument.partition(" -> ")):
        raise BadStep("replace has the shape: write PATH replace OLD -> NEW")
    if how == "fixture" and argument not in FIXTURES:
        raise BadStep(f"unknown fixture {argument!r}; known: {', '.join(FIXTURES)}")
    if how == "archive" and not path.endswith(ARCHIVES):
        raise BadStep(f"an archive's name ends in one of {', '.join(ARCHIVES)}")
    return Write(whole_text(path), how, whole_text(argument))


# Each way of writing, with what it takes.
_WRITES: Mapping[str, str] = {
    "text": "TEXT",
    "from": "@SECTION",
    "fill": "@SECTION",
    "tree": "@SECTION",
    "archive": "@SECTION",
    "fixture": "NAME",
    "copy": "PATH",
    "mode": "MODE",
    "age": "AGE",
    "replace": "OLD -> NEW",
    "link": "TARGET",
    "cut": "LENGTH",
    "gone": "",
}


def _env(rest: str) -> Env:
    # spec: conformance.verbs.env
    match = _ENV.fullmatch(rest)
    if match is None:
        raise BadStep("env has the shape: env NAME=VALUE, or env NAME to remove it")
    value = match.group(2)
    return Env(match.group(1), None if value is None else whole_text(value[1:]))


def _serve(rest: str) -> Serve:
    # spec: conformance.verbs.serve
    words = rest.split()
    shaped = len(words) == 2 or (len(words) == 4 and words[2] == "tls")
    if not shaped or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", words[0]):
        raise BadStep("serve has the shape: serve NAME @SECTION [tls PATH]")
    _check_section(words[1])
    return Serve(words[0], words[1], whole_text(words[3]) if words[2:] else None)


def _git(rest: str) -> Git:
    # spec: conformance.verbs.git
    words = list(split_words(rest))
    if len(words) < 3 or str(words[1]) not in _GIT:
        raise BadStep(f"git has the shape: git PATH HOW NAME; HOW is one of {', '.join(_GIT)}")
    path, how, name, more = words[0], str(words[1]), words[2], words[3:]
    if how == "commit":
        hash_name = more.pop().only_name() if more and more[-1].only_name() else None
        return Git(path, how, name, tags=tuple(more), hash_name=hash_name)
    if len(more) > _GIT[how]:
        raise BadStep(f"git … {how} NAME is followed by {'a commit' if _GIT[how] else 'nothing more'}")
    if how == "module" and not more:
        raise BadStep("git … module NAME is followed by a commit")
    return Git(path, how, name, more[0] if more else None)


# Each change of a repository, with how many words may follow its name; behind a commit, any number.
_GIT: Mapping[str, int] = {"commit": -1, "tag": 1, "annotate": 1, "branch": 1, "untag": 0, "module": 1}


def _need(rest: str) -> Need:
    # spec: conformance.verbs.need
    check_capability(rest)
    return Need(rest)


def check_capability(name: str) -> None:
    """Raise BadStep for a capability that is not known."""
    if name not in CAPABILITIES:
        raise BadStep(f"unknown capability {name!r}; known: {', '.join(CAPABILITIES)}")


def check_path(name: str) -> None:
    """Raise BadStep for the name of a file that is empty, absolute, climbs, or can be written shorter."""
    if not name or name.startswith("/") or "\\" in name or "\0" in name:
        raise BadStep(f"bad path {name!r}")
    if any(part in ("", ".", "..") for part in name.split("/")):
        raise BadStep(f"bad path {name!r}: it has an empty, '.' or '..' part")


def _check_section(name: str) -> None:
    if not re.fullmatch(r"@\S+", name):
        raise BadStep(f"expected the name of a section kept aside, @NAME, and not {name!r}")


_PARSERS: Mapping[str, Callable[[str], Action]] = {
    "run": _run,
    "fail": _fail,
    "signal": _signal,
    "error": _error,
    "json": _json,
    "text": _text,
    "tree": _tree,
    "same": _same,
    "write": _write,
    "env": _env,
    "serve": _serve,
    "git": _git,
    "need": _need,
}
VERBS = tuple(_PARSERS)
