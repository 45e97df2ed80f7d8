"""From tokens to the tree: precedence, every construct, places, and the first fault."""

from __future__ import annotations

import pickle

import pytest

from bramble.starlark.dialect import Dialect
from bramble.starlark.syntax.tree import (
    MAX_BLOCKS,
    MAX_NESTING,
    Assign,
    AugAssign,
    Binary,
    Call,
    Comprehension,
    Conditional,
    Def,
    Dict,
    Dot,
    Expr,
    ExprStmt,
    For,
    If,
    Index,
    Lambda,
    List,
    Literal,
    Load,
    LoadModule,
    Name,
    NamedArgument,
    Paren,
    Slice,
    StarArgument,
    StarStarArgument,
    Tuple,
    Unary,
    left_of,
)

from .reading import expr, syntax_failure, told, tree

MODULES = Dialect(load_binds_module=True)


def shape(node: Expr) -> str:
    """Return an expression with brackets around every operation."""
    if isinstance(node, Binary):
        return f"({shape(node.left)} {node.op} {shape(node.right)})"
    if isinstance(node, Unary):
        return f"({node.op} {shape(node.operand)})"
    if isinstance(node, Conditional):
        return f"({shape(node.then)} if {shape(node.condition)} else {shape(node.otherwise)})"
    if isinstance(node, Lambda):
        return f"(lambda: {shape(node.body)})"
    if isinstance(node, Call):
        return f"{shape(node.function)}()"
    if isinstance(node, Dot):
        return f"{shape(node.operand)}.{node.name}"
    if isinstance(node, Index):
        return f"{shape(node.operand)}[{shape(node.index)}]"
    if isinstance(node, Tuple):
        return ", ".join(shape(item) for item in node.items)
    if isinstance(node, Paren):
        return shape(node.value)
    assert isinstance(node, (Name, Literal))
    return node.name if isinstance(node, Name) else node.raw


class TestPrecedence:
    @pytest.mark.parametrize(
        ("text", "means"),
        [
            ("a or b and not c == d", "(a or (b and (not (c == d))))"),
            ("a | b ^ c & d << e + f * g", "(a | (b ^ (c & (d << (e + (f * g))))))"),
            ("a * b + c << d & e ^ f | g", "((((((a * b) + c) << d) & e) ^ f) | g)"),
            ("a - b - c", "((a - b) - c)"),
            ("a // b % c / d * e", "((((a // b) % c) / d) * e)"),
            ("a >> b << c", "((a >> b) << c)"),
            ("a or b or c", "((a or b) or c)"),
            ("a and b or c and d", "((a and b) or (c and d))"),
            ("not a in b", "(not (a in b))"),
            ("a not in b | c", "(a not in (b | c))"),
            ("a < b and c >= d", "((a < b) and (c >= d))"),
            ("-a.b[c]()", "(- a.b[c]())"),
            ("- - +~a", "(- (- (+ (~ a))))"),
            ("-a * b", "((- a) * b)"),
            ("a * -b", "(a * (- b))"),
            ("a - -b", "(a - (- b))"),
            ("not not a", "(not (not a))"),
            ("a if b else c if d else e", "(a if b else (c if d else e))"),
            ("a or b if c or d else e or f", "((a or b) if (c or d) else (e or f))"),
            ("(a if b else c) if d else e", "((a if b else c) if d else e)"),
            ("lambda: a if b else c", "(lambda: (a if b else c))"),
            ("a if b else lambda: c or d", "(a if b else (lambda: (c or d)))"),
            ("lambda: lambda: a, b", "(lambda: (lambda: a)), b"),
            ("not -a.b", "(not (- a.b))"),
            ("a and not b or not c", "((a and (not b)) or (not c))"),
        ],
    )
    def test_loose_operators_hold_tight_ones(self, text: str, means: str) -> None:
        assert shape(expr(text)) == means

    @pytest.mark.parametrize(
        ("text", "pair", "column"),
        [
            ("a < b < c", "< does not associate with <", 7),
            ("a in b == c", "in does not associate with ==", 8),
            ("a == b not in c", "== does not associate with not in", 12),
            ("x = a != b | c <= d", "!= does not associate with <=", 16),
        ],
    )
    def test_comparisons_never_chain(self, text: str, pair: str, column: int) -> None:
        assert told(text) == f"syntax.operator 1:{column} {pair} (use parens)"

    def test_comparisons_in_brackets_do(self) -> None:
        assert shape(expr("(a < b) == (c < d)")) == "((a < b) == (c < d))"

    @pytest.mark.parametrize(
        "text",
        [
            "a == not b",
            "- not a",
            "a + lambda: b",
            "not lambda: a",
            "a or lambda: b",
            "a if lambda: b else c",
        ],
    )
    def test_not_and_lambda_bind_too_loosely_to_be_operands(self, text: str) -> None:
        word = "not" if "not b" in text or "not a" in text else "lambda"
        column = text.index(word) + 1
        assert told(text) == f"syntax.unexpected 1:{column} got {word}, want primary expression"

    def test_not_behind_an_operand_wants_in(self) -> None:
        assert told("a not b").endswith("got identifier, want in")


