#!/bin/sh
# Bramble @VERSION@, source @DIGEST@
# This file is a shell script, the Python that it starts with, and a zip archive of Bramble's whole source.
# `bramble self extract DIR` lays that out; `bramble self verify FILE` compares a file with its digest.
{
start='import sys
with open(sys.argv[1], "rb") as file:
    file.seek(@BOOT_AT@)
    boot = file.read(@BOOT_SIZE@)
if sys.argv[1].endswith("sh") and boot[:3] != b"\"\"\"":
    sys.exit("error[self.no-file]: Bramble cannot be read from a pipe\n  save it in a file, and run that")
if len(boot) < @BOOT_SIZE@:
    sys.exit("error[self.damaged] " + sys.argv[1] + ": the end of the file is missing\n  fetch the file again")
exec(boot)'
if [ ! -f "$0" ]; then
    echo "error[self.no-file]: Bramble cannot be read from a pipe" >&2
    echo "  save it in a file, and run that" >&2
    exit 1
fi
if [ -n "${BRAMBLE_PYTHON-}" ]; then
    if "$BRAMBLE_PYTHON" -I -S -c 'import sys; sys.exit(sys.version_info < (3, 9))' >/dev/null 2>&1; then
        exec "$BRAMBLE_PYTHON" -I -S -c "$start" "$0" "$BRAMBLE_PYTHON" "$@"
    fi
    echo "error[self.no-python]: BRAMBLE_PYTHON is $BRAMBLE_PYTHON, which is no Python 3.9 or newer" >&2
    echo "  name another interpreter, or unset the variable" >&2
    exit 127
fi
for python in python3 python3.14 python3.13 python3.12 python3.11 python3.10 python3.9; do
    case " ${BRAMBLE_TOO_OLD-} " in *" $python "*) continue ;; esac
    if command -v "$python" >/dev/null 2>&1; then
        exec "$python" -I -S -c "$start" "$0" "$python" "$@"
    fi
done
echo "error[self.no-python]: Bramble needs Python 3.9 or newer, and PATH has none${BRAMBLE_TOO_OLD:+ (too old:$BRAMBLE_TOO_OLD)}" >&2
echo "  install it: apt install python3, dnf install python3.11, apk add python3, pacman -S python," >&2
echo "    zypper install python311; or name one: BRAMBLE_PYTHON=/path/to/python3" >&2
exit 127
}
