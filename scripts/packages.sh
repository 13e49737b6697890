#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Installs what the build, the tests or the benchmarks need and the machine lacks: packages.sh build|check|bench.
# On Debian and its relatives through apt-get, with sudo where needed; elsewhere it names the packages and fails.
set -eu

build="gcc meson ninja-build pkg-config libhdf5-dev libopenblas-dev liblapacke-dev libsleef-dev libdeflate-dev liblzf-dev libzstd-dev liblz4-dev libblosc-dev"
# gfortran: what the pkg-config file of OpenBLAS asks of static programs.
# libopenblas0-openmp, -serial: the flavours beside -pthread, for embedding.py.
# xarray, netCDF4, ncdump, h5dump: readers of outputs, for attributes.py. graphviz: for reports.py.
check="$build check clang lld clang-format shellcheck libclang-rt-14-dev libomp-14-dev g++ gfortran python3 python3-numpy python3-h5py python3-xarray python3-netcdf4 netcdf-bin hdf5-tools graphviz libopenblas0-openmp libopenblas0-serial"
# clang, libomp and StarPU: runtimes that bench-tasks runs beside ours.
bench="$build python3 python3-numpy python3-h5py python3-dask clang libomp-14-dev libstarpu-dev"

case "${1:-}" in
build) wanted=$build ;;
check) wanted=$check ;;
bench) wanted=$bench ;;
*)
    echo "usage: packages.sh build|check|bench" >&2
    exit 2
    ;;
esac

# Other systems have no dpkg: there the build itself says what it cannot find.
if ! command -v dpkg-query >/dev/null 2>&1; then
    for tool in meson ninja pkg-config; do
        if ! command -v "$tool" >/dev/null 2>&1; then
            echo "clast: '$tool' is missing. Install your system's counterparts of: $wanted" >&2
            exit 1
        fi
    done
    exit 0
fi

missing=
for package in $wanted; do
    case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true) in
    installed) ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "clast: these packages are missing, and neither root nor sudo is at hand:$missing" >&2
        exit 1
    fi
    as_root=sudo
fi
echo "clast: installing$missing"
# $as_root and $missing are lists of words.
# shellcheck disable=SC2086
$as_root apt-get update -q
# shellcheck disable=SC2086
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
