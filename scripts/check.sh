#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Everything that `make check` promises: the suites on the plain build, the unit tests under AddressSanitizer and
# UndefinedBehaviorSanitizer, the driver's under ThreadSanitizer, and a build with clang. Ends with one line of totals.
set -eu
cd "$(dirname "$0")/.."

setup() { # directory, suite that it is for (or nothing: all is built), then options of meson setup
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
    ninja -C "$directory" --quiet $([ -z "$suite" ] || python3 scripts/suite_targets.py "$directory" "$suite")
}

status=0
run() { # directory, then options of meson test
    directory=$1
    shift
    meson test -C "$directory" --no-rebuild --print-errorlogs "$@" || status=1
    python3 scripts/tally.py "$directory/meson-logs/testlog.json" >>"$totals"
}

totals=$(mktemp)
trap 'rm -f "$totals"' EXIT

# Debian's own interpreter: it is the one that Debian's Meson, NumPy and h5py belong to.
PATH=/usr/bin:$PATH

setup build ""
run build --no-suite soak --no-suite foreign --no-suite peers
# The sanitizers' builds are of what they run; reports of lines want no more than -g1, and it is a quarter of the work less.
setup build-asan unit -Dc_args=-g1 -Db_sanitize=address,undefined -Db_lundef=false -Ddefault_library=static --buildtype=debug -Doptimization=1
# In one process a program: looking for leaks at the end of each test case's own process took most of the time.
CK_FORK=no ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 run build-asan --suite unit
setup build-tsan threads -Dc_args=-g1 -Db_sanitize=thread -Db_lundef=false -Dopenmp=disabled -Ddefault_library=static --buildtype=debug -Doptimization=1
run build-tsan --suite threads
# All programs, for the warnings; nobody debugs them.
CC=clang setup build-clang "" -Ddebug=false -Ddefault_library=static
run build-clang --suite threads

awk '{ passed += $1; failed += $2 } END { printf "%d passed, %d failed\n", passed, failed; exit failed > 0 }' "$totals" || status=1
exit $status
