#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Data with missing values: what the reductions that leave NaN out give from a file, against NumPy, and what they read.

    missing.py CLAST
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
import warnings

import h5py
import numpy as np

CLAST = os.path.abspath(sys.argv.pop(1))
SHAPE, FILL = (60, 90, 120), np.float32(-999)
NAMES = ["nansum", "nanmean", "nanvar", "nanstd", "nanmin", "nanmax"]
PROGRAM = "; ".join(f"{name[3:]} = {name}(x, axis='time')" for name in NAMES)


def clast(*args):
    return subprocess.run([CLAST, "eval", *map(str, args)], capture_output=True, text=True, timeout=120, check=False)


class Missing(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder, True)
        rng = np.random.default_rng(3)
        x = (280 + rng.standard_normal(SHAPE) * 10).astype("f4")
        x[rng.random(SHAPE) < 0.3] = np.nan
        x[:, 10:30] = np.nan  # land
        x[1:, 40] = np.nan  # a single value each
        self.x = x
        self.file = self.folder / "in.nc"
        with h5py.File(self.file, "w") as f:
            for name, shape in (("gzip", {"chunks": (7, 45, 50), "compression": "gzip"}), ("plain", {})):
                f.create_dataset(name, data=np.where(np.isnan(x), FILL, x), **shape)
                f[name].attrs["_FillValue"] = FILL
            f["time"] = np.arange(float(SHAPE[0]))
            f["time"].make_scale("time")
            for name in ("gzip", "plain"):
                f[name].dims[0].attach_scale(f["time"])

    def wanted(self, name, *args, **more):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return getattr(np, name)(self.x.astype("f8"), *args, **more)

    def run_all(self, dataset, *options):
        """All of them in one run: {name: values}, and the run's statistics."""
        out, stats = self.folder / "out.h5", self.folder / "stats.json"
        outs = [word for name in NAMES for word in ("--out", f"{name[3:]}={out}:/{name}")]
        done = clast(PROGRAM, "--in", f"x={self.file}:/{dataset}", *outs, "--overwrite", f"--stats=json:{stats}", *options)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        with h5py.File(out) as f:
            return {name: f[name][()] for name in NAMES}, json.loads(stats.read_text(encoding="utf-8"))

    def test_against_numpy(self):
        for dataset in ("gzip", "plain"):
            got, stats = self.run_all(dataset)
            for name in NAMES:
                self.assertEqual(got[name].dtype, np.float32)
                np.testing.assert_allclose(got[name], self.wanted(name, axis=0), rtol=3e-7, atol=1e-9, err_msg=name)
            with h5py.File(self.file) as f:
                stored = f[dataset].id.get_storage_size()
            # Six results in one run cost one pass over the input, and nothing of its size is kept.
            self.assertLessEqual(stats["stored_read"], 1.01 * stored + 10000)
            self.assertEqual(stats["spilled"], 0)

    def test_bits_of_any_budget(self):
        for dataset in ("gzip", "plain"):
            first, _ = self.run_all(dataset, "--memory", "1G", "--workers", 1, "--block", "64K")
            for options in (("--memory", "12M", "--workers", 3), ("--memory", "64M", "--workers", 2)):
                again, _ = self.run_all(dataset, *options, "--block", "64K")
                for name in NAMES:
                    self.assertEqual(first[name].tobytes(), again[name].tobytes(), (dataset, options, name))

    def test_one_read_of_a_program(self):
        """A mean of something computed is one pass as well, without a copy of it."""
        stats = self.folder / "stats.json"
        program = "nanstd(exp(sin(x)) * cos(x) + 1, axis=(1, 2))"
        done = clast(program, "--in", f"x={self.file}:/plain", "--memory", "64M", f"--stats=json:{stats}")
        self.assertEqual(done.returncode, 0, done.stderr)
        found = json.loads(stats.read_text(encoding="utf-8"))
        self.assertLessEqual(found["stored_read"], 1.01 * self.x.nbytes + 10000)
        self.assertEqual((found["spilled"], found["written"]), (0, 60 * 4))

    def value(self, program, *inputs):
        done = clast(program, *inputs)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.strip()

    def test_places(self):
        flat = np.nan_to_num(self.x, nan=np.inf).argmin()
        x = ("--in", f"x={self.file}:/gzip")
        self.assertEqual(int(self.value("nanargmin(x)", *x)), flat)
        self.assertEqual(self.value("nanargmax(x[:, 10, 5], axis=0)", *x), "-1")
        self.assertEqual(self.value("all(nanargmax(x[::-1, 40], axis=0) == where(isnan(x[0, 40]), -1, 59))", *x), "True")

    def test_dtypes(self):
        """What is left out is left out before a conversion that NaN does not survive."""
        for program, wanted in [("nansum(array([1.5, nan, 2.5]), dtype=int64)", "3"), ("nansum(array([1.5, nan]), dtype=bool)", "True"),
                                ("nansum(array([1, 2]) * nan, dtype=int8)", "0"), ("nanmean(array([1.5, nan, 2.5]), dtype=float32)", "2.0"),
                                ("nanmean(array([3 + 1j, nan]), dtype=float64)", "3.0"), ("nansum(array([1, 2], dtype=uint8), dtype=uint8)", "3"),
                                ("nanmean(array([True, False]))", "0.5"), ("nanvar(array([1, 3]), ddof=2)", "inf"), ("nanvar(array([1.0, 3]), ddof=2)", "nan"),
                                ("nanmean(array([1, nan, 3]) * 1j)", "2j"), ("nansum(nan)", "0.0")]:
            self.assertEqual(self.value(program), wanted, program)

    def test_refused(self):
        for program, message in [("nanmean(x, dtype=int32)", "nanmean: not computed in int32 for an array of float32"),
                                 ("nanmin(x[:0], axis=0)", "nanmin: axis 0 is empty and nothing has no nanmin, shape (0, 90, 120)"),
                                 ("nansum(x, axis=3)", "nansum: axis 3 is out of range for an array of 3 dimensions, shape (60, 90, 120)"),
                                 ("nansum(x, axis='lat')", "nansum: there is no axis 'lat'"), ("nanmax(x, ddof=1)", "nanmax"), ("x.nanmean()", "nanmean"),
                                 ("nanargmin(x, axis=(0, 1))", "nanargmin"), ("nansum(x, where=x > 0)", "nansum")]:
            done = clast(program, "--in", f"x={self.file}:/gzip")
            self.assertEqual(done.returncode, 2, program)
            self.assertIn(message, done.stderr, program)


unittest.main()
