#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Shell scripts satisfy shellcheck: scripts.sh ROOT. Skipped (77) where shellcheck is not to be had.
set -eu
cd "$1"
command -v shellcheck >/dev/null 2>&1 || exit 77
shellcheck scripts/*.sh tests/lint/*.sh .ci/run
