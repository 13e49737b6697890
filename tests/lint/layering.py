#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Who may include whom: the rooms of src/ and the foreign headers that each may use. Fails with file and line."""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1])

# A room may include itself and what is listed; "room/file.h" allows that one file.
ALLOWED = {
    "base": set(),
    "graph": {"base"},
    "kernel": {"base"},
    "io": {"base"},
    "helper": {"io", "base"},
    "sched": {"graph", "kernel", "io", "base"},
    "array": {"graph", "sched/run.h", "io/store.h", "io/duplicate.h", "base"},
    "cli": {"base/utf8.h"},
}
PUBLIC = re.compile(r"^clast(\.h|/\w+\.h)$")

# Foreign header -> where it may stand.
FOREIGN = [
    (re.compile(r"^(hdf5|H5\w+)\.h$"), re.compile(r"^io/hdf5\w*\.[ch]$")),
    (re.compile(r"^(cblas|lapacke?|openblas_config|f77blas)\.h$"), re.compile(r"^kernel/")),
    (re.compile(r"^sleef\.h$"), re.compile(r"^kernel/")),
    (re.compile(r"^libdeflate\.h$"), re.compile(r"^io/")),
    (re.compile(r"^(lzf|lz4|zstd|blosc)\.h$"), re.compile(r"^io/codec\w*\.c$")),
    (re.compile(r"^(omp|pthread)\.h$"), re.compile(r"^(base/thread\.[ch]|sched/)")),
    (re.compile(r"^sys/socket\.h$"), re.compile(r"^net/")),
]
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]')


def faults(path, name):
    room = name.split("/")[0]
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        bracket, header = match.groups()
        where = f"src/{name}:{number}"
        for pattern, place in FOREIGN:
            if pattern.match(header) and not place.match(name):
                yield f"{where}: {header} may not be included here"
        if bracket == "<" and not header.startswith("clast"):
            continue
        if PUBLIC.match(header):
            continue
        target = header.split("/")[0]
        if "/" not in header:
            if (path.parent / header).exists():
                if room != "cli":
                    yield f"{where}: write {room}/{header}"
                continue
            yield f"{where}: {header} is neither public nor of a room"
        elif target not in ALLOWED:
            yield f"{where}: {target} is no room"
        elif target != room and target not in ALLOWED[room] and header not in ALLOWED[room]:
            yield f"{where}: {room} may not include {header}"


def main():
    found, files = [], 0
    for path in sorted((ROOT / "src").rglob("*")):
        if path.suffix in (".c", ".h", ".inc"):
            files += 1
            found += faults(path, path.relative_to(ROOT / "src").as_posix())
    print("\n".join(found) if found else f"{files} files keep to their rooms")
    return 1 if found or not files else 0


if __name__ == "__main__":
    sys.exit(main())
