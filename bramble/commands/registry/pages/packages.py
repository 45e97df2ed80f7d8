"""The pages about packages: the list of all, one version of one, with what can be called in it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bramble.commands.registry.pages.frame import Surroundings, counted, page
from bramble.commands.registry.pages.markup import Html, Part, address, element, link
from bramble.packages.registry.documents import Documentation, Listed, Module, Requirement
from bramble.packages.registry.index import Entry
from bramble.record import NamedTuple

_MOST = 200  # packages on one page


class Shown(NamedTuple):
    """What is known of one version of a package."""

    entry: Entry
    documentation: Documentation
    versions: tuple[Entry, ...]  # all of the package, the greatest first
    newest: Entry  # the default if none is named
    dependents: tuple[str, ...]  # names, sorted
    known: frozenset[str]  # names of all packages of the registry


def list_page(around: Surroundings, found: Sequence[Listed], total: int, query: str) -> bytes:
    """Return the page with packages: all, or those that fit a query."""
    # spec: registry.pages.list
    if query:
        title, head = f"Search: {query}", f"{counted(len(found), 'package')} for “{query}”"
    else:
        title, head = "", counted(total, "package")
    rows = [_row(around, one) for one in found[:_MOST]]
    more = f"And {len(found) - _MOST} more: search for what you need." if len(found) > _MOST else ""
    hint: Part = ""
    if not total:
        hint = element(
            "p",
            "Nothing is published here yet. In a project: ",
            _command(f"bramble publish --registry {around.url}"),
        )
    elif not found:
        hint = element("p", "No package has these words in its name or description.", klass="soft")
    return page(
        around,
        title,
        element("h1", head),
        element("ul", *rows, klass="plain"),
        hint,
        element("p", more, klass="soft") if more else "",
        query=query,
    )


def _row(around: Surroundings, one: Listed) -> Html:
    used = f" · used by {counted(one.dependents, 'package')}" if one.dependents else ""
    return element(
        "li",
        link(address(around.root, "package", *one.name.split("/")), one.name, klass="name"),
        " ",
        element("span", one.newest, used, klass="soft"),
        element("p", one.description) if one.description else "",
    )


def package_page(around: Surroundings, shown: Shown) -> bytes:
    """Return the page of one version of a package."""
    # spec: registry.pages.package
    entry, docs = shown.entry, shown.documentation
    newest = shown.newest
    older = entry.version != newest.version
    wanted = f"{entry.name}@{entry.version}" if older else entry.name
    functions = [part for module in docs.modules for part in _module(module)]
    impure = (
        element(
            "p",
            "Depends on the machine that builds it: ",
            element("code", ", ".join(docs.impure)),
            " copies programs of the machine. What it builds can differ elsewhere.",
            klass="note",
        )
        if docs.impure
        else ""
    )
    text = element(
        "div",
        element("h1", entry.name, " ", element("small", entry.version)),
        element("p", docs.description) if docs.description else "",
        element("p", "There is a newer version: ", _version(around, newest), klass="note") if older else "",
        element("pre", f"bramble add {wanted}"),
        impure,
        element("h2", "Functions"),
        *(functions or [element("p", "It has no public functions.", klass="soft")]),
    )
    side = element(
        "aside",
        *_listed("Versions", [_version(around, one) for one in shown.versions]),
        *_listed("Requires", [_requirement(around, shown, one) for one in docs.requires]),
        *_listed("Used by", [_package(around, name) for name in shown.dependents]),
        element("h2", "Sources"),
        element(
            "dl",
            *(element("dt", "commit"), element("dd", entry.commit[:12], klass="mono")),
            *(element("dt", "digest"), element("dd", entry.digest, klass="mono")),
            *(element("dt", "archive"), element("dd", _file(around, "source", entry, "tar"))),
            *(element("dt", "configuration"), element("dd", _file(around, "config", entry, "bramble.toml"))),
        ),
    )
    return page(around, f"{entry.name} {entry.version}", element("div", text, side, klass="columns"))


def _module(module: Module) -> list[Part]:
    parts: list[Part] = [element("h3", module.name)]
    if module.documentation:
        parts.append(element("p", module.documentation, klass="doc"))
    for one in module.functions:
        documentation = element("p", one.documentation, klass="doc") if one.documentation else ""
        signature = element("code", element("strong", one.name), f"({one.parameters})")
        parts.append(element("div", signature, documentation, klass="function"))
    return parts


def _listed(title: str, items: Sequence[Part]) -> list[Part]:
    if not items:
        return []
    return [element("h2", title), element("ul", *(element("li", one) for one in items))]


def _version(around: Surroundings, one: Entry) -> Html:
    return link(address(around.root, "package", *f"{one.name}@{one.version}".split("/")), one.version)


def _package(around: Surroundings, name: str) -> Html:
    return link(address(around.root, "package", *name.split("/")), name)


def _requirement(around: Surroundings, shown: Shown, one: Requirement) -> Part:
    name: Part = _package(around, one.name) if one.name in shown.known else one.name
    return [name, " ", element("span", one.version or one.rev, klass="soft")]


def _file(around: Surroundings, kind: str, entry: Entry, text: str) -> Html:
    return link(address(around.root, "package", kind, *f"{entry.name}@{entry.version}".split("/")), text)


def _command(text: str) -> Html:
    return element("pre", text)
