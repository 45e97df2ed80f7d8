"""Calls of methods: those of built-in types in Python's own methods, where these do the same.

`x.append(v)` becomes `x.append(v) if x.__class__ is .List else .method($s, x, "append", v)`.
Only the methods in the tables below are ever called on a value, after its class
has been tested, so a program cannot reach any other method of Python's.
"""

from __future__ import annotations

from _ast import Constant
from functools import partial

from ...runtime.functions import SPECIAL_NAMES
from ...runtime.interruptible import CHARACTERS
from ...runtime.limits import COMPARES_ANEW, SHORT_SEARCH, SHORT_STRIP
from ...runtime.string_methods import ASCII_SPACE, SPACE
from ...syntax import tree
from .. import python_tree as py
from ..facts.kind_rules import method_kind
from ..facts.kinds import ANY, DICT, INT, LIST, RAW_DICT, RAW_LIST, STRING, TUPLE
from .arguments import arguments_of, keyword_arguments, words_as_dict
from .calls import call_with_stars
from .formatting import after_text, formatted_call, known_text
from .guards import is_free, is_free_list, is_plain_dict, is_short_text, is_small, is_small_dict
from .unboxed import is_native_key, key_test, may_be_native_key
from .universal_calls import mark_view
from .variables import has_plain_keys, may_lack_value, unless_odd, unwrapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _ast import expr
    from collections.abc import Callable
    from typing import Any, Optional

    from ..context import Context, Typed

# Arguments whose code has more operations than this are not written twice.
_SMALL = 4
# Methods of strings that are Python's own when all arguments are strings: by name, how many.
STRING_NATIVE: dict[str, tuple[int, ...]] = {
    "count": (1,),
    "endswith": (1,),
    "find": (1,),
    "index": (1,),
    "lstrip": (1,),
    "partition": (1,),
    "removeprefix": (1,),
    "removesuffix": (1,),
    "replace": (2,),
    "rfind": (1,),
    "rindex": (1,),
    "rpartition": (1,),
    "rsplit": (1,),
    "rstrip": (1,),
    "split": (1,),
    "startswith": (1,),
    "strip": (1,),
}
# Methods of strings without arguments that have a function of their own.
STRING_PLAIN = frozenset(
    {
        *("capitalize", "isalnum", "isalpha", "isdigit", "islower", "isspace", "isupper"),
        *("lower", "lstrip", "rstrip", "split", "splitlines", "strip", "title", "upper"),
    }
)
_SPLITS = {"rsplit": "str.rsplit", "split": ".split_at"}
# Methods whose function is called directly for a receiver of the class, with any arguments.
_DIRECT: dict[str, dict[str, tuple[int, ...]]] = {
    "str": {
        **dict.fromkeys(("count", "endswith", "find", "rfind", "rindex", "startswith"), (1, 2, 3)),
        **dict.fromkeys(("partition", "rpartition", "removeprefix", "removesuffix"), (1,)),
        **dict.fromkeys(("lstrip", "rstrip", "strip", "splitlines"), (1,)),
        **dict.fromkeys(("rsplit", "split"), (1, 2)),
        "join": (1,),
        "replace": (2, 3),
    },
    ".List": {"insert": (2,), "remove": (1,)},
    ".Dict": {"update": (1,)},
}
# Methods that never make a string longer, and search nothing, or only forwards.
_EASY = frozenset({"endswith", "removeprefix", "removesuffix", "startswith"})
# Questions to a string, and which of Python's answers them the same.
_SHORT_TESTS = {"isalpha": "isalpha", "isdigit": "isdecimal"}
_STRIPS = frozenset({"strip", "lstrip", "rstrip"})
# Replacements that make a string longer are left to the function that watches the size of the result, and
# longer texts to search for backwards to those that watch the work, which is the product of both lengths. So
# are sets of characters to be stripped that are no short literals.
_KINDS = {"str": STRING, ".List": 0, ".Dict": 0}
_BACKWARDS = frozenset({"rfind", "rindex", "rpartition", "rsplit"})
_FORWARDS = frozenset({"count", "find", "index", "partition", "replace", "split"})


