"""The validator of schemas: what it accepts, what it names, and that it skips nothing in silence."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.forms.schema import BadSchema, problems

FILES: dict[str, Any] = {"other.json": {"$defs": {"digest": {"type": "string", "pattern": "^[a-z2-7]{2}$"}}}}


def found(document: object, schema: dict[str, Any]) -> list[str]:
    return list(problems(document, schema, FILES.__getitem__))


@pytest.mark.parametrize(
    ("schema", "right", "wrong", "message"),
    [
        ({"type": "integer"}, [0, -1], [True, 1.5, "1", None], "is not of type integer"),
        ({"type": "number"}, [0, 1.5], [False, "1"], "is not of type number"),
        ({"type": "boolean"}, [True], [1, None], "is not of type boolean"),
        ({"type": ["string", "null"]}, ["", None], [0, []], "is not of type string or null"),
        ({"enum": [1, "a", None]}, [1, "a", None], [True, "b", 0], "is not one of"),
        ({"const": 1}, [1], [True, 2, "1"], "is not 1"),
        ({"required": ["a"]}, [{"a": None}, [], 3], [{}, {"b": 1}], "$: there is no a"),
        ({"properties": {"a": {"type": "null"}}}, [{}, {"a": None}, 3], [{"a": 1}], "$.a: 1 is not"),
        (
            {"properties": {"a": {}}, "additionalProperties": False},
            [{"a": 1}, {}, []],
            [{"a": 1, "b": 2}],
            "b is unknown",
        ),
        ({"additionalProperties": {"type": "string"}}, [{"x": "y"}], [{"x": 1}], "$.x: 1 is not"),
        ({"additionalProperties": True}, [{"x": 1}], [], ""),
        ({"propertyNames": {"pattern": "^x"}}, [{"x1": 1}, {}], [{"y": 1}], "the key y"),
        ({"items": {"type": "string"}}, [[], ["a"], "a"], [["a", 1]], "$[1]: 1 is not"),
        ({"prefixItems": [{"const": 1}], "items": False}, [[1], []], [[1, 2]], "more than 1 items"),
        ({"prefixItems": [{"const": 1}, {"const": 2}]}, [[1, 2, 3]], [[1, 3]], "$[1]: 3 is not 2"),
        ({"minItems": 1, "maxItems": 2}, [[0], [0, 0], "x"], [[], [0, 0, 0]], "there are"),
        ({"minimum": 0}, [0, 1.5, "x"], [-1], "-1 is less than 0"),
        ({"pattern": "^a$"}, ["a", 3], ["b", "ab"], "does not match"),
        ({"anyOf": [{"type": "null"}, {"const": 1}]}, [None, 1], [2], "matches none of 2 forms"),
        ({"$ref": "#/$defs/x", "$defs": {"x": {"const": 1}}}, [1], [2], "is not 1"),
        ({"items": {"$ref": "other.json#/$defs/digest"}}, [["a2"]], [["a1"]], "$[0]: "),
        ({"title": "t", "description": "d", "$comment": "c"}, [1, {}], [], ""),
    ],
)
def test_each_keyword_means_what_json_schema_says(
    schema: dict[str, Any], right: list[object], wrong: list[object], message: str
) -> None:
    assert [value for value in right if found(value, schema)] == []
    for value in wrong:
        (problem,) = found(value, schema)
        assert message in problem


def test_all_that_is_wrong_is_named_with_its_place() -> None:
    schema = {"properties": {"a": {"items": {"properties": {"b": {"type": "integer"}}, "required": ["c"]}}}}
    assert found({"a": [{"b": 1, "c": 2}, {"b": "x"}]}, schema) == [
        '$.a[1].b: "x" is not of type integer',
        "$.a[1]: there is no c",
    ]


@pytest.mark.parametrize(
    "schema",
    [{"maximum": 3}, {"oneOf": []}, {"items": {"format": "uri"}}, {"$ref": "#/$defs/nothing", "$defs": {}}],
)
def test_a_keyword_that_is_not_known_is_the_author_s_error(schema: dict[str, Any]) -> None:
    with pytest.raises(BadSchema):
        found([1], schema)
