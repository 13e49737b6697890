#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The command killed (SIGKILL) at random moments: the target is the old file or the new one, whole; the next run ends as if nothing
had been, with --resume from where the killed ones came to, and leaves nothing behind. The same seed gives the same moments, as far
as parts of a run's time can be the same.

    kills.py CLAST [--kills N] [--rows N] [--seed S]
"""
import argparse
import hashlib
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np

import signals  # pylint: disable=unused-import

PROGRAM = "sin(x) * 2 + x.T[:1].T"

# What is there before, where it goes, how it is stored.
SCENARIOS = [
    {"name": "a new file", "before": [], "args": ["--compress", "none"]},
    {"name": "a new file, compressed", "before": [], "args": ["--compress", "gzip:1"]},
    {"name": "a dataset more", "before": ["rest"], "args": ["--compress", "none"]},
    {"name": "another dataset in its place", "before": ["rest", "y"], "args": ["--compress", "gzip:1", "--overwrite"]},
]


class Trial:
    def __init__(self, clast, folder, rows):
        self.clast, self.folder = clast, folder
        self.input, self.out = folder / "in.h5", folder / "out.h5"
        x = np.random.default_rng(1).random((rows, 1000))
        with h5py.File(self.input, "w") as f:
            f.create_dataset("x", data=x, chunks=(100, 100))

    def line(self, scenario, resume, sync):
        return [self.clast, "eval", PROGRAM, "--in", f"x={self.input}:/x", "--out", f"{self.out}:/y", "--workers", "2", "--block", "256K",
                "--memory", "64M", *scenario["args"], *(["--resume"] if resume else []), *([] if sync else ["--no-sync"])]

    def prepare(self, scenario):
        for p in self.folder.iterdir():
            if p != self.input:
                p.unlink()
        for name in scenario["before"]:
            with h5py.File(self.out, "a") as f:
                f[name] = np.arange(100000.0)

    def run(self, line):
        done = subprocess.run(line, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, f"{line}: {done.stderr}"
        return done.stderr

    def run_late(self, line):
        """The file is there. If the kill came before the end of the tidying up, the run does the rest; else it refuses."""
        done = subprocess.run(line, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0 or "exists" in done.stderr, f"{line}: {done.stderr}"

    def reference(self, scenario):
        """The values that a run gives, and how long it takes on a machine that has time for it."""
        took = 60
        for _ in range(4):
            self.prepare(scenario)
            start = time.monotonic()
            self.run(self.line(scenario, True, False))
            took = min(took, time.monotonic() - start)
        with h5py.File(self.out) as f:
            return f["y"][()], took

    def digest(self):
        return hashlib.sha256(self.out.read_bytes()).hexdigest() if self.out.exists() else None

    def is_new(self, old, values):
        """Whether the target is the new file; else it is the old one, to the byte."""
        if self.digest() == old:
            return False
        with h5py.File(self.out) as f:
            np.testing.assert_array_equal(f["y"][()], values)
            assert "rest" not in f or f["rest"].shape == (100000,)
        return True

    def kill(self, line, seconds, gently):
        """Whether it was killed, or interrupted; it may have ended before."""
        process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            (process.terminate if gently else process.kill)()
        return process.wait() != 0

    def kill_at(self, line, size):
        """The same as soon as the journal has so many bytes."""
        process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        journal = self.folder / ".out.h5.clast-journal"
        while process.poll() is None and not (journal.exists() and journal.stat().st_size >= size):
            time.sleep(0.001)
        process.kill()
        process.wait()

    def attempt(self, scenario, moments, resume, sync, values):
        """Kills at these moments, one after another, the first of several gently, then a run to the end; whether that took
        something over."""
        self.prepare(scenario)
        old, line = self.digest(), self.line(scenario, resume, sync)
        for i, seconds in enumerate(moments):
            killed = self.kill(line, seconds, resume and i == 0)
            if self.is_new(old, values) or not killed:
                break
        if not resume and self.is_new(old, values):
            self.prepare(scenario)
        said = ""
        if not self.is_new(old, values):
            said = self.run(line)
        elif resume and killed:
            self.run_late(line)
        assert self.is_new(old, values)
        left = sorted(p.name for p in self.folder.iterdir())
        assert left == ["in.h5", "out.h5"], left
        return "earlier run" in said

    def half_done(self, scenario, part, values):
        """A compressed run is killed when a part of it is in the journal: the next one takes that over, if it was not too late."""
        self.prepare(scenario)
        line = self.line(scenario, True, False)
        self.kill_at(line, part * values.nbytes)
        said = "" if self.out.exists() else self.run(line)
        assert self.is_new(None, values)
        return "earlier run" in said


def main():
    options = argparse.ArgumentParser()
    options.add_argument("clast")
    options.add_argument("--kills", type=int, default=24)
    options.add_argument("--rows", type=int, default=1500)
    options.add_argument("--seed", type=int, default=1)
    o = options.parse_args()
    rng = random.Random(o.seed)
    folder = pathlib.Path(tempfile.mkdtemp())
    trial = Trial(o.clast, folder, o.rows)
    references = [trial.reference(s) for s in SCENARIOS]
    kills = taken = 0
    number = 0
    while kills < o.kills:
        scenario, (values, took) = SCENARIOS[number % len(SCENARIOS)], references[number % len(SCENARIOS)]
        resume = number // len(SCENARIOS) % 2 == 0
        moments = [rng.uniform(0, 1.1 * took) for _ in range(3 if resume else 1)]
        taken += trial.attempt(scenario, moments, resume, number % 8 == 7, values)
        kills += len(moments)
        number += 1
    for part in (0.1, 0.3, 0.5):
        taken += trial.half_done(SCENARIOS[1], part, references[1][0])
    print(f"{kills} kills in {number} runs, {taken} of them resumed")
    shutil.rmtree(folder)
    assert taken > 0, "no run had anything to go on with"


if __name__ == "__main__":
    sys.exit(main())
