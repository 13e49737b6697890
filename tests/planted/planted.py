#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Plant bugs, one at a time, in a copy of the sources, and see that the tests find each of them.

    planted.py ROOT COPY [WORDS...]
    planted.py --check ROOT

COPY is made, or brought up to date. With words, only bugs whose names have one of them, or whose file is called so.
Prints a table: what was planted, which test found it and with what, as the pages in docs/ have it. Fails where a bug is
not found, where what is to be replaced is not in its file exactly once, and where the sources as they are fail a test.

--check runs nothing: what is to be replaced is in its file exactly once, and docs/scheduler.md has a row of each bug
and no others, and says how many there are.

A file of bugs:

    = what the bug is
    @ the file
    - lines as they are, each after a '-'
    + lines in their place, each after a '+'
    ! the test program that finds it (several: any of them)
"""
import argparse
import collections
import filecmp
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

Bug = collections.namedtuple("Bug", "name file old new finders")
ARGS = {"simulator": ["--seeds", "100000"], "worker_simulator": ["--seeds", "10000"]}
SECONDS = 90  # a hang is a way to be found


def bugs_of(path):
    found, name, file, old, new = [], None, None, [], []
    for line in path.read_text(encoding="utf-8").splitlines():
        mark, text = line[:1], line[1:]
        if mark == "=":
            name, file, old, new = text.strip(), None, [], []
        elif mark == "@":
            file = text.strip()
        elif mark == "-":
            old.append(text)
        elif mark == "+":
            new.append(text)
        elif mark == "!":
            found.append(Bug(name, file, "\n".join(old) + "\n", "\n".join(new) + "\n", text.split()))
        else:
            assert mark in ("", "#"), f"{path}: {line}"
    return found


def update(root, copy):
    """What differs is copied, so that only that is built again."""
    for name in ["meson.build", "meson_options.txt", "src", "include", "tests", "examples", "bench", "scripts"]:
        sources = [root / name] if (root / name).is_file() else [p for p in (root / name).rglob("*") if p.is_file()]
        for source in sources:
            target = copy / source.relative_to(root)
            if not target.exists() or not filecmp.cmp(source, target, shallow=False):
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
    build = copy / "build"
    if not (build / "build.ninja").exists():
        subprocess.run(["meson", "setup", build, copy, "-Ddefault_library=static", "-Ddebug=false", "-Doptimization=2",
                        "-Dwerror=false"], check=True, stdout=subprocess.DEVNULL)
    return build


def verdict(text):
    """The first thing that a test complains of."""
    seed = re.search(r"^# seed (\d+): (.*)$", text, re.M)
    if seed:
        return f"seed {seed[1]}: {seed[2]}"
    bad = re.search(r"^not ok \d+ - (.*)$", text, re.M)
    return bad[1] if bad else None


def found_by(build, finder):
    """None, or how the program found something; it is built first."""
    done = subprocess.run(["ninja", "-C", build, f"tests/{finder}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    process = subprocess.Popen([build / "tests" / finder, *ARGS.get(finder, [])], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, errors="replace", start_new_session=True)
    try:
        text, _ = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return "it does not end"
    if process.returncode < 0:
        return f"{verdict(text) or ''} {signal.Signals(-process.returncode).name}".strip()
    return (verdict(text) or f"exit status {process.returncode}") if process.returncode else None


def plant(copy, build, bug):
    """How it was found; None where it was not."""
    path = copy / bug.file
    text = path.read_text(encoding="utf-8")
    if text.count(bug.old) != 1:
        return None, f"the lines are in {bug.file} {text.count(bug.old)} times"
    path.write_text(text.replace(bug.old, bug.new), encoding="utf-8")
    try:
        for finder in bug.finders:
            how = found_by(build, finder)
            if how:
                return finder, how
        return None, "not found"
    finally:
        path.write_text(text, encoding="utf-8")


def complaints(root, bugs):
    """What is stale in the lists, or in the page that has their results."""
    for bug in bugs:
        times = (root / bug.file).read_text(encoding="utf-8").count(bug.old)
        if times != 1:
            yield f"{bug.name}: the lines are in {bug.file} {times} times"
    page = (root / "docs" / "scheduler.md").read_text(encoding="utf-8").partition("## Planted bugs")[2]
    rows = collections.Counter(re.findall(r"^\| (?!planted \|)(.+?) \| ", page, re.M))
    names = collections.Counter(b.name for b in bugs)
    yield from (f"{name}: not in docs/scheduler.md" for name in names - rows)
    yield from (f"{name}: in docs/scheduler.md, but in no list" for name in rows - names)
    if f"# {len(bugs)} bugs" not in page:
        yield f"docs/scheduler.md does not say that there are {len(bugs)} bugs"


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--check", action="store_true")
    options.add_argument("root", type=pathlib.Path)
    options.add_argument("copy", type=pathlib.Path, nargs="?")
    options.add_argument("words", nargs="*")
    o = options.parse_args()
    root = o.root.resolve()
    files = sorted((root / "tests" / "planted").glob("*.bugs"))
    if o.check:
        stale = list(complaints(root, [b for f in files for b in bugs_of(f)]))
        print("\n".join(stale))
        return len(stale) > 0
    if not o.copy:
        options.error("COPY is missing")
    copy = o.copy.resolve()
    bugs = {f: [b for b in bugs_of(f) if not o.words or any(w in b.name or w == f.stem for w in o.words)] for f in files}
    assert any(bugs.values()), "no such bug"
    build = update(root, copy)
    for finder in sorted({f for some in bugs.values() for b in some for f in b.finders}):
        how = found_by(build, finder)
        assert how is None, f"{finder} fails without any bug: {how}"
    missed = 0
    for file, some in bugs.items():
        if not some:
            continue
        print(f"\n{file.stem}\n\n| planted | found by | what it says |\n|---|---|---|", flush=True)
        for bug in some:
            finder, how = plant(copy, build, bug)
            missed += finder is None
            print(f"| {bug.name} | {finder or '**nothing**'} | {how} |", flush=True)
    print(f"\n{sum(map(len, bugs.values()))} bugs, {missed} not found")
    return missed > 0


if __name__ == "__main__":
    sys.exit(main())
