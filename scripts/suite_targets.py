#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Print the files that the tests of a suite need, as ninja wants them: suite_targets.py BUILD SUITE"""
import json
import os
import sys

build, suite = sys.argv[1:]


def told(what):
    with open(f"{build}/meson-info/intro-{what}.json", encoding="utf-8") as f:
        return json.load(f)


needed = {target for test in told("tests") for target in test["depends"]
          if suite in [name.rpartition(":")[2] for name in test["suite"]]}
for target in told("targets"):
    if target["id"] in needed:
        print(*(os.path.relpath(file, os.path.realpath(build)) for file in target["filename"]), sep="\n")
