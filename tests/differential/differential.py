#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Random programs through `clast eval`, against NumPy + h5py.

Each program runs several times, with other workers and budgets; all runs must agree to the bit with each other, and the
answer with NumPy's as programs.py says. A program that NumPy refuses must be refused. A failing one is printed with its
seed; `--first SEED --count 1 --keep` replays it and leaves its files.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("NPY_PROMOTION_STATE", "weak")

import h5py  # noqa: E402  pylint: disable=wrong-import-position
import numpy as np  # noqa: E402  pylint: disable=wrong-import-position

from programs import Program  # noqa: E402  pylint: disable=wrong-import-position


def write_inputs(folder, program, rng):
    path = os.path.join(folder, "in.h5")
    with h5py.File(path, "w") as f:
        for name in program.used():
            array, how = program.inputs[name], {}
            if array.ndim and array.size and rng.random() < .75:
                how["chunks"] = tuple(int(rng.integers(1, n + 1)) for n in array.shape)
                while np.prod([-(-n // c) for n, c in zip(array.shape, how["chunks"])]) > 600:
                    how["chunks"] = tuple(min(n, 2 * c) for n, c in zip(array.shape, how["chunks"]))
                if rng.random() < .4:
                    how.update(compression="gzip", compression_opts=1, shuffle=bool(rng.random() < .5))
            f.create_dataset(name, data=array, **how)
    return path


class Clast:
    """The command, and how often and how well it ran."""

    def __init__(self, command, folder):
        self.command, self.folder, self.runs, self.spilled, self.refused, self.least = command, folder, 0, 0, 0, 0

    def run(self, program, source, workers, memory, block):
        out = os.path.join(self.folder, "out.h5")
        if os.path.exists(out):
            os.remove(out)
        line = [self.command, "eval", program.text, "--out", f"{out}:/y", "--workers", str(workers), "--memory",
                str(memory), "--block", str(block), "--no-sync", "--scratch", self.folder, f"--stats=json:{self.folder}/stats.json", "--quiet"]
        for name in program.used():
            line += ["--in", f"{name}={source}:/{name}"]
        done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
        self.runs += 1
        if done.returncode == 0:
            with open(f"{self.folder}/stats.json", encoding="utf-8") as f:
                stats = json.load(f)
            self.spilled += stats["spilled"] > 0
            self.least = stats["minimum_memory"]
        return done, out


def fitting(clast, program, source, workers, block, memory):
    """Runs with ever more memory until it fits, from the least that was said to do: so that it has to spill."""
    while True:
        done, out = clast.run(program, source, workers, memory, block)
        if done.returncode != 3 or memory > 1 << 30:
            return done, out, memory
        clast.refused += 1
        memory = memory * 9 // 8


def brief(array):
    return f"{array.dtype} {array.shape} " + np.array2string(array, threshold=40, edgeitems=2).replace("\n", " ")[:400]


def answer(done, out):
    if done.returncode:
        return None
    with h5py.File(out, "r") as f:
        return f["y"][()]


def planted(program, right, rng):
    """Whether the judge is content although one element of an exact answer was changed."""
    if program.kind != "exact" or not right.size:
        return False
    wrong = np.array(right)
    at = int(rng.integers(wrong.size))
    old = wrong.reshape(-1)[at]
    wrong.reshape(-1)[at] = ~old if wrong.dtype.kind == "b" else 1 if old == 0 or not np.isfinite(old) else 0
    return program.judge(wrong) is None


def check(clast, program, seed):
    """None, or what went wrong."""
    rng = np.random.default_rng([seed, 1])
    source = write_inputs(clast.folder, program, rng)
    block = int(rng.choice([1 << 9, 1 << 12, 1 << 16, 1 << 22]))
    done, out = clast.run(program, source, 1, 64 << 20, block)
    if program.want is None:
        return None if done.returncode == 2 and done.stderr.strip() else \
            f"NumPy refuses this, clast gave exit {done.returncode}: {done.stderr}"
    if done.returncode:
        return f"exit {done.returncode}: {done.stderr}"
    first = np.asarray(answer(done, out))
    wrong = program.judge(first)
    if wrong:
        return f"{wrong}\n  got  {brief(first)}\n  want {brief(program.want)}"
    if planted(program, first, rng):
        return "the judge accepts a wrong value"
    tight = clast.least
    for workers, start in ((3, 64 << 20), (1, tight), (3, tight)):
        if start == tight and rng.random() < .4:
            continue
        done, out, memory = fitting(clast, program, source, workers, block, start)
        if done.returncode:
            return f"workers {workers}, memory {memory}: exit {done.returncode}: {done.stderr}"
        again = np.asarray(answer(done, out))
        if again.tobytes() != first.tobytes():
            return f"workers {workers}, memory {memory}: other bits than with 1 worker and 64 MiB"
    return None


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("command", help="the clast executable")
    options.add_argument("--first", type=int, default=0, help="seed of the first program")
    options.add_argument("--count", type=int, default=10 ** 9)
    options.add_argument("--seconds", type=float, default=100, help="stop after so long")
    options.add_argument("--failures", type=int, default=10, help="stop after so many")
    options.add_argument("--keep", action="store_true", help="leave the files of the last program")
    o = options.parse_args()
    folder = tempfile.mkdtemp(prefix="clast-differential-")
    clast, start, kinds, failed, seed = Clast(o.command, folder), time.monotonic(), {}, [], o.first
    try:
        while seed < o.first + o.count and time.monotonic() - start < o.seconds and len(failed) < o.failures:
            program = Program(seed)
            wrong = check(clast, program, seed)
            kind = "refused" if program.want is None else program.kind
            kinds[kind] = kinds.get(kind, 0) + 1
            if wrong:
                failed.append(seed)
                shapes = {n: (a.dtype.name, a.shape) for n, a in program.inputs.items()}
                print(f"seed {seed}: {program.text}\n  inputs {shapes}\n  {wrong}", flush=True)
            seed += 1
    finally:
        if o.keep:
            print("files are in", folder)
        else:
            shutil.rmtree(folder)
    print(f"{seed - o.first} programs, {clast.runs} runs, {clast.spilled} of them spilled, "
          f"{clast.refused} refused for lack of memory; {kinds}; failed: {failed or 'none'}")
    return 1 if failed or seed == o.first else 0


if __name__ == "__main__":
    sys.exit(main())
