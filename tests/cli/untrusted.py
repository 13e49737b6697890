#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""--untrusted from outside: the same values, what is refused, and that libhdf5 opens the file in no process but the helper.

    untrusted.py CLAST
"""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import h5py
import numpy as np

CLAST = os.path.abspath(sys.argv.pop(1))

# Preloaded into all: opening a file with libhdf5 ends every process but the helper.
GUARD = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int64_t H5Fopen(const char *name, unsigned flags, int64_t list)
{
    char program[4096] = "";
    if (readlink("/proc/self/exe", program, sizeof program - 1) < 0 || !strstr(program, "clast-describe"))
        abort();
    return ((int64_t (*)(const char *, unsigned, int64_t))dlsym(RTLD_NEXT, "H5Fopen"))(name, flags, list);
}
"""


class Untrusted(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        (cls.folder / "guard.c").write_text(GUARD)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", cls.folder / "guard.so", cls.folder / "guard.c", "-ldl"], check=True)
        rng = np.random.default_rng(1)
        cls.data = {
            "contiguous": dict(data=rng.random((60, 70))),
            "big": dict(data=rng.integers(0, 99, (60, 70)).astype(">i2"), chunks=(16, 16)),
            "half": dict(data=rng.random((60, 70)).astype("f2"), chunks=(16, 16), compression="gzip"),
            "bool": dict(data=rng.random((60, 70)) < 0.5, chunks=(16, 16), compression="gzip", shuffle=True),
            "complex": dict(data=rng.random((60, 70)) + 1j, chunks=(16, 16), compression="gzip", fletcher32=True),
            "lzf": dict(data=rng.integers(0, 3, (60, 70)), chunks=(16, 16), compression="lzf"),
            "scalar": dict(data=2.5),
            "empty": dict(data=np.zeros((0, 4))),
        }
        cls.file = cls.folder / "in.h5"
        with h5py.File(cls.file, "w") as f:
            for name, how in cls.data.items():
                f.create_dataset(name, **how)
            f.create_dataset("scaled", data=np.arange(100), chunks=(10,), scaleoffset=0)
            f["elsewhere"] = h5py.ExternalLink("other.h5", "/x")

    def clast(self, program, *args, preload=None):
        env = {**os.environ, **({"LD_PRELOAD": str(preload)} if preload else {})}
        return subprocess.run([CLAST, "eval", program, *map(str, args)], capture_output=True, text=True, env=env, check=False)

    def test_same_values_without_libhdf5(self):
        guard = self.folder / "guard.so"
        for name in self.data:
            source = f"x={self.file}:/{name}"
            trusted = self.clast("x", "--in", source)
            self.assertEqual(trusted.returncode, 0, trusted.stderr)
            done = self.clast("x", "--untrusted", "--in", source, preload=guard)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, trusted.stdout, ""))
        # The guard is one: without the option it ends the command.
        self.assertEqual(self.clast("x", "--in", f"x={self.file}:/big", preload=guard).returncode, -6)

    def test_outputs_carry_values_only(self):
        out = self.folder / "out.h5"
        done = self.clast("x * 2", "--untrusted", "--in", f"x={self.file}:/contiguous", "--out", f"{out}:/y")
        self.assertEqual(done.returncode, 0, done.stderr)
        with h5py.File(out) as f:
            np.testing.assert_array_equal(f["y"][()], self.data["contiguous"]["data"] * 2)

    def test_refusals(self):
        for path, words in {"scaled": "only libhdf5 reads", "elsewhere": "another file", "missing": "does not exist"}.items():
            done = self.clast("x", "--untrusted", "--in", f"x={self.file}:/{path}")
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn(words, done.stderr)

    def test_a_damaged_file(self):
        bad = self.folder / "bad.h5"
        contents = bytearray(self.file.read_bytes())
        for i in range(200, 900, 7):
            contents[i] ^= 0xFF
        bad.write_bytes(contents)
        done = self.clast("x", "--untrusted", "--in", f"x={bad}:/big")
        self.assertIn(done.returncode, (1, 2), done.stderr)
        self.assertIn("bad.h5", done.stderr)

    def test_several_inputs_and_many_chunks(self):
        with h5py.File(self.folder / "many.h5", "w") as f:
            f.create_dataset("x", data=np.arange(50000.0), chunks=(1,))
        done = self.clast("sum(x) + sum(y)", "--untrusted", "--in", f"x={self.folder}/many.h5:/x", "--in",
                          f"y={self.folder}/many.h5:/x")
        self.assertEqual((done.returncode, float(done.stdout)), (0, 2 * sum(range(50000))), done.stderr)
        done = self.clast("sum(x)", "--untrusted", "--in", f"x={self.folder}/many.h5:/x", "--memory", "1M")
        self.assertEqual(done.returncode, 3, done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
