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
targets=${*:-filters described report}
for name in $targets; do
    ninja -C "$build" "tests/fuzz/fuzz_$name"
    mkdir -p "$build/corpus/$name"
    (
        cd "$build"
        UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 "tests/fuzz/fuzz_$name" -max_total_time="$seconds" -max_len=16384 \
            -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 "corpus/$name" "../tests/fuzz/$name"
    )
done
