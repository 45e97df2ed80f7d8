"""From names to variables: the six scopes, and the static rules."""

from __future__ import annotations

import pytest

from bramble.starlark.dialect import Dialect
from bramble.starlark.errors import ResolveFailure
from bramble.starlark.syntax.resolve import MOST_ERRORS
from bramble.starlark.syntax.scopes import CELL, FREE, GLOBAL, LOCAL, PREDECLARED, UNIVERSAL

from .reading import EVERYTHING, faults, names, resolution, scopes

REASSIGN = Dialect(global_reassign=True)
CONTROL = Dialect(toplevel_control=True)
MODULES = Dialect(load_binds_module=True)


class TestScopes:
    def test_each_name_lives_in_the_nearest_scope_that_binds_it(self) -> None:
        assert scopes("def f(a):\n  b = a\n  return b + g + len(host)\ng = 1\n") == {
            "f": [GLOBAL],
            "a": [LOCAL, LOCAL],
            "b": [LOCAL, LOCAL],
            "g": [GLOBAL, GLOBAL],
            "len": [UNIVERSAL],
            "host": [PREDECLARED],
        }

    def test_a_file_may_define_its_own_universals(self) -> None:
        assert scopes("print(list)\nlist = 1\nNone = 2\n") == {
            "print": [UNIVERSAL],
            "list": [GLOBAL, GLOBAL],
            "None": [GLOBAL],
        }

    def test_the_host_may_hide_universals(self) -> None:
        result = resolution("host\nlen\n")
        assert result.predeclared == {"host"}

    def test_a_name_assigned_anywhere_in_a_function_is_local_everywhere(self) -> None:
        for binding in ("x = 1", "x += 1", "for x in []: pass", "def x(): pass", "(a, [x]) = 1, [2]"):
            found = scopes(f"x = 0\ndef f():\n  print(x)\n  if x:\n    {binding}\n")
            assert found["x"] == [GLOBAL, LOCAL, LOCAL, LOCAL], binding

    def test_a_captured_variable_is_a_cell_for_its_owner_and_free_inside(self) -> None:
        found = scopes("def f(a):\n  b = 1\n  def g(): return lambda: a + b\n  return g, a\n")
        assert found["a"] == [CELL, FREE, CELL]
        assert found["b"] == [CELL, FREE]
        assert found["g"] == [LOCAL, LOCAL]

    def test_functions_between_owner_and_user_pass_the_cell_on(self) -> None:
        result = resolution("def f(a):\n  def g():\n    def h(): return a\n    return h\n  return g\n")
        f, g, h = (result.functions[start] for start in sorted(result.functions))
        assert [b.scope for b in f.locals] == [CELL, LOCAL]
        assert [(b.scope, b.index) for b in g.freevars] == [(CELL, 0)]
        assert [(b.scope, b.index) for b in h.freevars] == [(FREE, 0)]

    def test_a_free_variable_has_one_place_however_often_it_is_used(self) -> None:
        result = resolution("def f(a, b):\n  return lambda: (b, a, b, [a for _ in a])\n")
        inner = result.functions[max(result.functions)]
        assert [b.name for b in inner.freevars].count("a") == 1
        assert len(inner.freevars) == 2
        for start, binding in result.uses.items():
            if binding.scope == FREE:
                assert inner.freevars[binding.index].name == binding.name, start

    def test_default_values_belong_to_the_function_around(self) -> None:
        found = scopes("def f(x):\n  def g(x=x, y=x): return x\n  return lambda x=x: x\n")
        assert found["x"] == [LOCAL] * 8

    def test_a_function_can_capture_itself(self) -> None:
        assert scopes("def f():\n  def g(): return g\n  return g\n")["g"] == [CELL, FREE, CELL]

    def test_parameters_come_first_among_the_locals(self) -> None:
        result = resolution("def f(a, b=1, *c, d, **e):\n  x = [y for y in a]\n")
        (function,) = result.functions.values()
        assert [b.name for b in function.locals] == ["a", "b", "c", "d", "e", "x", "y"]
        assert [(p.name, p.kind, p.has_default, p.index) for p in function.parameters] == [
            ("a", "positional", False, 0),
            ("b", "positional", True, 1),
            ("c", "varargs", False, 2),
            ("d", "keyword-only", False, 3),
            ("e", "kwargs", False, 4),
        ]

    def test_docstrings_are_string_literals_at_the_top(self) -> None:
        result = resolution("'file'\ndef f():\n  '''f's'''\ndef g():\n  b'no'\ndef h():\n  1\n")
        found = {f.name: f.docstring for f in result.functions.values()}
        assert found == {"f": "f's", "g": None, "h": None}
        assert result.toplevel.docstring == "file"

    def test_globals_are_told_in_the_order_of_the_text(self) -> None:
        result = resolution("b = 1\ndef a(): return c\n(d, [c]) = 1, [2]\nload('m', 'e')\n")
        assert result.globals == ("b", "a", "d", "c")
        assert [b.name for b in result.toplevel.locals] == ["e"]

    def test_every_name_of_a_tree_has_a_binding(self) -> None:
        text = (
            "load('m', 'a', b='c')\n"
            "def f(x, *y, z=a, **w):\n"
            "  for i, (j, k) in x[b:]:\n    y.q[i] += {m: n for m, n in [j] if (lambda o=k: o)(m)}\n"
            "  return f(z=-z, *y, **w) if not w else (i,)\n"
        )
        result = resolution(text)
        assert sorted(result.uses) == sorted(name.start for name in names(result.file))
        for name in names(result.file):
            assert result.uses[name.start].name == name.name


