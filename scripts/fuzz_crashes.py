#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Say whose each crash of a fuzz target is: fuzz_crashes.py PROGRAM [INPUT...]

Each input is run again. One whose failure begins in a function of Clast (the first frame that has a file of ours, before any of
libhdf5's) is ours, and fails this script; the others are counted by the function of libhdf5 or of the C library on top.
"""
import collections
import re
import subprocess
import sys

FRAME = re.compile(r"^\s*#\d+ 0x[0-9a-f]+ (?:in (\S+) )?(.*)$", re.M)
RUNTIME = re.compile(r"__(?:asan|interceptor|sanitizer|ubsan|lsan|GI)|^(?:abort|raise|gsignal|malloc|calloc|free|realloc|mem\w+|str\w+|_start)$"
                     r"|libc\.so")


def whose(text):
    """(ours, what): by the first frame that is not the sanitizer's or the C library's."""
    kind = re.search(r"SUMMARY: \S+ (\S+)|(runtime error)|ERROR: libFuzzer: (\S+)", text)
    name = next((k for k in kind.groups() if k), "") if kind else "nothing"
    if "runtime error" in text and "/src/" in text.partition("runtime error")[0].splitlines()[-1]:
        return True, "runtime error"
    for function, place in FRAME.findall(text):
        if "hdf5" in place:
            return False, f"{name} in {function or 'libhdf5'}"
        if RUNTIME.search(function) or RUNTIME.search(place) or "libasan" in place:
            continue
        return "/src/" in place or "/tests/" in place, f"{name} in {function}"
    return False, name


def main():
    program, *inputs = sys.argv[1:]
    counts = collections.Counter()
    ours = []
    for path in inputs:
        try:
            done = subprocess.run([program, "-rss_limit_mb=2048", "-timeout=10", path], capture_output=True, text=True, errors="replace",
                                  timeout=60, check=False)
            is_ours, what = whose(done.stderr) if done.returncode else (False, "nothing when it is alone")
        except subprocess.TimeoutExpired:
            is_ours, what = False, "no end"
        counts[what] += 1
        if is_ours:
            ours.append(f"{path}: {what}")
    print(f"{len(inputs)} inputs that fail, {len(ours)} of them in Clast")
    for what, n in counts.most_common():
        print(f"{n:6} {what}")
    print("\n".join(ours))
    return len(ours) > 0


if __name__ == "__main__":
    sys.exit(main())
