#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Print how many tests of a Meson test log passed and failed: the single cases where a program reports them in TAP."""
import json
import re
import sys

passed = failed = 0
with open(sys.argv[1], encoding="utf-8") as log:
    for line in log:
        test = json.loads(line)
        good = test["result"] in ("OK", "EXPECTEDFAIL")
        cases = re.findall(r"^(ok|not ok)\b", test.get("stdout") or "", re.M)
        if cases and good == all(case == "ok" for case in cases):
            passed += cases.count("ok")
            failed += cases.count("not ok")
        elif test["result"] != "SKIP":
            passed += good
            failed += not good
print(passed, failed)