class TestComprehensions:
    def test_variables_do_not_leak(self) -> None:
        assert faults("[x for x in []]\nx\n") == ["resolve.undefined 2:1 undefined: x"]
        result = resolution("x = [x for x in []]\n")
        assert result.uses[0].scope == GLOBAL
        assert result.uses[5].scope == LOCAL

    def test_only_the_first_operand_of_in_is_outside(self) -> None:
        found = resolution("def f(x, y):\n  return [x for x in x for y in y if y]\n")
        (function,) = found.functions.values()
        uses = [b.index for start, b in sorted(found.uses.items()) if b.name in "xy"]
        # The parameters, then body x, target x, outer x, target y, inner y, condition y.
        inner_x, inner_y = uses[2], uses[5]
        assert [b.name for b in function.locals] == ["x", "y", "x", "y"]
        assert uses == [0, 1, inner_x, inner_x, 0, inner_y, inner_y, inner_y]
        assert inner_x in (2, 3) and inner_y in (2, 3)

    def test_its_first_operand_cannot_see_its_variables(self) -> None:
        assert faults("[x for x in x]") == ["resolve.undefined 1:13 undefined: x"]

    def test_a_lambda_inside_captures_the_variable(self) -> None:
        assert scopes("def f():\n  return [lambda: i for i in range(3)]\n")["i"] == [FREE, CELL]
        assert scopes("x = [lambda: i for i in range(3)]\n")["i"] == [FREE, CELL]

    def test_nested_ones_nest_their_scopes(self) -> None:
        result = resolution("x = [[a + b for b in a] for a in [[1]]]\n")
        assert [b.name for b in result.toplevel.locals] == ["a", "b"]

    def test_targets_may_be_indexes_of_outer_variables(self) -> None:
        assert scopes("def f(d):\n  return [d[0] for d[0] in d]\n")["d"] == [LOCAL] * 4


class TestReassigning:
    @pytest.mark.parametrize(
        ("text", "place"),
        [
            ("x = 1\nx = 2", "2:1"), ("x, x = 1, 2", "1:4"), ("x = 1\nx += 1", "2:1"),
            ("def x(): pass\ndef x(): pass", "2:5"), ("x = 1\ndef x(): pass", "2:5"),
            ("[x, (y, x)] = 1", "1:9"),
        ],
    )  # fmt: skip
    def test_a_global_is_assigned_once(self, text: str, place: str) -> None:
        (fault,) = faults(text)
        column = 5 if text.startswith("def") else 2 if text[0] == "[" else 1
        message = f"cannot reassign global x declared at f.star:1:{column}"
        assert fault == f"resolve.reassigned {place} {message}"
        resolution(text, REASSIGN)

    def test_locals_are_assigned_as_often_as_one_likes(self) -> None:
        resolution("def f(x):\n  x = 1\n  x += 2\n  for x in []: pass\n")

    def test_a_loop_at_the_top_may_not_assign_a_global_again(self) -> None:
        message = "cannot reassign global x declared at f.star:1:1"
        assert faults("x = 1\nfor x in []: pass", CONTROL) == [f"resolve.reassigned 2:5 {message}"]

    def test_with_the_switch_a_use_at_the_top_means_what_is_bound_so_far(self) -> None:
        result = resolution("len = len\nlen\ndef f(): return len\n", REASSIGN)
        uses = [b.scope for _, b in sorted(result.uses.items()) if b.name == "len"]
        assert uses == [GLOBAL, UNIVERSAL, GLOBAL, GLOBAL]
        assert scopes("x = 1\nfor x in x: x\n", EVERYTHING)["x"] == [GLOBAL] * 4
        assert scopes("print(x)\nx = 1\n", REASSIGN)["x"] == [GLOBAL] * 2

    def test_without_it_a_global_hides_the_universal_in_the_whole_file(self) -> None:
        assert scopes("len = len\n")["len"] == [GLOBAL, GLOBAL]


