"""Which function emits which construct."""

from __future__ import annotations

from ..syntax import tree
from .constructs.assignments import assign, assign_augmented
from .constructs.chains import binary, chain
from .constructs.comprehensions import comprehension
from .constructs.expressions import (
    conditional,
    dict_display,
    list_display,
    literal,
    parenthesised,
    tuple_display,
)
from .constructs.functions import def_statement, lambda_expression
from .constructs.loops import for_loop, while_loop
from .constructs.operators import unary
from .constructs.statements import (
    break_statement,
    continue_statement,
    expression_statement,
    if_statement,
    load,
    load_module,
    pass_statement,
    return_statement,
)
from .constructs.variables import variable
from .context import Table

TABLE = Table(
    expressions={
        tree.Name: variable,
        tree.Literal: literal,
        tree.Paren: parenthesised,
        tree.Tuple: tuple_display,
        tree.List: list_display,
        tree.Dict: dict_display,
        tree.Comprehension: comprehension,
        tree.Conditional: conditional,
        tree.Lambda: lambda_expression,
        tree.Unary: unary,
        tree.Binary: binary,
        tree.Call: chain,
        tree.Dot: chain,
        tree.Index: chain,
        tree.Slice: chain,
    },
    statements={
        tree.Assign: assign,
        tree.AugAssign: assign_augmented,
        tree.Break: break_statement,
        tree.Continue: continue_statement,
        tree.Def: def_statement,
        tree.ExprStmt: expression_statement,
        tree.For: for_loop,
        tree.If: if_statement,
        tree.Load: load,
        tree.LoadModule: load_module,
        tree.Pass: pass_statement,
        tree.Return: return_statement,
        tree.While: while_loop,
    },
)
