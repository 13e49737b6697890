#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Builds what the tests of a suite need, in a build directory of its own, which it sets up where there is none:
# build_stage.sh DIRECTORY SUITE [OPTION OF meson setup]...   An empty SUITE: everything.
set -eu
directory=$1
suite=$2
shift 2
[ -f "$directory/build.ninja" ] || meson setup "$directory" "$@" >"$directory.log" 2>&1 || {
    cat "$directory.log" >&2
    exit 1
}
rm -f "$directory.log"
ninja -C "$directory" --quiet build.ninja >/dev/null # so that the list below is of what is to be built now
# shellcheck disable=SC2046
exec ninja -C "$directory" --quiet $([ -z "$suite" ] || python3 scripts/suite_targets.py "$directory" "$suite")
