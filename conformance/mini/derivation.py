"""Derivations as data: their rules, their canonical bytes, their ids (chapter 4).

A derivation is a dict in the form of `derivation.canonical`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re

from conformance.mini.reader import Failure

ID = "[a-z2-7]{32}"
REFERENCE = re.compile(rf"\{{\{{ ({ID}):([A-Za-z_][A-Za-z0-9_]*) \}}\}}")
LABEL = "@[A-Za-z0-9_][A-Za-z0-9_.+/-]{0,199}"
LABELLED = re.compile(rf"\{{\{{ ({ID}|{LABEL}):([A-Za-z_][A-Za-z0-9_]*) \}}\}}")
KEYS = (
    "Args",
    "Builder",
    "Dependencies",
    "Env",
    "Name",
    "Network",
    "Outputs",
    "Platform",
    "Sources",
    "Target",
)
BUILT_IN = ("fetch_url", "fetch_git", "host_tools", "derivation_output")
# Of the builders with variables of their own: those that are required, and the others.
VARIABLES = {
    "fetch_url": ("url", "hash sha256 sha512 integrity name unpack executable strip"),
    "fetch_git": ("url reference", "hash submodules directory"),
    "host_tools": ("tools", "files"),
}
OF_OUTPUTS = "allowed_name_pieces allowed_references disallowed_closure disallowed_references"
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def digest(data):
    """spec: objects.digest"""
    return base64.b32encode(hashlib.sha256(data).digest()[:20]).decode().lower()


def encoded(value):
    """Return canonical JSON (spec: derivation.json.strings, derivation.json.empty)."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{encoded(key)}:{encoded(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(encoded, value)) + "]"
    if not isinstance(value, str):
        return json.dumps(value)
    short = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    escape = re.compile('["\\\\\x00-\x1f<>&\u2028\u2029]')
    return '"' + escape.sub(lambda found: short.get(found[0], f"\\u{ord(found[0]):04x}"), value) + '"'


def identity(derivation):
    """spec: derivation.id"""
    return digest(encoded(derivation).encode())


def templates(derivation):
    """Return all texts in which references can stand."""
    return [derivation["Builder"], *(derivation["Args"] or ()), *(derivation["Env"] or {}).values()]


def dependencies(derivation, pattern=REFERENCE):
    """spec: derivation.dependencies"""
    found = {found.groups() for text in templates(derivation) for found in pattern.finditer(text)}
    return [{"Hash": key, "Output": output} for key, output in sorted(found)] or None


def make(name, builder, args, env, files, location, outputs, platform="", network=False, target=""):
    """Return a derivation that keeps every rule, or raise Failure with `derivation.PARAMETER`."""
    made = {"Args": list(args) or None, "Builder": builder, "Dependencies": None}
    made["Env"] = {key: env[key] for key in sorted(env, key=str.encode)} or None
    made.update({"Name": name, **({"Network": True} if network else {}), "Outputs": list(outputs)})
    made.update(
        Platform=platform,
        Sources={"Files": sorted(set(files)) or None, "Location": location if files else ""},
    )
    made.update({"Target": target} if target else {})
    check(made)
    made["Dependencies"] = dependencies(made)
    return made


def is_path(text):
    return not any(part in ("", ".", "..") for part in text.split("/")) and "\x00" not in text


def own_variables(builder, env):
    """spec: build.builtin.variables"""
    if builder not in VARIABLES:
        return True
    required, others = VARIABLES[builder]
    known = f"{required} {others} {OF_OUTPUTS}".split()
    return all(env.get(key) for key in required.split()) and all(key in known for key in env)