def method_call_of(ctx: Context, node: tree.Call, dot: tree.Dot, receiver: Typed) -> Typed:
    """`x.name(…)`: x, then that it has the method, then the arguments, then the call."""
    # spec: starlark.attribute, starlark.call
    made, kind = method_call(ctx, node, dot, receiver)
    if receiver[1] in (RAW_LIST, RAW_DICT) and may_lack_value(ctx, dot.operand):
        made = py.sequence([receiver[0]], made, ctx.line)
    return made, kind & ctx.unit.rules.kind(node)


def method_call(ctx: Context, node: tree.Call, dot: tree.Dot, receiver: Typed) -> Typed:
    """Emit a call of a method, and the kinds that its result can have by the method alone."""
    positional, named, stars = arguments_of(node)
    if stars or any(a.name in SPECIAL_NAMES for a in named):
        line = ctx.unit.op(dot.at, ".attribute")
        function = py.helper(".attribute", [receiver[0], py.constant(dot.name, line)], line)
        return call_with_stars(ctx, node, (function, ANY), positional, named, stars)
    x, mx = receiver
    if mx == RAW_LIST:
        return unboxed_list_method(ctx, node, dot, x, positional, named)
    if mx == RAW_DICT:
        return unboxed_dict_method(ctx, node, dot, x, positional, named)
    result = method_kind(mx, dot.name)
    template = known_text(ctx, dot.operand) if dot.name == "format" else None
    if template is not None:
        made = formatted_call(ctx, node.at, template, positional, named)
        if made is not None:
            return after_text(ctx, dot.operand, made), STRING
    if not named:
        fast = fast_method(ctx, node, dot, receiver, positional)
        if fast is not None:
            return fast, result
    return slow_method(ctx, node, dot, x, positional, named), result


def unboxed_list_method(
    ctx: Context,
    node: tree.Call,
    dot: tree.Dot,
    x: expr,
    positional: list[tree.Expr],
    named: list[tree.NamedArgument],
) -> Typed:
    """Emit a method of a list of Python's own: append, pop, extend or index."""
    name, count = dot.name, len(positional)
    args = [ctx.expr(a) for a in positional]
    values = [value for value, _ in args]
    kinds = [mask for _, mask in args]
    result = method_kind(LIST, name)
    ref = x.id  # type: ignore[attr-defined]
    if not named and name == "append" and count == 1:
        return py.method(name, x, values, ctx.line), result
    if not named and name == "pop" and (count == 0 or kinds == [INT]):
        refs = []
        if values:
            values[0], value_ref = ctx.once(values[0])
            refs = [value_ref]
        line = ctx.unit.op(node.at, ".List.pop", ref, *refs)
        return py.method(name, x, values, line), result
    if not named and name == "extend" and kinds == [LIST]:
        return py.method(name, x, values, ctx.line), result
    # The list itself is changed, so it must not be copied.
    if not named and name == "extend" and count == 1 and kinds[0] & LIST:
        first, other, _ref = ctx.bind(values[0])
        line = ctx.unit.op(node.at, "method")
        slow = py.helper(
            ".raw_method",
            [x, py.constant(name, line), py.tuple_of([other], line), py.dict_of([], [], line)],
            line,
        )
        return py.conditional(
            py.is_class(first, ".List", line), py.method(name, x, [other], line), slow, line
        ), result
    line = ctx.unit.op(node.at, "method")
    parts = [x, py.constant(name, line), py.tuple_of(values, line), words_as_dict(ctx, named)]
    return py.helper(".raw_method", parts, line), result