class TestExpressions:
    def test_tuples(self) -> None:
        assert expr("()") == Tuple(0, 0, (), True)
        assert expr("(a,)") == Tuple(0, 0, (Name(0, 0, "a"),), True)
        assert expr("(a)") == Paren(0, 0, Name(0, 0, "a"))
        assert expr("a, b") == Tuple(0, 0, (Name(0, 0, "a"), Name(0, 0, "b")), False)
        assert expr("a, b") != expr("(a, b)")

    @pytest.mark.parametrize(
        "text", ["x = 1,", "1,", "x, = y", "x, y, = z", "return 1,", "x[1,]", "x[1, 2,]"]
    )
    def test_a_tuple_without_brackets_does_not_end_in_a_comma(self, text: str) -> None:
        column = text.rindex(",") + 1
        assert told(text) == f"syntax.tuple 1:{column} unparenthesized tuple with trailing comma"

    def test_a_for_header_does_not_end_in_a_comma_either(self) -> None:
        assert told("for x, in y: pass") == "syntax.unexpected 1:8 got in, want primary expression"
        assert told("[x for x, in y]").endswith("got in, want primary expression")

    def test_displays_may(self) -> None:
        assert expr("[a, b,]") == expr("[a, b]")
        assert expr("{a: b,}") == expr("{a: b}")
        assert expr("(a, b,)") == expr("(a, b)")
        assert expr("f(a, *b, **c,)") == expr("f(a, *b, **c)")
        assert tree("def f(a, **b,): pass") == tree("def f(a, **b): pass")

    def test_a_comma_alone_is_no_item(self) -> None:
        for text in ("[,]", "(,)", "{,}", "f(,)", "x[,]"):
            assert told(text).startswith("syntax.unexpected")

    def test_arguments_of_all_kinds(self) -> None:
        call = expr("f(a, b=c, *d, **e)")
        assert isinstance(call, Call)
        assert [type(a) for a in call.arguments] == [Name, NamedArgument, StarArgument, StarStarArgument]

    @pytest.mark.parametrize("text", ["f(a.b=1)", "f((a)=1)", "f(1=2)", "f(g()=1)"])
    def test_a_keyword_must_be_a_name(self, text: str) -> None:
        assert told(text) == "syntax.argument 1:3 keyword argument must have form name=expr"

    def test_a_generator_is_no_argument(self) -> None:
        assert told("f(x for x in y)") == "syntax.unexpected 1:8 got for, want ','"

    @pytest.mark.parametrize(
        ("text", "parts"),
        [
            ("x[:]", (False, False, False)), ("x[::]", (False, False, False)),
            ("x[a:]", (True, False, False)),
            ("x[:a]", (False, True, False)), ("x[::a]", (False, False, True)),
            ("x[a:b]", (True, True, False)),
            ("x[a:b:c]", (True, True, True)), ("x[a::c]", (True, False, True)),
            ("x[:b:]", (False, True, False)),
            ("x[a:b:]", (True, True, False)), ("x[a::]", (True, False, False)),
            ("x[:b:c]", (False, True, True)),
        ],
    )  # fmt: skip
    def test_every_part_of_a_slice_is_optional(self, text: str, parts: tuple[bool, ...]) -> None:
        node = expr(text)
        assert isinstance(node, Slice)
        assert tuple(part is not None for part in (node.lower, node.upper, node.step)) == parts

    @pytest.mark.parametrize("text", ["x[]", "x[::::]", "x[a b]", "x[:a,b]", "x[a:b:c:d]"])
    def test_what_is_no_subscript_is_an_error(self, text: str) -> None:
        assert told(text).startswith("syntax.unexpected")

    def test_an_index_may_be_a_tuple(self) -> None:
        node = expr("x[1, 2]")
        assert isinstance(node, Index) and isinstance(node.index, Tuple)

    def test_comprehensions(self) -> None:
        node = expr("{k: v for k, v in x if k if v for y in k}")
        assert isinstance(node, Comprehension)
        assert len(node.clauses) == 4
        assert expr("[x for x in a or b]") == expr("[x for x in a or b ]")
        assert isinstance(expr("[x if y else z for x in y]"), Comprehension)
        assert isinstance(expr("[x for (x) in y if lambda: x]"), Comprehension)
        assert isinstance(expr("[x for [a, (b, c)] in y for d.e in f for g[h] in i]"), Comprehension)

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("[x for x in a, b]", "got ',', want ']', for, or if"),
            ("[x for x in a if b, c]", "got ',', want ']', for, or if"),
            ("[x for x in lambda: a]", "got lambda, want primary expression"),
            ("[x for x in a if b else c]", "got else, want ']', for, or if"),
            ("[x for x in a if b if c else d]", "got else, want ']', for, or if"),
            ("[x if y]", "conditional expression without else clause"),
            ("[x, y for x in y]", "got for, want ']'"),
            ("{x for x in y}", "got for, want ':'"),
            ("{x}", "got '}', want ':'"),
            ("{x: y z}", "got identifier, want '}'"),
            ("(x for x in y)", "got for, want ')'"),
            ("[x for x + y in z]", "got '+', want in"),
            ("[for x in y]", "got for, want primary expression"),
            ("[x for not x in y]", "got not, want primary expression"),
        ],
    )
    def test_what_comprehensions_do_not_take(self, text: str, problem: str) -> None:
        assert told(text).endswith(problem)

    def test_lambda_parameters(self) -> None:
        node = expr("lambda a, b=lambda: 1, *c, d, **e: a")
        assert isinstance(node, Lambda)
        assert [p.star for p in node.parameters] == ["", "", "*", "", "**"]
        assert expr("lambda: 1") == Lambda(0, 0, (), Literal(0, 0, 1, "1"))
        assert told("lambda x,: x") == "syntax.parameter 1:11 not an identifier"
        assert told("lambda x y: x").endswith("got identifier, want ','")
        assert told("lambda = 1") == "syntax.parameter 1:9 not an identifier"
        assert told("(lambda x)").endswith("got ')', want ':'")

    def test_a_conditional_needs_its_else(self) -> None:
        assert told("x = a if b") == "syntax.conditional 1:7 conditional expression without else clause"
        assert told("x = (a if b)").startswith("syntax.conditional 1:8")

    def test_reports_of_missing_brackets_stand_where_reading_stopped(self) -> None:
        assert told("x = (1") == "syntax.unexpected 1:7 got end of file, want ')'"
        assert told("x = [1\n\n") == "syntax.unexpected 3:1 got end of file, want ']'"
        assert told("x = f(1") == "syntax.unexpected 1:8 got end of file, want ')'"
        assert told("x = f(1 2)") == "syntax.unexpected 1:10 got int literal, want ','"
        assert told("x = (1 2)") == "syntax.unexpected 1:9 got int literal, want ')'"
        assert told("x = \n") == "syntax.unexpected 1:5 got newline, want primary expression"
        assert told("x = ") == "syntax.unexpected 1:5 got end of file, want primary expression"
        assert told("x.\n") == "syntax.unexpected 2:1 not an identifier"

    def test_only_open_brackets_and_missing_blocks_are_unfinished(self) -> None:
        for text in (
            "x = (",
            "f(a,\n",
            "[x for x",
            "def f(a",
            "def f():",
            "if a:\n",
            "{1: ",
            "x = \\",
            "f(b=",
        ):
            assert syntax_failure(text).incomplete, text
        for text in ("x =", "x = 1,", "def f", "if a", "f(a", "x = )", "x = (1 2"):
            assert syntax_failure(text).incomplete == text.startswith("f("), text


