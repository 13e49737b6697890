#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What becomes of output files: copies, replacement, changes in place, and equal bytes for equal commands.

    outputs.py CLAST
"""
import ctypes
import errno
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

import h5py
import numpy as np

import signals  # pylint: disable=unused-import

CLAST = os.path.abspath(sys.argv.pop(1))
ENV = {k: v for k, v in os.environ.items() if not k.startswith("CLAST_")}


def clast(*args, **more):
    return subprocess.run([CLAST, "eval", *map(str, args)], capture_output=True, text=True, timeout=120, check=False, env=ENV, **more)


class Outputs(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.file, self.out = self.folder / "in.h5", self.folder / "out.h5"
        self.x = np.random.default_rng(1).random((300, 200))
        with h5py.File(self.file, "w") as f:
            f.create_dataset("x", data=self.x, chunks=(64, 64))
        with h5py.File(self.out, "w") as f:
            f["rest"] = np.arange(1000)

    def eval(self, program, *args, **more):
        return clast(program, "--in", f"x={self.file}:/x", "--out", f"{self.out}:/y", *args, **more)

    def refused(self, done, code, text):
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertIn(text, done.stderr)
        self.assertEqual({p.name for p in self.folder.iterdir()}, {"in.h5", "out.h5"})

    def check(self, y=None):
        with h5py.File(self.out) as f:
            np.testing.assert_array_equal(f["rest"], np.arange(1000))
            self.assertEqual(set(f), {"rest"} if y is None else {"rest", "y"})
            if y is not None:
                np.testing.assert_array_equal(f["y"], y)

    # ---- in place

    def test_in_place(self):
        inode = self.out.stat().st_ino
        for i, args in enumerate([[], ["--compress", "gzip:1"], ["--chunks", "-1,-1"]]):
            done = self.eval(f"x + {i}", "--in-place", "--overwrite", *args)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.check(self.x + i)
            self.assertEqual(self.out.stat().st_ino, inode)
        done = self.eval("x - 1", "--overwrite")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotEqual(self.out.stat().st_ino, inode)
        self.check(self.x - 1)

    def test_a_new_file_in_place_is_a_new_file(self):
        self.out.unlink()
        self.assertEqual(self.eval("x", "--in-place").returncode, 0)
        with h5py.File(self.out) as f:
            np.testing.assert_array_equal(f["y"], self.x)

    def test_in_place_beside_its_input(self):
        """Datasets are added to the file that they are computed from, compressed or not."""
        with h5py.File(self.file, "w") as f:
            x = f.create_dataset("x", data=self.x, chunks=(7, 9), compression="gzip", shuffle=True)
            f["plain"], f["rows"], f["columns"] = self.x[::-1], np.arange(self.x.shape[0]), np.arange(self.x.shape[1])
            x.attrs["units"] = "m"
            for axis, name in enumerate(("rows", "columns")):
                f[name].make_scale(name)
                x.dims[axis].attach_scale(f[name])
        inode, ways = self.file.stat().st_ino, [["--compress", "none"], ["--compress", "gzip:1"], ["--chunks", "5,11", "--compress", "none"]]
        for i, args in enumerate(ways * 2):
            done = clast(f"x + {i} * plain", "--in", f"x={self.file}:/x", "--in", f"plain={self.file}:/plain",
                         "--out", f"{self.file}:/g/y{i}", "--in-place", "--block", "8K", "--workers", 1 + i % 3, *args)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual(self.file.stat().st_ino, inode)
            with h5py.File(self.file) as f:
                np.testing.assert_array_equal(f["x"], self.x)
                np.testing.assert_array_equal(f["plain"], self.x[::-1])
                for k in range(i + 1):
                    np.testing.assert_array_equal(f[f"g/y{k}"], self.x + k * self.x[::-1])
        # Replacing what is no input, while it is read beside it.
        done = clast("x * 3", "--in", f"x={self.file}:/x", "--out", f"{self.file}:/g/y0", "--in-place", "--overwrite")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        with h5py.File(self.file) as f:
            np.testing.assert_array_equal(f["g/y0"], self.x * 3)
            np.testing.assert_array_equal(f["x"], self.x)

    def test_what_in_place_refuses(self):
        with h5py.File(self.file, "a") as f:
            f["hard"] = f["x"]
        before = self.file.read_bytes()
        for path in "/x", "/hard":
            done = clast("x + 1", "--in", f"x={self.file}:/x", "--out", f"{self.file}:{path}", "--in-place", "--overwrite")
            self.refused(done, 2, f"{path} is an input as well")
        self.assertEqual(self.file.read_bytes(), before)
        self.refused(self.eval("x", "--in-place", "--resume"), 2, "cannot be resumed")

    def test_in_place_beside_a_virtual_dataset(self):
        """Its elements may be what is changed: another dataset's, found by name."""
        with h5py.File(self.file, "a") as f:
            layout = h5py.VirtualLayout(self.x.shape, self.x.dtype)
            layout[:] = h5py.VirtualSource(".", "x", shape=self.x.shape)
            f.create_virtual_dataset("v", layout)
        before = self.file.read_bytes()
        for path in "/x", "/y":
            done = clast("v * 2", "--in", f"v={self.file}:/v", "--out", f"{self.file}:{path}", "--in-place", "--overwrite")
            self.refused(done, 2, "a virtual dataset is an input")
        self.assertEqual(self.file.read_bytes(), before)
        done = clast("v * 2", "--in", f"v={self.file}:/v", "--out", f"{self.file}:/x", "--overwrite")
        self.assertEqual(done.returncode, 0, done.stderr)
        with h5py.File(self.file) as f:
            np.testing.assert_array_equal(f["x"], self.x * 2)

    def test_failing_beside_its_input(self):
        """What was made is taken out again; the input is as it was."""
        with h5py.File(self.file, "w") as f:
            f.create_dataset("x", data=self.x, chunks=(10, 10), fletcher32=True)
            at = f["x"].id.get_chunk_info(f["x"].id.get_num_chunks() - 1).byte_offset
        image = bytearray(self.file.read_bytes())
        image[at + 8] ^= 255
        self.file.write_bytes(image)
        for args in ["--compress", "none"], ["--compress", "gzip:1"]:
            done = clast("x + 1", "--in", f"x={self.file}:/x", "--out", f"{self.file}:/y", "--in-place", *args)
            self.refused(done, 1, "checksum")
            with h5py.File(self.file) as f:
                self.assertEqual(set(f), {"x"})
                np.testing.assert_array_equal(f["x"][:10], self.x[:10])

    def test_in_place_is_refused_where_others_read(self):
        with h5py.File(self.out) as f:
            before = self.out.read_bytes()
            self.refused(self.eval("x", "--in-place"), 1, "out.h5")
            self.assertEqual(self.out.read_bytes(), before)
            np.testing.assert_array_equal(f["rest"], np.arange(1000))

    def test_failing_in_place_takes_back_what_it_made(self):
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        before = self.out.read_bytes()
        self.refused(self.eval("x", "--in-place", preexec_fn=limit), 1, os.strerror(errno.EFBIG))
        self.assertEqual(self.out.read_bytes(), before)
        done = self.eval("x + nan", "--in-place", "--memory", "1K")
        self.refused(done, 3, "")
        self.check()

    def test_in_place_on_a_full_disk(self):
        disk = self.folder / "disk"
        disk.mkdir()
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"tmpfs", str(disk).encode(), b"tmpfs", 0, b"size=300k") != 0:
            self.skipTest("cannot mount a tmpfs")
        self.addCleanup(libc.umount, str(disk).encode())
        self.out = pathlib.Path(shutil.copy(self.out, disk))
        for args in [["--compress", "none"], ["--compress", "gzip:1", "--chunks", "20,20"]]:
            done = self.eval("x", "--in-place", *args)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn("No space left on device", done.stderr)
            self.check()
        self.assertEqual([p.name for p in disk.iterdir()], ["out.h5"])

    # ---- what a run will do

    def test_explain_says_what_becomes_of_files(self):
        size = f"{self.out.stat().st_size / 1024:.1f} KiB"
        for args, text in [([], f"out.h5 is copied first: {size}"), (["--in-place"], "out.h5 is changed in place, without a copy")]:
            done = self.eval("x", "--explain", *args)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertTrue(text in done.stdout or "sharing its blocks" in done.stdout, done.stdout)
        self.out.unlink()
        self.assertIn("out.h5 is made\n", self.eval("x", "--explain").stdout)
        self.assertEqual(self.eval("x").returncode, 0)
        self.assertIn("out.h5 is replaced", self.eval("x", "--explain", "--overwrite").stdout)
        self.assertEqual({p.name for p in self.folder.iterdir()}, {"in.h5", "out.h5"})

    # ---- equal bytes

    def test_equal_commands_give_equal_bytes(self):
        """Whatever workers and budget: unfiltered outputs are placed when they are made."""
        seen = set()
        for args in [["--workers", "1"], ["--workers", "4"], ["--workers", "3", "--memory", "8M"], ["--no-sync"]]:
            self.out.unlink(missing_ok=True)
            done = self.eval("x.T - mean(x, axis=1)", "--chunks", "50,70", "--block", "64K", *args)
            self.assertEqual(done.returncode, 0, done.stderr)
            seen.add(self.out.read_bytes())
        self.assertEqual(len(seen), 1)

    def test_equal_commands_give_equal_bytes_compressed(self):
        """Several datasets of a file, whose chunks are computed in other orders by other workers and budgets."""
        seen = set()
        for args in [["--workers", "1"], ["--workers", "2"], ["--workers", "4"], ["--workers", "3", "--memory", "10M"]]:
            self.out.unlink(missing_ok=True)
            done = clast("u, s, v = svd(x); c = x.T @ x; u, s, v, c", "--in", f"x={self.file}:/x", *sum((
                ["--out", f"{n}={self.out}:/{n}"] for n in "cusv"), []), "--compress", "gzip:1", "--block", "16K", *args)
            self.assertEqual(done.returncode, 0, done.stderr)
            seen.add(self.out.read_bytes())
        self.assertEqual(len(seen), 1)

    def test_chunks_of_4_gib_are_refused(self):
        done = clast("zeros((70000, 70000)).astype(int8)", "--out", f"{self.out}:/y", "--chunks", "69999,-1", "--overwrite", "--memory", "1G")
        self.refused(done, 2, "HDF5 allows 4294967295")
        self.check()


if __name__ == "__main__":
    unittest.main()
