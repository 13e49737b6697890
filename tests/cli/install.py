#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The build installed under DESTDIR: pkg-config finds it, programs outside the tree compile against it and run, in C and
C++, with the shared and with the static library; the command runs.

    install.py ROOT BUILD
"""
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT, BUILD = map(os.path.abspath, sys.argv[1:3])
del sys.argv[1:]
STAGE = None


def output(*command, **options):
    done = subprocess.run(command, check=False, text=True, capture_output=True, **options)
    if done.returncode != 0:
        raise AssertionError(f"{shlex.join(command)} gave {done.returncode}: {done.stderr}")
    return done.stdout.strip()


def setUpModule():
    global STAGE
    folder = tempfile.TemporaryDirectory()
    unittest.addModuleCleanup(folder.cleanup)
    STAGE = pathlib.Path(folder.name)
    output("meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", env={**os.environ, "DESTDIR": str(STAGE / "dest")})


class Installed(unittest.TestCase):
    def setUp(self):
        self.module = next((STAGE / "dest").rglob("clast.pc"))
        self.library = self.module.parent.parent
        self.env = {**os.environ, "PKG_CONFIG_LIBDIR": output("pkg-config", "--variable", "pc_path", "pkg-config"),
                    "PKG_CONFIG_PATH": str(self.module.parent)}

    def flags(self, *options):
        """The paths in clast.pc are those without DESTDIR; pkg-config itself can say where the prefix lies."""
        prefix = output("pkg-config", "--variable", "prefix", "clast", env=self.env)
        return shlex.split(output("pkg-config", f"--define-variable=prefix={STAGE}/dest{prefix}", *options, "clast",
                                  env=self.env))

    def build_and_run(self, compiler, source, *flags, **env):
        program = STAGE / "program"
        output(*compiler, str(source), *flags, "-o", str(program))
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([program], cwd=folder, env={**self.env, **env}, text=True, capture_output=True, check=False)
        # There is no in.h5: the library says so through the program, which proves more than a start.
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("in.h5", done.stderr)
        return output("ldd", str(program))

    def sources(self):
        yield ["cc", "-std=c11"], "quickstart.c"
        if shutil.which("c++"):
            yield ["c++", "-std=c++17"], "quickstart.cpp"

    def test_shared(self):
        for compiler, name in self.sources():
            source = shutil.copy(pathlib.Path(ROOT) / "examples" / name, STAGE)
            needed = self.build_and_run(compiler, source, *self.flags("--cflags", "--libs"),
                                        LD_LIBRARY_PATH=str(self.library))
            self.assertIn("libclast.so.0", needed)

    def test_static(self):
        for compiler, name in self.sources():
            source = shutil.copy(pathlib.Path(ROOT) / "examples" / name, STAGE)
            flags = [str(self.library / "libclast.a") if f == "-lclast" else f
                     for f in self.flags("--static", "--cflags", "--libs")]
            self.assertNotIn("libclast", self.build_and_run(compiler, source, *flags))

    def test_command(self):
        clast = next((STAGE / "dest").rglob("bin/clast"))
        self.assertEqual(output(str(clast), "eval", "sum(arange(5))", env=self.env), "10")

    def test_untrusted_files(self):
        """The helper is found from where the library is now, not from where it was configured to be."""
        clast = next((STAGE / "dest").rglob("bin/clast"))
        helper = next((STAGE / "dest").rglob("clast-describe"))
        file = STAGE / "in.h5"
        output(str(clast), "eval", "arange(5.)", "--out", f"{file}:/x", env=self.env)
        command = [str(clast), "eval", "sum(x)", "--untrusted", "--in", f"x={file}:/x"]
        self.assertEqual(output(*command, env=self.env), "10.0")
        helper.rename(helper.with_name("hidden"))
        done = subprocess.run(command, env=self.env, text=True, capture_output=True, check=False)
        helper.with_name("hidden").rename(helper)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("helper program for untrusted files is missing", done.stderr)

    def test_headers_are_all_there(self):
        installed = {p.name for p in (STAGE / "dest").rglob("include/clast/*.h")}
        self.assertEqual(installed, {p.name for p in (pathlib.Path(ROOT) / "include/clast").glob("*.h")})


if __name__ == "__main__":
    unittest.main()