def unboxed_dict_method(
    ctx: Context,
    node: tree.Call,
    dot: tree.Dot,
    x: expr,
    positional: list[tree.Expr],
    named: list[tree.NamedArgument],
) -> Typed:
    """Emit a method of a dict of Python's own: get, setdefault, items, keys or values."""
    name, count = dot.name, len(positional)
    args = [ctx.expr(a) for a in positional]
    values = [value for value, _ in args]
    result = method_kind(DICT, name)
    if not named and count == 0 and name in ("items", "keys", "values"):
        view = dict_view(name, x, [], ctx.line)
        plain = name == "values" or has_plain_keys(ctx, dot.operand)
        return view if plain else unless_odd(x, view, f".raw_{name}", ctx.line), result
    keyed = name in ("get", "setdefault") and count in (1, 2) and not named
    if keyed and may_be_native_key(args[0][1], RAW_DICT):
        line = ctx.unit.op(node.at, "method")
        if is_native_key(args[0][1], RAW_DICT):
            return py.method(name, x, values, line), result
        first, key, _ref = ctx.bind(values[0])
        test = key_test(key, first, args[0][1], RAW_DICT, line)
        native = py.method(name, x, [key, *values[1:]], line)
        slow = py.helper(f".raw_{name}", [py.load("$s", line), x, key, *values[1:]], line)
        return py.conditional(test, native, slow, line), result
    line = ctx.unit.op(node.at, "method")
    if keyed:
        return py.helper(f".raw_{name}", [py.load("$s", line), x, *values], line), result
    parts = [py.load("$s", line), x, py.constant(name, line)]
    parts += [py.tuple_of(values, line), words_as_dict(ctx, named)]
    return py.helper(".raw_dict_method", parts, line), result


def slow_method(
    ctx: Context,
    node: tree.Call,
    dot: tree.Dot,
    x: expr,
    positional: list[tree.Expr],
    named: list[tree.NamedArgument],
    values: Optional[list[expr]] = None,
) -> expr:
    """Emit a call of any method."""
    line = ctx.unit.op(node.at, "method", (dot.at,))
    if values is None:
        values = [ctx.value(a) for a in positional]
    words = keyword_arguments(ctx, named)
    if words or not all(map(py.is_simple, values)):
        # The method is looked up before the arguments are evaluated.
        check = ctx.unit.op(dot.at, ".having")
        x = py.helper(".having", [x, py.constant(dot.name, check)], check)
    args = [py.load("$s", line), x, py.constant(dot.name, line), *values]
    return py.call(py.load(".method", line), args, line, words)


