#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Coverage-guided fuzzing under AddressSanitizer and UndefinedBehaviorSanitizer: fuzz.sh SECONDS [TARGET...], of each. New inputs
# are kept in build-fuzz/corpus; what makes a target fail is left in build-fuzz as crash-*, and fails this script.
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-60}
[ $# -eq 0 ] || shift
build="build-fuzz"
[ -d "$build" ] || CC=clang meson setup "$build" -Dfuzz=true -Dtests=disabled -Db_sanitize=address,undefined \
    -Db_lundef=false -Doptimization=1
targets=${*:-filters described report classify}

# libhdf5 does not survive every file: on it goes in a new process, and what counts is whose the crashes are.
classify() {
    ninja -C "$build" seed_classify >/dev/null
    here=$PWD
    inputs=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d) # each is a file, for a moment
    rm -rf "$build/crashes"
    mkdir -p "$build/crashes"
    ASAN_OPTIONS=detect_leaks=0
    export ASAN_OPTIONS
    status=0
    cd "$inputs"
    "$here/$build/tests/fuzz/fuzz_classify" -fork=1 -ignore_crashes=1 -ignore_ooms=1 -ignore_timeouts=1 \
        -max_total_time="$seconds" -max_len=16384 -timeout=10 -rss_limit_mb=2048 -artifact_prefix="$here/$build/crashes/" \
        "$here/$build/corpus/classify" "$here/tests/fuzz/classify" 2>&1 | grep '^#' | tail -1 || :
    find "$here/$build/crashes" -type f -print0 |
        xargs -0 python3 "$here/scripts/fuzz_crashes.py" "$here/$build/tests/fuzz/fuzz_classify" || status=1
    cd "$here"
    rm -rf "$inputs"
    return $status
}

for name in $targets; do
    ninja -C "$build" "tests/fuzz/fuzz_$name"
    mkdir -p "$build/corpus/$name"
    if [ "$name" = classify ]; then
        classify
        continue
    fi
    (
        cd "$build"
        UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 "tests/fuzz/fuzz_$name" -max_total_time="$seconds" -max_len=16384 \
            -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 "corpus/$name" "../tests/fuzz/$name"
    )
done
