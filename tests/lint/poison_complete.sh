#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Every function that the shared library exports is tried by tests/test_poison.c: poison_complete.sh ROOT LIBRARY
set -eu
exported=$(nm -D --defined-only "$2" | awk '$2 == "T" { print $3 }' | sed 's/@.*//' | grep '^clast_')
[ "$(echo "$exported" | wc -l)" -gt 50 ]
# Calls, not words: comments do not count.
tried=$(sed -e 's:/\*.*\*/::' -e '/\/\*/,/\*\//d' "$1/tests/test_poison.c" | grep -o 'clast_[a-z0-9_]*' | sort -u)
missing=0
for name in $exported; do
    if ! echo "$tried" | grep -qx "$name"; then
        echo "tests/test_poison.c does not call $name"
        missing=1
    fi
done
exit $missing