class TestStatements:
    def test_small_statements_may_share_a_line(self) -> None:
        assert tree("a = 1; b; pass;") == tree("a = 1\nb\npass\n")
        assert tree("if a: b; c;\n") == tree("if a:\n  b\n  c\n")
        assert told("; a").endswith("got ';', want primary expression")
        assert told("a;; b").endswith("got ';', want primary expression")

    def test_compound_statements_may_not(self) -> None:
        assert told("a; if b: c") == "syntax.unexpected 1:4 got if, want primary expression"
        assert told("if a: if b: c") == "syntax.unexpected 1:7 got if, want primary expression"
        assert told("if a: def f(): b").endswith("got def, want primary expression")

    def test_a_chain_of_elif_is_flat(self) -> None:
        (statement,) = tree("if a: b\nelif c:\n  d\nelif e: f\nelse:\n  g\n").body
        assert isinstance(statement, If)
        assert len(statement.branches) == 3
        assert len(statement.otherwise) == 1

    def test_else_belongs_to_the_if_at_its_column(self) -> None:
        text = "if a:\n  if b:\n    c\nelse:\n  d\n"
        (outer,) = tree(text).body
        assert isinstance(outer, If) and outer.otherwise
        assert outer.branches[0].body == tree("if b: c").body

    @pytest.mark.parametrize(
        "text",
        [
            "else: a",
            "elif a: b",
            "if a: b\nc\nelse: d",
            "if a: b\nelse: c\nelse: d",
            "for a in b: c\nelse: d",
        ],
    )
    def test_else_needs_an_if_before_it(self, text: str) -> None:
        assert "want primary expression" in told(text)

    def test_loops(self) -> None:
        (loop,) = tree("for a, (b, c.d), e[f] in 1, 2: pass").body
        assert isinstance(loop, For)
        assert isinstance(loop.target, Tuple) and isinstance(loop.iterable, Tuple)
        tree("while a if b else c: break")

    def test_def(self) -> None:
        (function,) = tree("def f(a, b=1, *, c, d=2, **e):\n  'doc'\n  return a, b\n").body
        assert isinstance(function, Def)
        assert [p.name and p.name.name for p in function.parameters] == ["a", "b", None, "c", "d", "e"]
        assert [p.star for p in function.parameters] == ["", "", "*", "", "", "**"]

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("def 1(): a", "unexpected 1:6 not an identifier"),
            ("def f: a", "unexpected 1:7 got ':', want '('"),
            ("def f(a.b): c", "unexpected 1:9 got '.', want ','"),
            ("def f(1): c", "parameter 1:8 not an identifier"),
            ("def f(**): c", "parameter 1:10 not an identifier"),
            ("def f() a", "unexpected 1:10 got identifier, want ':'"),
            ("def f(a\n", "unexpected 2:1 got end of file, want ')'"),
            ("def f(*a=1): c", "unexpected 1:10 got '=', want ','"),
            ("def f(a:int): c", "unexpected 1:9 got ':', want ')'"),
            ("def f(a, ", "unexpected 1:10 got end of file, want ')'"),
            ("def f(,): a", "parameter 1:8 not an identifier"),
            ("def f(a, if): b", "parameter 1:12 not an identifier"),
            ("def f((a)): b", "parameter 1:8 not an identifier"),
        ],
    )
    def test_faults_of_def(self, text: str, problem: str) -> None:
        assert told(text) == f"syntax.{problem}"

    def test_augmented_operators(self) -> None:
        for op in ("+", "-", "*", "/", "//", "%", "&", "|", "^", "<<", ">>"):
            (statement,) = tree(f"a.b {op}= c").body
            assert isinstance(statement, AugAssign) and statement.op == op

    def test_assignment_does_not_chain(self) -> None:
        assert told("a = b = c") == "syntax.unexpected 1:8 got '=', want newline"
        assert told("a += b += c") == "syntax.unexpected 1:10 got '+=', want newline"

    @pytest.mark.parametrize(
        ("text", "what", "column"),
        [
            ("1 = a", "literal", 1), ("f() = a", "callexpr", 1), ("a + b = c", "binaryexpr", 1),
            ("a[1:2] = b", "sliceexpr", 1), ("-a = b", "unaryexpr", 1), ("(a, [b, 'c']) = d", "literal", 9),
            ("[a for a in b] = c", "comprehension", 1), ("{} = a", "dictexpr", 1),
            ("lambda: a = b", "lambdaexpr", 1), ("a if b else c = d", "condexpr", 1),
            ("f() += 1", "callexpr", 1), ("for 1 in a: b", "literal", 5), ("[a for b() in c]", "callexpr", 8),
            ("for -x in a: b", "unaryexpr", 5), ("(((a + b))) = 1", "binaryexpr", 4),
        ],
    )  # fmt: skip
    def test_what_cannot_be_assigned_to(self, text: str, what: str, column: int) -> None:
        assert told(text) == f"syntax.target 1:{column} can't assign to {what}"

    def test_what_can(self) -> None:
        tree("a, b.c, d[e], (f, [g]), ((h)), () , [] = x")
        assert told("*a = b") == "syntax.unexpected 1:1 got '*', want primary expression"

    @pytest.mark.parametrize(
        ("text", "kind"), [("a, b += c", "tuple"), ("(a, b) += c", "tuple"), ("[a] += c", "list")]
    )
    def test_an_augmented_assignment_has_one_target(self, text: str, kind: str) -> None:
        message = f"can't use {kind} expression in augmented assignment"
        assert told(text) == f"syntax.target 1:1 {message}"


