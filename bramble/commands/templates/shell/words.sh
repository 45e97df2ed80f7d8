# Counts the words of a file, or of the standard input: the ten most frequent ones.
set -eu
if [ $# -gt 0 ]; then exec < "$1"; fi
tr -cs '[:alnum:]' '\n' | sort | uniq -c | sort -k1,1nr -k2 | head -n 10
