"""The order of parameters and of arguments."""

from __future__ import annotations

from .tree import NamedArgument, StarArgument, StarStarArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Union

    from .tree import Expr, Parameter

    Fault = tuple[int, str, str]  # offset, code, message


def parameter_faults(parameters: Sequence[Parameter]) -> list[Fault]:
    """Return what is wrong with the order of a function's parameters. Repeated names are not looked at."""
    # spec: starlark.parameters
    faults: list[Fault] = []

    def fault(parameter: Parameter, message: str) -> None:
        faults.append((parameter.start, "resolve.parameter", message))

    star = None
    keyword_only = optional = False
    double = ""
    for parameter in parameters:
        if parameter.star == "*":
            if double:
                fault(parameter, f"* parameter may not follow **{double}")
            elif star is not None:
                fault(parameter, "multiple * parameters not allowed")
            else:
                star = parameter
        elif parameter.star:
            if double:
                fault(parameter, "multiple ** parameters not allowed")
            elif parameter.name is not None:
                double = parameter.name.name
        else:
            required = parameter.default is None
            if double:
                kind = "required" if required else "optional"
                fault(parameter, f"{kind} parameter may not follow **{double}")
            elif star is not None:
                keyword_only = True
            elif required and optional:
                fault(parameter, "required parameter may not follow optional")
            optional = optional or not required
    if star is not None and star.name is None and not keyword_only:
        fault(star, "bare * must be followed by keyword-only parameters")
    return faults


def argument_faults(
    arguments: Sequence[Union[Expr, NamedArgument, StarArgument, StarStarArgument]],
) -> list[Fault]:
    """Return what is wrong with the order of a call's arguments, and the names given twice."""
    # spec: starlark.arguments
    faults: list[Fault] = []
    names: set[str] = set()
    star = double = False
    for argument in arguments:
        message = ""
        if isinstance(argument, StarStarArgument):
            if double:
                message = "multiple **kwargs not allowed"
            double = True
        elif isinstance(argument, StarArgument):
            if double:
                message = "*args argument may not follow **kwargs"
            elif star:
                message = "multiple *args not allowed"
            star = True
        elif isinstance(argument, NamedArgument):
            if double:
                message = "keyword argument may not follow **kwargs"
            elif star:
                message = "keyword argument may not follow *args"
            elif argument.name in names:
                message = f'keyword argument "{argument.name}" is repeated'
            names.add(argument.name)
        elif double:
            message = "positional argument may not follow **kwargs"
        elif star:
            message = "positional argument may not follow *args"
        elif names:
            message = "positional argument may not follow named"
        if message:
            faults.append((argument.start, "resolve.keyword", message))
    return faults