class TestBlocks:
    def test_any_deeper_column_opens_a_block(self) -> None:
        assert tree("if a:\n b\n if c:\n        d\n e\n") == tree("if a:\n  b\n  if c:\n    d\n  e\n")

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("  a", "syntax.unexpected 1:3 got indent, want primary expression"),
            ("a\n  b", "syntax.unexpected 2:3 got indent, want primary expression"),
            ("if a:\nb", "syntax.unexpected 2:1 got identifier, want indent"),
            ("if a:\n", "syntax.unexpected 2:1 got end of file, want indent"),
            ("def f():\n  if a:\nb", "syntax.unexpected 3:1 got outdent, want indent"),
            ("def f():\n  if a:\n", "syntax.unexpected 3:1 got outdent, want indent"),
            (
                "if a:\n    b\n  c",
                "syntax.indentation 3:3 unindent does not match any outer indentation level",
            ),
            ("if a: b\n  c", "syntax.unexpected 2:3 got indent, want primary expression"),
        ],
    )
    def test_faults_of_indentation(self, text: str, problem: str) -> None:
        assert told(text) == problem

    def test_an_empty_text_is_a_program(self) -> None:
        for text in ("", "\n\n", "# only\n", "   \n\t\n", "\\\n"):
            assert tree(text).body == ()

    def test_a_last_line_needs_no_line_end(self) -> None:
        assert tree("if a:\n  b") == tree("if a:\n  b\n")


