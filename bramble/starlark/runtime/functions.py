"""Things that can be called, and things that a host gives to programs.

A `Function` is made by a program's `def` or `lambda`; a `Builtin` is the host's or
the language's. A compiled function takes the running `Thread` as a hidden first
parameter, so nothing about a running program is kept in a global variable.
"""

from __future__ import annotations

import sys

from ..errors import EvalError, Frame
from ..record import Record
from .interruptible import types_of
from .limits import Walk
from .values import PLAIN_KEYS, TYPE_NAMES, Key, equal, fail_with, has_odd_keys, key_of, type_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import FrameType, FunctionType
    from typing import Any, Optional, Union

    from ..errors import Position
    from ..thread import Thread
    from .values import Value

    # Gives what stands for a value when it is frozen: see freezing.py.
    Frozen = Callable[[Value], Value]


# Names that Starlark programs may use and Python refuses as variables.
SPECIAL_NAMES = frozenset({"None", "True", "False", "__debug__"})


# How the names of functions begin that are parts of a file's bodies (compile/parts.py).
INNER_PART = "<part"


def mangle(name: str) -> str:
    """Return the Python name of a Starlark variable."""
    return f"{name}$" if name in SPECIAL_NAMES else name


class ParameterInfo(Record):
    """One parameter: `kind` is positional, keyword-only, varargs or kwargs."""

    name: str
    kind: str
    has_default: bool


class FunctionInfo:
    """What is known about a function from its text: its body, whatever closures are made of it.

    It is made for every function whenever a file is run, so it works out what
    it knows only when asked. `text` are the parameters as written.
    """

    __slots__ = ("name", "_row", "_place")

    def __init__(self, row: tuple[Any, ...], place: Callable[[int], Position]) -> None:
        self.name: str = row[1]
        self._row = row
        self._place = place

    @property
    def parameters(self) -> tuple[ParameterInfo, ...]:
        return tuple([ParameterInfo(*parameter) for parameter in self._row[2]])

    @property
    def docstring(self) -> Optional[str]:
        return self._row[3]  # type: ignore[no-any-return]

    @property
    def position(self) -> Position:
        return self._place(self._row[0])

    @property
    def text(self) -> str:
        return self._row[4]  # type: ignore[no-any-return]


class Function:
    """A function that a program defined.

    `info` describes it; `entry` is the Python function that takes the thread and
    then the arguments. Call one with `call(thread, function, args, kwargs)`.
    """

    __slots__ = ("entry", "info")
    type_name = "function"

    def __init__(self, entry: FunctionType, info: FunctionInfo) -> None:
        self.entry = entry
        self.info = info

    @property
    def name(self) -> str:
        return self.info.name

    @property
    def docstring(self) -> Optional[str]:
        return self.info.docstring

    @property
    def position(self) -> Position:
        return self.info.position

    def __repr__(self) -> str:
        return f"<function {self.info.name}>"

    def starlark_freeze(self, frozen: Frozen) -> None:
        """Freeze what the function can reach: its defaults and the variables it has captured."""
        entry = self.entry
        freeze_defaults(getattr(entry, "function", entry), frozen)
        for cell in entry.__closure__ or ():
            try:
                value = cell.cell_contents
            except ValueError:
                # The variable has never been assigned.
                continue
            made = frozen(value)
            if made is not value:
                cell.cell_contents = made

    def starlark_key(self, _walk: Walk) -> Value:
        return self


def freeze_defaults(entry: FunctionType, frozen: Frozen) -> None:
    """Freeze the defaults of the parameters of a Python function that a program's has become."""
    # A function that other threads may be calling is frozen already, and stays as it is.
    if entry.__defaults__:
        defaults = frozen(entry.__defaults__)
        if defaults is not entry.__defaults__:
            entry.__defaults__ = defaults
    words = entry.__kwdefaults__ or {}
    for name, value in words.items():
        made = frozen(value)
        if made is not value:
            words[name] = made


class Stopped(EvalError):
    """The end of a program for the host's sake: a limit of steps or time, or an interruption."""

    def __init__(self, code: str, message: str, limit: str = "") -> None:
        super().__init__(code, message)
        self.limit = limit


