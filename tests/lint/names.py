#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Names mean one thing each: files are unique in the tree of src/, types and macros with our prefix are defined
once. And every test program, script and lint is registered with Meson."""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1])


def alike(found):
    """x.c and x.h belong together where they share a folder; elsewhere nothing is called x, nor its plural."""
    folders = {}
    for path in sorted((ROOT / "src").rglob("*")):
        if path.suffix in (".c", ".h", ".inc"):
            name = path.relative_to(ROOT)
            for other in folders.setdefault(path.stem.removesuffix("s"), []):
                if other.parent != name.parent:
                    found.append(f"{name}: too like {other}")
            folders[path.stem.removesuffix("s")].append(name)
    return len(folders)


COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
TYPES = [
    re.compile(r"^typedef\s[^;{]*?\b(\w+)(?:\[[^\]]*\])*;", re.M),      # typedef struct x x; typedef int64_t y;
    re.compile(r"^typedef\s[^;{]*?\(?\*?(\w+)\)?\([^;{]*\);", re.M),  # typedef int fn(int);
    re.compile(r"^\}\s*(?:__attribute__\S*\s*)?(\w+);", re.M),       # typedef struct { ... } x;
]
TAG = re.compile(r"^(?:typedef\s+)?((?:struct|union|enum)\s+\w+)\s*\{", re.M)
MACRO = re.compile(r"^#define\s+(CL(?:AST)?_\w+)", re.M)


def defined(text):
    """What a file gives a name to, as far as other files may see it."""
    names = {m for p in TYPES for m in p.findall(text)} | set(TAG.findall(text)) | set(MACRO.findall(text))
    undefined = set(re.findall(r"^#undef\s+(\w+)", text, re.M))
    return {n for n in names if n.split()[-1].lower().startswith(("cl_", "clast_"))} - undefined


def meanings(found):
    """A type or macro with the prefix of the project is defined in one file, though two of them never meet."""
    owner = {}
    for path in sorted((ROOT / "include").rglob("*.h")) + sorted((ROOT / "src").rglob("*.[ch]")):
        for name in sorted(defined(COMMENT.sub("", path.read_text(encoding="utf-8")))):
            if owner.setdefault(name, path) != path:
                found.append(f"{path.relative_to(ROOT)}: {name} is defined in {owner[name].relative_to(ROOT)} too")
    return len(owner)


def unregistered(found):
    """A test that nobody runs cannot fail."""
    build = "\n".join(p.read_text(encoding="utf-8")
                      for folder in ("src", "tests", "examples") for p in sorted((ROOT / folder).rglob("meson.build")))
    words = set(re.findall(r"'([^'\n]*)'", build))
    tests = sorted((ROOT / "tests").glob("test_*.c")) + sorted((ROOT / "tests").glob("*/*.py"))
    tests += sorted((ROOT / "tests" / "lint").glob("*.sh"))
    for path in tests:
        name = path.relative_to(ROOT / "tests").as_posix()
        imported = any(re.search(rf"^(import|from) {path.stem}\b", p.read_text(encoding="utf-8"), re.M)
                       for p in path.parent.glob("*.py"))
        if not imported and not {path.stem, name, f"{path.stem}.py"} & words:
            found.append(f"tests/{name}: not registered in any meson.build")
    return len(tests)


def main():
    found = []
    counts = alike(found), meanings(found), unregistered(found)
    print("\n".join(found) if found else "%d files, %d types and macros, %d tests" % counts)
    return 1 if found or not all(counts) else 0


if __name__ == "__main__":
    sys.exit(main())