class TestLoad:
    def test_symbols_under_their_own_and_other_names(self) -> None:
        (load,) = tree("load('a/b', 'c', d = 'e',)").body
        assert isinstance(load, Load)
        assert [(s.local.name, s.remote.value) for s in load.symbols] == [("c", "c"), ("d", "e")]
        assert load.symbols[0].local.start == load.symbols[0].remote.start + 1

    @pytest.mark.parametrize(
        ("text", "name"),
        [
            ("load('a/b/c')", "c"), ("load('c')", "c"), ("load('a/b.star')", "b"),
            ("load('a/b.c.star')", "bc"),
            ("load(x = 'a/b')", "x"), ("load('a/b',)", "b"), ("load(x='nix-seed',)", "x"),
        ],
    )  # fmt: skip
    def test_a_module_is_bound_where_the_dialect_says_so(self, text: str, name: str) -> None:
        (load,) = tree(text, MODULES).body
        assert isinstance(load, LoadModule)
        assert load.local.name == name

    def test_symbols_can_be_loaded_in_that_dialect_too(self) -> None:
        assert tree("load('a', 'b', c='d')", MODULES) == tree("load('a', 'b', c='d')")

    @pytest.mark.parametrize(
        "text",
        [
            "load('a')", "load('a',)", "load()", "load(a)", "load(a='b')", "load(1, 'a')", "load('a', 1)",
            "load('a', b)", "load('a', b=1)", "load('a', b=c)", "load('a', '_b')", "load('a', b='_c')",
            "load('a', 'b-c')", "load('a', '')", "load('a', 'if')", "load('a', *b)", "load('a', b='1')",
        ],
    )  # fmt: skip
    def test_faults_of_load(self, text: str) -> None:
        assert syntax_failure(text).code == "syntax.load"

    @pytest.mark.parametrize(
        "text",
        ["load('nix-seed')", "load('')", "load('a/')", "load('a/if')", "load('a/.b')", "load(a='b', c='d')",
         "load(a='b', 'c')", "load(a)", "load(a=b)", "load(1)"],
    )  # fmt: skip
    def test_faults_of_loading_a_module(self, text: str) -> None:
        assert syntax_failure(text, MODULES).code == "syntax.load"

    def test_an_unwritable_module_name_tells_the_way_out(self) -> None:
        message = '"nix-seed" is not an identifier; write load(localname="lib/nix-seed")'
        assert told('load("lib/nix-seed")', MODULES) == f"syntax.load 1:6 {message}"

    def test_load_is_a_keyword(self) -> None:
        assert told("load = 1") == "syntax.unexpected 1:7 got '=', want '('"
        assert told("x = load").endswith("got load, want primary expression")


