"""Writes a program that looks like the build files of a few hundred packages."""

from __future__ import annotations

HEADER = '''"""Packages of a distribution, each a function that describes how it is built."""

REGISTRY = {}
DEFAULT_FLAGS = ["-O2", "-g", "-fPIC"]
MIRROR = "https://mirror.invalid/sources"

def url(name, version, ext = "tar.gz"):
    return "%s/%s/%s-%s.%s" % (MIRROR, name, name, version, ext)

def flags(extra = None, *, debug = False):
    out = list(DEFAULT_FLAGS)
    if debug:
        out.append("-DDEBUG")
    if extra:
        out.extend(extra)
    return out

def derive(name, builder, args = [], env = {}, outputs = ["out"], deps = []):
    key = name + ":" + builder
    text = ",".join(sorted(["%s=%s" % (k, v) for k, v in env.items()]))
    REGISTRY[key] = {
        "name": name,
        "builder": builder,
        "args": list(args),
        "env": text,
        "outputs": [o for o in outputs if o],
        "deps": [d["name"] for d in deps],
    }
    return REGISTRY[key]

def configure_make(name, version, deps = [], configure = [], env = {}):
    full = dict(env)
    full["src"] = url(name, version)
    full["PATH"] = ":".join([d["name"] + "/bin" for d in deps])
    for d in deps:
        full["dep_" + d["name"].replace("-", "_")] = "{}/lib".format(d["name"])
    script = ["./configure --prefix=$out"] + configure
    if len(deps) > 3:
        script.append("make -j4")
    else:
        script.append("make")
    return derive(
        name = "{}-{}".format(name, version),
        builder = "sh",
        args = ["-c", " && ".join(script)],
        env = full,
        deps = deps,
    )
'''

PACKAGE = '''
def package_{n}():
    """Package number {n}."""
    deps = [{deps}]
    options = {{"feature_%d" % i: i % 2 == 0 for i in range({width})}}
    configure = []
    for option, on in options.items():
        configure.append("--%s-%s" % ("enable" if on else "disable", option.replace("_", "-")))
    return configure_make(
        name = "package-{n}",
        version = "{a}.{b}.{c}",
        deps = deps,
        configure = configure,
        env = {{"CFLAGS": " ".join(flags(["-DPKG={n}"], debug = {debug}))}},
    )

P{n} = package_{n}()
'''


def program(count: int) -> str:
    """Return the text of a program with so many packages."""
    parts = [HEADER]
    for n in range(count):
        deps = ", ".join(f"P{d}" for d in sorted({n // 2, n // 3, n - 1}) if 0 <= d < n)
        parts.append(
            PACKAGE.format(n=n, deps=deps, width=4 + n % 7, a=n % 5, b=n % 11, c=n % 3, debug=n % 9 == 0)
        )
    parts.append("\nresult = len(REGISTRY)\n")
    return "".join(parts)
