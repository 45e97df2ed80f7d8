#!/bin/sh
# A shim for a program that runs one Starlark file: `PROGRAM [--allow-…] FILE` exits with 0 or 1, writes
# FILE:LINE:COLUMN: MESSAGE for what is wrong before anything runs, and else a traceback, whose last place is
# the innermost, and `Error: MESSAGE`. That is enough for the level language without codes:
#
#     python3 -m conformance --impl "sh conformance/shims/shim.sh" \
#         --env "STARLARK=python3 -m bramble.starlark" --env PYTHONPATH=$PWD \
#         --level language --codes off --without star-batch
set -u
[ "${1:-}" = star ] || exit 2
shift
for file; do :; done # the last argument
said=$(mktemp) || exit 70
trap 'rm -f "$said"' EXIT
# The words of the program, unquoted on purpose.
${STARLARK:?names the program} "$@" 2>"$said"
status=$?
if [ "$status" = 0 ]; then
    cat "$said" >&2
    exit 0
fi
awk -v file="$file" '
    function quoted(text,    i, c, out) {
        gsub(/[[:cntrl:]]/, " ", text)
        for (i = 1; i <= length(text); i++) {
            c = substr(text, i, 1)
            out = out (c == "\\" || c == "\"" ? "\\" c : c)
        }
        return out
    }
    function report(code, at, message) {
        message = quoted(message)
        printf "{\"error\": \"%s\", \"at\": \"%s\", \"message\": \"%s\", \"remedy\": null}\n", code, at, message
    }
    function place(line) { return match(line, file ":[0-9]+:[0-9]+") ? substr(line, RSTART, RLENGTH) : "" }
    /^Traceback/ { running = 1; next }
    running && /^  / { if (place($0) != "") at = place($0); next }
    running && /^Error/ { report("eval.unknown", at, $0); next }
    index($0, file ":") == 1 { report("syntax.unknown", place($0), $0); next }
    { print } # what the program printed
' "$said" >&2
exit 1