class TestLoad:
    def test_loaded_names_are_local_to_the_file(self) -> None:
        result = resolution("load('m', 'a', b='c')\nx = a + b\ndef f(): return a\n")
        assert result.globals == ("x", "f")
        assert [(b.name, b.scope) for b in result.toplevel.locals] == [("a", CELL), ("b", LOCAL)]

    def test_they_cannot_be_assigned_again(self) -> None:
        message = "cannot reassign local a declared at f.star:1:13"
        text = "load('mm', 'a')\n"
        assert faults(text + "a = 1") == [f"resolve.reassigned 2:1 {message}"]
        assert faults(text + "load('n', 'a')") == [f"resolve.reassigned 2:12 {message}"]
        assert faults(text + "def a(): pass") == [f"resolve.reassigned 2:5 {message}"]
        assert faults("a = 1\nload('m', 'a')")[0].startswith(
            "resolve.reassigned 2:12 cannot reassign global a"
        )
        resolution(text + "a = 1\nload('n', 'a')", REASSIGN)

    def test_they_can_be_hidden_in_functions(self) -> None:
        assert scopes("load('m', 'a')\ndef f(a): return a\n")["a"] == [LOCAL] * 3

    def test_a_module_is_bound_the_same_way(self) -> None:
        result = resolution("load('a/b')\nload(c='a/b')\nb.x + c.y", MODULES)
        assert [b.name for b in result.toplevel.locals] == ["b", "c"]
        assert faults("load('a/b')\nload('c/b')\n", MODULES) == [
            "resolve.reassigned 2:7 cannot reassign local b declared at f.star:1:7"
        ]

    @pytest.mark.parametrize(
        ("text", "place", "where"),
        [
            ("def f():\n  load('m', 'a')\n", "2:3", "function"),
            ("def f():\n  if f:\n    load('m', 'a')\n  return a\n", "3:5", "function"),
            ("if len: load('m', 'a')", "1:9", "conditional"),
            ("for x in []: load('m', 'a')", "1:14", "loop"),
        ],
    )
    def test_load_stands_at_the_top_only(self, text: str, place: str, where: str) -> None:
        assert faults(text, CONTROL) == [f"resolve.misplaced {place} load statement within a {where}"]


class TestControl:
    @pytest.mark.parametrize(
        ("text", "what"), [("if len: pass", "if statement"), ("for x in []: pass", "for loop")]
    )
    def test_the_top_level_has_none(self, text: str, what: str) -> None:
        assert faults(text) == [f"resolve.control 1:1 {what} not within a function"]
        resolution(text, CONTROL)
        resolution(f"def f():\n  {text}\n")

    def test_while_is_a_switch_of_its_own(self) -> None:
        text = "def f():\n  while len: break\n"
        assert faults(text) == ["resolve.dialect 2:3 this Starlark dialect does not support while loops"]
        resolution(text, Dialect(while_loops=True))
        assert faults("while len: pass", Dialect(while_loops=True)) == [
            "resolve.control 1:1 while loop not within a function"
        ]
        resolution("while len: pass", Dialect(while_loops=True, toplevel_control=True))

    def test_nested_control_at_the_top_is_told_each_time(self) -> None:
        assert len(faults("if len:\n  if len: pass\n  elif len: pass\n  else:\n    for x in []: pass\n")) == 3

    @pytest.mark.parametrize(
        ("text", "fault"),
        [
            ("return", "1:1 return statement not within a function"),
            ("break", "1:1 break not in a loop"),
            ("continue", "1:1 continue not in a loop"),
            ("def f():\n  break\n", "2:3 break not in a loop"),
            ("def f():\n  for x in []:\n    def g(): continue\n", "3:14 continue not in a loop"),
            ("def f():\n  for x in []: pass\n  break\n", "3:3 break not in a loop"),
            ("def f():\n  if f: break\n", "2:9 break not in a loop"),
        ],
    )
    def test_statements_out_of_place(self, text: str, fault: str) -> None:
        assert faults(text, CONTROL) == [f"resolve.misplaced {fault}"]

    def test_statements_in_place(self) -> None:
        resolution(
            "def f():\n  for x in []:\n    if x:\n      break\n    else: continue\n    return\n  return 1\n"
        )


