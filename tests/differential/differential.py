#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Random programs through `clast eval`, against NumPy + h5py.

Each program runs several times, with other workers and budgets; all runs must agree to the bit with each other, and the
answers with NumPy's as judges.py says. A program that NumPy refuses must be refused. Every judge is then given answers
with planted errors, which it must refuse. A run ends well only if everything on the suite's list was exercised:
operations, kinds of indices, dtypes, forms of storage of inputs and outputs, judges and planted errors of each.

A failing program is printed with its seed; `--first SEED --count 1 --keep` replays it and leaves its files.
"""
import argparse
import concurrent.futures
import json
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter

os.environ.setdefault("NPY_PROMOTION_STATE", "weak")

import h5py  # noqa: E402  pylint: disable=wrong-import-position
import numpy as np  # noqa: E402  pylint: disable=wrong-import-position

import judges  # noqa: E402  pylint: disable=wrong-import-position
import programs  # noqa: E402  pylint: disable=wrong-import-position

NO_FIT, WRONG = 3, 2
PLENTY = 64 << 20
# How outputs are stored; a seed's is its remainder.
STORED = ["as the inputs", "in chunks", "with gzip", "in whole axes", "without gzip", "in groups", "in two files",
          "beside the inputs", "in chunks with gzip"]
RUNS = ["1 worker", "3 workers", "in little memory", "spilled"]


class Output:
    """Where the outputs of one program go, and how."""

    def __init__(self, folder, program, how, rng):
        self.how, self.options, self.chunks, self.level = how, [], None, None
        self.folder, self.beside = folder, how == "beside the inputs"
        ranks = {want.ndim for judge in program.judges for want in judge.want.values()}
        rank = ranks.pop() if len(ranks) == 1 else 0
        if rank and how in ("in chunks", "in whole axes", "in chunks with gzip"):
            self.chunks = [int(rng.integers(3, 30)) if "chunks" in how else -1 for _ in range(rank)]
            self.options += ["--chunks", ",".join(map(str, self.chunks))]
        if "gzip" in how:
            self.level = 0 if how == "without gzip" else int(rng.integers(1, 10))
            self.options += ["--compress", f"gzip:{self.level}" if self.level else "none"]
        self.is_there = self.chunks is not None or how not in ("in chunks", "in whole axes", "in chunks with gzip")
        if how == "in two files" and len(program.outputs) < 2:
            self.is_there = False
        names = enumerate(program.outputs)
        self.places = {name: (self.file(i), f"/some/group{i % 2}/{name}" if how == "in groups" else f"/{name}_out")
                       for i, name in names}

    def file(self, i):
        return f"{self.folder}/" + ("in.h5" if self.beside else "out1.h5" if i and self.how == "in two files" else "out.h5")

    def fresh(self):
        """Files of the run before go."""
        for path in {file for file, _ in self.places.values()}:
            if not self.beside and os.path.exists(path):
                os.remove(path)

    def arguments(self):
        line = self.options + (["--overwrite"] if self.beside else [])
        for name, (file, path) in self.places.items():
            line += ["--out", f"{name}={file}:{path}"]
        return line

    def wrong_storage(self, dataset):
        """What is wrong with how a dataset is stored, as h5py sees it."""
        shape = dataset.shape
        if not dataset.size or not shape:
            return None
        if self.level is not None and dataset.compression != ("gzip" if self.level else None):
            return f"compression {dataset.compression}, asked for level {self.level}"
        if self.level and (dataset.compression_opts != self.level or not dataset.shuffle):
            return f"gzip level {dataset.compression_opts}, shuffle {dataset.shuffle}, asked for level {self.level}"
        if self.chunks:
            want = tuple(n if c == -1 else min(c, n) for c, n in zip(self.chunks, shape))
            # What is one chunk may be stored without chunks.
            if dataset.chunks != want and not (want == shape and dataset.chunks is None):
                return f"chunks {dataset.chunks}, asked for {want}"
        return None

    def read(self):
        """Answers by name, or a string that says what is wrong with how they are stored."""
        answers = {}
        for name, (file, path) in self.places.items():
            with h5py.File(file, "r") as f:
                wrong = self.wrong_storage(f[path])
                if wrong:
                    return f"{name}: {wrong}"
                answers[name] = np.asarray(f[path][()])
        return answers


class Clast:
    """The command, and how often and how well it ran."""

    def __init__(self, command, folder):
        self.command, self.folder, self.runs, self.refused, self.least, self.spilled = command, folder, 0, 0, 0, 0

    def run(self, program, output, workers, memory, block):
        if output:
            output.fresh()
        line = [self.command, "eval", program.text, "--workers", str(workers), "--memory", str(memory), "--block", str(block),
                "--no-sync", "--scratch", self.folder, f"--stats=json:{self.folder}/stats.json", "--quiet"]
        line += output.arguments() if output else ["--out", f"{self.folder}/none.h5:/y"]
        line += ["--raw"] if program.raw else []
        for name in program.inputs:
            line += ["--in", f"{name}={self.folder}/in.h5:/{name}"]
        done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
        self.runs += 1
        if done.returncode == 0:
            with open(f"{self.folder}/stats.json", encoding="utf-8") as f:
                stats = json.load(f)
            self.spilled, self.least = stats["spilled"], stats["minimum_memory"]
        return done

    def fit(self, program, output, workers, memory, block):
        """A run in little memory, so that it has to spill; if it is refused, with what the refusal says would do."""
        done = self.run(program, output, workers, memory, block)
        if done.returncode == NO_FIT:
            self.refused += 1
            number, unit = re.search(r"([\d.]+) (K|M)iB would do", done.stderr).groups()
            memory = int(float(number) * (1 << 10 if unit == "K" else 1 << 20))
            done = self.run(program, output, workers, memory, block)
        return done, memory


def brief(array):
    return f"{array.dtype} {array.shape} " + np.array2string(array, threshold=40, edgeitems=2).replace("\n", " ")[:400]


def write_inputs(folder, program, rng):
    with h5py.File(os.path.join(folder, "in.h5"), "w", libver="latest" if rng.random() < .2 else None) as f:
        for name, made in program.inputs.items():
            made.write(rng, f, name)


def judged(program, answers):
    """What is wrong with the answers of a program, or None."""
    for judge in program.judges:
        wrong = judge.judge(answers)
        if wrong:
            lines = [wrong]
            for name in judge.names:
                lines += [f"  got  {name} {brief(answers[name])}", f"  want {brief(judge.want[name])}"]
            return "\n".join(lines)
    return None


def contented(program, answers, rng, exercised):
    """The judge that accepts an answer with a planted error, or None."""
    for judge in program.judges:
        for what, wrong in judge.plants(answers, rng):
            if judge.judge(wrong) is None:
                return f"the judge of {judge.kind} accepts a planted error: {what}"
            exercised.add(f"planted: {judge.kind}")
    return None


def again(clast, program, output, first, seed, block, exercised):
    """More runs of a program: what differs, or None."""
    rng = np.random.default_rng([seed, 2])
    tight = clast.least
    some = int(tight * rng.choice([1, 1, 1, 1.2, 2]))
    runs = [(3, PLENTY if rng.random() < .15 else some)] + ([(1, tight)] if program.is_large or rng.random() < .2 else [])
    for workers, start in runs:
        done, memory = clast.fit(program, output, workers, start, block)
        if memory != start and workers == 1:
            return f"workers 1: {start} bytes were said to be enough, and then were not"
        if done.returncode:
            return f"workers {workers}, memory {memory}: exit {done.returncode}: {done.stderr}"
        exercised.update({f"run: {workers} worker{'s' if workers > 1 else ''}"}, {"run: spilled"} if clast.spilled else (),
                         {"run: in little memory"} if start < PLENTY else ())
        answers = output.read()
        if isinstance(answers, str):
            return answers
        for name, value in answers.items():
            if value.tobytes() != first[name].tobytes():
                return f"workers {workers}, memory {memory}: {name} has other bits than with 1 worker and 64 MiB"
    return None


def check(clast, program, seed, exercised):
    """None, or what went wrong; what was exercised goes into the set."""
    rng = np.random.default_rng([seed, 1])
    for name in os.listdir(clast.folder):
        os.remove(os.path.join(clast.folder, name))
    write_inputs(clast.folder, program, rng)
    block = int(rng.choice([1 << 9, 1 << 12, 1 << 16, 1 << 22, int(rng.integers(300, 20000))], p=[.1, .4, .1, .1, .3]))
    if program.error:
        done = clast.run(program, None, 1, PLENTY, block)
        exercised.add("refused")
        return None if done.returncode == WRONG and done.stderr.strip() else \
            f"NumPy refuses this, clast gave exit {done.returncode}: {done.stderr}"
    output = Output(clast.folder, program, STORED[seed % len(STORED)], rng)
    done = clast.run(program, output, 1, PLENTY, block)
    if done.returncode:
        return f"exit {done.returncode}: {done.stderr}"
    first = output.read()
    wrong = first if isinstance(first, str) else judged(program, first) or contented(program, first, rng, exercised) or \
        again(clast, program, output, first, seed, block, exercised)
    if wrong:
        return wrong
    if output.beside:
        with h5py.File(f"{clast.folder}/in.h5", "r") as f:
            for name, made in program.inputs.items():
                made.verify(f, name)
    exercised.update(program.items(), {"run: 1 worker"}, {f"stored {output.how}"} if output.is_there else ())
    return None


def required():
    """The suite's list."""
    return programs.wishes() + [f"planted: {kind}" for kind in judges.KINDS] + [f"stored {how}" for how in STORED] + \
        [f"run: {how}" for how in RUNS]


