#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The built command under attack: tiny budgets, full disks, damaged files, kills and signals at random moments.

    attack.py CLAST [--rounds N]

Every sort of attack runs N rounds (default 12; the soak suite runs many more). The moments are random, the properties are not:
a refusal names a budget that works, an output is there whole or not at all, an existing file is the old one or the new one,
what a killed process leaves behind is gone after the next run, and no input makes the command itself crash.
"""
import collections
import ctypes
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import h5py
import numpy as np

import signals  # pylint: disable=unused-import

ROUNDS = 12
if "--rounds" in sys.argv:
    at = sys.argv.index("--rounds")
    ROUNDS = int(sys.argv[at + 1])
    del sys.argv[at:at + 2]
CLAST = os.path.abspath(sys.argv.pop(1))
ENV = {k: v for k, v in os.environ.items() if not k.startswith("CLAST_")}
UNIT = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
CRASHES = {-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGFPE, -signal.SIGILL}


def clast(*args, **kwargs):
    kwargs.setdefault("timeout", 60)
    return subprocess.run([CLAST, *map(str, args)], capture_output=True, text=True, errors="replace", check=False, env=ENV, **kwargs)


class Attack(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.file = self.folder / "in.h5"
        self.x = np.random.default_rng(5).random((600, 600))
        with h5py.File(self.file, "w") as f:
            f.create_dataset("x", data=self.x, chunks=(128, 128), compression="gzip", compression_opts=1)
            f.create_dataset("whole", data=self.x, chunks=(600, 600), compression="gzip", compression_opts=1)
        self.random = random.Random(7)

    def left(self, *expected):
        return sorted({p.name for p in self.folder.iterdir()} - {"in.h5", *expected})

    # ---- budgets

    def test_refusals_name_a_budget_and_blocks_that_work(self):
        out = self.folder / "o.h5"
        refused = named = 0
        for program in ["x + x.T", "x @ x", "std(w)", "svd(x[:, :30])[0]", "x - mean(x, axis=0)"]:
            name = "w" if "w" in program else "x"
            place = f"{name}={self.file}:/{'whole' if name == 'w' else 'x'}"
            for memory in ["1", "64K", "1M", "3M"]:
                line = ["eval", program, "--in", place, "--out", f"{out}:/y", "--overwrite", "--workers", "2", "--no-sync"]
                done = clast(*line, "--memory", memory)
                if done.returncode == 0:
                    continue
                refused += 1
                self.assertEqual(done.returncode, 3, done.stderr)
                would = re.search(r"([0-9.]+) (KiB|MiB|GiB) would do", done.stderr)
                self.assertIsNotNone(would, done.stderr)
                enough = int(float(would[1]) * UNIT[would[2]])
                again = clast(*line, "--memory", enough)
                self.assertEqual(again.returncode, 0, f"{program}: {done.stderr} but {again.stderr}")
                blocks = re.search(r" or blocks of (\d+) KiB", done.stderr)
                if blocks:
                    named += 1
                    again = clast(*line, "--memory", memory, "--block", f"{blocks[1]}K")
                    self.assertEqual(again.returncode, 0, f"{program}: {done.stderr} but {again.stderr}")
        self.assertGreater(refused, 5)
        self.assertGreater(named, 3)
        self.assertEqual(self.left("o.h5"), [])

    def test_plans_that_are_too_large_name_blocks_that_work(self):
        line = ["eval", "sum(x - mean(x) + x.T)", "--in", f"x={self.file}:/x", "--memory", "5M", "--workers", "2"]
        done = clast(*line, "--block", "64")
        self.assertEqual(done.returncode, 3, done.stderr)
        blocks = re.search(r"blocks of (\d+) KiB \(the option block\) would do", done.stderr)
        self.assertIsNotNone(blocks, done.stderr)
        again = clast(*line, "--block", f"{blocks[1]}K")
        self.assertEqual(again.returncode, 0, again.stderr)

    def test_missing_scratch_is_named(self):
        nowhere = self.folder / "nowhere"
        done = clast("eval", "random_uniform((1500, 1500)) @ random_uniform((1500, 1500), 5)", "--memory", "20M", "--scratch", nowhere,
                     "--out", f"{self.folder}/o.h5:/y")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn(str(nowhere), done.stderr)
        self.assertEqual(self.left(), [])

    def test_orders_that_spill_refuse_no_run_that_need_not(self):
        with h5py.File(self.folder / "empty.h5", "w") as f:
            f.create_dataset("a", shape=(8192, 8192), chunks=(512, 512), dtype="f8")
        for memory in ["90M", "200M"]:
            done = clast("eval", "x @ x", "--in", f"x={self.folder}/empty.h5:/a", "--out", f"{self.folder}/o.h5:/y", "--workers", "2",
                         "--memory", memory, "--scratch", self.folder / "nowhere", "--explain")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("spilled 0", done.stdout)
        self.assertEqual(self.left("empty.h5"), [])

    # ---- shapes and storage

    def test_sparse_giants(self):
        with h5py.File(self.folder / "big.h5", "w") as f:
            f.create_dataset("a", shape=(10 ** 12,), chunks=(10 ** 5,), dtype="f8", fillvalue=2.5, compression="gzip")
            f.create_dataset("b", shape=(10 ** 6, 10 ** 6), dtype="f4")
            f.create_dataset("c", shape=(2 ** 62,), chunks=(10 ** 5,), dtype="f8")
        for program, name, text in [("x[:3]", "a", "[2.5 2.5 2.5]"), ("x[:2, -2:]", "b", "[[0. 0.]\n [0. 0.]]"), ("sum(x[-4:])", "a", "10.0")]:
            done = clast("eval", program, "--in", f"x={self.folder}/big.h5:/{name}", "--memory", "32M")
            self.assertEqual((done.returncode, done.stdout), (0, text + "\n"), done.stderr)
        done = clast("eval", "x[:3]", "--in", f"x={self.folder}/big.h5:/c")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("overflow", done.stderr)

    def test_odd_storage(self):
        rng = np.random.default_rng(1)
        data = {"scalar": np.float64(3.5), "empty": np.zeros((3, 0, 4), "i4"), "big": rng.random((17, 13)).astype(">f8"),
                "half": rng.random((17, 13)).astype("f2"), "bool": rng.random((17, 13)) < .5, "complex": (rng.random((9, 7)) + 1j).astype("c8"),
                "rank32": rng.random((2,) * 5 + (1,) * 27), "ones": rng.random((8, 9))}
        chunks = {"big": (4, 5), "ones": (1, 1), "rank32": (1,) * 32}
        with h5py.File(self.folder / "odd.h5", "w") as f:
            for name, value in data.items():
                f.create_dataset(name, data=value, chunks=chunks.get(name))
            f.create_dataset("null", data=h5py.Empty("f4"))
        out = self.folder / "o.h5"
        for name, value in data.items():
            done = clast("eval", "x", "--in", f"x={self.folder}/odd.h5:/{name}", "--out", f"{out}:/{name}", "--no-sync", "--workers", "5")
            self.assertEqual(done.returncode, 0, done.stderr)
            with h5py.File(out) as f:
                np.testing.assert_array_equal(f[name][()], np.asarray(value))
        done = clast("eval", "x", "--in", f"x={self.folder}/odd.h5:/null")
        self.assertEqual(done.returncode, 2)
        self.assertIn("null", done.stderr)

    # ---- disks

    def full_disk(self, size):
        """A small file system of our own; skipped where this user cannot mount one."""
        disk = self.folder / "disk"
        disk.mkdir()
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"tmpfs", str(disk).encode(), b"tmpfs", 0, f"size={size}".encode()) != 0:
            self.skipTest("cannot mount a tmpfs")
        self.addCleanup(libc.umount, str(disk).encode())
        return disk

    def test_full_disk(self):
        disk = self.full_disk("2m")
        old = disk / "old.h5"
        self.assertEqual(clast("eval", "ones(9)", "--out", f"{old}:/a").returncode, 0)
        before = old.read_bytes()
        for target in ["new.h5", "old.h5"]:
            for storage in ["none", "gzip:1"]:
                done = clast("eval", "x * 2", "--in", f"x={self.file}:/x", "--out", f"{disk}/{target}:/y", "--compress", storage)
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn("No space left on device", done.stderr)
                self.assertEqual([p.name for p in disk.iterdir()], ["old.h5"])
        self.assertEqual(old.read_bytes(), before)
        with open(disk / "fill", "wb", buffering=0) as f:
            try:
                while f.write(b"\0" * 4096):
                    pass
            except OSError:
                pass
        for storage in ["none", "gzip:1"]:
            done = clast("eval", "ones(3)", "--out", f"{disk}/new.h5:/y", "--compress", storage)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn("No space left on device", done.stderr)

    def test_full_scratch(self):
        disk = self.full_disk("2m")
        done = clast("eval", "random_uniform((1500, 1500)) @ random_uniform((1500, 1500), 5)", "--memory", "20M", "--scratch", disk,
                     "--out", f"{self.folder}/o.h5:/y")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("disk", done.stderr)
        self.assertEqual(self.left("disk"), [])

    def test_places_that_cannot_be_written(self):
        os.symlink("nowhere.h5", self.folder / "link.h5")
        os.mkfifo(self.folder / "fifo")
        for target, part in [("link.h5", "symbolic link"), ("fifo", "regular file"), (".", "regular file"), ("no/o.h5", "No such"),
                             ("n" * 256, "name")]:
            done = clast("eval", "ones(3)", "--out", f"{self.folder}/{target}:/y", timeout=10)
            self.assertEqual(done.returncode, 2, f"{target}: {done.stderr}")
            self.assertIn(part, done.stderr)
        done = clast("eval", "ones(3)", "--out", f"{self.folder}/o.h5:{'/n' * 7000}", timeout=10)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(self.left("link.h5", "fifo"), [])

    # ---- programs

    def test_endless_programs(self):
        for text, part in [("x+" * 100000 + "x", "2000"), ("(" * 100000, "nest"), ("-" * 100000 + "x", "nest"), ("x[" * 100000, "nest"),
                           ("x" + ".T" * 100000, "2000"), ("f(" * 100000, "nest"), ("x**" * 100000 + "x", "nest")]:
            done = clast("eval", "-f", "-", "--in", f"x={self.file}:/x", input=text)
            self.assertEqual(done.returncode, 2, done.stderr[:200])
            self.assertIn(part, done.stderr)
        done = clast("eval", "-f", "-", "--in", f"x={self.file}:/x", input="y=x[0, 0]*0\n" + "y=y+1\n" * 5000 + "y")
        self.assertEqual(done.stdout, "5000.0\n", done.stderr)

    def test_stdout_that_takes_nothing(self):
        for args in [["eval", "ones(9)"], ["info", self.file], ["eval", "x", "--in", f"x={self.file}:/x", "--explain"], ["--version"]]:
            with open("/dev/full", "w") as full:
                done = subprocess.run([CLAST, *map(str, args)], stdout=full, stderr=subprocess.PIPE, text=True, env=ENV, check=False)
            self.assertEqual(done.returncode, 1, args)
            self.assertIn("standard output", done.stderr)
            done = subprocess.run(["sh", "-c", 'exec "$0" "$@" >&-', CLAST, *map(str, args)], stderr=subprocess.PIPE, env=ENV, check=False)
            self.assertEqual(done.returncode, 1, args)

    # ---- damage

    def test_damaged_files(self):
        """Only counted where libhdf5 itself crashes: the command must not."""
        base = []
        for libver, options in [("earliest", {"compression": "gzip", "shuffle": True}), ("latest", {"compression": "gzip", "fletcher32": True}),
                                ("latest", {"maxshape": (None, None)})]:
            path = self.folder / "base.h5"
            with h5py.File(path, "w", libver=libver) as f:
                f.create_dataset("x", data=self.x[:40, :40], chunks=(16, 16), **options)
            base.append(path.read_bytes())
            path.unlink()
        codes = collections.Counter()
        damaged = self.folder / "damaged.h5"
        for _ in range(4 * ROUNDS):
            content = bytearray(self.random.choice(base))
            if self.random.random() < 0.25:
                content = content[:self.random.randrange(len(content))]
            else:
                for _ in range(self.random.randrange(1, 7)):
                    content[self.random.randrange(len(content))] = self.random.choice([0, 255, self.random.randrange(256)])
            damaged.write_bytes(content)
            for args in [["eval", "sum(x)", "--in", f"x={damaged}:/x", "--memory", "64M"], ["info", damaged]]:
                try:
                    done = clast(*args, timeout=10)
                except subprocess.TimeoutExpired:
                    codes["long"] += 1  # a shape that was damaged into a huge one is computed all the same
                    continue
                codes[done.returncode] += 1
                if done.returncode > 0:
                    self.assertTrue(done.stderr.startswith("clast: "), done.stderr)
        crashes = sum(n for code, n in codes.items() if code in CRASHES)
        self.assertLessEqual(crashes, max(1, ROUNDS // 8), codes)
        self.assertEqual(set(codes) - CRASHES - {0, 1, 2, 3, "long"}, set())

    # ---- kills and signals

    def store(self, target, *options):
        return subprocess.Popen([CLAST, "eval", "x @ x.T", "--in", f"x={self.file}:/x", "--out", f"{target}:/y", "--memory", "12M", *options],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENV)

    def timed(self, target):
        """One undisturbed run: how long it takes, and the result."""
        start = time.monotonic()
        _, stderr = self.store(target).communicate(timeout=60)
        took = time.monotonic() - start
        self.assertTrue(target.exists(), stderr)
        with h5py.File(target) as f:
            wanted = f["y"][()]
        target.unlink()
        return took, wanted

    def test_kill(self):
        target = self.folder / "o.h5"
        took, wanted = self.timed(target)
        old = self.file.read_bytes()
        for i in range(2 * ROUNDS):
            existed = i % 2 == 1
            if existed:
                target.write_bytes(old)
            process = self.store(target)
            time.sleep(self.random.random() * took)
            process.kill()
            process.communicate()
            self.assertFalse([n for n in self.left("o.h5") if "scratch" in n])
            if existed:
                self.assertTrue(target.exists())
            if target.exists() and not (existed and target.read_bytes() == old):
                with h5py.File(target) as f:
                    np.testing.assert_array_equal(f["y"][()], wanted)
                    self.assertEqual("x" in f, existed)
            target.unlink(missing_ok=True)
        done = clast("eval", "ones(3)", "--out", f"{target}:/y")
        self.assertEqual((done.returncode, self.left("o.h5")), (0, []), done.stderr)

    def test_interrupt(self):
        target = self.folder / "o.h5"
        took, wanted = self.timed(target)
        for i in range(2 * ROUNDS):
            number, code = [(signal.SIGINT, 130), (signal.SIGTERM, 143)][i % 2]
            process = self.store(target)
            time.sleep(self.random.random() * took)
            process.send_signal(number)
            stdout, stderr = process.communicate(timeout=60)
            if process.returncode == 0:
                with h5py.File(target) as f:
                    np.testing.assert_array_equal(f["y"][()], wanted)
                target.unlink()
            else:
                self.assertIn(process.returncode, (code, -number), stderr)  # -number: before the handler is in place
            self.assertEqual((stdout, self.left()), ("", []))

    def test_two_writers(self):
        target = self.folder / "o.h5"
        both = [self.store(target), self.store(target)]
        texts = [p.communicate(timeout=60)[1] for p in both]
        codes = sorted(p.returncode for p in both)
        self.assertIn(codes, [[0, 0], [0, 1], [0, 2]], texts)  # both: one after the other, where the second is slow to start
        self.assertEqual(self.left("o.h5"), [])


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    unittest.main()
