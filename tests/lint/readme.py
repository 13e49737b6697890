#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The C program that README.md shows is examples/quickstart.c from its first #include on (tests/cli/readme.py runs it)."""
import difflib
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1])


def main():
    shown = re.findall(r"^```c\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    source = (ROOT / "examples/quickstart.c").read_text(encoding="utf-8")
    if len(shown) != 1:
        print(f"README.md shows {len(shown)} C programs, expected 1")
        return 1
    program = source[source.index("#include"):]
    sys.stdout.writelines(difflib.unified_diff(program.splitlines(True), shown[0].splitlines(True),
                                               "examples/quickstart.c", "README.md"))
    return int(program != shown[0])


if __name__ == "__main__":
    sys.exit(main())