def wish_of(seed, wanted):
    """One round over the list, then three that are drawn freely."""
    at = seed % (4 * len(wanted))
    return wanted[at] if at < len(wanted) else None


def round_of(first, wanted):
    """How many seeds from the first one on have every wish among them."""
    seen, seed = set(), first
    while len(seen) < len(wanted):
        seen.update({wish_of(seed, wanted)} - {None})
        seed += 1
    return seed - first


def report(seed, program, wrong):
    inputs = {n: (s.form, s.seen.dtype.name, s.seen.shape, sorted(s.attributes)) for n, s in program.inputs.items()}
    return f"seed {seed}: {program.text}\n  inputs {inputs}{' raw' if program.raw else ''}\n  {wrong}"


def work(command, folder, seed):
    """One program in a process of its own: what was exercised, counts, and what to say of a failure."""
    mine = os.path.join(folder, str(os.getpid()))
    os.makedirs(mine, exist_ok=True)
    clast, exercised = Clast(command, mine), set()
    program = programs.program(seed, wish_of(seed, programs.wishes()))
    try:
        wrong = check(clast, program, seed, exercised)
    except Exception:  # pylint: disable=broad-except
        wrong = traceback.format_exc()
    return seed, exercised, clast.runs, clast.refused, report(seed, program, wrong) if wrong else None


