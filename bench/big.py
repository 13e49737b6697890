#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Data larger than memory: mean and variance over axis 0, then the z-score written back as float32.

Makes FOLDER/big.h5 (26 GiB of float64 unless told otherwise) with Clast, measures what direct I/O reaches on the same files just
before and just after, and runs the program within the budget. The limit is the time that direct I/O would take for the bytes
that have to move: two reads of the input and one write of the result. The page cache is dropped for the files before each run.
"""
import argparse
import json
import mmap
import os
import subprocess
import sys
import time

MIB, GIB = 1 << 20, 1 << 30
STATISTICS = "m = mean(x, axis=0); v = var(x, axis=0)"
SCORE = "m = mean(x, axis=0); v = var(x, axis=0); z = ((x - m) / sqrt(v)).astype(float32)"


def forget(path):
    """Writes what is dirty of a file and drops it from the page cache."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def direct(path, size, write):
    """Bytes a second of sequential direct I/O in pieces of 8 MiB with two requests under way."""
    pieces, piece = size // (8 * MIB), 8 * MIB
    flags = os.O_DIRECT | (os.O_WRONLY | os.O_CREAT if write else os.O_RDONLY)
    start, children = time.perf_counter(), []
    for worker in range(2):
        child = os.fork()
        if child == 0:
            buffer, descriptor = mmap.mmap(-1, piece), os.open(path, flags, 0o600)
            for i in range(worker, pieces, 2):
                (os.pwritev if write else os.preadv)(descriptor, [buffer], i * piece)
            os._exit(0)
        children.append(child)
    if any(os.waitpid(child, 0)[1] for child in children):
        sys.exit(f"direct I/O on {path} failed")
    return pieces * piece / (time.perf_counter() - start)


def rates(o, data, size):
    """Read and write rate now."""
    scratch = f"{o.folder}/direct.tmp"
    forget(data)
    found = direct(data, size, False), direct(scratch, size, True)
    os.remove(scratch)
    return found


def clast(o, program, inputs, outputs, budget):
    """(wall seconds, growth in bytes, statistics) of one run."""
    stats = f"{o.folder}/stats.json"
    line = [o.clast, "eval", program, "--memory", str(budget), "--no-sync", "--quiet", "--scratch", o.folder, f"--stats=json:{stats}"]
    for name, where in inputs.items():
        line += ["--in", f"{name}={where}"]
    for name, where in outputs.items():
        line += ["--out", f"{name}={where}"]
    start = time.perf_counter()
    child = subprocess.Popen(line, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{line}: exit {child.returncode}")
    with open(stats, encoding="utf-8") as f:
        return wall, usage.ru_maxrss * 1024, json.load(f)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("clast", help="the clast executable")
    p.add_argument("--folder", default="build-bench/data", help="where the files are made; they are removed at the end")
    p.add_argument("--gib", type=float, default=26, help="size of the input; half of it more is needed for the result")
    p.add_argument("--memory", type=int, default=1024, help="budget in MiB")
    o = p.parse_args()
    o.clast = os.path.abspath(o.clast)
    os.makedirs(o.folder, exist_ok=True)
    data, out = f"{o.folder}/big.h5", f"{o.folder}/big_out.h5"
    rows = int(o.gib * GIB) // (8192 * 1024) * 1024
    base = clast(o, "1", {}, {}, 64 * MIB)[1]
    allowed = (o.memory + 48 + 8 * len(os.sched_getaffinity(0))) * MIB
    good = True
    try:
        clast(o, f"x = random_uniform(({rows}, 1024), seed=1)", {}, {"x": f"{data}:/x"}, o.memory * MIB)
        print(f"x: ({rows}, 1024) float64, {os.path.getsize(data) / GIB:.1f} GiB; budget {o.memory} MiB")
        print("| what | s | direct I/O would take s | share | direct read, write GB/s (before, after) | growth / allowed MiB | read GiB | written GiB |")
        print("|---|---|---|---|---|---|---|---|")
        sample = min(4 * GIB, os.path.getsize(data))
        for name, program, outputs in (("mean and var", STATISTICS, {"m": f"{out}:/m", "v": f"{out}:/v"}),
                                       ("z-score, stored", SCORE, {"z": f"{out}:/z"})):
            before = rates(o, data, sample)
            forget(data)
            wall, peak, s = clast(o, program, {"x": f"{data}:/x"}, outputs, o.memory * MIB)
            forget(out)
            after = rates(o, data, sample)
            read, write = (before[0] + after[0]) / 2, (before[1] + after[1]) / 2
            passes = 1 if len(outputs) == 2 else 2
            limit = passes * rows * 8192 / read + s["written"] / write
            good &= peak - base <= allowed
            print(f"| {name} | {wall:.1f} | {limit:.1f} | {100 * limit / wall:.0f} % | {before[0] / 1e9:.2f}, {before[1] / 1e9:.2f}; "
                  f"{after[0] / 1e9:.2f}, {after[1] / 1e9:.2f} | {(peak - base) / MIB:.0f} / {allowed / MIB:.0f} | {s['read'] / GIB:.1f} | "
                  f"{s['written'] / GIB:.1f} |", flush=True)
            os.remove(out)
    finally:
        for path in (data, out, f"{o.folder}/stats.json", f"{o.folder}/direct.tmp"):
            if os.path.exists(path):
                os.remove(path)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
