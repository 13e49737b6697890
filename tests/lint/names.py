#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Names of files: unique in the tree of src/, and every test program, script and lint is registered with Meson."""
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
    counts = alike(found), unregistered(found)
    print("\n".join(found) if found else "%d names, %d tests" % counts)
    return 1 if found or not all(counts) else 0


if __name__ == "__main__":
    sys.exit(main())
