#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""How much of a file an expression reads: stored bytes, by --stats, of boxes, steps, transposes and repeated use.

    reads.py CLAST
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import h5py
import numpy as np

CLAST = os.path.abspath(sys.argv.pop(1))
SIDE, ITEM, GAP = 1024, 8, 4096
ALL = SIDE * SIDE * ITEM
CHUNK = 128 * 128 * ITEM  # stored without being compressed, but for a checksum

# expression, least and most stored bytes: contiguous, in chunks of 64 x 64, in checked chunks of 128 x 128. A few
# bytes between two pieces that are wanted are read too, less than GAP with the piece; a checked chunk whole, and once.
CASES = [
    ("sum(x)", (ALL, ALL), (ALL, 1.01 * ALL), (ALL, 1.01 * ALL)),
    ("sum(x[100:200, 100:200])", (80000, 80000), (80000, 80000 + 100 * 3 * GAP), (4 * CHUNK, 4.1 * CHUNK)),
    ("sum(x[5])", (8192, 8192), (8192, 8192 + 15 * GAP), (8 * CHUNK, 8.1 * CHUNK)),
    ("sum(x.T[5])", (8192, 8192), (8192, 8192 + 1024 * 512), (8 * CHUNK, 8.1 * CHUNK)),
    ("sum(x[127:129, 127:129])", (32, 32 + 8), (32, 32 + 3 * GAP), (4 * CHUNK, 4.1 * CHUNK)),
    ("sum(x[::100])", (11 * 8192, 11 * 8192), (11 * 8192, 11 * (8192 + 15 * GAP)), (ALL, 1.01 * ALL)),
    ("sum(x[::-100].T)", (11 * 8192, 11 * 8192), (11 * 8192, 11 * (8192 + 15 * GAP)), (ALL, 1.01 * ALL)),
    ("sum(x[::300])", (4 * 8192, 4 * 8192), (4 * 8192, 4 * (8192 + 15 * GAP)), (4 * 8 * CHUNK, 4 * 8.1 * CHUNK)),
    ("sum(x[1::200, 3::600])", (12 * 8, 12 * (8 + GAP)), (12 * 8, 12 * (8 + GAP)), (12 * CHUNK, 12.2 * CHUNK)),
    ("sum(x[::100][:10] - x[50::100])", (20 * 8192, 21 * 8192), (20 * 8192, 21 * (8192 + 15 * GAP)), (8 * 8 * CHUNK, 8 * 8.1 * CHUNK)),
    ("sum(x[::7])", (147 * 8192, 147 * 8192), (147 * 8192, 1.01 * ALL), (ALL, 1.01 * ALL)),
    ("sum(x + x.T)", (ALL, ALL), (ALL, 1.01 * ALL), (ALL, 1.01 * ALL)),
    ("sum(x[1:] - x[:-1])", (ALL, ALL), (ALL, 1.01 * ALL), (ALL, 1.01 * ALL)),
    ("sum(x @ x)", (ALL, ALL), (ALL, 1.01 * ALL), (ALL, 1.01 * ALL)),
]


class Reads(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.x = np.random.default_rng(5).integers(0, 1 << 20, (SIDE, SIDE)).astype("f8")
        with h5py.File(self.folder / "in.h5", "w") as file:
            file["contiguous"] = self.x
            file.create_dataset("chunked", data=self.x, chunks=(64, 64))
            file.create_dataset("checked", data=self.x, chunks=(128, 128), fletcher32=True)

    def run_one(self, program, dataset):
        stats = self.folder / "stats.json"
        done = subprocess.run([CLAST, "eval", program, "--in", f"x={self.folder}/in.h5:/{dataset}", "--memory", "256M",
                               f"--stats=json:{stats}"], capture_output=True, text=True, timeout=60, check=True)
        return float(done.stdout), json.loads(stats.read_text(encoding="utf-8"))["stored_read"]

    def test_stored_bytes(self):
        for program, *bounds in CASES:
            wanted = eval(program, {"sum": np.sum, "x": self.x})  # pylint: disable=eval-used
            for dataset, (least, most) in zip(("contiguous", "chunked", "checked"), bounds):
                with self.subTest(program=program, dataset=dataset):
                    value, stored = self.run_one(program, dataset)
                    self.assertAlmostEqual(value, wanted, delta=1e-9 * abs(wanted))
                    self.assertGreaterEqual(stored, least)
                    self.assertLessEqual(stored, most)


unittest.main()
