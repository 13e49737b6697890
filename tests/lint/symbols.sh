#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The shared library exports what the public headers declare, all of it and nothing else: symbols.sh ROOT LIBRARY
set -eu
exported=$(mktemp)
declared=$(mktemp)
trap 'rm -f "$exported" "$declared"' EXIT
nm -D --defined-only "$2" | awk '{ print $3 }' | sed 's/@.*//' | sort -u >"$exported"
cat "$1"/include/clast/*.h | tr '\n' ' ' | sed 's/CLAST_API/\n&/g' |
    sed -n 's/^CLAST_API[^(]*[ *]\(clast_[a-z0-9_]*\) *(.*/\1/p' | sort -u >"$declared"
echo "$(wc -l <"$declared") functions declared"
[ "$(wc -l <"$declared")" -gt 50 ]
diff "$declared" "$exported"
