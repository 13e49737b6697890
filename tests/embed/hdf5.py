#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Clast beside another HDF5, beside h5py, under a libhdf5 that is not the compiled one, and in several processes.

    hdf5.py ROOT LIBRARY CLAST
"""
import ctypes
import json
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

try:
    import h5py
    import numpy as np
except ImportError:
    h5py = None

ROOT, LIBRARY, CLAST = map(os.path.abspath, sys.argv[1:4])
del sys.argv[1:]
MIB = 1 << 20
ROWS, COLUMNS = 400, 500

# What libhdf5 would say of itself. Preloaded, so that Clast asks this.
PRETENDERS = {
    "version": "int H5get_libversion(unsigned *a, unsigned *b, unsigned *c)\n{ *a = 1, *b = 10, *c = 99; return 0; }\n",
    "unsafe": "#include <stdbool.h>\nint H5is_library_threadsafe(bool *is_safe)\n{ *is_safe = false; return 0; }\n",
}


def compile_c(source, program, *options, compiler="cc"):
    done = subprocess.run([compiler, "-O1", f"-I{ROOT}/include", str(source), "-o", str(program), *options], capture_output=True,
                          text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return str(program)


def libhdf5():
    loaded = subprocess.run(["ldd", LIBRARY], capture_output=True, text=True, check=True).stdout
    return re.search(r"libhdf5(?:_serial)?\.so\S* => (\S+)", loaded).group(1)


class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        link = [LIBRARY, f"-Wl,-rpath,{os.path.dirname(LIBRARY)}", "-ldl", "-pthread"]
        cls.link = link
        cls.host = compile_c(f"{ROOT}/tests/embed/hdf5_host.c", cls.folder / "host", "-D_GNU_SOURCE", *link)
        for name, text in PRETENDERS.items():
            (cls.folder / f"{name}.c").write_text(text)
            compile_c(cls.folder / f"{name}.c", cls.folder / f"{name}.so", "-shared", "-fPIC")
        cls.file = cls.folder / "in.h5"
        done = subprocess.run([CLAST, "eval", f"arange({ROWS * COLUMNS}.).reshape({ROWS}, {COLUMNS})", "--out", f"{cls.file}:/x",
                               "--compress", "gzip:1", "--chunks", "64,64"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        cls.sum = f"{ROWS * COLUMNS * (ROWS * COLUMNS - 1) // 2}"

    def run_host(self, *args, preload=None):
        env = {**os.environ, **({"LD_PRELOAD": str(self.folder / f"{preload}.so")} if preload else {})}
        done = subprocess.run([self.host, *map(str, args)], capture_output=True, text=True, env=env, timeout=60, check=False)
        self.assertEqual(done.stderr, "")
        return done.returncode, done.stdout.strip()


class Library(Base):
    def test_another_version_is_refused(self):
        for case in ["plain", "locked"]:
            code, text = self.run_host(case, self.file, preload="version")
            self.assertEqual(code, 1)
            self.assertRegex(text, r"from_hdf5: libhdf5 1\.10\.99 is loaded, Clast was compiled with \d+\.\d+\.\d+$")
        env = {**os.environ, "LD_PRELOAD": str(self.folder / "version.so")}
        for args in [["info", self.file], ["eval", "x", "--in", f"x={self.file}:/x"], ["eval", "ones(3)", "--out",
                                                                                          f"{self.folder}/new.h5:/y"]]:
            done = subprocess.run([CLAST, *map(str, args)], capture_output=True, text=True, env=env, check=False)
            self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
            self.assertIn("libhdf5 1.10.99 is loaded", done.stderr)

    def test_a_library_without_thread_safety_needs_a_lock(self):
        code, text = self.run_host("plain", self.file, preload="unsafe")
        self.assertEqual(code, 1)
        self.assertIn("clast_set_hdf5_lock()", text)
        self.assertEqual(self.run_host("locked", self.file, preload="unsafe"), (0, self.sum))
        # The command knows that nobody else is there.
        done = subprocess.run([CLAST, "eval", "sum(x)", "--in", f"x={self.file}:/x"], capture_output=True, text=True, check=False,
                              env={**os.environ, "LD_PRELOAD": str(self.folder / "unsafe.so")})
        self.assertEqual((done.returncode, float(done.stdout)), (0, float(self.sum)), done.stderr)

    def test_another_copy_in_the_process(self):
        copy = self.folder / "libhdf5-copy.so"
        shutil.copy(libhdf5(), copy)
        self.assertEqual(self.run_host("private", self.file, copy), (0, self.sum))


@unittest.skipUnless(h5py, "h5py is not installed")
class BesideH5py(Base):
    """h5py in the same process: through the same libhdf5 (Debian's packages), so that ids go from one to the other."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        c = cls.c = ctypes.CDLL(LIBRARY)
        for name in ["clast_open", "clast_from_hdf5", "clast_from_hdf5_id", "clast_sum"]:
            getattr(c, name).restype = ctypes.c_void_p
        c.clast_ctx_error.restype = ctypes.c_char_p
        c.clast_from_hdf5_id.argtypes = [ctypes.c_void_p, ctypes.c_int64]
        c.clast_from_hdf5.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p]
        c.clast_to_hdf5.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p]
        c.clast_ctx_error.argtypes = c.clast_close.argtypes = [ctypes.c_void_p]

    def setUp(self):
        with open("/proc/self/maps", encoding="utf-8") as f:
            if len(set(re.findall(r"\S*/libhdf5[^/]*serial\.so\S*|\S*/libhdf5[-.]\S*", f.read()))) != 1:
                self.skipTest("h5py has a libhdf5 of its own here")
        self.ctx = ctypes.c_void_p(self.c.clast_open(None))
        self.addCleanup(self.c.clast_close, ctypes.byref(self.ctx))

    def compute(self, array, out):
        self.assertEqual(self.c.clast_to_hdf5(array, str(out).encode(), b"/y", None), 0, self.c.clast_ctx_error(self.ctx))
        with h5py.File(out) as f:
            return f["y"][()]

    def test_ids_of_h5py(self):
        with h5py.File(self.folder / "open.h5", "w") as f:
            data = np.random.default_rng(1).random((50, 60))
            x = f.create_dataset("x", data=data, chunks=(20, 20), compression="gzip")
            a = self.c.clast_from_hdf5_id(self.ctx, x.id.id)
            np.testing.assert_array_equal(self.compute(a, self.folder / "y1.h5"), data)
            x[3] = 7
            np.testing.assert_array_equal(self.compute(a, self.folder / "y2.h5"), x[()])
            self.c.clast_from_hdf5(self.ctx, str(self.folder / "open.h5").encode(), b"/x")
            self.assertIn(b"clast_from_hdf5_id()", self.c.clast_ctx_error(self.ctx))

    def test_h5py_in_other_threads(self):
        faults = []

        def use_h5py(index):
            try:
                for i in range(20):
                    with h5py.File(self.folder / f"thread{index}.h5", "w") as f:
                        f["x"] = np.arange(1000) + i
                        assert f["x"][7] == 7 + i
            except Exception as error:  # pylint: disable=broad-except
                faults.append(error)

        threads = [threading.Thread(target=use_h5py, args=(i,)) for i in range(2)]
        for t in threads:
            t.start()
        with h5py.File(self.file) as f:
            x = f["x"]
            for i in range(10):
                a = self.c.clast_from_hdf5_id(self.ctx, x.id.id)
                np.testing.assert_array_equal(self.compute(a, self.folder / f"z{i}.h5"), x[()])
        for t in threads:
            t.join()
        self.assertEqual(faults, [])