class TestPlaces:
    def test_spans_cover_exactly_the_text_of_a_node(self) -> None:
        text = "x = [f(a.b, *c)[1:2] for k, v in {1: -2} if not (k)] + (lambda y=3: y if k else ())(z=1)"
        work: list[object] = [tree(text)]
        while work:
            node = work.pop()
            if isinstance(node, tuple):
                work += node
            elif isinstance(node, Expr):
                assert expr(f"({text[node.start : node.end]}\n)") in (
                    Paren(0, 0, node),
                    Tuple(0, 0, node.items, True) if isinstance(node, Tuple) else None,
                )
            if hasattr(node, "_fields"):
                work += [getattr(node, field) for field in node._fields]

    @pytest.mark.parametrize(
        ("text", "kind", "at"),
        [
            ("foo(1)", Call, 3), ("foo [1]", Index, 4), ("foo[1:2]", Slice, 3), ("foo.bar", Dot, 3),
            ("a + b", Binary, 2), ("a not in b", Binary, 6), ("not a", Unary, 0),
            ("a if b else c", Conditional, 2),
            ("[1]", List, 0), ("{1: 2}", Dict, 0),
        ],
    )  # fmt: skip
    def test_a_failure_is_reported_at_the_operator(self, text: str, kind: type, at: int) -> None:
        node = expr(text)
        assert type(node) is kind
        assert node.at == at

    def test_assignments_and_dict_entries_too(self) -> None:
        (assign,) = tree("a, b = c").body
        assert isinstance(assign, Assign) and assign.at == 5
        (augmented,) = tree("a //= c").body
        assert isinstance(augmented, AugAssign) and augmented.at == 2
        display = expr("{aa : b}")
        assert isinstance(display, Dict) and display.entries[0].at == 4