def campaign(o, folder):
    """Programs until the time is over, or all are done: failed seeds, how many there were, and a count of everything."""
    start, failed, seed, total, done = time.monotonic(), [], o.first, Counter(), 0
    least = o.count or round_of(o.first, programs.wishes())
    with concurrent.futures.ProcessPoolExecutor(o.jobs, mp_context=multiprocessing.get_context("fork")) as pool:
        waiting = set()
        while True:
            while len(waiting) < 2 * o.jobs and len(failed) < o.failures and (
                    seed < o.first + least or (not o.count and time.monotonic() - start < o.seconds)):
                waiting.add(pool.submit(work, o.command, folder, seed))
                seed += 1
            if not waiting:
                return failed, done, total
            ready, waiting = concurrent.futures.wait(waiting, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in ready:
                which, exercised, runs, refused, wrong = future.result()
                total.update(exercised)
                total.update({"runs": runs, "refusals": refused})
                done += 1
                if wrong:
                    failed.append(which)
                    print(wrong, flush=True)


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("command", help="the clast executable")
    options.add_argument("--first", type=int, default=0, help="seed of the first program")
    options.add_argument("--count", type=int, default=0, help="so many programs, and no list that must be complete")
    options.add_argument("--seconds", type=float, default=100, help="stop after so long, but not before one round over the list")
    options.add_argument("--failures", type=int, default=10, help="stop after so many")
    options.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="programs at a time")
    options.add_argument("--keep", action="store_true", help="leave the files of the last program")
    o = options.parse_args()
    folder = tempfile.mkdtemp(prefix="clast-differential-")
    try:
        failed, done, total = campaign(o, folder)
    finally:
        if o.keep:
            print("files are in", folder)
        else:
            shutil.rmtree(folder)
    missing = [item for item in required() if not total[item]]
    if missing and not o.count:
        print(f"never exercised: {missing}")
    planted = {kind: total[f"planted: {kind}"] for kind in judges.KINDS}
    print(f"{done} programs, {total['runs']} runs, {total['run: spilled']} programs spilled, {total['refusals']} runs refused "
          f"for lack of memory; {len(required()) - len(missing)} of {len(required())} items exercised; planted errors refused: "
          f"{planted}; failed: {sorted(failed) or 'none'}")
    return 1 if failed or (missing and not o.count) or not done else 0


if __name__ == "__main__":
    sys.exit(main())