class TestParametersAndArguments:
    @pytest.mark.parametrize(
        ("parameters", "column", "message"),
        [
            ("a, a", 10, "duplicate parameter: a"),
            ("a, *a", 11, "duplicate parameter: a"),
            ("a, **a", 12, "duplicate parameter: a"),
            ("a=1, b", 12, "required parameter may not follow optional"),
            ("*, a, *b", 13, "multiple * parameters not allowed"),
            ("*a, *", 11, "multiple * parameters not allowed"),
            ("*", 7, "bare * must be followed by keyword-only parameters"),
            ("*, **a", 7, "bare * must be followed by keyword-only parameters"),
            ("**a, b", 12, "required parameter may not follow **a"),
            ("**a, b=1", 12, "optional parameter may not follow **a"),
            ("**a, *b", 12, "* parameter may not follow **a"),
            ("**a, **b", 12, "multiple ** parameters not allowed"),
        ],
    )
    def test_parameters_have_an_order(self, parameters: str, column: int, message: str) -> None:
        assert faults(f"def f({parameters}): pass") == [f"resolve.parameter 1:{column} {message}"]
        assert faults(f"x = lambda {parameters}: 1") == [f"resolve.parameter 1:{column + 5} {message}"]

    def test_keyword_only_parameters_come_in_any_order(self) -> None:
        resolution("def f(a, b=1, *, c, d=2, e, **g): pass\ndef h(*a, b=1, c): pass\n")

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ("a=1, 2", "positional argument may not follow named"),
            ("a=1, a=2", 'keyword argument "a" is repeated'),
            ("*[], 1", "positional argument may not follow *args"),
            ("*[], a=1", "keyword argument may not follow *args"),
            ("*[], *[]", "multiple *args not allowed"),
            ("**{}, 1", "positional argument may not follow **kwargs"),
            ("**{}, a=1", "keyword argument may not follow **kwargs"),
            ("**{}, *[]", "*args argument may not follow **kwargs"),
            ("**{}, **{}", "multiple **kwargs not allowed"),
        ],
    )
    def test_arguments_have_an_order(self, arguments: str, message: str) -> None:
        text = f"print({arguments})"
        column = text.rindex(", ") + 3
        assert faults(text) == [f"resolve.keyword 1:{column} {message}"]

    def test_the_right_order_is_taken(self) -> None:
        resolution("print(1, 2, a=3, b=4, *[], **{})")


class TestErrors:
    def test_all_faults_are_told_at_once_in_the_order_of_the_text(self) -> None:
        text = "x = a\ndef f(p, p):\n  return b\nx = 1\nbreak\nf(1, q=2, q=c)\n"
        assert [fault.split(" ")[0:2] for fault in faults(text)] == [
            ["resolve.undefined", "1:5"],
            ["resolve.parameter", "2:10"],
            ["resolve.undefined", "3:10"],
            ["resolve.reassigned", "4:1"],
            ["resolve.misplaced", "5:1"],
            ["resolve.keyword", "6:11"],
            ["resolve.undefined", "6:13"],
        ]

    def test_the_error_prints_one_line_for_each(self) -> None:
        with pytest.raises(ResolveFailure) as caught:
            resolution("a\nb\n")
        assert str(caught.value) == "f.star:1:1: undefined: a\nf.star:2:1: undefined: b"
        assert caught.value.code == "resolve.undefined"
        assert [e.line_text for e in caught.value.errors] == ["a", "b"]

    @pytest.mark.parametrize(
        ("text", "hint"),
        [
            ("prnt(1)", "print"), ("tru = 1\nTRU\n", "tru"), ("def f(count): return conut\n", "count"),
            ("def f():\n  return [elem_ent for element in []]\n", "element"), ("enumerat", "enumerate"),
        ],
    )  # fmt: skip
    def test_a_near_miss_gets_a_suggestion(self, text: str, hint: str) -> None:
        (fault,) = faults(text)
        assert fault.endswith(f" (did you mean {hint}?)")

    def test_a_far_one_gets_none(self) -> None:
        assert faults("zzzzzz") == ["resolve.undefined 1:1 undefined: zzzzzz"]

    def test_there_is_an_end_to_the_list(self) -> None:
        assert len(faults("[" + "zz, " * 5000 + "]")) == MOST_ERRORS


class TestRepl:
    def test_earlier_globals_are_seen_and_may_be_assigned_again(self) -> None:
        result = resolution("x = x + y\n", globals=("x", "y"))
        assert {b.scope for b in result.uses.values()} == {GLOBAL}
        assert result.globals == ("x", "y")
        with pytest.raises(ResolveFailure):
            resolution("x = 1; x = 2", globals=("x",))

    def test_loaded_names_become_globals(self) -> None:
        result = resolution("load('m', 'a', b='c')\na", load_globally=True)
        assert result.globals == ("a", "b")
        assert result.toplevel.locals == ()
