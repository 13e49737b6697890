#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Clast inside a program that has threads of its own: built with gcc's and with LLVM's OpenMP, on each flavour of
OpenBLAS that is installed (or lies below --openblas FOLDER). Each case of host.c gives the same bits as any other.

    embedding.py ROOT LIBRARY [--openblas FOLDER]
"""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT, LIBRARY = map(os.path.abspath, sys.argv[1:3])
MORE = sys.argv[4:5] if sys.argv[3:4] == ["--openblas"] else []
del sys.argv[1:]

CASES = ["teams", "region", "barrier", "shared", "blas", "background", "contexts", "forks"]
COMPILERS = {"gcc": "libgomp", "clang": "libomp"}
FLAVOURS = ["pthread", "openmp", "serial"]


def blas_folder(flavour):
    for root in ["", *MORE]:
        for name in glob.glob(f"{root}/usr/lib/*/openblas-{flavour}/libopenblas.so.0"):
            return os.path.dirname(os.path.abspath(name))
    return None


class Embedding(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.hosts = {}
        for compiler in COMPILERS:
            if shutil.which(compiler):
                program = f"{cls.folder.name}/{compiler}"
                done = subprocess.run([compiler, "-O1", "-fopenmp", f"-I{ROOT}/include", f"{ROOT}/tests/embed/host.c", LIBRARY, "-o",
                                       program, f"-Wl,-rpath,{os.path.dirname(LIBRARY)}", "-lopenblas", "-lm", "-pthread"],
                                      capture_output=True, text=True, check=False)
                if done.returncode == 0:
                    cls.hosts[compiler] = program
                else:
                    print(f"no host by {compiler}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)

    def run_host(self, compiler, flavour):
        blas = blas_folder(flavour)
        if compiler not in self.hosts:
            self.skipTest(f"{compiler} cannot build programs with OpenMP here")
        if not blas:
            self.skipTest(f"libopenblas0-{flavour} is not installed")
        env = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "OPENBLAS_", "GOTO_"))}
        env["LD_LIBRARY_PATH"] = blas
        loaded = subprocess.run(["ldd", self.hosts[compiler]], env=env, capture_output=True, text=True, check=True).stdout
        self.assertEqual({blas}, {os.path.dirname(p) for p in re.findall(r"libopenblas\.so\.0 => (\S+)", loaded)})
        self.assertIn(COMPILERS[compiler], loaded)
        values = {}
        for case in CASES:
            done = subprocess.run([self.hosts[compiler], case], env=env, capture_output=True, text=True, timeout=120, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""), f"{case}: {done.stdout}")
            values[case] = done.stdout
        self.assertEqual(len(set(values.values())), 1, values)


for _compiler in COMPILERS:
    for _flavour in FLAVOURS:
        setattr(Embedding, f"test_{_compiler}_{_flavour}",
                lambda self, c=_compiler, f=_flavour: self.run_host(c, f))

if __name__ == "__main__":
    unittest.main(verbosity=2)
