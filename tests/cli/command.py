#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The built command from outside: options, outputs, every kind of refusal with its message and exit code, interruption.

    command.py CLAST
"""
import hashlib
import json
import os
import pathlib
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

CLAST = os.path.abspath(sys.argv.pop(1))
QUIET_ENV = {k: v for k, v in os.environ.items() if not k.startswith("CLAST_")}


def clast(*args, env=None, stdin=None, preexec=None):
    return subprocess.run([CLAST, *map(str, args)], capture_output=True, text=True, timeout=120, check=False,
                          env={**QUIET_ENV, **(env or {})}, input=stdin, preexec_fn=preexec)


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Command(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.file = self.folder / "in.h5"
        rng = np.random.default_rng(1)
        self.x = rng.random((40, 40))
        with h5py.File(self.file, "w") as f:
            f.create_dataset("x", data=self.x, chunks=(16, 16), compression="gzip", shuffle=True)
            f["g/tall"] = rng.random((300, 7)).astype("f4")
            f["text"] = np.array([b"a", b"bc"])
        self.before = digest(self.file)

    def eval(self, program, *args, **kwargs):
        return clast("eval", program, *args, **kwargs)

    def refused(self, done, code, *parts, out=None):
        """Exit code, a message on stderr with these parts, nothing on stdout, the input as it was, no output and no draft."""
        self.assertEqual((done.returncode, done.stdout), (code, ""), done.stderr)
        self.assertTrue(done.stderr.startswith("clast: "), done.stderr)
        for part in parts:
            self.assertIn(part, done.stderr)
        self.assertEqual(digest(self.file), self.before)
        left = {p.name for p in self.folder.iterdir()} - {"in.h5"}
        self.assertEqual(left, set() if out is None else {out})

    # ---- what works

    def test_print(self):
        done = self.eval("x + x.T - mean(x, axis=0)", "--in", f"x={self.file}:/x")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout, str(self.x + self.x.T - self.x.mean(axis=0)) + "\n")

    def test_scalars(self):
        for program, text in [("1/2", "0.5"), ("7//2", "3"), ("1 == 1", "True"), ("2j + 1", "(1+2j)"), ("1e16", "1e+16"), ("-2", "-2"),
                              ("float32(0.1)", "0.1"), ("sqrt(2)", "1.4142135623730951"), ("1e-5 # tiny", "1e-05")]:
            self.assertEqual(self.eval(program).stdout, text + "\n", program)

    def test_big_print_computes_what_it_shows(self):
        """Of 8 TB only the corners are made."""
        done = self.eval("arange(10**12) * 2", "--memory", "64M")
        self.assertEqual(done.stdout.split(), ["[", "0", "2", "4", "...", "1999999999994", "1999999999996", "1999999999998]"], done.stderr)

    def test_outputs(self):
        out = self.folder / "out.h5"
        done = self.eval("u, s, vt = svd(a)\nu @ (s[:, None] * vt)", "--in", f"a={self.file}:/g/tall", "--out", f"s={out}:/deep/s",
                         "--out", f"{out}:/product", "--stats", "--workers=1")
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)
        with h5py.File(self.file) as i, h5py.File(out) as o:
            a = i["g/tall"][()]
            np.testing.assert_allclose(o["product"][()], a, atol=1e-5)
            np.testing.assert_allclose(o["deep/s"][()], np.linalg.svd(a, compute_uv=False), rtol=1e-5)
        self.assertIn("predicted", done.stderr)

    def test_storage_options(self):
        out = self.folder / "out.h5"
        done = self.eval("x", "--in", f"x={self.file}:/x", "--out", f"{out}:/same")
        self.assertEqual(done.returncode, 0, done.stderr)
        done = self.eval("x", "--in", f"x={self.file}:/x", "--out", f"{out}:/y", "--chunks", "8,-1", "--compress", "gzip:9")
        self.assertEqual(done.returncode, 0, done.stderr)
        done = self.eval("x * 2", "--in", f"x={self.file}:/x", "--out", f"{out}:/y", "--overwrite", "--compress=none", "--no-sync")
        self.assertEqual(done.returncode, 0, done.stderr)
        with h5py.File(out) as f:
            self.assertEqual((f["same"].chunks, f["same"].compression), ((16, 16), "gzip"))
            self.assertTrue(f["same"].shuffle)
            self.assertEqual(f["y"].compression, None)
            np.testing.assert_array_equal(f["y"][()], self.x * 2)

    def test_every_filter(self):
        """The first input's filters are inherited, checksums too; what h5py lacks is read back by ourselves."""
        a, b = self.folder / "packed.h5", self.folder / "again.h5"
        with h5py.File(a, "w") as f:
            f.create_dataset("x", data=self.x, chunks=(16, 16), compression="lzf", shuffle=True, fletcher32=True)
        done = self.eval("x + 1", "--in", f"x={a}:/x", "--out", f"{b}:/y", "--chunks", "20,20")
        self.assertEqual(done.returncode, 0, done.stderr)
        with h5py.File(b) as f:
            p = f["y"].id.get_create_plist()
            self.assertEqual([p.get_filter(i)[:3] for i in range(p.get_nfilters())],
                             [(2, 1, (8,)), (32000, 1, (4, 0x105, 3200)), (3, 0, ())])
            np.testing.assert_array_equal(f["y"][()], self.x + 1)
        for kind in ["lzf", "lz4", "zstd", "zstd:1", "blosc", "blosc:lz4hc:3", "bitshuffle", "bitshuffle:zstd", "bitshuffle:none"]:
            with self.subTest(kind):
                files = []
                for workers in "13":
                    files.append(self.folder / f"{workers}.h5")
                    done = self.eval("x * 2", "--in", f"x={self.file}:/x", "--out", f"{files[-1]}:/y", "--compress", kind,
                                     "--chunks", "13,19", "--overwrite", "--workers", workers)
                    if "not in this build" in done.stderr:
                        break
                    self.assertEqual(done.returncode, 0, done.stderr)
                else:
                    self.assertEqual(files[0].read_bytes(), files[1].read_bytes())
                    done = self.eval("y", "--in", f"y={files[0]}:/y", "--out", f"{b}:/z", "--overwrite", "--compress", "none")
                    self.assertEqual(done.returncode, 0, done.stderr)
                    with h5py.File(b) as f:
                        np.testing.assert_array_equal(f["z"][()], self.x * 2)

    def test_same_file(self):
        done = self.eval("x = x - 1", "--in", f"x={self.file}:/x", "--out", f"{self.file}:/x", "--overwrite")
        self.assertEqual(done.returncode, 0, done.stderr)
        with h5py.File(self.file) as f:
            np.testing.assert_array_equal(f["x"][()], self.x - 1)
            self.assertEqual(f["g/tall"].shape, (300, 7))

    def test_program_sources(self):
        text = self.folder / "p.txt"
        text.write_text("# half\ny = x / 2\nsum(y)\n")
        wanted = clast("eval", "sum(x / 2)", "--in", f"x={self.file}:/x").stdout
        self.assertEqual(clast("eval", "-f", text, "--in", f"x={self.file}:/x").stdout, wanted)
        self.assertEqual(clast("eval", "-f", "-", "--in", f"x={self.file}:/x", stdin="sum(x / 2)").stdout, wanted)
        self.assertEqual(clast("eval", "-x[0, 0]", "--in", f"x={self.file}:/x").stdout, f"{-self.x[0, 0]}\n")
        self.assertEqual(clast("eval", "-f", "--in", f"f={self.file}:/x").stdout, f"{-self.x}\n")
        self.assertEqual(clast("eval", "--in", f"x={self.file}:/x", "x[0, 0]").stdout, f"{self.x[0, 0]}\n")

    def test_environment(self):
        stats = self.folder / "stats.json"
        done = self.eval("sum(x)", "--in", f"x={self.file}:/x", f"--stats=json:{stats}",
                         env={"CLAST_MEMORY": "96M", "CLAST_WORKERS": "1", "CLAST_SCRATCH": str(self.folder)})
        self.assertEqual(done.returncode, 0, done.stderr)
        numbers = json.loads(stats.read_text())
        self.assertEqual((numbers["memory"], numbers["workers"], numbers["scratch"]), (96 << 20, 1, str(self.folder)))
        self.assertGreater(numbers["tasks"], 0)

    def test_explain_touches_nothing(self):
        out = self.folder / "out.h5"
        done = self.eval("x @ x", "--in", f"x={self.file}:/x", "--out", f"{out}:/y", "--explain")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("matmul", done.stdout)
        self.assertFalse(out.exists())

    def explained(self, memory, block, code=0):
        """The lines about order, memory and bytes of a plan that reads 8 MiB twice."""
        large = self.folder / "large.h5"
        if not large.exists():
            with h5py.File(large, "w") as f:
                f.create_dataset("x", data=np.random.default_rng(1).random((1024, 1024)), chunks=(32, 32))
        done = self.eval("x - mean(x) + x.T", "--in", f"x={large}:/x", "--out", f"{self.folder}/out.h5:/y", "--explain",
                         "--workers=2", "--memory", memory, "--block", block)
        self.assertEqual(done.returncode, code, done.stderr)
        lines = {line.split(":")[0]: line for line in done.stdout.splitlines() if ":" in line}
        return lines.get("order"), lines.get("memory"), lines.get("bytes")

    def test_explain_says_why_this_order(self):
        none = "; no other was tried, as "
        for memory, block, what in [("64M", "32K", "; nothing is moved twice"), ("5M", "512", ", moves least twice: "),
                                    ("3500K", "512", none + "memory lacks room for two plans"),
                                    ("16M", "256", none + "that takes longer than what it could save")]:
            order, peak, moved = self.explained(memory, block)
            self.assertIn(what, order)
            read = int(re.search(r"read (\d+)", moved)[1])
            self.assertEqual("nothing" in what, read == 8 << 20, moved)
            self.assertEqual(none in what, re.search(r", moves [0-9.]+ MiB twice;", order) is not None, order)
            self.assertGreater(int(re.search(r"predicted peak (\d+)", peak)[1]), 0)

    def test_explain_of_what_is_refused(self):
        order, peak, moved = self.explained("400K", "32K", code=3)
        self.assertTrue(order.endswith("; no other was tried, as the plan is refused"), order)
        self.assertTrue(peak.endswith(": refused"), peak)
        self.assertIsNone(moved)

    def test_what_is_not_predicted(self):
        """65,536 tasks and more that load and fit are not rehearsed."""
        fine, stats = self.folder / "fine.h5", self.folder / "stats.json"
        with h5py.File(fine, "w") as f:
            f.create_dataset("x", data=np.ones(66000 * 8, "u1"), chunks=(8,))
        args = ["sum(x * 2)", "--in", f"x={fine}:/x", "--block=8"]
        for memory, is_predicted in [("2G", False), ("64M", True)]:
            done = self.eval(*args, "--memory", memory, f"--stats=json:{stats}")
            self.assertEqual((done.returncode, done.stdout), (0, f"{66000 * 8 * 2}\n"), done.stderr)
            numbers = json.loads(stats.read_text())
            self.assertGreater(numbers["tasks"], 65536)
            for name in ["peak", "read", "written", "spilled"]:
                self.assertEqual(numbers[f"predicted_{name}"] is not None, is_predicted, name)
        done = self.eval(*args, "--memory=2G", "--stats")
        self.assertEqual(done.stderr.count("not predicted"), 4, done.stderr)

    def test_info(self):
        done = clast("info", self.file)
        self.assertEqual(done.returncode, 0, done.stderr)
        for part in ["x", "g/tall", "float32", "(300, 7)"]:
            self.assertIn(part, done.stdout)
        done = clast("info", f"{self.file}:/g/tall")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("gzip", done.stdout)

    def test_help_and_version(self):
        for args in [["--help"], ["eval", "--help"], ["info", "--help"], ["--version"]]:
            done = clast(*args)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn("clast", done.stdout)

    def test_help_has_all_options(self):
        """Of every option that some command has: a command describes it if and only if it takes it."""
        described = {c: set(re.findall(r"(?<!\w)--[a-z][a-z-]+", clast(c, "--help").stdout)) for c in ["eval", "copy", "diff", "info"]}
        for command, options in described.items():
            for option in set.union(*described.values()):
                refused = f"there is no option '{option}'" in clast(command, "x", option).stderr
                self.assertEqual(refused, option not in options, (command, option))

    # ---- what is refused

    def test_command_line(self):
        place = f"x={self.file}:/x"
        for args, part in [
                ([], "program is missing"), (["1", "2"], "unexpected argument"), (["x", "--in"], "missing"), (["x", "--frob"], "--frob"),
                (["x", "--in", place, "--in", place], "given twice"), (["x", "--in", "x"], "NAME=FILE:/path"),
                (["x", "--in", f"x={self.file}"], "FILE:/path"), (["1", "--memory", "much"], "much"), (["1", "--memory", "0%"], "0%"),
                (["1", "--workers", "0"], "'0'"), (["1", "--chunks", "3,x"], "3,x"), (["1", "--out", "q.h5:/q", "--compress", "zip"], "'zip'"),
                (["1", "--compress", "lz4"], "without --out nothing is stored"), (["1", "--raw=1"], "no value"),
                (["1", "--stats=xml"], "json:FILE"), (["1", "--out", "o.h5:/y", "--out", "p.h5:/y"], "twice"),
                (["-f", str(self.folder / "none.txt")], "No such file"), (["x", "--in", place, "--out", f"{self.folder}/o.h5:/y", "--chunks", "3"],
                                                                         "2 dimensions")]:
            done = clast("eval", *args)
            self.refused(done, 2, part)
        self.assertEqual(clast("frobnicate").returncode, 2)
        self.assertEqual(clast().returncode, 2)

    def test_program_errors_show_a_caret(self):
        done = self.eval("y = x\n  y + mean(x, axis=3)", "--in", f"x={self.file}:/x")
        self.refused(done, 2, "line 2, column 7: mean: axis 3")
        lines = done.stderr.split("\n")
        self.assertEqual(lines[1], "      y + mean(x, axis=3)")
        self.assertEqual(lines[2].index("^") - 4 + 1, 7)

    def test_inputs(self):
        for program, place, parts in [
                ("x", f"x={self.folder}/no.h5:/x", ["no.h5"]), ("x", f"x={self.file}:/g/none", ["none", "tall"]),
                ("x", f"x={self.file}:/text", ["text"]), ("x + nope", f"x={self.file}:/x", ["'nope' is unknown", "x"]),
                ("1", f"x={self.file}:/x", ["'x'", "never used"]), ("x + x[1:, 1:]", f"x={self.file}:/x", ["(40, 40)", "(39, 39)"])]:
            self.refused(self.eval(program, "--in", place), 2, *parts)
        (self.folder / "no.h5").write_bytes(b"no hdf5 file at all" * 100)
        done = self.eval("x", "--in", f"x={self.folder}/no.h5:/x")
        self.refused(done, 2, "no.h5", out="no.h5")

    def test_unknown_output_name(self):
        self.refused(self.eval("y = x", "--in", f"x={self.file}:/x", "--out", f"z={self.folder}/o.h5:/z"), 2, "'z'")

    def test_existing_dataset(self):
        self.refused(self.eval("x", "--in", f"x={self.file}:/x", "--out", f"{self.file}:/g/tall"), 2, "tall")

    def test_no_fit(self):
        self.refused(self.eval("svd(ones((100000, 4000)))[1][0]", "--memory", "64M"), 3, "MiB")

    def test_damaged_chunk(self):
        with h5py.File(self.file) as f:
            chunk = f["x"].id.get_chunk_info(4)
        with open(self.file, "r+b") as f:
            f.seek(chunk.byte_offset)
            f.write(b"\xff" * chunk.size)
        self.before = digest(self.file)
        self.refused(self.eval("x * 2", "--in", f"x={self.file}:/x", "--out", f"{self.folder}/o.h5:/y"), 1, "x")

    def test_full_disk(self):
        """A limit on file sizes stands for the full disk: EFBIG where ENOSPC would come."""
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        done = self.eval("random_uniform((1000, 1000))", "--out", f"{self.folder}/o.h5:/y", preexec=limit)
        self.refused(done, 1)

    def test_no_permission(self):
        closed = self.folder / "closed"
        closed.mkdir()
        shutil.copy(self.file, closed / "in.h5")
        os.chmod(self.folder, 0o755)
        os.chmod(closed / "in.h5", 0)
        os.chmod(closed, 0o555)

        def nobody():
            if os.geteuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
        try:
            subprocess.run([CLAST, "--version"], check=True, capture_output=True, preexec_fn=nobody)
        except (PermissionError, subprocess.CalledProcessError):
            self.skipTest("another user cannot reach the command")
        read = self.eval("x", "--in", f"x={closed}/in.h5:/x", preexec=nobody)
        write = self.eval("ones(3)", "--out", f"{closed}/o.h5:/y", preexec=nobody)
        os.chmod(closed, 0o755)
        self.assertEqual(sorted(p.name for p in closed.iterdir()), ["in.h5"])
        for done, name in [(read, "in.h5"), (write, "closed")]:
            self.refused(done, 2, name, out="closed")

    # ---- signals

    def interrupt(self, number, code):
        line = [CLAST, "eval", "svd(random_uniform((400000, 200)))[0] * 2", "--out", f"{self.folder}/o.h5:/y", "--memory", "256M"]
        process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=QUIET_ENV)
        while not any(p.name != "in.h5" for p in self.folder.iterdir()) and process.poll() is None:
            time.sleep(0.005)  # the draft of the output says that the run is under way
        process.send_signal(number)
        start = time.monotonic()
        stdout, stderr = process.communicate(timeout=60)
        took = time.monotonic() - start
        self.assertEqual((process.returncode, stdout), (code, ""), stderr)
        self.assertIn("interrupted", stderr)
        self.assertEqual([p.name for p in self.folder.iterdir()], ["in.h5"])
        self.assertLess(took, 5)

    def test_interrupt(self):
        self.interrupt(signal.SIGINT, 130)

    def test_terminate(self):
        self.interrupt(signal.SIGTERM, 143)

    def test_hang_up(self):
        self.interrupt(signal.SIGHUP, 129)

    def test_nohup(self):
        """What the caller ignores does not end the command."""
        line = [CLAST, "eval", "random_uniform((700, 700)) @ ones((700, 700))", "--out", f"{self.folder}/o.h5:/y"]
        process = subprocess.Popen(line, stderr=subprocess.PIPE, env=QUIET_ENV, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        while process.poll() is None:
            process.send_signal(signal.SIGHUP)
            time.sleep(0.002)
        self.assertEqual((process.returncode, process.stderr.read()), (0, b""))
        process.stderr.close()

    def test_program_after_dashes(self):
        for args in [["eval", "--", "--1"], ["eval", "--memory", "64M", "--", "-1 + 2"]]:
            self.assertEqual(clast(*args).stdout, "1\n", args)

    def test_closed_pipe(self):
        done = subprocess.run(f"'{CLAST}' eval 'zeros((6, 6, 6, 6))' | head -c 1", shell=True, capture_output=True, text=True, check=False)
        self.assertEqual((done.stdout, done.stderr), ("[", ""))


if __name__ == "__main__":
    unittest.main()
