#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The tools for whole files, against h5py: info --json.

    tools.py CLAST
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

import signals  # pylint: disable=unused-import

CLAST = os.path.abspath(sys.argv.pop(1))
ENV = {k: v for k, v in os.environ.items() if not k.startswith("CLAST_")}


def clast(*args, preexec=None):
    return subprocess.run([CLAST, *map(str, args)], capture_output=True, timeout=120, check=False, env=ENV, preexec_fn=preexec)


class Tools(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder, True)

    def run_ok(self, *args, code=0):
        done = clast(*args)
        self.assertEqual(done.returncode, code, (args, done.stdout[-2000:], done.stderr))
        return done.stdout

    def refused(self, code, part, *args):
        done = clast(*args)
        self.assertEqual(done.returncode, code, (args, done.stderr))
        self.assertIn(part, done.stderr.decode())
        self.assertTrue(done.stderr.startswith(b"clast: "), done.stderr)


class Places(Tools):
    """Names of files and datasets on the command line."""

    def test_a_path_with_the_separator_in_it(self):
        file = self.folder / "a.h5"
        with h5py.File(file, "w") as f:
            f["odd:/x"] = np.arange(3)
        self.assertEqual(self.run_ok("eval", "x", "--in", f"x={file}::/odd:/x"), b"[0 1 2]\n")
        self.run_ok("eval", "x + 1", "--in", f"x={file}::/odd:/x", "--out", f"{file}::/new:/y")
        with h5py.File(file) as f:
            np.testing.assert_array_equal(f["new:/y"], [1, 2, 3])
        self.assertIn(b"int64", self.run_ok("info", f"{file}::/new:/y"))

    def test_outputs_that_cannot_be(self):
        (self.folder / "text").write_text("not HDF5")
        self.refused(2, "text", "eval", "ones(3)", "--out", f"{self.folder}/text:/x")
        file = self.folder / "a.h5"
        with h5py.File(file, "w") as f:
            f["lost"] = h5py.SoftLink("/nowhere")
        self.refused(2, "the link /lost leads to /nowhere", "eval", "ones(3)", "--out", f"{file}:/lost")
        self.refused(2, "the link /lost leads to /nowhere", "eval", "ones(3)", "--out", f"{file}:/lost/x", "--overwrite")
        self.run_ok("eval", "ones(3)", "--out", f"{file}:/lost", "--overwrite")
        with h5py.File(file) as f:
            np.testing.assert_array_equal(f["lost"], 1)


class Info(Tools):
    def load(self, *args):
        return json.loads(self.run_ok("info", "--json", *args))

    def test_json_says_what_the_file_holds(self):
        file = self.folder / "a.h5"
        odd = 'quote " back \\ line\n tab\t é \x7f'
        with h5py.File(file, "w") as f:
            d = f.create_dataset("g/x", data=np.zeros((5, 7), ">f4"), chunks=(2, 3), maxshape=(None, 7), compression="gzip",
                                 compression_opts=3, shuffle=True, fletcher32=True)
            values = {"i": np.int64(-2**63), "u": np.uint64(2**64 - 1), "f": 0.1, "f32": np.float32(0.1), "nan": np.nan,
                      "inf": -np.inf, "b": True, odd: odd, "empty": "", "list": np.array([2**53 + 1, -3]),
                      "names": np.array([b"a", b"bc"]), "none": h5py.Empty("f8")}
            for k, v in values.items():
                d.attrs[k] = v
            d.attrs["words"] = ["x", "yz"]
            f["soft"] = h5py.SoftLink("/g/x")
            f["ext"] = h5py.ExternalLink("b.h5", "/y")
            f["again"] = d
            f["loop"] = f["g"]
            f["type"] = np.dtype("i2")
            f["text"] = "hello"
            f["null"] = h5py.Empty("i4")
            f[b"byte\xff"] = 1
        told = self.load(file)
        self.assertEqual(told["file"], str(file))
        objects = {o["path"]: o for o in told["objects"]}
        with h5py.File(file) as f:
            stored = f["g/x"].id.get_storage_size()
        first = next(p for p in ("/again", "/g/x") if objects[p]["kind"] == "dataset")
        x = objects[first]
        self.assertEqual({k: x[k] for k in ("kind", "dtype", "byteorder", "itemsize", "shape", "maxshape", "layout", "chunks",
                                            "bytes", "stored_bytes")},
                         {"kind": "dataset", "dtype": "float32", "byteorder": "big", "itemsize": 4, "shape": [5, 7],
                          "maxshape": [None, 7], "layout": "chunked", "chunks": [2, 3], "bytes": 140, "stored_bytes": stored})
        self.assertEqual([(i["id"], i["values"]) for i in x["filters"]], [(2, [4]), (1, [3]), (3, [])])
        a = {k: v.get("value") for k, v in x["attributes"].items()}
        self.assertEqual(a, {"i": -2**63, "u": 2**64 - 1, "f": 0.1, "f32": 0.1, "nan": "NaN", "inf": "-Infinity", "b": True,
                             odd: odd, "empty": "", "list": [2**53 + 1, -3], "names": ["a", "bc"], "none": None,
                             "words": ["x", "yz"]})
        self.assertIsNone(x["attributes"]["none"]["shape"])
        other = "/g/x" if first == "/again" else "/again"
        self.assertEqual(objects[other], {"path": other, "kind": "hard link", "target": first})
        self.assertEqual(objects["/soft"], {"path": "/soft", "kind": "soft link", "target": "/g/x"})
        self.assertEqual(objects["/ext"], {"path": "/ext", "kind": "external link", "file": "b.h5", "target": "/y"})
        self.assertEqual(objects["/loop"]["target"], "/g")
        self.assertEqual((objects["/type"]["kind"], objects["/null"]["shape"], objects["/text"]["shape"]),
                         ("datatype", None, []))
        self.assertIn("/byte\udcff", objects)
        self.assertEqual(self.load(f"{file}:/g/x")["objects"][0]["chunks"], [2, 3])

    def test_refusals(self):
        (self.folder / "text").write_text("not HDF5")
        self.refused(2, "no.h5", "info", "--json", self.folder / "no.h5")
        self.refused(2, "HDF5", "info", "--json", self.folder / "text")
        self.refused(2, "--what", "info", "--what", self.folder / "text")
        self.refused(2, "takes one", "info", "--json")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]])
