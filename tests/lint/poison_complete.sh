#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Every function that the shared library exports is tried by tests/test_poison.c: poison_complete.sh ROOT LIBRARY
set -eu
exported=$(nm -D --defined-only "$2" | awk '$2 == "T" { print $3 }' | sed 's/@.*//' | grep '^clast_')
[ "$(echo "$exported" | wc -l)" -gt 50 ]
missing=0
for name in $exported; do
    if ! grep -qw "$name" "$1/tests/test_poison.c"; then
        echo "tests/test_poison.c does not call $name"
        missing=1
    fi
done
exit $missing
