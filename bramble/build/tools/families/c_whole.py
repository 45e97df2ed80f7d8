"""How a compiler is kept from cutting names in pieces (`objects.references.pieces`). Pure.

A constant text that is copied becomes moves of 8 or 16 bytes in the code, whose values hold the text in
pieces: then the name of an object in it is not a reference. gcc for x86 does so up to a number of moves,
which depends on the processor that it tunes for. As many moves of 8 bytes as it makes for newer processors of
AMD hold 64 bytes, fewer than any path of an object has, so programs are tuned for these. Then all copies of
names are whole, those of initialisers, of std::string and of _FORTIFY_SOURCE too, and short copies cost no
call. Whether a gcc does so is asked, not assumed. Where it does not, functions that copy are not expanded:
names are whole where these functions are called, each of which is then a call.
"""

from __future__ import annotations

from bramble.build.tools.machine import Machine

# Functions that compilers expand to moves, themselves or by way of another one.
WHOLE = (
    *("strcpy", "stpcpy", "strcat", "strncpy", "stpncpy", "strncat", "memcpy", "mempcpy", "memmove", "bcopy"),
    *("sprintf", "snprintf"),
)
# What to tune for, best first. The stores that are switched off are those of 16 bytes, and of 32 and 64 for
# what is compiled for AVX-512 (from gcc 12 on).
_NEWER = "-mtune=znver3 -mtune-ctrl=^sse_unaligned_store_optimal"
_TUNING = (f"{_NEWER} -mmove-max=128 -mstore-max=128", _NEWER, "-mtune=k8")
# As long as the path of an object, which is the shortest text with a whole name (`store.padding`, 82 bytes);
# two texts, since one that is whole for one use may be cut for another.
_TEXTS = (
    "/initialised/Abcdefghijklmnopqrstuvwxyz0123456789bcdefghijklmnopqrstuvwxyz01234567",
    "/copied/Abcdefghijklmnopqrstuvwxyz0123456789bcdefghijklmnopqrstuvwxyz0123456789xyz",
)
_PROBE = f"""\
void use(char *);
void initialise(void) {{ char text[] = "{_TEXTS[0]}"; use(text); }}
void copy(char *to) {{ __builtin_strcpy(to, "{_TEXTS[1]}"); }}
"""


def not_expanded() -> list[str]:
    """Return the options that let the functions be called, which gcc and clang know."""
    return [f"-fno-builtin-{name}" for name in WHOLE]


def whole_names(machine: Machine, driver: str) -> str:
    """Return what the specs of a gcc have to add to its options, so that names stay whole (`self_spec`).

    An option `-mtune` on the command line overrides it, except for -mtune=generic, which is the default
    in most gccs.
    """
    # spec: build.host-tools.c.specs
    for flags in _TUNING:
        answer = machine.ask([driver, "-O2", *flags.split(), "-S", "-o", "-", "-x", "c", "-"], _PROBE)
        if answer.status == 0 and all(text in answer.out for text in _TEXTS):
            return f"%{{!mtune=*:{flags}}} %{{mtune=generic:%<mtune=generic {flags}}}"
    return " ".join(not_expanded())
