#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# No loop contracts a product and a sum, so that every instruction set gives the same bits: no_fma.sh OBJDUMP LIBRARY...
set -eu
objdump=$1
shift
for library in "$@"; do
    "$objdump" -d --no-show-raw-insn "$library" | awk -v library="$library" '
        /^[0-9a-f]+ <.*>:$/ { name = $2; functions++ }
        /[ \t]vf(n)?m(add|sub|addsub|subadd)[0-9p]/ { print library ": " name $0; bad = 1 }
        END { if (functions < 100) { print library ": only " functions + 0 " functions"; bad = 1 }; exit bad }'
done