class Builtin:
    """A function written in Python: `function(thread, args, kwargs) -> value`.

    `args` is a tuple, `kwargs` a dict with str keys; both may be kept. It fails
    with `fail_with(code, message)` or by raising an EvalError; any other exception
    reaches the host as the cause of an EvalError `eval.host`, which is also the error of a result
    that is no value of programs. `docstring` is for
    `help`-like tools. A method of a value has the value as its `receiver`.
    `entry` is what compiled code calls, as `entry(thread, *args, **kwargs)`; it may be given where a call
    is to take no detour.
    """

    __slots__ = ("name", "function", "receiver", "docstring", "entry")
    type_name = "builtin_function_or_method"

    def __init__(
        self,
        name: str,
        function: Callable[[Thread, tuple[Value, ...], dict[str, Value]], Value],
        receiver: Value = None,
        docstring: Optional[str] = None,
        entry: Optional[Callable[..., Value]] = None,
    ) -> None:
        self.name = name
        self.function = function
        self.receiver = receiver
        self.docstring = docstring
        if entry is not None:
            self.entry = entry

    def __getattr__(self, name: str) -> Callable[..., Value]:
        # Made when it is first asked for: most methods of values that are looked up are called only once.
        if name != "entry":
            raise AttributeError(name)
        self.entry = self.invoke
        return self.entry

    def __repr__(self) -> str:
        if self.receiver is None:
            return f"<built-in function {self.name}>"
        return f"<built-in method {self.name} of {type_name(self.receiver)} value>"

    def invoke(self, thread: Thread, /, *args: Value, **kwargs: Value) -> Value:
        """Call it with Python's own argument passing, as compiled code does."""
        value = self.function(thread, args, kwargs)
        if value.__class__ not in TYPE_NAMES:
            check_value(self.name, value)
        return value

    def starlark_freeze(self, frozen: Frozen) -> None:
        if self.receiver is not None:
            self.receiver = frozen(self.receiver)
            if self.function.__class__ is Method:
                self.function.receiver = self.receiver

    def starlark_key(self, _walk: Walk) -> Value:
        return self


class Method:
    """What a bound method of a built-in type does: `run(thread, receiver, name, args, kwargs)`."""

    __slots__ = ("run", "receiver", "name")

    def __init__(self, run: Callable[..., Value], receiver: Value, name: str) -> None:
        self.run = run
        self.receiver = receiver
        self.name = name

    def __call__(self, thread: Thread, args: tuple[Value, ...], kwargs: dict[str, Value]) -> Value:
        return self.run(thread, self.receiver, self.name, args, kwargs)


class HostValue:
    """A value of the host's that programs can hold. Derive from it and override what the value can do.

    Attributes and methods are only what `attr` gives: no Python attribute can be
    reached. Operators are Python's: define `__add__`, `__getitem__`, `__len__`,
    `__iter__`, `__contains__`, `__lt__`, `__eq__` and `__hash__` (both or neither)
    for a value that has them. Arithmetic operators return neither bools nor tuples,
    lists, dicts or sets; comparisons return bools.
    """

    __slots__ = ()
    type_name = "host_value"

    def truth(self) -> bool:
        """Return what `bool(value)` is."""
        return True

    def attr(self, name: str) -> Value:
        """Return the attribute, or NotImplemented when there is none of that name."""
        return NotImplemented

    def attr_names(self) -> Sequence[str]:
        """Return the names that `dir(value)` lists and that misspellings are compared with."""
        return ()

    def set_attr(self, name: str, value: Value) -> bool:
        """Assign to a field; return False when that is not possible."""
        return False

    def call(self, thread: Thread, args: tuple[Value, ...], kwargs: dict[str, Value]) -> Value:
        """Call the value, or return NotImplemented when it cannot be called."""
        return NotImplemented

    def repr_text(self) -> str:
        """Return what `repr(value)` is, also inside other values."""
        return f"<{self.type_name}>"

    def str_text(self) -> str:
        """Return what `str(value)` is."""
        return self.repr_text()

    def freeze(self, frozen: Frozen) -> None:
        """Let the value never change again, and put `frozen(x)` in the place of each value x that it holds.

        A frozen list or dict is another object. What it holds may not be frozen yet: it is not to be looked
        at here.
        """

    def __bool__(self) -> bool:
        return self.truth()

    def starlark_freeze(self, frozen: Frozen) -> None:
        self.freeze(frozen)

    def starlark_key(self, _walk: Walk) -> Value:
        try:
            hash(self)
        except TypeError:
            fail_with("eval.hash", f"unhashable type: {self.type_name}")
        return self


