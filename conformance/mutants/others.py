"""Faults of all packages except the language and downloads: (paragraph, file, text, replacement)."""

from __future__ import annotations

FAULTS: tuple[tuple[str, str, str, str], ...] = (
    (
        "derivation.json.empty",
        "bramble/derivation/gojson.py",
        'return "[" + listed + "]" if listed else NULL',
        'return "[" + listed + "]"',
    ),
    (
        "derivation.json.strings",
        "bramble/derivation/gojson.py",
        '"[<>&',
        '"[<>',
    ),
    (
        "derivation.dependencies",
        "bramble/derivation/template.py",
        "return sorted(set(_WHOLE.findall(text))) if",
        "return sorted(set(_WHOLE.findall(text)), reverse=True) if",
    ),
    (
        "derivation.store.digest",
        "bramble/derivation/resolve.py",
        '"" if output else filename',
        "filename",
    ),
    (
        "objects.archive.split",
        "bramble/store/objects/archive.py",
        "PREFIX_FIELD + 1)",
        "PREFIX_FIELD - 80)",
    ),
    (
        "objects.archive.extended",
        "bramble/store/objects/archive.py",
        "return len(text) > NAME_FIELD or not text.isascii()",
        "return len(text) > NAME_FIELD",
    ),
    (
        "objects.identity.positions",
        "bramble/store/objects/identity.py",
        'batch.append(b"|%d" % place)',
        'batch.append(b"|")',
    ),
    (
        "objects.references.pieces",
        "bramble/store/objects/pieces.py",
        "if before < 0 or at >= wholes[before] + STORE_DIR_LENGTH:",
        "if False:",
    ),
    (
        "objects.references.pieces",
        "bramble/store/objects/pieces.py",
        "if block[at + STORE_DIR_LENGTH] != 0x2F or name not in self._names:",
        "if False:",
    ),
    (
        "objects.references.pieces",
        "bramble/store/objects/pieces.py",
        "self._free = offset + DIGEST_LENGTH - PIECE + 1",
        "pass",
    ),
    (
        "objects.references.hidden",
        "bramble/store/objects/hidden.py",
        "return beginning.startswith((_GZIP, _ZIP))",
        "return beginning.startswith(_ZIP)",
    ),
    (
        "objects.references.hidden",
        "bramble/store/objects/identity.py",
        'self._needle = utf_16_needle(meaning.directory) if pieces else b""',
        'self._needle = b""',
    ),
    (
        "cli.build.json",
        "bramble/cli/verbs/build.py",
        'target.checked == "elsewhere"}',
        "False}",
    ),
    (
        "cli.size",
        "bramble/commands/size.py",
        "if other != name and other not in left:",
        "if other not in left:",
    ),
    (
        "build.check.elsewhere",
        "bramble/build/maker.py",
        'seen = _elsewhere("other_directory")(seen)',
        "pass",
    ),
    (
        "build.check.elsewhere",
        "bramble/build/maker.py",
        '_elsewhere("bring_back")(path, self._store.directory, seen)',
        "pass",
    ),
    (
        "build.allowed-pieces",
        "bramble/store/publish/publication.py",
        "file == word or not word",
        "word in file or not word",
    ),
    (
        "build.restrictions",
        "bramble/build/restrictions.py",
        "if rule == DISALLOWED_CLOSURE else made.references",
        "if rule != ALLOWED else made.references",
    ),
    (
        "build.restrictions",
        "bramble/build/restrictions.py",
        "found - named if rule == ALLOWED else",
        "set() if rule == ALLOWED else",
    ),
    (
        "build.sources.object",
        "bramble/store/publish/originals.py",
        "size, executable = before.st_size, bool(before.st_mode & stat.S_IXUSR)",
        "size, executable = before.st_size, False",
    ),
    (
        "build.environment",
        "bramble/build/naming.py",
        "return tuple(sorted(variables.items()))",
        'return tuple(sorted({"HOME": "/", **variables}.items()))',
    ),
    (
        "build.directory",
        "bramble/build/naming.py",
        'start += "/" + resolved.source.relative_build_path',
        "pass",
    ),
    (
        "build.sandbox",
        "bramble/build/naming.py",
        "mounts = [Mount(directories.build, f",
        'mounts = [Mount("/usr", "/usr"), Mount(directories.build, f',
    ),
    (
        "sandbox.mounts.read-only",
        "bramble/build/naming.py",
        "Mount((inputs or seen)[name], path)",
        "Mount((inputs or seen)[name], path, True)",
    ),
    *(
        (paragraph, "bramble/sandbox/steps.py", old, new)
        for paragraph, old, new in (
            ("sandbox.seccomp", '*(() if spec.rung == "none" else (filter_step(spec, facts),)),', ""),
            ("sandbox.capabilities", ', Step("no-capabilities"))', ")"),
            # Without it the kernel takes no filter from a program without rights; so neither is there.
            ("sandbox.capabilities", '(Step("no-new-privileges"), *landlock', "(*landlock"),
            ("sandbox.proc.hidden", 'done += [Step("cover-file"', '_ = [Step("cover-file"'),
            ("sandbox.proc.read-only", "if name in facts.proc:\n", "if False:\n"),
            ("sandbox.environment", "env = sorted(spec.env,", 'env = sorted((*spec.env, ("HOME", "/")),'),
            (
                "sandbox.environment",
                "sorted(spec.env, key=lambda",
                "sorted(spec.env, reverse=True, key=lambda",
            ),
            ("sandbox.network", 'name != "net" or not spec.network)', 'name != "net")'),
            (
                "sandbox.tree",
                'Step("tmpfs", (layout.TEMPORARY, 0o1777, size, inodes)),',
                'Step("directory", ("/tmp/x", 0o755)), Step("bind", ("/tmp", "/tmp")),',
            ),
            (
                "sandbox.constants.addresses",
                "if build else ()),\n        Step(",
                "if False else ()),\n        Step(",
            ),
            (
                "sandbox.constants.process",
                'Step("umask", (0o022,)),\n        Step("private',
                'Step("umask", (0o077,)),\n        Step("private',
            ),
            ("sandbox.identity.user", "UID = 1000", "UID = 0"),
            ("sandbox.identity.machine", 'Step("hostname", ("localhost",))', 'Step("hostname", ("host",))'),
        )
    ),
    ("sandbox.devices", "bramble/sandbox/wire.py", ', "tty": (5, 0)', ""),
    ("sandbox.special", "bramble/sandbox/walls/seccomp.py", "SETUID_SETGID = 0o6000", "SETUID_SETGID = 0"),
    (
        "sandbox.end.status",
        "bramble/sandbox/pid1.py",
        'os.write(job.link, b"X\\0%d" % status)',
        'os.write(job.link, b"X\\0%d" % 0)',
    ),
    (
        "sandbox.limits.output",
        "bramble/sandbox/running.py",
        "if status is not None and self.measures:",
        "if False:",
    ),
    (
        "build.limits.output",
        "bramble/sandbox/running.py",
        "elif self.measures and now >= self.next_look and self.ended is None:",
        "elif False:",
    ),
    ("sandbox.limits.output", "bramble/sandbox/limits/measure.py", "self.size += size", "self.size = size"),
    (
        "build.demand",
        "bramble/build/builder.py",
        "return made.present or not demanded",
        "return made.present",
    ),
    (
        "build.demand.pinned",
        "bramble/build/builder.py",
        'return Made(resolved.filename, (("out", want),), cached=True, present=False)',
        "return None",
    ),
    (
        "store.complete",
        "bramble/build/builder.py",
        "return self._store.is_complete(names)",
        "return all(map(self._store.contains, names))",
    ),
    (
        "store.verify.repair",
        "bramble/commands/verify.py",
        "demand=frozenset([name])",
        "demand=frozenset()",
    ),
    (
        "store.gc.records",
        "bramble/store/gc/trim.py",
        "recipe = recipe_of(objects, filename)",
        "recipe = Recipe()",
    ),
    ("store.gc.former", "bramble/store/records/roots.py", "if no_longer:", "if False:"),
    ("store.owner", "bramble/store/trust/owner.py", "if not mode & _OTHERS_WRITE:", "if True:"),
    (
        "store.owner.sticky",
        "bramble/store/trust/owner.py",
        "if (above or is_root) and mode & stat.S_ISVTX:",
        "if above and mode & stat.S_ISVTX:",
    ),
    (
        "store.no-links",
        "bramble/store/trust/owner.py",
        "if not stat.S_ISDIR(status.st_mode):\n        what",
        "if False:\n        what",
    ),
    (
        "build.fetch.changed",
        "bramble/build/builder.py",
        "if changed and self._options.refresh and is_pinned(env):",
        "if False:",
    ),
    (
        "build.fetch.changed",
        "bramble/build/stamps.py",
        'if last[0] != "sha256" or all(',
        "if True or all(",
    ),
    *(
        (f"vendor.{topic}", path, old, new)
        for topic, path, old, new in (
            ("objects", "bramble/build/builder.py", "if self._options.fetch.vendor is None:", "if True:"),
            ("downloads", "bramble/build/fetch/from_url.py", "        if vendored:\n", "        if False:\n"),
            ("which", "bramble/commands/build.py", "    if setting.vendor:\n", "    if False:\n"),
            (
                "own",
                "bramble/packages/vendor.py",
                "    return _OWN.fullmatch(path) is not None\n",
                "    return True\n",
            ),
            (
                "own",
                "bramble/commands/packages/vendoring.py",
                "        if not known:\n",
                "        if False:\n",
            ),
            (
                "incremental",
                "bramble/packages/vendor.py",
                "if not present.get(path)))",
                "if path not in present))",
            ),
            ("incremental", "bramble/packages/vendor.py", "if path not in needed and", "if False and"),
        )
    ),
    *(
        (f"internet.{topic}", path, old, new)
        for topic, path, old, new in (
            (
                "granted",
                "bramble/commands/context/consent.py",
                '() if project.fetched is None else (Item("run"),)',
                "()",
            ),
            (
                "run.ground",
                "bramble/commands/packages/visiting.py",
                '        return ""\n    return here',
                "        return here\n    return here",
            ),
            (
                "form.module",
                "bramble/packages/operand.py",
                "range(len(parts), 1, -1)",
                "range(len(parts), len(parts) - 1, -1)",
            ),
            (
                "offline",
                "bramble/commands/packages/visiting.py",
                "    if setting.offline:\n",
                "    if False:\n",
            ),
            ("evaluation", "bramble/commands/build.py", "public=project.fetched is None", "public=True"),
            (
                "trust",
                "bramble/commands/trust.py",
                'word in (one.name, one.name.partition("@")[0])',
                "word == one.name",
            ),
            (
                "lock",
                "bramble/packages/resolve.py",
                'root = project.root if project.fetched is None else ""',
                "root = project.root",
            ),
            ("lock", "bramble/commands/packages/visiting.py", "Lock({**own, **{", "Lock({**{"),
            ("lock", "bramble/commands/packages/visiting.py", "{**own.get(table, {}), **entry}", "{**entry}"),
        )
    ),
    (
        "packages.path.granted",
        "bramble/commands/context/packages.py",
        'return not any(part.startswith(".")',
        'return not any(part.startswith("..")',
    ),
    (
        "packages.path.granted",
        "bramble/packages/resolve.py",
        "if not self.may_follow(directory):",
        "if False:",
    ),
    (
        "project.files.vendor",
        "bramble/project/files.py",
        "if VENDOR_NAME in found.entries(directory):",
        "if False:",
    ),
)
