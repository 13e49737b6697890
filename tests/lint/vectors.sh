#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# One library for every x86-64: AVX instructions stand only where the CPU is asked first, in the objects of loops_avx2
# and loops_avx512 and in functions called wide_*: vectors.sh LIBRARY...
set -eu
[ "$(uname -m)" = x86_64 ] || exit 77
# Their names begin with v, as do those of verr and verw, which are older.
objdump -d --no-show-raw-insn "$@" | awk '
    / file format / { object = $1; guarded = object ~ /loops_avx/ }
    /^[0-9a-f]+ <.*>:$/ { name = $2 }
    $2 ~ /^v/ && $2 !~ /^ver[rw]$/ {
        if (guarded)
            known++
        else if (name !~ /^<wide_/ && !(object name in seen)) {
            seen[object name] = 1
            print "AVX in " object " " name
            bad = 1
        }
    }
    END {
        print known + 0 " AVX instructions where they belong"
        exit bad || !known
    }'