def fast_method(
    ctx: Context, node: tree.Call, dot: tree.Dot, receiver: Typed, positional: list[tree.Expr]
) -> Optional[expr]:
    """Emit a call of a built-in type's method, or return None for one without a short cut."""
    name, count = dot.name, len(positional)
    before = len(ctx.unit.operations)
    if name in STRING_PLAIN and count == 0:
        return guarded(ctx, node, dot, receiver, [], "str", STRING, partial(plain_string_method, ctx))
    if count in STRING_NATIVE.get(name, ()):
        args = [ctx.expr(a) for a in positional]
        if native_strings(name, args) and len(ctx.unit.operations) - before <= _SMALL:
            return guarded(ctx, node, dot, receiver, args, "str", STRING, native_string_method)
        return string_method(ctx, node, dot, receiver, args)
    if name == "join" and count == 1 and receiver[0].__class__.__name__ == "Constant":
        return join(ctx, node, dot, receiver, unwrapped(ctx, positional[0]))
    if name in ("append", "pop") and receiver[1] == LIST and is_changeable(ctx, dot.operand):
        if name == "append" and count == 1:
            return py.method(name, receiver[0], [ctx.value(positional[0])], ctx.line)
        if name == "pop" and count == 0:
            first, _x, ref = ctx.bind(receiver[0])
            return py.method(name, first, [], ctx.unit.op(node.at, ".List.pop", ref))
    if name == "append" and count == 1:
        args = [ctx.expr(positional[0])]
        if len(ctx.unit.operations) - before > _SMALL:
            return append_large(ctx, node, dot, receiver, args[0][0])
        return guarded(ctx, node, dot, receiver, args, ".List", 0, py.method)
    if name == "extend" and count == 1:
        return extend(ctx, node, dot, receiver, ctx.expr(positional[0]))
    if name == "pop" and count <= 2:
        args = [ctx.expr(a) for a in positional]
        if count < 2 and all(mask == INT and py.is_simple(value) for value, mask in args):
            return guarded(ctx, node, dot, receiver, args, ".List", 0, py.method)
        if args and args[0][1] == STRING:
            return tested(ctx, node, dot, receiver, args, (".Dict", "str", ""), py.method)
        return slow_method(ctx, node, dot, receiver[0], positional, [], [a for a, _ in args])
    if name in ("items", "keys", "values") and count == 0:
        return dict_view_of(ctx, node, dot, receiver[0])
    if name in ("get", "setdefault") and count in (1, 2):
        args = [ctx.expr(a) for a in positional]
        if len(ctx.unit.operations) - before <= _SMALL:
            return keyed_method(ctx, node, dot, receiver, args)
        return slow_method(ctx, node, dot, receiver[0], positional, [], [a for a, _ in args])
    for class_name, methods in _DIRECT.items():
        if count in methods.get(name, ()):
            args = [ctx.expr(a) for a in positional]
            classes, emit = python_method(class_name, name, args)
            return tested(ctx, node, dot, receiver, args, (class_name, *classes), emit)
    return None


def python_method(class_name: str, name: str, args: list[Typed]) -> tuple[tuple[str, ...], Any]:
    """Return the classes that arguments must have for Python's own method, and how it is emitted.

    Where Python's own cannot be used, the function of the method is called, for arguments of any class.
    """
    (value, mask), *others = args
    if name in ("split", "rsplit") and others and is_short_text(value) and is_count(others[0][0]):
        return (), split_few
    if name == "remove" and mask & STRING:
        # Strings are equal to strings only.
        return ("str",), py.method
    if name == "insert" and is_count(value):
        return (), py.method
    if class_name == ".Dict":
        return (), updated
    return (), partial(direct, class_name)


def updated(name: str, x: expr, args: list[expr], line: int) -> expr:
    """Emit `x.update(other)`: Python's own for another dict of Python's own that is not long."""
    slow = py.helper(".Dict.update", [py.load("$s", line), x, *args], line)
    return py.conditional(is_small_dict(args[0], args[0], line), py.method(name, x, args, line), slow, line)


def is_count(node: expr) -> bool:
    """Return whether an argument is a literal int that Python takes as a count."""
    return isinstance(node, Constant) and node.value.__class__ is int and 0 <= node.value < 1 << 31


def split_few(name: str, x: expr, args: list[expr], line: int) -> expr:
    """Emit `x.split(separator, most)`."""
    return py.method(name, x, args, line)


def string_method(ctx: Context, node: tree.Call, dot: tree.Dot, receiver: Typed, args: list[Typed]) -> expr:
    """Emit a method of a string for arguments that may be no strings: Python's where tests allow it."""
    name = dot.name
    strings = ("str",) * (1 + len(args))
    if name in _EASY and (len(args) == 1 and args[0][1] & STRING):
        return tested(ctx, node, dot, receiver, args, strings, native_string_method)
    if name == "replace" and all(is_short_text(value) for value, _ in args):
        return tested(ctx, node, dot, receiver, args, ("str",), replaced)
    if name in _EASY and is_literal_strings(args[0][0]):
        return tested(ctx, node, dot, receiver, args, ("str", ""), native_string_method)
    if name in _FORWARDS and name != "replace" and not COMPARES_ANEW:
        return tested(ctx, node, dot, receiver, args, strings, native_string_method)
    return tested(ctx, node, dot, receiver, args, ("str",), partial(direct, "str"))