class TestTrees:
    def test_a_tree_cannot_be_changed(self) -> None:
        node = expr("a")
        with pytest.raises(AttributeError):
            node.name = "b"  # type: ignore[attr-defined]
        with pytest.raises(AttributeError):
            del node.start

    def test_trees_are_equal_when_they_mean_the_same(self) -> None:
        assert tree("x=( 'a',0x10 )") == tree('x = ("a", 16) # c')
        assert hash(tree("x=1")) == hash(tree("x = 1"))
        for one, other in [
            ("1", "1.0"),
            ("a", "b"),
            ("'a'", "b'a'"),
            ("a+b", "a-b"),
            ("[a]", "(a)"),
            ("f(a)", "f(*a)"),
        ]:
            assert expr(one) != expr(other)

    def test_a_small_tree_can_be_pickled(self) -> None:
        file = tree("def f(a, *b):\n  return [a + 1 for c in b]\n")
        again = pickle.loads(pickle.dumps(file))
        assert again == file
        assert again.body[0].end == file.body[0].end

    def test_the_left_edges_are_the_ones_of_chains(self) -> None:
        for text in ("x + 1", "x()", "x.y", "x[1]", "x[1:]", "x and y"):
            assert left_of(expr(text)) == Name(0, 0, "x")
        for text in ("x", "(x)", "-x", "[x]", "x if y else z"):
            assert left_of(expr(text)) is None

    def test_statements_are_expressions_no_more_than_expressions_are_statements(self) -> None:
        (statement,) = tree("f(x)").body
        assert isinstance(statement, ExprStmt) and isinstance(statement.value, Call)


class TestLimits:
    @pytest.mark.parametrize(
        ("opening", "closing"),
        [
            ("(", ")"),
            ("[", "]"),
            ("f(", ")"),
            ("x[", "]"),
            ("-", ""),
            ("not ", ""),
            ("{1: ", "}"),
            ("lambda: ", ""),
        ],
    )
    def test_nesting_has_one_limit_whatever_is_nested(self, opening: str, closing: str) -> None:
        fits = MAX_NESTING - 1
        tree(f"x = {opening * fits}1{closing * fits}")
        assert told(f"x = {opening * 300}1{closing * 300}").startswith("syntax.nesting 1:")

    def test_blocks_have_a_limit(self) -> None:
        def nested(depth: int) -> str:
            return "".join(" " * i + "if x:\n" for i in range(depth)) + " " * depth + "pass\n"

        tree(nested(MAX_BLOCKS))
        assert told(nested(MAX_BLOCKS + 1)).startswith(f"syntax.nesting {MAX_BLOCKS + 2}:")

    @pytest.mark.parametrize("link", [" + a", " or a", ".b", "()", "[0]", "[1:]", " - a * b", " and a == b"])
    def test_chains_have_none(self, link: str) -> None:
        file = tree("x = a" + link * 10_000)
        assert file == tree("x = a" + link * 10_000)
        assert file != tree("x = a" + link * 9_999)

    def test_elif_chains_have_none(self) -> None:
        (statement,) = tree("if a: b\n" + "elif a: b\n" * 10_000).body
        assert isinstance(statement, If) and len(statement.branches) == 10_001
