#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Every public header compiles alone, in C11 and in C++17, without a warning: headers.sh ROOT
set -eu
cd "$1"
count=0
for header in include/clast.h include/clast/*.h; do
    "${CC:-cc}" -std=c11 -Wall -Wextra -pedantic -Werror -fsyntax-only -Iinclude -x c "$header"
    "${CXX:-c++}" -std=c++17 -Wall -Wextra -pedantic -Werror -fsyntax-only -Iinclude -x c++ "$header"
    count=$((count + 1))
done
echo "$count headers stand alone"
[ "$count" -ge 8 ]