def check(made):
    """Refuse what breaks a rule (spec: derivation.name to derivation.sources)."""
    name, builder, outputs, env = made["Name"], made["Builder"], made["Outputs"], made["Env"] or {}
    args, built_in = made["Args"] or [], made["Builder"] in BUILT_IN
    project, slashes, location = made["Sources"]["Location"].rpartition("//")
    if slashes and not project:
        raise Failure("graph.encoding", "a Location has no project before its two slashes")
    paths = [*(made["Sources"]["Files"] or []), *filter(None, (project, location))]
    one_output = len(outputs) == 1 or (builder == "host_tools" and outputs == ["out", "rt"])
    rules = {
        "name": 1 <= len(name.encode(errors="surrogateescape")) <= 200
        and "/" not in name
        and not CONTROL.search(name),
        "builder": builder and builder[0] != "/" and "\x00" not in builder,
        "args": not any("\x00" in arg for arg in args)
        and (builder != "derivation_output" or (args and args[0] and args[0][0] != "/")),
        "sources": all(map(is_path, paths)),
        "env": all(
            key and not re.search("[=\x00]", key) and key not in outputs and "\x00" not in env[key]
            for key in env
        )
        and own_variables(builder, env),
        "outputs": outputs
        and len(set(outputs)) == len(outputs)
        and all(re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", output) for output in outputs)
        and (not built_in or (one_output and (builder != "derivation_output" or outputs == ["out"]))),
        "platform": not made["Platform"] or re.fullmatch("[a-z0-9_]+-[a-z0-9_]+", made["Platform"]),
        "network": not made.get("Network") or builder == "derivation_output",
        "target": not CONTROL.search(made.get("Target", "")),
    }
    for parameter, kept in rules.items():
        if not kept:
            raise Failure("derivation." + parameter, f"derivation {name!r}: the {parameter} cannot be so")


def closure(graph, roots):
    """Return all derivations that the roots need, by id."""
    found, left = {}, list(roots)
    while left:
        key = left.pop()
        if key not in found:
            found[key] = graph[key]
            left += [one["Hash"] for one in graph[key]["Dependencies"] or ()]
    return dict(sorted(found.items()))


# Graph documents


def no_duplicates(pairs):
    if len(dict(pairs)) < len(pairs):
        raise Failure("graph.duplicate", "a key stands twice in one object")
    return dict(pairs)


def no_number(word):
    raise ValueError(f"{word} is no number of JSON")


def fits(value, form):
    """Whether a JSON value has a form: a type, [form], {"": form}, or a dict of `KEY`s and `KEY?`s."""
    if isinstance(form, list):
        return value is None or (isinstance(value, list) and all(fits(one, form[0]) for one in value))
    if isinstance(form, dict) and "" in form:
        return value is None or (
            isinstance(value, dict) and all(fits(one, form[""]) for one in value.values())
        )
    if isinstance(form, dict):
        known = {key.rstrip("?"): one for key, one in form.items()}
        needed = all(key in value for key in form if key[-1] != "?") if isinstance(value, dict) else False
        return needed and all(key in known and fits(one, known[key]) for key, one in value.items())
    return type(value) is form


REFERS = {"Hash": str, "Output": str}
SOURCES = {"Files?": [str], "Location?": str}
NODE = {
    "Args?": [str],
    "Builder": str,
    "Dependencies?": [REFERS],
    "Env?": {"": str},
    "Name": str,
    "Network?": bool,
}
NODE.update({"Outputs?": [str], "Platform?": str, "Sources?": SOURCES, "Target?": str})
WHOLE = {key if key in ("Network?", "Target?") else key.rstrip("?"): form for key, form in NODE.items()}
WHOLE["Sources"] = {"Files": [str], "Location": str}
PLACE = {"file": str, "line?": int, "column?": int}
DOCUMENT = {"version": int, "graph": {"": dict}, "results?": [{"target": str, "derivations": [str]}]}
DOCUMENT.update({"places?": {"": PLACE}, "docs?": {"": str}})


def present(key, node):
    """Return a node without what counts as absent if it is null (spec: derivation.document.labels)."""
    absent = ("Outputs", "Sources") if key[0:1] == "@" else ()
    return {name: value for name, value in node.items() if value is not None or name not in absent}


def read_document(data):
    """Return the results and the graph, by ids, of a document (spec: derivation.document)."""

    def refuse(code, message):
        raise Failure("graph." + code, message)

    try:
        document = json.loads(data.decode(), object_pairs_hook=no_duplicates, parse_constant=no_number)
        # A surrogate that stands alone is no text.
        json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        refuse("encoding", "it is no JSON, or is nested too deeply")
    if isinstance(document, dict) and document.get("version", 1) != 1:
        refuse("version", "the version is not 1")
    if not fits(document, DOCUMENT):
        refuse("encoding", "it is not of the form of a document")
    for place in (document.get("places") or {}).values():
        numbers = place.get("line", 1), place.get("column", 1)
        if min(numbers) < 1 or max(numbers) >= 10**15:
            refuse("encoding", "lines and columns are numbers from 1, of at most 15 digits")
    nodes, ids, graph = {key: present(key, document["graph"][key]) for key in document["graph"] or ()}, {}, {}

    def pattern_of(key):
        return LABELLED if key[0:1] == "@" else REFERENCE

    for key, node in nodes.items():
        label = re.fullmatch(LABEL, key)
        if not (label or re.fullmatch(ID, key)) or not fits(node, NODE if label else WHOLE):
            refuse("encoding", f"{key} is not of the form of a node")
        needed = dependencies({"Args": None, "Env": None, **node}, pattern_of(key))
        for one in needed or ():
            if one["Hash"] not in nodes:
                refuse("unknown-reference", f"{key} refers to {one['Hash']}")
            if one["Output"] not in (nodes[one["Hash"]].get("Outputs") or ["out"]):
                refuse("unknown-output", f"{key} refers to {one['Hash']}:{one['Output']}")
        named = node["Dependencies"] or None if "Dependencies" in node else needed
        if named != needed:
            refuse("encoding", f"{key}: Dependencies are not what the templates name")

    def put(found):
        return f"{{{{ {visit(found[1])}:{found[2]} }}}}"

    def visit(key):
        if ids.setdefault(key, "") == "" and key in busy:
            refuse("cycle", " → ".join([*busy, key]))
        if not ids[key]:
            busy.append(key)
            node, sources = nodes[key], nodes[key].get("Sources") or {}
            pattern = pattern_of(key)
            builder = pattern.sub(put, node["Builder"])
            args = [pattern.sub(put, text) for text in node.get("Args") or ()]
            env = {name: pattern.sub(put, text) for name, text in (node.get("Env") or {}).items()}
            places = (sources.get("Files") or [], sources.get("Location", ""))
            if key[0] != "@" and (sorted(set(places[0])) != places[0] or (places[1] and not places[0])):
                raise Failure("derivation.sources", f"{key}: the sources are not written as they must be")
            more = (node.get("Platform", ""), node.get("Network", False), node.get("Target", ""))
            made = make(node["Name"], builder, args, env, *places, node.get("Outputs", ["out"]), *more)
            ids[key] = identity(made)
            if key[0] != "@" and ids[key] != key:
                refuse("id", f"{key} is the id of another derivation")
            graph[ids[key]] = made
            busy.pop()
        return ids[key]

    busy = []
    for key in sorted(nodes):
        visit(key)
    needed = {one["Hash"] for node in graph.values() for one in node["Dependencies"] or ()}
    wanted = [
        {"target": graph[key]["Name"], "derivations": [key]} for key in sorted(graph) if key not in needed
    ]
    named = [key for one in document.get("results") or () for key in one["derivations"]]
    if any(key not in nodes for key in [*named, *(document.get("places") or {})]):
        refuse("result", "results or places name a node that is not there")
    if "results" in document:
        wanted = [
            {**one, "derivations": list(dict.fromkeys(ids[key] for key in one["derivations"]))}
            for one in document["results"] or ()
        ]
    return wanted, graph
