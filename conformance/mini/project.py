"""A project's files: bramble.toml, packages, modules, targets, source files (chapter 2)."""

from __future__ import annotations

import os
import re
import stat
from collections import namedtuple

from conformance.mini import toml
from conformance.mini.reader import Failure

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+~-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.+~-]*)*")
NUMBER = "(?:0|[1-9][0-9]*)"
WORD = rf"(?:{NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
VERSION = re.compile(
    rf"({NUMBER})\.({NUMBER})\.({NUMBER})(?:-({WORD}(?:\.{WORD})*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)
RESULT = re.compile(r"/.*/store/[a-z0-9]{32}", re.S)
# `prefix` stands before the names of its files in errors; it is "" for the main project.
Project = namedtuple("Project", "root name version requires prefix")
Asked = namedtuple("Asked", "name version path at file root")  # an entry of `dependencies`


def inside(root, path):
    """Return where a path leads, links followed, relative to the root; None if out of it."""
    here, left, links = [], path.split("/"), 0
    while left:
        part = left.pop(0)
        full = os.path.join(root, *here, part)
        if part == ".." and here:
            here.pop()
        elif part == "..":
            return None
        elif os.path.islink(full):
            links += 1
            text = os.readlink(full)
            if text.startswith("/") or links > 40:
                return None
            left = text.split("/") + left
        elif part not in ("", "."):
            here.append(part)
    return "/".join(here)


def read(root, path, code, outside=None):
    """Return the text of a file of a project (spec: project.access)."""
    real = inside(root, path)
    full = os.path.join(root, real or "")
    if real is None or not os.path.isfile(full):
        raise Failure((outside if real is None else None) or code, f"{path} cannot be read")
    with open(full, "rb") as file:
        return file.read()


def find(directory):
    """Return the root of the project around a directory (spec: project.find)."""
    root = directory = os.path.realpath(directory)
    while not os.path.lexists(os.path.join(root, "bramble.toml")):
        root, above = os.path.dirname(root), root
        if root == above:
            raise Failure("config.no-project", f"there is no bramble.toml in {directory} or above")
    return root


def version_key(text):
    """spec: project.versions.order"""
    major, minor, patch, before = VERSION.fullmatch(text).groups()
    words = (
        [(0, int(word), "") if word.isdigit() else (1, 0, word) for word in before.split(".")]
        if before
        else []
    )
    return int(major), int(minor), int(patch), not before, words


def config(root, prefix=""):
    """Return a project by its bramble.toml (spec: project.config)."""
    file = prefix + "bramble.toml"
    data = read(root, "bramble.toml", "config.unreadable")
    try:
        table = toml.loads(data.decode(), "config.syntax", file)
    except UnicodeDecodeError as problem:
        raise Failure(
            "config.syntax", "not UTF-8", (data.count(b"\n", 0, problem.start) + 1, 1), file
        ) from None

    def refuse(code, at, message):
        raise Failure("config." + code, message, at, file)

    def typed(table, key, types):
        if key in table and type(table[key]) not in types:
            refuse("type", table.places[key], f"{key} has the wrong type")
        return table.get(key)

    for key in ("package", "dependencies", "mirror", "vendor"):
        typed(table, key, (toml.Table,))
    package = table.get("package")
    if package is None:
        refuse("missing", (1, 1), "there is no table package")
    for key in ("name", "version", "description"):
        if typed(package, key, (str,)) is None and key != "description":
            refuse("missing", package.at, f"package has no {key}")
    for key in table.get("mirror", {}):
        typed(table["mirror"], key, (str,))

    def check_name(name, at):
        if not NAME.fullmatch(name) or name.split("/")[0] == "std":
            refuse("name", at, f"{name} is not a valid project name")

    def check_version(version, at):
        if version is not None and (len(version) > 256 or not VERSION.fullmatch(version)):
            refuse("version", at, f"{version} is not a version")

    check_name(package["name"], package.places["name"])
    check_version(package["version"], package.places["version"])
    asked, needed = [], table.get("dependencies", {})
    for name in needed:
        wanted, at = typed(needed, name, (str, toml.Table)), needed.places[name]
        check_name(name, at)
        wanted = {"version": wanted} if isinstance(wanted, str) else wanted
        for key in ("version", "path", "rev", "git"):
            if isinstance(wanted, toml.Table):
                typed(wanted, key, (str,))
        check_version(wanted.get("version"), at)
        if not wanted.keys() & {"version", "path", "rev"}:
            refuse("missing", at, f"{name} has neither version nor path nor rev")
        if "+" in wanted.get("version", ""):
            refuse("version", at, f"{name}: no version is published with build metadata")
        if any(re.search("[\0-\x1f\x7f]", wanted.get(key, "")) for key in ("path", "rev", "git")):
            refuse("dependency", at, f"{name}: there is a control character")
        if ("path" in wanted and wanted.keys() & {"git", "rev"}) or {"rev", "version"} <= wanted.keys():
            refuse("dependency", at, f"{name}: these keys do not go together")
        asked.append(Asked(name, wanted.get("version"), wanted.get("path"), at, file, root))
    return Project(root, package["name"], package["version"], tuple(asked), prefix)


def packages(main):
    """Return the main project and its packages by their names (spec: project.packages)."""
    found, left, own = (
        {main.name: main},
        list(main.requires),
        {asked.name for asked in main.requires if asked.path},
    )
    while left:
        asked = left.pop(0)

        def refuse(code, message, asked=asked):
            raise Failure(code, f"{asked.name}: {message}", asked.at, asked.file)

        if asked.path is None and asked.name not in found:
            refuse("fetch.offline", "this implementation has no network, so a package needs a path")
        root = os.path.realpath(os.path.join(asked.root, asked.path or ""))
        known = found.get(asked.name)
        if asked.path is not None and (known is None or known.root != root):
            if known is not None and asked.name in own and asked.root != main.root:
                continue
            if known is not None or not os.path.isfile(os.path.join(root, "bramble.toml")):
                refuse("config.dependency", "there is no such project, or another one has this name")
            known = config(root, asked.name + "/")
        if known.name != asked.name or (known is main and asked.root == main.root):
            refuse("config.dependency", f"the project calls itself {known.name}")
        if asked.version:
            least, given = version_key(asked.version), version_key(known.version)
            if given < least or given[0] != least[0]:
                refuse("config.versions", f"its version is {known.version}")
        if asked.name not in found:
            found[asked.name] = known
            left += known.requires
    return found


def belongs(name, names):
    """Return the longest of the names that a module name is below, or None (spec: project.modules.names)."""
    return max((one for one in names if name == one or name.startswith(one + "/")), key=len, default=None)


def module_file(projects, name):
    """Return the project and the file of a module (spec: project.modules.names)."""
    owner = belongs(name, projects)
    if owner is None:
        code = "load.unknown-module" if name.split("/")[0] == "std" else "load.unknown-package"
        raise Failure(code, f"no project or package has the module {name}")
    project, rest = projects[owner], name[len(owner) + 1 :]
    files = [rest + ".bramble", rest + "/default.bramble"] if rest else ["default.bramble"]
    files = [file for file in files if os.path.lexists(os.path.join(project.root, file))]
    above = [rest[: found.start()] for found in re.finditer("/|$", rest)] if rest else []
    foreign = any(os.path.lexists(os.path.join(project.root, one, "bramble.toml")) for one in above)
    if not files or rest.split("/")[-1] == "default" or foreign:
        raise Failure("load.unknown-module", f"the module {name} has no file")
    if len(files) > 1:
        raise Failure("load.ambiguous", f"{name} is {' and '.join(files)}")
    return project, files[0]


def modules_below(project, directory):
    """Return the names of all modules in a directory and below (spec: project.modules.listing)."""
    found, top = [], os.path.join(project.root, directory)
    for here, directories, files in os.walk(top):
        relative = os.path.relpath(here, project.root).replace(os.sep, "/")
        base = [] if relative == "." else relative.split("/")
        directories[:] = [
            one
            for one in directories
            if one[0] != "."
            and not os.path.islink(os.path.join(here, one))
            and not os.path.lexists(os.path.join(here, one, "bramble.toml"))
        ]
        for file in files:
            if file.endswith(".bramble") and file[0] != ".":
                own = [] if file == "default.bramble" else [file[: -len(".bramble")]]
                found.append("/".join([project.name, *base, *own]))
    return sorted(name for name in found if name.isprintable() or name.encode(errors="replace"))


def targets(projects, main, text, directory):
    """Return the module names that a target means and its function, or None (spec: project.targets)."""
    path, colon, function = text.partition(":")
    is_path = path in (".", "..") or path.startswith(("./", "../"))
    recursive = path.endswith("/...")
    path = path[:-4] if recursive else path
    parts = path.rstrip("/").split("/") if path in ("./", "../") else path.split("/")
    wrong = (
        "" in parts
        or "..." in parts
        or (colon and (not function or recursive))
        or ":" in function
        or "/" in function
    )
    if wrong or (not is_path and (not set(parts).isdisjoint({".", ".."}))):
        raise Failure("load.target", f"{text} is not a target")
    if is_path:
        place = os.path.normpath(os.path.join(os.path.realpath(directory), path))
        if place != main.root and not place.startswith(main.root + "/"):
            raise Failure("load.outside", f"{text} leads out of the project")
        path = "/".join(
            [main.name, *([] if place == main.root else os.path.relpath(place, main.root).split("/"))]
        )
    if not recursive:
        return [path], function or None
    owner = belongs(path, projects)
    if owner is None:
        raise Failure("load.unknown-package", f"no project or package has {path}")
    below = path[len(owner) + 1 :]
    if not os.path.isdir(os.path.join(projects[owner].root, below)):
        raise Failure("load.unknown-module", f"there is no directory {below}")
    return modules_below(projects[owner], below), None


# Source files


def compiled(part):
    """Return a name of a pattern as a regular expression, or itself (spec: project.files.patterns)."""
    text, place = "", 0
    while place < len(part):
        char, place = part[place], place + 1
        if char == "[":
            other = part[place : place + 1] in ("!", "^")
            end = part.find("]", place + 1 + other)
            body = part[place + other : end].replace("\\", "\\\\").replace("[", "\\[").replace("^", "\\^")
            body = re.sub("^]", "\\]", body)
            text, place = text + ("[^" if other else "[") + body + "]", end + 1
            if end < 0 or any(low > high for low, high in re.findall("(.)-(.)", body)):
                raise Failure("load.source-pattern", f"{part} has an open bracket or an empty range")
        else:
            text += {"*": ".*", "?": "."}.get(char, re.escape(char))
    return re.compile(text, re.S) if re.search(r"[*?[]", part) else part


def divided(base, pattern):
    """Return the parts of a pattern from the project's root: names, regular expressions and `**`."""
    if pattern.startswith("/"):
        raise Failure("load.source-outside", f"{pattern} is absolute")
    parts = [part for part in base.split("/") if part]
    for part in pattern.split("/"):
        if part == ".." and not parts:
            raise Failure("load.source-outside", f"{pattern} leads above the project's root")
        wild = any(not isinstance(one, str) or one == "**" for one in parts)
        if ("**" in part and part != "**") or "\x00" in pattern or not pattern or (part == ".." and wild):
            raise Failure("load.source-pattern", f"{pattern!r} has no sense")
        if part == "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part if part == "**" else compiled(part))
    return parts


def is_wild(parts):
    return any(not isinstance(part, str) or part == "**" for part in parts)


def expand(root, here, parts):
    """Yield what a pattern with wildcards matches below `here`; links are never gone through."""
    full = os.path.join(root, *here)
    if (
        not parts
        or not os.path.isdir(full)
        or os.path.islink(full)
        or os.path.lexists(full + "/bramble-vendor.json")
    ):
        return
    first, rest = parts[0], parts[1:]
    if first == "**" and rest:
        yield from expand(root, here, rest)
    for name in [first] if isinstance(first, str) and first != "**" else os.listdir(full):
        path, place = [*here, name], os.path.join(full, name)
        if first == "**" or not isinstance(first, str):
            hidden = name[0] == "." and (first == "**" or first.pattern[:2] != "\\.")
            passed = (first != "**" and not first.fullmatch(name)) or path == ["bramble.lock"]
            if hidden or passed or (os.path.islink(place) and RESULT.fullmatch(os.readlink(place))):
                continue
        if os.path.lexists(place):
            if not rest:
                yield "/".join(path)
            yield from expand(root, path, parts if first == "**" else rest)


def excluder(parts):
    """Return a regular expression for whole paths."""
    text = "".join(
        ".+/" if p == "**" else (re.escape(p) if isinstance(p, str) else f"(?:{p.pattern})") + "/"
        for p in parts
    )
    return re.compile(text.replace(".+/", "(?:[^/]+/)*").replace(".*", "[^/]*"), re.S)


def checked(root, path, named, directories):
    """Whether a path is a source file (spec: project.files.named, project.files.links)."""
    full = os.path.join(root, path)
    behind = any(
        os.path.islink(os.path.join(root, path[: found.start()])) for found in re.finditer("/", path)
    )
    if inside(root, path) is None or behind:
        raise Failure("load.source-outside", f"{path} leads out of the project, or through a link")
    if not os.path.lexists(full):
        raise Failure("load.source-missing", f"{path} does not exist")
    if any("\ud800" <= char <= "\udfff" for char in path):
        raise Failure("load.source-name", f"{path!r} is not UTF-8")
    mode = os.lstat(full).st_mode
    if named and not (stat.S_ISREG(mode) or stat.S_ISLNK(mode) or (directories and stat.S_ISDIR(mode))):
        raise Failure("load.source-missing", f"{path} is no file")
    return stat.S_ISREG(mode) or stat.S_ISLNK(mode) or (directories and stat.S_ISDIR(mode))


def sources(root, base, include, exclude=(), directories=False):
    """Return (paths that match, patterns that match nothing) (spec: project.files)."""
    without = [excluder(divided(base, pattern)) for pattern in exclude]
    found, unmatched = set(), []
    for pattern in include:
        parts = divided(base, pattern)
        paths = list(expand(root, [], parts)) if is_wild(parts) else ["/".join(parts)]
        left = [path for path in paths if not any(one.fullmatch(path + "/") for one in without)]
        found |= {path for path in left if checked(root, path, not is_wild(parts), directories)}
        unmatched += [] if paths else [pattern]
    return sorted(found), unmatched
