#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The reference workloads beside Dask, on an optimised build; data are made under build-bench/ and removed.
# --big: data larger than memory instead.
set -eu
cd "$(dirname "$0")/.."
[ -f build-bench/build.ninja ] || meson setup build-bench --buildtype=release -Dtests=disabled
ninja -C build-bench
trap 'rm -rf build-bench/data' EXIT
[ "${1:-}" != --big ] || { shift; exec /usr/bin/python3 bench/big.py build-bench/src/cli/clast --folder build-bench/data "$@"; }
# Debian's own interpreter: it is the one that Debian's NumPy, h5py and Dask belong to.
PATH=/usr/bin:$PATH python3 bench/workloads.py build-bench/src/cli/clast --folder build-bench/data \
    --empty-tasks build-bench/bench/empty_tasks "$@"
