#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# What tasks cost: empty ones in millions, and METG beside other runtimes, on an optimised build.
# Arguments go to bench/metg.py, say --rounds 1.
set -eu
cd "$(dirname "$0")/.."
if [ -f build-bench/build.ninja ]; then
    meson setup --reconfigure build-bench >/dev/null # runtimes may have been installed since
else
    meson setup build-bench --buildtype=release -Dtests=disabled
fi
ninja -C build-bench metg bench/empty_tasks
build-bench/bench/empty_tasks --tasks 1000000
# Debian's own interpreter, as in bench.sh.
PATH=/usr/bin:$PATH python3 bench/metg.py build-bench "$@"