class Processes(Base):
    def test_no_mpi_in_the_library(self):
        names = subprocess.run(["nm", "-D", LIBRARY], capture_output=True, text=True, check=True).stdout
        self.assertIn("clast_open", names)
        self.assertNotRegex(names, r"\bP?MPI_")
        needed = subprocess.run(["objdump", "-p", LIBRARY], capture_output=True, text=True, check=True).stdout
        self.assertIn("NEEDED", needed)
        self.assertNotRegex(needed, r"NEEDED\s+libp?mpi")

    def test_two_processes_share_the_memory(self):
        """Each has half; together they stay within the whole, and each knows of its own only."""
        half, workers = 32 * MIB, 1
        done = subprocess.run([CLAST, "eval", "arange(4096. * 4096).reshape(4096, 4096)", "--out", f"{self.folder}/big.h5:/x"], capture_output=True,
                              text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        running = []
        for i in range(2):
            stats = self.folder / f"stats{i}.json"
            running.append((stats, subprocess.Popen(
                [CLAST, "eval", "x + x.T", "--in", f"x={self.folder}/big.h5:/x", "--out", f"{self.folder}/y{i}.h5:/y", "--memory",
                 str(half), "--workers", str(workers), "--scratch", str(self.folder), "--no-sync", f"--stats=json:{stats}"],
                stderr=subprocess.PIPE, text=True)))
        for stats, process in running:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            self.assertEqual(process.returncode, 0, process.stderr.read())
            process.stderr.close()
            numbers = json.loads(stats.read_text())
            self.assertEqual(numbers["memory"], half)
            self.assertLessEqual(numbers["peak"], half)
            # The program's own pages before anything is opened are at most those of a process that does nothing.
            self.assertLess(usage.ru_maxrss * 1024, self.idle() + half + 48 * MIB + workers * 8 * MIB)
        one, two = [subprocess.run([CLAST, "eval", "sum(y * y)", "--in", f"y={self.folder}/y{i}.h5:/y"], capture_output=True,
                                   text=True, check=True).stdout for i in range(2)]
        self.assertEqual(one, two)

    def idle(self):
        process = subprocess.Popen([CLAST, "--version"], stdout=subprocess.DEVNULL)
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
        return usage.ru_maxrss * 1024

    def test_the_second_writer_is_refused(self):
        out = self.folder / "one.h5"
        with subprocess.Popen([self.host, "writer", str(out)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
            self.assertEqual(first.stdout.readline(), "begun\n")
            second = subprocess.run([CLAST, "eval", "ones(3)", "--out", f"{out}:/z"], capture_output=True, text=True, check=False)
            self.assertEqual((second.returncode, second.stdout), (2, ""))
            self.assertRegex(second.stderr, r"one\.h5 is being written by another run")
            self.assertFalse(out.exists())
            first.stdin.close()
            self.assertEqual(first.wait(timeout=60), 0)
        # The file is the first one's; now the second may add to it.
        done = subprocess.run([CLAST, "eval", "ones(3)", "--out", f"{out}:/z"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        done = subprocess.run([CLAST, "eval", "concatenate((y, z))", "--in", f"y={out}:/y", "--in", f"z={out}:/z"],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.stdout, "[0. 0. 0. 0. 0. 0. 0. 0. 1. 1. 1.]\n", done.stderr)

    def test_under_mpirun(self):
        if not shutil.which("mpirun") or not shutil.which("mpicc"):
            self.skipTest("no mpirun or mpicc here: the program of MPI was not run")
        program = compile_c(f"{ROOT}/tests/embed/mpi_host.c", self.folder / "mpi_host", "-D_GNU_SOURCE", *self.link, compiler="mpicc")
        env = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        done = subprocess.run(["mpirun", "-n", "2", "--oversubscribe", program, str(self.file), str(ROWS)], capture_output=True,
                              text=True, env=env, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        self.assertEqual(done.stdout.split()[-1], self.sum)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    unittest.main(verbosity=2)
