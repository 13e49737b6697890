#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Rules about the text of the sources: licence lines, allocation, environment, output, options in messages, unfinished work, wide
comments."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(sys.argv[1])

# (files that the rule is about, files that are exempt, pattern, what to say)
LIBRARY = re.compile(r"^src/(?!cli/|helper/|.*meson\.build$)")
RULES = [
    (LIBRARY, re.compile(r"^src/base/alloc\.c$"), re.compile(r"\b(malloc|calloc|realloc|free|strdup|aligned_alloc|posix_memalign)\s*\("),
     "heap memory goes through base/alloc.h"),
    (LIBRARY, None, re.compile(r"\b(secure_)?getenv\s*\("), "the library reads no environment"),
    (LIBRARY, None, re.compile(r"\b(printf|puts|putchar|perror)\s*\(|\b(stderr|stdout)\b"), "the library never prints"),
    (LIBRARY, None, re.compile(r"\b(abort|exit|_exit)\s*\("), "the library never ends the process"),
    (re.compile(r"^tests/"), re.compile(r"^tests/check_quiet\.h$"), re.compile(r"#\s*include\s*<check\.h>"),
     "Check comes by way of check_quiet.h"),
    (re.compile(r"\.(c|h)$"), None, re.compile(r"\b(TODO|FIXME|XXX|HACK)\b"), "finish it, or say in docs/ that it is not supported"),
]
SOURCE = re.compile(r"\.(c|h|inc|py|sh|build)$")
COLUMNS = 88  # clang-format wraps code, and leaves comments as they are
COMMENT = re.compile(r"(/\*.*?\*/|//[^\n]*)|\"(?:\\.|[^\"\\\n])*\"", re.S)
STRING = re.compile(r"/\*.*?\*/|//[^\n]*|\"((?:\\.|[^\"\\\n])*)\"", re.S)
FLAG = re.compile(r"(?<![\w-])--[a-z]|\b(clast_)?\w*options\.[a-z]")  # in messages: "the option block" is for C and the command
STRIP = re.compile(r"/\*.*?\*/|//[^\n]*|\"(\\.|[^\"\\\n])*\"", re.S)


def blank(match):
    """Comments and strings vanish, line numbers stay."""
    return "\n" * match.group(0).count("\n")


def wide(text):
    """Lines of comments that end beyond the last column."""
    for match in COMMENT.finditer(text):
        number, column = text.count("\n", 0, match.start()) + 1, match.start() - text.rfind("\n", 0, match.start()) - 1
        for line in (match.group(1) or "").split("\n"):
            if column + len(line) > COLUMNS:
                yield number, line.strip()
            number, column = number + 1, 0


def flags(text):
    """Messages that name an option as only the command or only C writes it."""
    for match in STRING.finditer(text):
        if FLAG.search(match.group(1) or ""):
            yield text.count("\n", 0, match.start()) + 1, match.group(1)


def main():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    names = listed.stdout.split() if listed.returncode == 0 else [
        p.relative_to(ROOT).as_posix() for p in ROOT.rglob("*") if p.is_file() and "build" not in p.parts[0]]
    names = [n for n in names if SOURCE.search(n) and (ROOT / n).is_file() and not n.startswith("build")]
    found = []
    for name in names:
        text = (ROOT / name).read_text(encoding="utf-8")
        if "SPDX-License-Identifier: BSD-3-Clause" not in "\n".join(text.splitlines()[:3]):
            found.append(f"{name}:1: no SPDX line")
        is_c = re.search(r"\.(c|h|inc)$", name)
        code = STRIP.sub(blank, text) if is_c else text
        found += [f"{name}:{number}: a comment beyond {COLUMNS} columns: {line}" for number, line in wide(text) if is_c]
        if is_c and LIBRARY.search(name):
            found += [f"{name}:{number}: say 'the option NAME': {line}" for number, line in flags(text)]
        for about, exempt, pattern, say in RULES:
            if about.search(name) and not (exempt and exempt.search(name)):
                for number, line in enumerate(code.splitlines(), 1):
                    if pattern.search(line):
                        found.append(f"{name}:{number}: {say}: {line.strip()}")
    print("\n".join(found) if found else f"{len(names)} files")
    return 1 if found or not names else 0


if __name__ == "__main__":
    sys.exit(main())
