#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Print how many tests of a Meson test log passed and failed: the single cases where a program reports them in TAP.

A program that failed although none of its cases did (it crashed, or ran fewer than it planned) counts as one failure
more, so the sum of failures is 0 only where Meson found none.
"""
import json
import re
import sys

passed = failed = 0
with open(sys.argv[1], encoding="utf-8") as log:
    for line in log:
        test = json.loads(line)
        if test["result"] == "SKIP":
            continue
        good = test["result"] in ("OK", "EXPECTEDFAIL")
        cases = re.findall(r"^(ok|not ok)\b", test.get("stdout") or "", re.M)
        passed += cases.count("ok") if cases else good
        failed += max(cases.count("not ok"), not good)
print(passed, failed)