def replaced(name: str, x: expr, args: list[expr], line: int) -> expr:
    """Emit `x.replace(old, new)` for two short literals, of which the new one is longer."""
    native = py.method(name, x, args, line)
    return py.conditional(is_short(x, line), native, py.helper("str.replace", [x, *args], line), line)


def is_literal_strings(node: expr) -> bool:
    """Return whether an argument is a tuple of literal strings."""
    items = getattr(node, "elts", ())
    return bool(items) and all(isinstance(i, Constant) and i.value.__class__ is str for i in items)


def direct(class_name: str, name: str, x: expr, args: list[expr], line: int) -> expr:
    """Emit a call of the function of a method."""
    return py.helper(f"{class_name}.{name}", [x, *args], line)


def tested(
    ctx: Context,
    node: tree.Call,
    dot: tree.Dot,
    receiver: Typed,
    args: list[Typed],
    classes: tuple[str, ...],
    emit: Callable[[str, expr, list[expr], int], expr],
) -> expr:
    """Emit a method behind tests of the classes of its receiver and arguments; "" is any class.

    All arguments are evaluated before the last test is made, whatever the result of the others, and after
    the receiver is known to have the method. So the code of each argument is emitted once.
    """
    x, mx = receiver
    first, x, ref = ctx.bind(x)
    bound = [ctx.bind(value) for value, _ in args]
    values = [again for _, again, _ in bound]
    check = ctx.unit.op(dot.at, ".having")
    helper = f"{classes[0]}.{dot.name}"
    thread = ["$s"] if helper == ".Dict.update" else []
    line = ctx.unit.op(node.at, helper, *thread, ref, *[found for _, _, found in bound])
    simple = all(one is again for one, again, _ in bound)
    has_class = is_receiver(first, x, classes[0], line)
    if not simple:
        lacking = py.helper(".lacking", [x, py.constant(dot.name, check)], check)
        has_class = py.boolean(py.OR, [has_class, lacking], line)
    tests = [has_class] if first is not x or mx != _KINDS[classes[0]] else []
    for number, (one, again, _) in enumerate(bound):
        wanted = classes[number + 1] if number + 1 < len(classes) else ""
        if wanted and (one is not again or args[number][1] != _KINDS[wanted]):
            tests.append(py.is_class(one, wanted, line))
        elif one is not again:
            tests.append(py.compare(one, py.IS, again, line))
    native = emit(dot.name, x, values, line)
    if not tests:
        return native
    slow = slow_method(ctx, node, dot, x, [], [], values)
    if simple:
        test = tests[0] if len(tests) == 1 else py.boolean(py.AND, tests, line)
    else:
        test = tests[0]
        for other in tests[1:]:
            test = py.binary(test, "&", other, line)
    return py.conditional(test, native, slow, line)


def is_receiver(first: expr, x: expr, class_name: str, line: int) -> expr:
    """Emit the test that a method may be called as Python's own; those of lists would change the list."""
    return (
        py.is_class(first, class_name, line) if class_name == "str" else is_free(first, x, class_name, line)
    )


def is_changeable(ctx: Context, node: tree.Expr) -> bool:
    """Return whether an expression surely is a container that may be changed."""
    return ctx.unit.ownership.changeable(ctx.start, node)


def guarded(
    ctx: Context,
    node: tree.Call,
    dot: tree.Dot,
    receiver: Typed,
    args: list[Typed],
    class_name: str,
    sure: int,
    emit: Callable[[str, expr, list[expr], int], expr],
) -> expr:
    """Emit a method behind a test of the receiver's class, or without one when its kind is `sure`."""
    x, mx = receiver
    first, x, ref = ctx.bind(x)
    values = []
    refs: list[Any] = []
    firsts = []
    for value, _mask in args:
        one, again, found = ctx.bind(value)
        firsts.append(one)
        values.append(again)
        refs.append(found)
    line = ctx.unit.op(node.at, f"{class_name}.{dot.name}", ref, *refs)
    if sure and mx == sure:
        return emit(dot.name, first, firsts, line)
    native = emit(dot.name, x, firsts, line)
    # The arguments stand in both branches; only one of them runs.
    slow = slow_method(ctx, node, dot, x, [], [], [value for value, _ in args])
    return py.conditional(is_receiver(first, x, class_name, line), native, slow, line)


