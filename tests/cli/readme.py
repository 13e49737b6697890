#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What README.md shows works: its command and its C program, run as printed on a small file, agree with NumPy.

    readme.py ROOT CLAST QUICKSTART...
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import h5py
import numpy as np

ROOT, CLAST, *QUICKSTARTS = map(os.path.abspath, sys.argv[1:])
del sys.argv[1:]


class Readme(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.x = np.random.default_rng(5).random((70, 70))
        with h5py.File(self.folder / "in.h5", "w") as file:
            file.create_dataset("x", data=self.x, chunks=(16, 32))

    def check_run(self, command, **options):
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=120, check=False, **options)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        with h5py.File(self.folder / "out.h5") as file:
            np.testing.assert_allclose(file["y"][...], self.x + self.x.T - self.x.mean(0), rtol=1e-13, atol=1e-14)

    def test_command(self):
        text = (pathlib.Path(ROOT) / "README.md").read_text(encoding="utf-8")
        commands = re.findall(r"^clast eval .*$", text, re.M)
        self.assertTrue(commands)
        path = os.path.dirname(CLAST) + os.pathsep + os.environ["PATH"]
        for command in commands:
            with self.subTest(command):
                (self.folder / "out.h5").unlink(missing_ok=True)
                self.check_run(command, shell=True, env={**os.environ, "PATH": path})

    def test_programs(self):
        self.assertTrue(QUICKSTARTS)
        for program in QUICKSTARTS:
            with self.subTest(program):
                (self.folder / "out.h5").unlink(missing_ok=True)
                self.check_run([program])

    def test_a_missing_file_is_reported(self):
        (self.folder / "in.h5").unlink()
        for program in QUICKSTARTS:
            done = subprocess.run([program], cwd=self.folder, capture_output=True, text=True, timeout=120, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("in.h5", done.stderr)


if __name__ == "__main__":
    unittest.main()
