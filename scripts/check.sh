#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Everything that `make check` promises: the suites on the plain build, the unit tests under AddressSanitizer and
# UndefinedBehaviorSanitizer, the driver's under ThreadSanitizer, and a build with clang. Ends with one line of totals.
#
# A stage is built while the tests of the one before it run, with what these leave of the processors.
set -eu
cd "$(dirname "$0")/.."

status=0
run() { # directory, then options of meson test
    directory=$1
    shift
    meson test -C "$directory" --no-rebuild --print-errorlogs "$@" || status=1
    python3 scripts/tally.py "$directory/meson-logs/testlog.json" >>"$totals"
}

building=
build() { # as build_stage.sh has it
    nice -n 19 scripts/build_stage.sh "$@" &
    building=$!
}

built() {
    wait "$building"
    building=
}

totals=$(mktemp)
trap 'rm -f "$totals"; [ -z "$building" ] || kill "$building" 2>/dev/null' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Debian's own interpreter: it is the one that Debian's Meson, NumPy and h5py belong to.
PATH=/usr/bin:$PATH

build build ""
built
# The others link in a third of the time with LLVM's linker.
if command -v ld.lld >/dev/null; then
    export CC_LD=lld CXX_LD=lld
fi
# The sanitizers' builds are of what they run; reports of lines want no more than -g1, and it is a quarter of the work less.
# Their inner loops, whose sources are the same for all instruction sets, are what takes longest to compile.
build build-asan unit -Dc_args=-g1 -Dinstruction_sets=avx512 -Db_sanitize=address,undefined -Db_lundef=false -Ddefault_library=static --buildtype=debug -Doptimization=1
run build --no-suite soak --no-suite foreign --no-suite peers --no-suite planted
built
build build-tsan threads -Dc_args=-g1 -Dinstruction_sets= -Db_sanitize=thread -Db_lundef=false -Dopenmp=disabled -Ddefault_library=static --buildtype=debug -Doptimization=1
# In one process a program: looking for leaks at the end of each test case's own process took most of the time.
CK_FORK=no ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 run build-asan --suite unit
built
# All programs, for the warnings; nobody debugs them, and they are not fast.
CC=clang build build-clang "" -Ddebug=false -Dinstruction_sets=avx512 -Ddefault_library=static -Doptimization=1
run build-tsan --suite threads
built
run build-clang --suite threads

awk '{ passed += $1; failed += $2 } END { printf "%d passed, %d failed\n", passed, failed; exit failed > 0 }' "$totals" || status=1
exit $status