class Struct:
    """`struct(a = 1)`: immutable named fields, in any order; `sorted_fields` has them by their names."""

    __slots__ = ("fields",)
    type_name = "struct"

    def __init__(self, fields: Mapping[str, Value]) -> None:
        self.fields = dict(fields)

    def sorted_fields(self) -> list[tuple[str, Value]]:
        """Return the fields in the order of their names."""
        fields = self.fields
        return [(name, fields[name]) for name in sorted(fields)]

    def __add__(self, other: Value) -> Value:
        if not isinstance(other, Struct):
            return NotImplemented
        return Struct({**self.fields, **other.fields})

    def __eq__(self, other: object) -> bool:
        return equal(self, other)

    def __hash__(self) -> int:
        return hash(key_of(self))

    def starlark_equal(self, other: Value, walk: Optional[Walk]) -> bool:
        if not isinstance(other, Struct) or self.fields.keys() != other.fields.keys():
            return False
        walk = walk or Walk()
        return all(equal(value, other.fields[name], walk) for name, value in self.sorted_fields())

    def starlark_freeze(self, frozen: Frozen) -> None:
        fields = self.fields
        for name, value in fields.items():
            made = frozen(value)
            if made is not value:
                fields[name] = made

    def starlark_key(self, walk: Walk) -> Value:
        walk.down("hashing")
        walk.count(len(self.fields))
        norm = tuple([(name, key_of(value, walk)) for name, value in self.sorted_fields()])
        walk.up()
        return Key(self, ("struct", norm))


