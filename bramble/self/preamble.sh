#!/bin/sh
{ # Bramble @VERSION@, source @DIGEST@
# This file is a shell script, the Python that it starts with, and a zip archive of the whole source.
# The command "self extract" lays that out; "self verify" compares a file with what its source makes.
bramble_start='import sys
try:
    with open(sys.argv[1], "rb") as file:
        head = file.read(@START@)
    whole = int.from_bytes(head.replace(b"@SUM@", b""), "big") % (2**61 - 1) == @SUM@
except Exception:
    whole = False
if not whole:
    sys.exit("error[self.damaged] " + sys.argv[1] + ": the file is not as it was made\n  fetch the file again")
exec(head[@BOOT_AT@:])'
bramble_file=$0
case ${0##*/} in sh | ash | bash | dash | ksh | ksh93 | mksh | yash | zsh | busybox | -*sh) bramble_file= ;; esac
case $bramble_file in
*/*) ;;
*) [ -f "$bramble_file" ] || bramble_file=$(command -v "$bramble_file") || bramble_file= ;;
esac
if [ ! -f "$bramble_file" ]; then
    echo "error[self.no-file]: Bramble cannot be read from a pipe" >&2
    echo "  save it in a file, and run that" >&2
    return 1 2>/dev/null || exit 1
fi
if [ -n "${BRAMBLE_PYTHON-}" ]; then
    # It is unset for the question, which would have no end where it names this file.
    if [ "$(BRAMBLE_PYTHON= "$BRAMBLE_PYTHON" -I -S -c 'import sys; print(sys.version_info >= (3, 9))' 2>/dev/null)" = True ]; then
        exec "$BRAMBLE_PYTHON" -I -S -c "${bramble_start:?}" "$bramble_file" "$BRAMBLE_PYTHON" "$@"
    fi
    echo "error[self.no-python]: BRAMBLE_PYTHON is $BRAMBLE_PYTHON, which is no Python 3.9 or newer" >&2
    echo "  name another interpreter, or unset the variable" >&2
    exit 127
fi
for bramble_python in python3 python3.14 python3.13 python3.12 python3.11 python3.10 python3.9; do
    case " ${BRAMBLE_TOO_OLD-} " in *" $bramble_python "*) continue ;; esac
    command -v "$bramble_python" >/dev/null 2>&1 || continue
    # What pyenv and its like put on the PATH may stand for no version at all.
    case ${PATH-} in *shims*) "$bramble_python" -I -S -c "" >/dev/null 2>&1 || continue ;; esac
    exec "$bramble_python" -I -S -c "${bramble_start:?}" "$bramble_file" "$bramble_python" "$@"
done
echo "error[self.no-python]: Bramble needs Python 3.9 or newer, and PATH has none${BRAMBLE_TOO_OLD:+ (too old:$BRAMBLE_TOO_OLD)}" >&2
echo "  install it: apt install python3, dnf install python3.11, apk add python3, pacman -S python," >&2
echo "    zypper install python311; or name one: BRAMBLE_PYTHON=/path/to/python3" >&2
exit 127
}
