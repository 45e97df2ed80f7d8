"""What a Python may lack: modules of its library that are optional, or that a distribution packs apart.

It imports nothing that could be missing, so that it can always be asked.
"""

import sys

_ANY = (
    "install the complete Python: apt install python3 (Debian, Ubuntu), dnf install python3 (Fedora, RHEL), "
    "apk add python3 (Alpine), pacman -S python (Arch), zypper install python3 (openSUSE)"
)
# Module → what needs it, and packages with what CPython's `configure` looks for; it builds no module without.
_OPTIONAL = {
    "bz2": (
        "an archive that is packed with bzip2",
        "libbz2-dev (Debian), bzip2-devel (Fedora), bzip2-dev (Alpine), bzip2 (Arch), "
        "libbz2-devel (openSUSE)",
    ),
    "ctypes": ("the sandbox", "libffi-dev (Debian, Alpine), libffi-devel (Fedora, openSUSE), libffi (Arch)"),
    "lzma": (
        "an archive that is packed with xz or LZMA",
        "liblzma-dev (Debian), xz-devel (Fedora, openSUSE), xz-dev (Alpine), xz (Arch)",
    ),
    "ssl": (
        "https",
        "libssl-dev (Debian), openssl-devel (Fedora), openssl-dev (Alpine), openssl (Arch), "
        "libopenssl-devel (openSUSE)",
    ),
    "zlib": (
        "an archive that is packed with gzip or zip",
        "zlib1g-dev (Debian), zlib-devel (Fedora, openSUSE), zlib-dev (Alpine), zlib (Arch)",
    ),
}


def lacking_module(fault: ImportError) -> "str | None":
    """Return the module that is missing here, or cannot be loaded; None for a fault of ours."""
    ours = (fault.name or "bramble").partition(".")[0] == "bramble"
    lacks = isinstance(fault, ModuleNotFoundError) or str(fault.path).endswith(".so")
    return fault.name if lacks and not ours else None


def missing(module: str, prefix: str = sys.base_prefix) -> "tuple[str, str, str]":
    """Return code, fact and remedy of the error for a module that cannot be imported (spec: cli.python).

    `module` may be the part of it that is written in C, as `_lzma` is of `lzma`. The Python of a
    distribution, whose prefix is /usr, lacks a package; any other was built without a library.
    """
    name = module.lstrip("_").partition(".")[0]
    use, libraries = _OPTIONAL.get(name, ("Bramble", ""))
    fact = f"{use} needs Python's module {name}, which {sys.executable or 'this Python'} lacks"
    if prefix == "/usr":
        remedy = _ANY
    elif libraries:
        remedy = f"it was built without this: install {libraries}, and build it again"
    else:
        remedy = "it is incomplete: install it again"
    return "cli.missing-module", fact, remedy + "; or run Bramble with another Python"
