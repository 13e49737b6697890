#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The same bits every time: bits.py CLAST [--every]

Every program runs with 1, 2 and 4 workers and three budgets, the least of them the smallest that is admitted, so that
blocks are spilled or read again; all results must be equal to the byte. Other chunkings of the same data may round
otherwise: there the results must be close. Each number of workers meets each budget in one of the three chunkings;
--every: in all of them.
"""
import json
import os
import subprocess
import sys
import tempfile
import unittest

import h5py
import numpy as np

CLAST = os.path.abspath(sys.argv.pop(1))
EVERY = "--every" in sys.argv
if EVERY:
    sys.argv.remove("--every")
WORKERS = (1, 2, 4)
ENV = {k: v for k, v in os.environ.items() if not k.startswith("CLAST_")}
PROGRAMS = {
    "symmetrise": "x + x.T - mean(x, axis=0)",
    "elementwise": "exp(-x*x/2)*sin(x) + sqrt(abs(x))",
    "sum of elementwise": "sum(exp(-x*x/2)*sin(x) + sqrt(abs(x)))",
    "mean": "mean(x, axis=1)",
    "anomaly": "(x - mean(x, axis=0)).std(axis=0)",
    "matmul": "x @ x.T",
    "long product": "z.T @ z",
    "rechunk": "rechunk(x, (1000, 10)) + 1",
    "reshape": "x.T.reshape((250, 4000))",
    "svd": "u, s, v = svd(z); u",
    "singular values": "u, s, v = svd(z); s",
}


class Bits(unittest.TestCase):
    """One folder with the data in three chunkings; a test for every program."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="clast-bits-")
        rng = np.random.default_rng(5)
        data = {"x": rng.standard_normal((1000, 1000)), "z": rng.standard_normal((40000, 20))}
        for name, chunks, how in (("a", {"x": (100, 130), "z": (1000, 20)}, {}),
                                  ("b", {"x": (77, 1000), "z": (1313, 7)}, {"compression": "gzip", "compression_opts": 1}),
                                  ("c", {"x": None, "z": None}, {})):
            with h5py.File(f"{cls.folder.name}/{name}.h5", "w") as f:
                for key, array in data.items():
                    f.create_dataset(key, data=array, chunks=chunks[key], **how)
        cls.spilled = cls.read_again = 0

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()
        assert cls.spilled and cls.read_again, "no run was short of memory: the test shows nothing"

    def evaluate(self, program, chunking, workers, memory):
        out, stats = f"{self.folder.name}/out.h5", f"{self.folder.name}/stats.json"
        line = [CLAST, "eval", program, "--out", f"{out}:/y", "--overwrite", "--workers", str(workers), "--memory", str(memory),
                "--block", "65536", "--no-sync", "--scratch", self.folder.name, f"--stats=json:{stats}"]
        for key in "xz":
            if key in program.replace("exp", ""):
                line += ["--in", f"{key}={self.folder.name}/{chunking}.h5:/{key}"]
        done = subprocess.run(line, capture_output=True, text=True, env=ENV, timeout=120, check=False)
        if done.returncode == 3:
            return None, None
        self.assertEqual(done.returncode, 0, done.stderr)
        with h5py.File(out, "r") as f, open(stats, encoding="utf-8") as s:
            return f["y"][()], json.load(s)

    def least(self, program, chunking, workers, minimum):
        """Answer and statistics with (nearly) the smallest budget that is admitted."""
        memory = int(minimum)
        while True:
            y, stats = self.evaluate(program, chunking, workers, memory)
            if y is not None:
                return y, stats
            memory += memory // 16

    def check(self, program):
        plain = None
        for turn, chunking in enumerate("abc"):
            want, stats = self.evaluate(program, chunking, 1, 256 << 20)
            minimum = stats["minimum_memory"]
            budgets = (256 << 20, minimum + (4 << 20), 0)
            for at, workers in enumerate(WORKERS):
                for memory in budgets if EVERY else [budgets[(at + turn) % len(budgets)]]:
                    if memory:
                        y, s = self.evaluate(program, chunking, workers, memory)
                    else:
                        y, s = self.least(program, chunking, workers, minimum)
                    self.assertEqual(y.tobytes(), want.tobytes(), f"{chunking}, {workers} workers, {memory} bytes")
                    type(self).spilled += s["spilled"] > 0
                    type(self).read_again += s["read"] > stats["read"]
            plain = want if plain is None else plain
            np.testing.assert_allclose(want, plain, rtol=1e-10, atol=1e-10 * np.abs(plain).max())


def case(program):
    return lambda self: self.check(program)


for title, text in PROGRAMS.items():
    setattr(Bits, "test_" + title.replace(" ", "_"), case(text))

if __name__ == "__main__":
    unittest.main()
