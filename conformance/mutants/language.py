"""Deliberate faults of the language: (paragraph, file, text, replacement).

They are the rules that Python has otherwise, or not at all: what an implementation in Python forgets.
"""

from __future__ import annotations

Fault = tuple[str, str, str, str]


def _in(name: str, *faults: tuple[str, str, str]) -> tuple[Fault, ...]:
    """Return the faults of one file of the language."""
    path = f"bramble/starlark/{name}.py"
    return tuple((f"starlark.{topic}", path, old, new) for topic, old, new in faults)


FAULTS: tuple[Fault, ...] = (
    *_in(
        "runtime/values",
        ("equality", "    if ca is bool or cb is bool:\n        return a is b\n", ""),
        ("equality", "            return bool(a != a and b != b)\n", "            return False\n"),
        ("dict.keys", "return TRUE_KEY if value else FALSE_KEY", "return int(value)"),
        ("dict.keys", "return value if value == value else NAN_KEY", "return value"),
        (
            "iteration.locked",
            '    raise EvalError("eval.iteration", f"{prefix}cannot',
            '    if verb in ("append to", "extend", "insert into", "apply += to"):\n'
            '        raise EvalError("eval.iteration", f"{prefix}cannot',
        ),
        (
            "set.order",
            "for key in dict.keys(self) if dict.__contains__(other, key)])",
            "for key in dict.keys(other) if dict.__contains__(self, key)])",
        ),
    ),
    *_in(
        "runtime/freezing",
        ("freeze", "                value.starlark_freeze(frozen)\n", "                pass\n"),
        ("freeze", "        if kind is list:\n", "        if kind is None:\n"),
    ),
    *_in(
        "runtime/operators",
        ("bool", "return kind is int or kind is float\n", "return kind in (int, bool, float)\n"),
        (
            "arithmetic",
            "        return remainder if remainder else x * 0.0\n",
            "        return remainder - (0.0 if (x < 0.0) == (y < 0.0) else y) if remainder else x * 0.0\n",
        ),
        ("bitwise", "        if b >= MAX_SHIFT:\n", "        if False:\n"),
        ("membership", '            if error.code != "eval.hash":\n', "            if True:\n"),
        ("error.columns", "raise NotSliceable(", 'raise EvalError("eval.type", '),
        (
            "iteration.order-of-checks",
            "            out_of_range(x, i)\n        locked = ",
            "            pass\n        locked = ",
        ),
    ),
    *_in(
        "compile/constructs/guards",
        ("bool", 'unless_bool = "bool" if (ma | mb) & BOOL else "never"', 'unless_bool = "never"'),
    ),
    *_in(
        "compile/constructs/operators",
        ("bool", "if value not in (0, 1) or not ma & BOOL:", "if True:"),
    ),
    *_in(
        "compile/constructs/comprehensions",
        ("scope.comprehension", "outermost = number == 0", "outermost = True"),
    ),
    *_in(
        "compile/constructs/assignments",
        ("assign.augmented", 'in_place = LIST if node.op == "+" else', 'in_place = 0 if node.op == "+" else'),
    ),
    *_in(
        "compile/constructs/loops",
        (
            "error.unwinding",
            "Try([lock, loop], [], [], [unlock], lineno",
            "Try([lock, loop], [], [], [Pass()], lineno",
        ),
    ),
    *_in(
        "compile/context",
        ("recursion", "self.checked = options.check_recursion and", "self.checked = False and"),
    ),
    *_in(
        "compile/toplevel",
        ("dialect.recursion", "Options(not dialect.recursion, limited)", "Options(True, limited)"),
    ),
    *_in(
        "runtime/iteration",
        (
            "iteration.locked",
            "        thread.locked[id(x)] = x\n        return items\n",
            "        return items\n",
        ),
        ("iteration.locked", "    if x.__class__ in BY_IDENTITY:\n", "    if False:\n"),
        ("assign.unpack", "    if length != count:\n", "    if length < count:\n"),
    ),
    *_in(
        "runtime/collection_methods",
        ("dict.popitem", "    for key in dict.keys(d):\n", "    for key in reversed(list(dict.keys(d))):\n"),
        ("iteration.locked", 'refuse_change(x, "clear", "clear")', "pass"),
        ("list.remove", "        if equal(value, item):\n", "        if value == item:\n"),
        ("freeze.noop", "    if pairs or kwargs:\n", "    if True:\n"),
        (
            "iteration.arguments",
            "    if s and any(other is s for other in others):\n",
            "    if False:\n",
        ),
        ("set.many", "if others else set_of(keys_of(s))", "if others else s"),
        (
            "set.many",
            'in _as_sets("update", others) if other]',
            'in map(lambda x: _as_set("update", x), others) if other][:1]',
        ),
    ),
    *_in(
        "runtime/string_methods",
        ("string.splitlines", 'lines: list[str] = cut([], s, "\\n")\n', 'lines = [*s.splitlines(), ""]\n'),
        ("string.case", "    return full if len(full) == 1 else title_char(char)\n", "    return full\n"),
        ("string.class", "    return s.isdecimal() if", "    return s.isdigit() if"),
        ("string.space", "(s.isprintable() or not any(char in s for char in _NOT_SPACE))", "True"),
        (
            "string.startswith",
            "    if value.__class__ is tuple:\n",
            "    if isinstance(value, (list, tuple)):\n",
        ),
    ),
    *_in(
        "runtime/integers",
        ("limit.int", "MAX_INT_BITS = 1 << 20", "MAX_INT_BITS = 1 << 17"),
    ),
    *_in(
        "runtime/views",
        ("string.iteration", 'type_name = "string.codepoints"', 'type_name = "string.elems"'),
    ),
    *_in(
        "runtime/order",
        ("order", "return int(a != a) - int(b != b) if a != a or b != b else 1", "return 1"),
        ("sorted", "    plain = python_orders(keys)\n", "    plain = True\n"),
    ),
    *_in(
        "runtime/universe",
        ("max", "best = number\n", 'best = number if name == "min" else best\n'),
        (
            "iteration.arguments",
            "        enter(thread, source)\n        found",
            "        found",
        ),
        ("int.function", '        if digits[:1] == "0" and digits.strip("0"):\n', "        if False:\n"),
        ("hash", "value - (1 << 32) if value >= 1 << 31 else value", "value"),
    ),
    *_in(
        "runtime/text",
        ("format.fields", 'name.lstrip("0") or "0"', "name"),
        (
            "percent.mixed",
            "            if operand.__class__ not in DICT_CLASSES:\n",
            "            if False:\n",
        ),
        ("repr.float", "if 1e-4 <= size < 1e6 or size == 0.0:", "if 1e-4 <= size < 1e16 or size == 0.0:"),
        ("repr.string", '"\\a": "\\\\a",\n', ""),
        (
            "repr.cycle",
            '        if id(value) in out.open:\n            out.put("{...}")\n',
            '        if False:\n            out.put("{...}")\n',
        ),
        (
            "percent.verbs",
            'elif kind is not int:\n        _bad_format(f"%{verb} format requires integer',
            'elif kind not in (int, bool):\n        _bad_format(f"%{verb} format requires integer',
        ),
        ("percent", "if taken < len(operands) and operand.__class__ not in DICT_CLASSES:", "if False:"),
        ("format.fields", "            if automatic:\n", "            if False:\n"),
    ),
    *_in(
        "runtime/arguments",
        ("library.arguments", "    if value.__class__ is not int:\n", "    if not isinstance(value, int):\n"),
        ("string.range", "    return start, max(start, end)\n", "    return 0, end\n"),
    ),
    *_in(
        "runtime/intrinsics",
        ("display", "        if k in made:\n", "        if False:\n"),
        ("arguments", "            if key in kwargs:\n                repeated(function, key)\n", ""),
    ),
    *_in("runtime/text", ("struct", "for name in sorted(fields):", "for name in fields:")),
    *_in(
        "runtime/functions",
        ("binding", "        if word in bound:\n", "        if False:\n"),
        ("struct.merge", "{**self.fields, **other.fields}", "{**other.fields, **self.fields}"),
    ),
    *_in(
        "syntax/resolve",
        (
            "scope.once",
            "            elif not self.dialect.global_reassign:\n                self._reassigned",
            "            elif False:\n                self._reassigned",
        ),
        ("dialect.while", '"resolve.dialect", message', '"resolve.control", message'),
        (
            "dialect.toplevel-control",
            "if not self.dialect.toplevel_control:\n            what",
            "if False:\n            what",
        ),
        ("load.names", "if block is not self.file_block or self.load_globally or", "if True or"),
    ),
    *_in(
        "thread",
        ("freeze", "        walk.finish()\n    finally:\n", "    finally:\n"),
        (
            "load.failure",
            'failure = EvalError("eval.load", f"cannot load {module}: {error.message}")',
            "failure = error",
        ),
    ),
    *_in(
        "faults",
        ("error.columns", "        offset = operation[2][0]\n    elif", "        pass\n    elif"),
    ),
    *_in(
        "runtime/json",
        ("json.encode", "_encode_object(sorted(pairs), out", "_encode_object(pairs, out"),
        ("json.decode", 'return "\\ufffd", at + 6', "return chr(code), at + 6"),
        ("json.cycle", "        out.open.remove(id(value))\n", ""),
        ("json.cycle", "    elif id(value) in out.open:\n", "    elif False:\n"),
    ),
    *_in(
        "syntax/literals",
        ("string.escapes", "        if code > 0x7F:\n", "        if False:\n"),
    ),
    *_in(
        "patterns",
        ("assert.pattern", "        return at == len(text)\n", "        return True\n"),
        ("assert.pattern", '_IN_LINE = _others(_set("\\n"))', "_IN_LINE = _others(())"),
        ("assert.pattern", '(0, None), "+": (1, None)', '(1, None), "+": (1, None)'),
        ("assert.pattern", "_others(found) if negated else found", "found"),
        ("assert.pattern.limit", "    if len(text) > MAX_PATTERN:\n        _too_large()\n", ""),
    ),
    *_in(
        "spell",
        ("error.suggestion", "(len(wanted) + 1) // 2", "len(wanted)"),
    ),
)