def plain_string_method(ctx: Context, name: str, x: expr, _args: list[expr], line: int) -> expr:
    """Emit a method of a string without arguments."""
    if name == "split":
        return py.helper(".split_words", [x], line)
    if name in _STRIPS:
        # The fewer characters to look for, the sooner they are found.
        first, x, _ref = ctx.bind(x)
        short = py.method(name, x, [py.constant(ASCII_SPACE, line)], line)
        slow = py.method(name, x, [py.constant(SPACE, line)], line)
        return py.conditional(py.method("isascii", first, [], line), short, slow, line)
    if name in _SHORT_TESTS:
        # Of a long string some characters at a time.
        first, x, _ref = ctx.bind(x)
        native = py.method(_SHORT_TESTS[name], x, [], line)
        return py.conditional(is_short(first, line), native, py.helper(f"str.{name}", [x], line), line)
    if name in ("lower", "upper", "isalnum"):
        first, x, _ref = ctx.bind(x)
        ascii = py.method("isascii", first, [], line)
        slow = py.helper(f"str.{name}", [x], line)
        return py.conditional(ascii, py.method(name, x, [], line), slow, line)
    return py.helper(f"str.{name}", [x], line)


def native_string_method(name: str, x: expr, args: list[expr], line: int) -> expr:
    """Emit a method of a string whose arguments are strings."""
    if name in _SPLITS:
        # Of a long string, some at a time.
        some = py.helper(_SPLITS[name], [x, *args], line)
        if not (
            py.is_simple(x) and isinstance(args[0], Constant) and args[0].value and is_short_text(args[0])
        ):
            return some
        return py.conditional(is_short(x, line), py.method(name, x, args, line), some, line)
    return py.method(name, x, args, line)


def is_short(x: expr, line: int) -> expr:
    """Emit the test that a string is gone through in a moment."""
    size = py.helper(".native_len", [x], line)
    return py.compare(size, py.COMPARE["<="], py.constant(CHARACTERS, line), line)


def native_strings(name: str, args: list[Typed]) -> bool:
    """Return whether Python's method may be used for these arguments of a method of strings."""
    if any(mask != STRING for _, mask in args):
        return False
    texts = [str(value.value) for value, _ in args if isinstance(value, Constant)]
    if name in _STRIPS:
        return bool(texts) and len(texts[0]) <= SHORT_STRIP
    searches = name in _BACKWARDS or (name in _FORWARDS and COMPARES_ANEW)
    if name != "replace" and not searches:
        return True
    if len(texts) < len(args) or (searches and len(texts[0]) > SHORT_SEARCH):
        return False
    return name != "replace" or len(texts[1]) <= len(texts[0])


def join(ctx: Context, node: tree.Call, dot: tree.Dot, receiver: Typed, items: Typed) -> expr:
    """Emit `"literal".join(items)`."""
    first, again, ref = ctx.bind(items[0])
    x = receiver[0]
    line = ctx.unit.op(node.at, "str.join", (x.value,), ref)  # type: ignore[attr-defined]
    if receiver[1] != STRING:
        return slow_method(ctx, node, dot, x, [], [], [items[0]])
    if isinstance(items[0], Constant):
        return py.helper("str.join", [x, items[0]], line)
    if items[1] in (LIST, RAW_LIST):
        return py.method("join", x, [first], line)
    native = py.method("join", x, [again], line)
    slow = py.helper("str.join", [x, again], line)
    return py.conditional(py.is_class(first, ".List", line), native, slow, line)


