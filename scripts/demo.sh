#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Runs the three demonstrations of examples/ on data of 1 GiB each, in BUILD/demo, which is removed at the end.
#   scripts/demo.sh BUILD
set -eu
build=${1:-build}
folder=$build/demo
ninja -C "$build" examples/demo_symmetrise examples/demo_matmul examples/demo_svd >/dev/null
mkdir -p "$folder"
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM
free=$(df -Pk "$folder" | awk 'NR == 2 { print $4 }')
if [ "$free" -lt 4194304 ]; then
    echo "demo: 4 GiB of free disk space are needed in $folder, $((free / 1024)) MiB are there" >&2
    exit 1
fi
for demo in symmetrise matmul svd; do
    "$build/examples/demo_$demo" "$folder"
done
