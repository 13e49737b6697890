#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Say whose each crash of a fuzz target is: fuzz_crashes.py PROGRAM [INPUT...]

Each input is run again. One whose failure begins in libhdf5 (of the frames that are ours or libhdf5's, the first is
libhdf5's) is not ours: those are counted by the function of libhdf5. All others are ours and fail this script: so are
those of which nothing can be told, and those that do not end. Inputs that fail no more when they are alone are listed.
"""
import collections
import re
import subprocess
import sys

FRAME = re.compile(r"^\s*#\d+ 0x[0-9a-f]+ (?:in (\S+) )?(.*)$", re.M)
LIBRARY = re.compile(r"libhdf5|/H5\w*\.c\b")
OURS = re.compile(r"/(?:src|tests)/\S+\.(?:c|h|inc)\b")
ALONE = "nothing when it is alone"


def whose(text):
    """(ours, what): by the first frame that is Clast's or libhdf5's; ours where there is neither."""
    kind = re.search(r"SUMMARY: \S+ (\S+)|(runtime error)|ERROR: libFuzzer: (\S+)", text)
    name = next((k for k in kind.groups() if k), "") if kind else "nothing"
    if "runtime error" in text and "/src/" in text.partition("runtime error")[0].splitlines()[-1]:
        return True, "runtime error"
    for function, place in FRAME.findall(text):
        if LIBRARY.search(place):
            return False, f"{name} in {function or 'libhdf5'}"
        if OURS.search(place):
            return True, f"{name} in {function}"
    return True, f"{name} somewhere"


def main():
    program, *inputs = sys.argv[1:]
    counts = collections.Counter()
    ours, gone = [], []
    for path in inputs:
        try:
            done = subprocess.run([program, "-rss_limit_mb=2048", "-timeout=10", path], capture_output=True, text=True, errors="replace",
                                  timeout=60, check=False)
            is_ours, what = whose(done.stderr) if done.returncode else (False, ALONE)
        except subprocess.TimeoutExpired:
            is_ours, what = True, "no end"
        counts[what] += 1
        if is_ours or what == ALONE:
            (ours if is_ours else gone).append(f"{path}: {what}")
    print(f"{len(inputs)} inputs that fail, {len(ours)} of them in Clast")
    for what, n in counts.most_common():
        print(f"{n:6} {what}")
    print("\n".join(ours + gone))
    return len(ours) > 0


if __name__ == "__main__":
    sys.exit(main())