def extend(ctx: Context, node: tree.Call, dot: tree.Dot, receiver: Typed, items: Typed) -> expr:
    """Emit `x.extend(items)`."""
    sure = receiver[1] == LIST and is_changeable(ctx, dot.operand)
    if sure and items[1] != LIST:
        line = ctx.unit.op(node.at, ".List.extend")
        return py.helper(".List.extend", [receiver[0], items[0]], line)
    if items[1] != LIST or not py.is_simple(receiver[0]):
        return slow_method(ctx, node, dot, receiver[0], [], [], [items[0]])
    x = receiver[0]
    line = ctx.unit.op(node.at, "method", (dot.at,))
    native = py.method("extend", x, [items[0]], line)
    if sure:
        return native
    slow = slow_method(ctx, node, dot, x, [], [], [items[0]])
    return py.conditional(is_free_list(x, x, line), native, slow, line)


def append_large(ctx: Context, node: tree.Call, dot: tree.Dot, receiver: Typed, value: expr) -> expr:
    """Emit `x.append(v)` with the code of v only once."""
    first, x, _ref = ctx.bind(receiver[0])
    line = ctx.unit.op(node.at, "method", (dot.at,))
    bound = py.helper(".bound", [py.load("$s", line), x, py.constant(dot.name, line)], line)
    method = py.conditional(is_free_list(first, x, line), py.attribute(x, "append", line), bound, line)
    return py.call(method, [value], line)


def dict_view_of(ctx: Context, node: tree.Call, dot: tree.Dot, x: expr) -> expr:
    """Emit `d.items()` and its like."""
    first, x, _ref = ctx.bind(x)
    line = ctx.unit.op(node.at, "method", (dot.at,))
    native = dict_view(dot.name, x, [], line)
    slow = slow_method(ctx, node, dot, x, [], [], [])
    return py.conditional(is_plain_dict(first, x, line), native, slow, line)


def dict_view(name: str, x: expr, _args: list[expr], line: int) -> expr:
    """Emit `keys()` and its like of a dict as a list."""
    view = py.method(name, x, [], line)
    small = py.list_of([py.starred(view, line)], line)
    made = py.conditional(is_small(x, line), small, py.helper(".listed", [view], line), line)
    mark_view(made, x, name)
    return made


def keyed_method(
    ctx: Context, node: tree.Call, dot: tree.Dot, receiver: Typed, args: list[Typed]
) -> Optional[expr]:
    """Emit `d.get(k)` and its like for dicts without odd keys, and keys that Python understands."""
    key, mask = args[0]
    rest = [a for a, _ in args[1:]]
    first, x, _ref = ctx.bind(receiver[0])
    line = ctx.unit.op(node.at, "method", (dot.at,))
    if dot.name == "get":
        either = [py.is_class(first, ".Dict", line), py.is_class(x, ".FrozenDict", line)]
        test = py.boolean(py.OR, either, line)
    elif receiver[1] == DICT and is_changeable(ctx, dot.operand):
        test = py.is_class(first, ".Dict", line)
    else:
        test = is_free(first, x, ".Dict", line)
    slow = slow_method(ctx, node, dot, x, [], [], [key, *rest])
    if mask == TUPLE and dot.name == "get":
        hashed = py.helper(".key_of", [py.constant(line, line), key, py.constant(dot.name, line)], line)
        fast = py.method(dot.name, x, [hashed, *rest], line)
    elif not mask & ~(STRING | INT):
        fast = py.method(dot.name, x, [key, *rest], line)
    else:
        first_key, again, _key_ref = ctx.bind(key)
        string = py.is_class(first_key, "str", line)
        plain = py.boolean(py.OR, [string, py.is_class(again, "int", line)], line)
        native = py.method(dot.name, x, [again, *rest], line)
        fast = py.conditional(plain, native, slow_method(ctx, node, dot, x, [], [], [again, *rest]), line)
    return py.conditional(test, fast, slow, line)