class ModuleValue:
    """A module as a value, such as `json`: a name and attributes, and what it says of itself.

    `unlisted` are attributes that can be asked for and that dir() leaves out.
    """

    __slots__ = ("name", "attributes", "docstring", "unlisted")
    type_name = "module"

    def __init__(
        self,
        name: str,
        attributes: Mapping[str, Value],
        docstring: Optional[str] = None,
        unlisted: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.attributes = attributes
        self.docstring = docstring
        self.unlisted = unlisted

    def __repr__(self) -> str:
        return f'<module "{self.name}">'

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return self is other

    def starlark_freeze(self, frozen: Frozen) -> None:
        found = {name: frozen(value) for name, value in self.attributes.items()}
        if any(found[name] is not value for name, value in self.attributes.items()):
            self.attributes = found


def check_value(what: str, value: Value, thread: Optional[Thread] = None) -> None:
    """Raise EvalError for an object that is not a Starlark value; items of containers are not checked.

    A dict of Python's own has no keys that Python takes for others, unless a program has put them there.
    """
    # spec: starlark.host.values
    try:
        type_name(value)
    except EvalError as error:
        raise EvalError("eval.host", f"{what}: {error.message}" if what else error.message) from None
    if value.__class__ is dict and not PLAIN_KEYS.issuperset(types_of(value)):
        for key in value:
            if key.__class__ is not Key and key_of(key) is not key:
                wrong = f"a dict of Python's own with a {type_name(key)} as a key: use to_starlark"
                raise EvalError("eval.host", f"{what}: {wrong}")
        if thread is not None and has_odd_keys(value):
            thread.odd = True


def binding_fault(info: FunctionInfo, positional: int, keywords: Iterable[str]) -> Optional[str]:
    """Return why a call with that many positional arguments and those keywords cannot bind, or None."""
    # spec: starlark.binding
    names = [p.name for p in info.parameters if p.kind == "positional"]
    only = [p.name for p in info.parameters if p.kind == "keyword-only"]
    kinds = {p.kind for p in info.parameters}
    words = list(keywords)
    label = f"function {info.name}"
    if not info.parameters and positional + len(words):
        return f"{label} accepts no arguments ({positional + len(words)} given)"
    if positional > len(names) and "varargs" not in kinds:
        most = "at most " if any(p.has_default for p in info.parameters if p.kind == "positional") else ""
        plural = "" if len(names) == 1 else "s"
        return f"{label} accepts {most}{len(names)} positional argument{plural} ({positional} given)"
    bound = set(names[:positional])
    for word in words:
        if word in bound:
            return f'{label} got multiple values for parameter "{word}"'
        if word in names or word in only:
            bound.add(word)
        elif "kwargs" not in kinds:
            return f'{label} got an unexpected keyword argument "{word}"'
    missing = [
        p.name
        for p in info.parameters
        if not p.has_default and p.name not in bound and p.kind in ("positional", "keyword-only")
    ]
    if missing:
        plural = "" if len(missing) == 1 else "s"
        return f"{label} missing {len(missing)} argument{plural} ({', '.join(missing)})"
    return None


def check_binding(info: FunctionInfo, positional: int, keywords: Iterable[str]) -> None:
    """Raise the error of a call that cannot bind."""
    fault = binding_fault(info, positional, keywords)
    if fault is not None:
        raise binding_error(info, fault) from None


def binding_error(info: FunctionInfo, message: str) -> EvalError:
    """Return the error of a call that cannot bind: the function that was called is the innermost frame."""
    error = EvalError("eval.argument", message)
    error.stack = (Frame(info.name, info.position),)
    error.parameters = tuple([p.name for p in info.parameters if p.kind in ("positional", "keyword-only")])
    return error


def apply(
    thread: Thread, callee: Value, args: Union[tuple[Value, ...], list[Value]], kwargs: dict[str, Value]
) -> Value:
    """Call any value. Raises EvalError when it cannot be called or the arguments do not bind."""
    # spec: starlark.call
    kind = callee.__class__
    if kind is Function:
        if thread.limited:
            # What counts the steps may be a frame between here and the function.
            check_binding(callee.info, len(args), kwargs)
            return entry_of(thread, callee)(thread, *args, **kwargs)
        try:
            return callee.entry(thread, *args, **kwargs)
        except TypeError as error:
            if error.__traceback__.tb_next is None:  # type: ignore[union-attr]
                # Raised by the call itself: nothing of the function has run.
                check_binding(callee.info, len(args), kwargs)
            raise
    if kind is Builtin:
        return callee.function(thread, tuple(args), kwargs)
    if isinstance(callee, HostValue):
        result = callee.call(thread, tuple(args), kwargs)
        if result is not NotImplemented:
            return result
    return fail_with("eval.call", f"invalid call of non-function ({type_name(callee)})")


class RenamingEntry:
    """The entry of a function that has parameters with names that Python refuses: they have others there."""

    __slots__ = ("function", "info")

    def __init__(self, function: FunctionType, info: FunctionInfo) -> None:
        self.function = function
        self.info = info

    def __call__(self, thread: Thread, /, *args: Value, **kwargs: Value) -> Value:
        check_binding(self.info, len(args), kwargs)
        names = {parameter.name for parameter in self.info.parameters}
        return self.function(thread, *args, **{mangle(n) if n in names else n: v for n, v in kwargs.items()})

    def __getattr__(self, name: str) -> Any:
        return getattr(self.function, name)


def entry_of(thread: Thread, function: Function) -> Callable[..., Value]:
    """Return the Python function to call for a Function: one that counts steps where steps are counted."""
    # spec: starlark.limit.steps
    entry = function.entry
    if thread.limited and not entry.__globals__["$module"].limited:
        # The code was made for a run without limits, so Python counts its lines.
        return _Counted(thread, entry)
    return entry


class _Counted:
    """A compiled function without counted steps, in a thread that has limits."""

    __slots__ = ("thread", "entry")

    def __init__(self, thread: Thread, entry: Callable[..., Value]) -> None:
        self.thread = thread
        self.entry = entry

    def __call__(self, thread: Thread, /, *args: Value, **kwargs: Value) -> Value:
        before = sys.gettrace()
        sys.settrace(self.trace)  # type: ignore[arg-type]
        try:
            return self.entry(thread, *args, **kwargs)
        finally:
            sys.settrace(before)

    def trace(self, frame: FrameType, event: str, _argument: object) -> Optional[Callable[..., object]]:
        if "$module" not in frame.f_globals:
            return None
        if event == "line" or event == "call":
            self.thread.tick()
        return self.trace


class _Callable:
    """Makes any value callable in Python's way, with the thread as the first argument."""

    __slots__ = ("value",)

    def __init__(self, value: Value) -> None:
        self.value = value

    def __call__(self, thread: Thread, /, *args: Value, **kwargs: Value) -> Value:
        return apply(thread, self.value, args, kwargs)


def callable_of(callee: Value) -> Callable[..., Value]:
    """Return what compiled code calls, with the thread first, for a callee that is not a Function."""
    if callee.__class__ is Builtin:
        return callee.entry
    return _Callable(callee)
