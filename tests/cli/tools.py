#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The tools for whole files, against h5py and NumPy: copy, diff, info --json.

    tools.py CLAST
"""
import json
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


class Damage(Tools):
    """A dataset that libhdf5 lists and cannot open: each tool says why."""

    def test_dataspace(self):
        file = self.folder / "a.h5"
        with h5py.File(file, "w") as f:
            f.create_dataset("x", (1234567,), "i4")
        data = bytearray(file.read_bytes())
        data[data.index((1234567).to_bytes(8, "little")) - 7] = 200  # the rank
        file.write_bytes(data)
        why = "/x cannot be opened (libhdf5: "
        self.assertIn(b"cannot be opened (libhdf5: ", self.run_ok("info", file))
        self.refused(1, why, "info", "--check", file)
        self.refused(2, why, "diff", file, file)
        self.refused(2, "/x: it cannot be opened (libhdf5: ", "copy", file, self.folder / "b.h5")


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

    def test_what_is_inside_of_a_filter(self):
        """Parameters that say codec, level and shuffle: in words, whether or not anybody here has the filter."""
        rows = [
            (1, (7,), "gzip 7", {"level": 7}),
            (32001, (2, 2, 8, 80, 5, 1, 1), "filter 32001 blosc (lz4 5, shuffle)", {"codec": "lz4", "level": 5, "shuffle": "bytes"}),
            (32001, (2, 2, 8, 80, 9, 2, 5), "filter 32001 blosc (zstd 9, bit shuffle)", {"codec": "zstd", "level": 9, "shuffle": "bits"}),
            (32001, (2, 2, 8, 80, 0, 0, 3), "filter 32001 blosc (snappy 0, no shuffle)", {"codec": "snappy", "level": 0, "shuffle": "none"}),
            (32001, (2, 2, 8, 80), "filter 32001 blosc (blosclz 5, shuffle)", {"codec": "blosclz", "level": 5, "shuffle": "bytes"}),
            (32001, (2, 2, 8, 80, 1, 7, 77), "filter 32001 blosc (unknown 1, unknown shuffle)", {"codec": "unknown", "level": 1, "shuffle": "unknown"}),
            (32008, (0, 4, 8), "filter 32008 bitshuffle (none)", {"codec": "none"}),
            (32008, (0, 4, 8, 0, 2), "filter 32008 bitshuffle (lz4)", {"codec": "lz4"}),
            (32008, (0, 4, 8, 0, 3, 17), "filter 32008 bitshuffle (zstd 17)", {"codec": "zstd", "level": 17}),
            (32008, (0, 4, 8, 0, 3), "filter 32008 bitshuffle (zstd)", {"codec": "zstd"}),
            (32015, (2**32 - 3,), "filter 32015 zstd -3", {"level": -3}),
            (32015, (), "filter 32015 zstd", {}),
            (32000, (4, 0x105, 80), "filter 32000 lzf", {}),
            (32004, (0,), "filter 32004 lz4", {}),
            (60000, tuple(range(40)), "filter 60000 ", {}),
        ]
        file = self.folder / "a.h5"
        with h5py.File(file, "w") as f:
            for i, (number, values, _, _) in enumerate(rows):
                plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
                plist.set_chunk((10,))
                plist.set_filter(number, h5py.h5z.FLAG_OPTIONAL, values)
                h5py.h5d.create(f.id, f"x{i:02}".encode(), h5py.h5t.NATIVE_DOUBLE, h5py.h5s.create_simple((10,)), plist)
        for args in [], ["--untrusted"]:
            lines = self.run_ok("info", *args, file).decode().splitlines()
            objects = self.load(*args, file)["objects"]
            for i, (number, values, words, wanted) in enumerate(rows):
                told = next(o for o in objects if o["path"] == f"/x{i:02}")["filters"][0]
                line = next(text for text in lines if text.startswith(f"/x{i:02} "))
                self.assertIn(f"chunks (10,), {words}, 80 B", line)
                self.assertEqual((told["id"], tuple(told["values"])), (number, values[:32]))
                self.assertEqual({k: told[k] for k in told if k not in ("id", "name", "values")}, wanted)

    def test_refusals(self):
        (self.folder / "text").write_text("not HDF5")
        self.refused(2, "no.h5", "info", "--json", self.folder / "no.h5")
        self.refused(2, "HDF5", "info", "--json", self.folder / "text")
        self.refused(2, "--what", "info", "--what", self.folder / "text")
        self.refused(2, "takes one", "info", "--json")


class Check(Tools):
    """clast info --check."""

    def test_values_and_damage(self):
        file = self.folder / "a.h5"
        x = np.random.default_rng(2).random((300, 200))
        x[3, 4] = np.nan
        with h5py.File(file, "w") as f:
            f["i"] = np.array([-5, 7, -99, 1], "i2")
            f["i"].attrs["_FillValue"] = np.int16(-99)
            f.create_dataset("x", data=x, chunks=(50, 50), compression="gzip")
            f.create_dataset("y", data=x, chunks=(100, 100), fletcher32=True)
            f["big"], f["low"] = np.array([2**53 + 1, 2**64 - 1], "u8"), np.array([-2**62 - 1, 3], "i8")
            f["both"], f["null"] = np.array([np.nan, -1, 2, -1], "f4"), h5py.Empty("f4")
            f["both"].attrs["_FillValue"] = np.float32(-1)
            f["b"], f["c"], f["none"], f["text"] = True, np.array([3 + 4j, 1]), np.zeros((0, 2)), "text"
            places = f["x"].id.get_chunk_info(6).byte_offset, f["y"].id.get_chunk_info(3).byte_offset
        mean = float(repr(np.nansum(x) / (x.size - 1)))
        lines = self.run_ok("info", "--check", file).decode().splitlines()
        told = {line.split()[0]: line for line in lines}
        self.assertEqual(told["/i"], "/i  4 elements, 0 NaN, 1 fill, min -5.0, max 7.0, mean 1.0")
        self.assertEqual(told["/none"], "/none  0 elements, 0 NaN, 0 fill")
        self.assertEqual(told["/c"], "/c  2 elements, 0 NaN, 0 fill, min 1.0, max 5.0, mean 3.0")
        self.assertTrue(told["/x"].startswith(f"/x  60000 elements, 1 NaN, 0 fill, min {np.nanmin(x)!r}, max {np.nanmax(x)!r}, mean"))
        self.assertAlmostEqual(float(told["/x"].split()[-1]), mean, 12)
        self.assertNotIn("/text", told)
        self.assertNotIn("/null", told)
        self.assertEqual(told["/big"], f"/big  2 elements, 0 NaN, 0 fill, min {2**53 + 1}, max {2**64 - 1}, mean {(2.0**53 + 2.0**64) / 2!r}")
        self.assertEqual(told["/low"], f"/low  2 elements, 0 NaN, 0 fill, min {-2**62 - 1}, max 3, mean {float(-2**61)!r}")
        self.assertEqual(told["/both"], "/both  4 elements, 1 NaN, 2 fill, min 2.0, max 2.0, mean 2.0")
        self.assertEqual(self.run_ok("info", "--check", f"{file}:/i").decode(), told["/i"] + "\n")
        image = bytearray(file.read_bytes())
        for at in places:
            image[at + 40] ^= 255
        file.write_bytes(image)
        done = clast("info", "--check", file)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"/x: chunk (1, 2)", done.stderr)
        self.assertIn(b"/y: chunk (1, 1): its checksum", done.stderr)
        self.assertIn(b"/x  60000 elements, no statistics: 1 of 24 chunks are damaged: (1, 2)\n", done.stdout)
        self.assertIn(b"/y  60000 elements, no statistics: 1 of 6 chunks are damaged: (1, 1)\n", done.stdout)
        self.assertIn(b"/i  4 elements", done.stdout)
        self.refused(2, "no.h5", "info", "--check", self.folder / "no.h5")
        self.refused(2, "/nothing does not exist", "info", "--check", f"{file}:/nothing")


    def test_every_damaged_chunk(self):
        file = self.folder / "d.h5"
        x = np.random.default_rng(3).random((300, 200))
        bad = [(0, 0), (1, 2), (2, 0), (3, 3), (4, 1), (5, 0), (5, 3)]
        with h5py.File(file, "w") as f:
            f.create_dataset("x", data=x, chunks=(50, 50), compression="gzip", fletcher32=True)
            f.create_dataset("plain", data=x[:2], chunks=(1, 50))
            places = [f["x"].id.get_chunk_info_by_coord((50 * i, 50 * k)).byte_offset for i, k in bad]
            f["s"] = np.array([1.5, np.inf])
        told = json.loads(self.run_ok("info", "--check", "--json", file))
        self.assertFalse(told["damaged"])
        whole = {d["path"]: d for d in told["datasets"]}
        self.assertEqual(whole["/s"], {"path": "/s", "elements": 2, "nan": 0, "fill": 0, "min": 1.5, "max": "Infinity", "mean": "Infinity"})
        self.assertEqual((whole["/x"]["min"], whole["/x"]["max"]), (x.min(), x.max()))
        image = bytearray(file.read_bytes())
        for at in places:
            image[at + 40] ^= 255
        file.write_bytes(image)
        for workers in 1, 3:
            done = clast("info", "--check", file, "--workers", workers)
            self.assertEqual(done.returncode, 1)
            self.assertIn(b"/x  60000 elements, no statistics: 7 of 24 chunks are damaged: (0, 0), (1, 2), (2, 0), (3, 3), (4, 1), (5, 0), ...\n",
                          done.stdout)
            self.assertIn(b"/plain  400 elements, 0 NaN", done.stdout)
            done = clast("info", "--check", "--json", file, "--workers", workers)
            self.assertEqual(done.returncode, 1)
            told = json.loads(done.stdout)
            self.assertTrue(told["damaged"])
            found = {d["path"]: d for d in told["datasets"]}
            self.assertEqual(found["/x"], {"path": "/x", "elements": 60000, "damaged": [list(b) for b in bad], "chunks": 24})
            self.assertEqual(found["/plain"], whole["/plain"])


class Copy(Tools):
    """clast copy: everything of the source, other storage."""

    def make(self, file, **kwargs):
        rng = np.random.default_rng(3)
        with h5py.File(file, "w", **kwargs) as f:
            f.attrs["title"] = "an é example"
            f.attrs["numbers"] = np.arange(5, dtype=">i2")
            g = f.create_group("ordered", track_order=True)
            for name in "zmab":
                g.create_dataset(name, data=rng.random((30, 20)), track_order=True).attrs.update({"q": 1, "b": 2, "k": 3})
            chunked = {"chunks": (7, 9), "compression": "gzip", "compression_opts": 2}
            kinds = ["?", "i1", ">i2", "<i4", ">u8", "<i8", "<f2", ">f4", "<f8", ">f8", "<c8", ">c16"]
            for i, kind in enumerate(kinds):
                data = rng.integers(0, 256, (25 * 31, np.dtype(kind).itemsize), dtype="u1")
                if kind == "?":
                    data &= 1
                data = data.reshape(-1).view(kind).reshape(25, 31)
                options = chunked if i % 3 == 0 else {"chunks": (5, 31), "shuffle": True, "fletcher32": True} if i % 3 == 1 else {}
                d = f.create_dataset(f"kinds/{i}", data=data, **options)
                d.attrs["units"] = np.bytes_("m")
            f.create_dataset("grows", data=np.arange(2000).reshape(40, 50), chunks=(8, 8), maxshape=(None, 100), fillvalue=-7)
            f["grows"].resize((45, 50))
            f.create_dataset("fill", (40, 60), "f4", fillvalue=np.nan, chunks=(10, 10))[3:5] = 1
            f.create_dataset("unwritten", (40, 60), "i2", chunks=(10, 10), fillvalue=5)
            f.create_dataset("never", (400,), "i4", fillvalue=9)
            f["packed"] = rng.integers(-100, 100, (40, 50)).astype("i2")
            f["packed"].attrs.update({"scale_factor": 0.5, "add_offset": 2.0, "_FillValue": np.int16(-99)})
            f["scalar"] = np.float32(2.5)
            f["empty"] = np.zeros((0, 4))
            f["null"] = h5py.Empty("f8")
            f["strings"] = np.array([b"a", b"bc", b""] * 100)
            f.create_dataset("words", data=["x", "é", ""] * 50, dtype=h5py.string_dtype())
            f["record"] = np.array([(1, 2.5, b"x"), (3, -1, b"yz")] * 40, dtype=[("a", "i4"), ("b", ">f8"), ("c", "S3")])
            f["pair"] = np.zeros(300, dtype=[("x", "i2"), ("y", "u2")])
            v = f.create_dataset("ragged", (3,), h5py.vlen_dtype("i4"))
            v[0], v[2] = [1, 2, 3], [4]
            f.create_dataset("choice", data=rng.integers(0, 2, 500), dtype=h5py.enum_dtype({"NO": 0, "YES": 1}, "i2"))
            odd = h5py.h5t.STD_I32LE.copy()
            odd.set_precision(12)
            odd.set_offset(3)
            h5py.h5d.create(f.id, b"twelve", odd, h5py.h5s.create_simple((50, 50)))
            f["twelve"][...] = rng.integers(-2000, 2000, (50, 50))
            long = h5py.h5t.NATIVE_LDOUBLE.copy()
            h5py.h5d.create(f.id, b"long", long, h5py.h5s.create_simple((30, 30)))
            f["long"][...] = rng.random((30, 30)).astype(np.longdouble)
            # types, references, scales, links
            f["type"] = np.dtype("i8")
            f["type"].attrs["note"] = "mine"
            f.create_dataset("typed", data=np.arange(900).reshape(30, 30), dtype=f["type"])
            f["late/type"] = np.dtype([("u", "f4"), ("v", "f4")])
            f.create_dataset("early", shape=(400,), dtype=f["late/type"])
            f["early"].attrs.create("in_type", 5, dtype=f["type"])
            f["time"], f["lat"] = np.arange(30.0), np.arange(20.0)
            f["time"].make_scale("time")
            f["lat"].make_scale("latitude")
            f["ordered/m"].dims[0].attach_scale(f["time"])
            f["ordered/m"].dims[1].attach_scale(f["lat"])
            f["ordered/m"].dims[0].label = "t"
            refs = f.create_dataset("refs", (4, 2), h5py.ref_dtype, chunks=(3, 1), compression="gzip")
            refs[0, 0], refs[1, 1], refs[3, 0] = f["grows"].ref, f["ordered"].ref, f.ref
            regions = f.create_dataset("regions", (3,), h5py.regionref_dtype)
            regions[1] = f["grows"].regionref[2:5, ::3]
            mixed = f.create_dataset("mixed", (2,), [("n", "i4"), ("r", h5py.ref_dtype)])
            mixed[1] = (7, f["strings"].ref)
            f.attrs["root_ref"] = f["kinds"].ref
            f["kinds"].attrs.create("regions", f["grows"].regionref[1:2], dtype=h5py.regionref_dtype)
            f["hard"] = f["grows"]
            f["late/loop"] = f["late"]
            f["late/up"] = f["/"]
            f["soft"] = h5py.SoftLink("/grows")
            f["dangling"] = h5py.SoftLink("nowhere/at/all")
            f["external"] = h5py.ExternalLink("other.h5", "/x")
            h5py.h5o.set_comment(f["grows"].id, b"a comment", obj_name=b".")
            h5py.h5o.set_comment(f["ordered"].id, b"of a group", obj_name=b".")
            layout = h5py.VirtualLayout((40, 50), "i2")
            layout[...] = h5py.VirtualSource(".", "packed", shape=(40, 50))
            f.create_virtual_dataset("virtual", layout)
            f.create_dataset("lossy", data=np.arange(600).reshape(20, 30), chunks=(5, 5), scaleoffset=0)

    # ---- comparing

    def raw(self, d):
        """The elements as they are stored, without any conversion; strings and references as objects."""
        kind = d.id.get_type()
        if d.shape is None:
            return None
        if kind.detect_class(h5py.h5t.VLEN) or kind.detect_class(h5py.h5t.REFERENCE) or kind.is_variable_str() \
                if isinstance(kind, h5py.h5t.TypeStringID) else \
                kind.detect_class(h5py.h5t.VLEN) or kind.detect_class(h5py.h5t.REFERENCE):
            return self.lead(d.file, d[()])
        out = np.zeros(d.shape, f"V{kind.get_size()}")
        d.id.read(h5py.h5s.ALL, h5py.h5s.ALL, out, mtype=kind)
        return out.tobytes()

    def lead(self, f, value):
        """References as the names of what they lead to."""
        if isinstance(value, h5py.RegionReference):
            return ("region", f[value].name, str(f[value].regionref.selection(value)),
                    h5py.h5r.get_region(value, f.id).get_select_npoints()) if value else None
        if isinstance(value, h5py.Reference):
            return ("object", f[value].name) if value else None
        if isinstance(value, np.void) and value.dtype.names:
            return tuple(self.lead(f, value[n]) for n in value.dtype.names)
        if isinstance(value, np.ndarray):
            if value.dtype == object or value.dtype.names:
                return [self.lead(f, v) for v in value]
            return (value.dtype.str, value.shape, value.tobytes())
        if isinstance(value, np.generic):
            return (value.dtype.str, value.tobytes())
        return value

    def attributes(self, o):
        found = []
        for i in range(h5py.h5a.get_num_attrs(o.id)):
            a = h5py.h5a.open(o.id, index=i, index_type=self.order_of(o))
            value = o.attrs[a.name]
            found.append((a.name, a.get_type().get_class(), a.get_type().get_size(), a.shape, a.get_space().get_simple_extent_type(),
                          a.get_type().committed(), self.lead(o.file, value) if not isinstance(value, h5py.Empty) else "empty"))
        return found

    @staticmethod
    def order_of(o):
        flags = o.id.get_create_plist().get_attr_creation_order() if not isinstance(o, h5py.Datatype) else 0
        return h5py.h5.INDEX_CRT_ORDER if flags & h5py.h5p.CRT_ORDER_TRACKED else h5py.h5.INDEX_NAME

    def compare(self, a, b, stored=()):
        """All objects of two files; of the paths in `stored` chunks and filters may differ."""
        with h5py.File(a) as fa, h5py.File(b) as fb:
            seen = {}
            self.compare_objects(fa["/"], fb["/"], seen, stored)
            self.assertEqual(fa.id.get_create_plist().get_userblock(), fb.id.get_create_plist().get_userblock())
            return len(seen)

    def compare_objects(self, x, y, seen, stored):
        where = x.name
        address = h5py.h5o.get_info(x.id).addr
        other = h5py.h5o.get_info(y.id).addr
        if address in seen:
            self.assertEqual(seen[address], other, where)
            return
        self.assertNotIn(other, seen.values(), where)
        seen[address] = other
        self.assertIs(type(x), type(y), where)
        self.assertEqual(h5py.h5o.get_info(x.id).rc, h5py.h5o.get_info(y.id).rc, where)
        self.assertEqual(self.attributes(x), self.attributes(y), where)
        if isinstance(x, h5py.Datatype):
            self.assertTrue(x.id.equal(y.id))
        elif isinstance(x, h5py.Dataset):
            self.compare_datasets(x, y, where in stored or stored == "all")
        else:
            p, q = x.id.get_create_plist(), y.id.get_create_plist()
            self.assertEqual(p.get_link_creation_order(), q.get_link_creation_order())
            self.assertEqual(list(x), list(y), where)
            for name in x:
                link, same = x.get(name, getlink=True), y.get(name, getlink=True)
                self.assertIs(type(link), type(same))
                self.assertEqual(vars(link) if not isinstance(link, h5py.HardLink) else 0,
                                 vars(same) if not isinstance(same, h5py.HardLink) else 0)
                self.assertEqual(x.id.links.get_info(name.encode()).cset, y.id.links.get_info(name.encode()).cset)
                if isinstance(link, h5py.HardLink):
                    self.compare_objects(x[name], y[name], seen, stored)

    def compare_datasets(self, x, y, may_differ):
        where = x.name
        self.assertTrue(x.id.get_type().equal(y.id.get_type()), where)
        self.assertEqual(x.id.get_type().committed(), y.id.get_type().committed(), where)
        self.assertEqual((x.shape, x.maxshape), (y.shape, y.maxshape), where)
        p, q = x.id.get_create_plist(), y.id.get_create_plist()
        self.assertEqual(p.fill_value_defined(), q.fill_value_defined(), where)
        self.assertEqual(p.get_attr_creation_order(), q.get_attr_creation_order(), where)
        self.assertEqual(p.get_fill_time(), q.get_fill_time(), where)
        if p.fill_value_defined() == h5py.h5d.FILL_VALUE_USER_DEFINED:
            np.testing.assert_array_equal(x.fillvalue, y.fillvalue, where)
        if not may_differ:
            self.assertEqual((p.get_layout(), x.chunks), (q.get_layout(), y.chunks), where)
            self.assertEqual([p.get_filter(i)[0] for i in range(p.get_nfilters())],
                             [q.get_filter(i)[0] for i in range(q.get_nfilters())], where)
            if not x.id.get_type().detect_class(h5py.h5t.REFERENCE):
                self.assertEqual(x.id.get_storage_size(), y.id.get_storage_size(), where)
        self.assertEqual(self.raw(x), self.raw(y), where)

    # ---- the tests

    def test_plain_copies(self):
        for i, kwargs in enumerate([{}, {"libver": "latest"}, {"libver": ("v108", "latest"), "track_order": True}, {"userblock_size": 1024}]):
            a, b = self.folder / f"a{i}.h5", self.folder / f"b{i}.h5"
            self.make(a, **kwargs)
            with h5py.File(a, "r+") as f:
                f.create_dataset("lzf", data=np.arange(600).reshape(20, 30), chunks=(5, 5), compression="lzf")
            if i == 3:
                with open(a, "r+b") as f:
                    f.write(b"#!/bin/sh\n" * 100)
            self.run_ok("copy", a, b)
            self.assertGreater(self.compare(a, b), 40)
            self.assertEqual(a.read_bytes()[:1000] == b.read_bytes()[:1000], i == 3)
            self.h5diff(a, b)
            for comment in [b"a comment\0", b"of a group\0"]:  # h5py reads them from memory that it has freed
                self.assertIn(comment, b.read_bytes())
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()), sorted(f"{c}{i}.h5" for c in "ab" for i in range(4)))

    def h5diff(self, a, b):
        tool = shutil.which("h5diff")
        if tool:
            done = subprocess.run([tool, "--exclude-path", "/external", "--exclude-path", "/dangling",
                                   "--exclude-path", "/lzf", a, b], capture_output=True, check=False)
            self.assertEqual(done.returncode, 0, done.stdout[-1000:] + done.stderr[-1000:])

    def test_other_storage_same_bytes(self):
        a = self.folder / "a.h5"
        self.make(a)
        rows = [
            (["--compress", "gzip:6"], "/kinds/2", None, (2, 1)),
            (["--compress", "none"], "/kinds/3", (7, 9), ()),
            (["--chunks", "10,10"], "/kinds/1", (10, 10), (2, 3)),
            (["--chunks", "-1,4", "--chunks", "/grows=16,64", "--chunks", "100", "--compress", "gzip:1"], "/grows", (16, 64), (2, 1)),
            (["--chunks", "auto", "--compress", "none", "--workers", 1], "/ordered/z", (30, 20), ()),
            (["--chunks", "/kinds/8=3,3", "--workers", 3, "--memory", "1M"], "/kinds/8", (3, 3), ()),
            (["--chunks", "lossy=3,3", "--chunks", "auto"], "/lossy", (3, 3), (6,)),
        ]
        for i, (args, path, chunks, filters) in enumerate(rows):
            with self.subTest(args):
                b = self.folder / f"b{i}.h5"
                self.run_ok("copy", *args, a, b)
                self.assertGreater(self.compare(a, b, "all"), 40)
                self.h5diff(a, b)
                with h5py.File(b) as f:
                    p = f[path].id.get_create_plist()
                    self.assertEqual(tuple(p.get_filter(k)[0] for k in range(p.get_nfilters())), filters)
                    if chunks:
                        self.assertEqual(f[path].chunks, chunks)
                    self.assertEqual(f["strings"].chunks, None)
                    self.assertTrue(f["kinds/1"].fletcher32)

    def test_filters_that_libhdf5_lacks(self):
        """Other chunks with the filters kept, by the engine: parameters that name the chunk are those of the new one."""
        a, b, c = (self.folder / f"{name}.h5" for name in "abc")
        x = np.random.default_rng(5).integers(0, 50, (150, 130)).astype(">i4")
        with h5py.File(a, "w") as f:
            f.create_dataset("lzf", data=x, chunks=(40, 40), compression="lzf", shuffle=True, fletcher32=True)
        stats = self.folder / "s.json"
        self.run_ok("copy", a, b, "--chunks", "60,50", "--memory", "1M", "--block", "32K", f"--stats=json:{stats}")
        self.assertLessEqual(json.loads(stats.read_text())["peak"], 1 << 20)
        self.assertEqual(json.loads(stats.read_text())["written"], x.nbytes)
        with h5py.File(b) as f:
            p = f["lzf"].id.get_create_plist()
            self.assertEqual([p.get_filter(i)[:3] for i in range(3)], [(2, 1, (4,)), (32000, 1, (4, 0x105, 12000)), (3, 0, ())])
            np.testing.assert_array_equal(f["lzf"], x)
        for kind in ["zstd", "lz4", "blosc:zstd:3", "bitshuffle", "bitshuffle:zstd:1"]:
            with self.subTest(kind):
                done = clast("copy", a, b, "--overwrite", "--compress", kind)
                if b"not in this build" in done.stderr:
                    continue
                self.assertEqual(done.returncode, 0, done.stderr)
                with h5py.File(b) as f:
                    p = f["lzf"].id.get_create_plist()
                    filters = [p.get_filter(i)[:2] for i in range(p.get_nfilters())]
                    self.assertEqual(filters[-1], (3, 0))
                inside = kind.split(":")[1:]
                for args in ["--compress", "same"], ["--chunks", "33,70", "--workers", "2"]:
                    self.run_ok("copy", b, c, "--overwrite", *args)
                    told = json.loads(self.run_ok("info", "--json", f"{c}:/lzf"))["objects"][0]["filters"][-2]
                    self.assertEqual([str(told[k]) for k in ("codec", "level") if k in told][: len(inside)], inside)
                with h5py.File(c) as f:
                    p = f["lzf"].id.get_create_plist()
                    self.assertEqual([p.get_filter(i)[:2] for i in range(p.get_nfilters())], filters)
                    self.assertEqual(f["lzf"].chunks, (33, 70))
                self.run_ok("copy", c, b, "--overwrite", "--compress", "none")
                with h5py.File(b) as f:
                    np.testing.assert_array_equal(f["lzf"], x)

    def test_onto_itself_and_groups(self):
        a = self.folder / "a.h5"
        self.make(a)
        before = self.folder / "before.h5"
        shutil.copy(a, before)
        self.refused(2, "exists", "copy", a, a)
        self.run_ok("copy", a, a, "--overwrite", "--chunks", "13,17", "--compress", "gzip:3")
        self.compare(before, a, "all")
        with h5py.File(a) as f:
            self.assertEqual(f["ordered/m"].chunks, (13, 17))
        self.run_ok("copy", f"{before}:/ordered", self.folder / "part.h5", "--compress", "gzip:3")
        with h5py.File(self.folder / "part.h5") as f, h5py.File(before) as g:
            self.assertEqual(self.in_order(f), self.in_order(g["ordered"]))
            np.testing.assert_array_equal(f["m"], g["ordered/m"])
            self.assertEqual(f["m"].attrs["DIMENSION_LABELS"][0], "t")
            self.assertFalse(f["m"].attrs["DIMENSION_LIST"][0][0])

    @staticmethod
    def in_order(group):
        names = []
        group.id.links.iterate(names.append, idx_type=h5py.h5.INDEX_CRT_ORDER)
        return names

    def test_thousands_of_datasets(self):
        a, b = self.folder / "a.h5", self.folder / "b.h5"
        with h5py.File(a, "w") as f:
            for i in range(700):
                f.create_dataset(f"g{i % 7}/d{i}", data=np.full((20, 20), i), chunks=(20, 20))

        def few_files():
            resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
        done = clast("copy", a, b, "--compress", "gzip:1", "--chunks", "10,10", "--no-sync", "--stats=json:" + str(self.folder / "s.json"),
                     preexec=few_files)
        self.assertEqual(done.returncode, 0, done.stderr)
        with h5py.File(b) as f:
            for i in range(700):
                self.assertEqual((f[f"g{i % 7}/d{i}"].chunks, f[f"g{i % 7}/d{i}"][7, 11]), ((10, 10), i))
        self.assertEqual(json.loads((self.folder / "s.json").read_text())["written"], 700 * 3200)

    def test_the_budget_holds(self):
        a, b = self.folder / "a.h5", self.folder / "b.h5"
        data = np.random.default_rng(1).integers(0, 100, (1500, 1500))
        with h5py.File(a, "w") as f:
            f.create_dataset("x", data=data, chunks=(1, 1500))
        self.run_ok("copy", a, b, "--chunks", "1500,1", "--memory", "2M", "--block", "200K", "--stats=json:" + str(self.folder / "s.json"))
        told = json.loads((self.folder / "s.json").read_text())
        self.assertLessEqual(told["peak"], 2 << 20)
        self.compare(a, b, "all")
        self.refused(3, "would do", "copy", a, b, "--overwrite", "--chunks", "1500,1500", "--compress", "gzip:1", "--memory", "1M")
        self.compare(a, b, "all")

    def test_refusals(self):
        a, b = self.folder / "a.h5", self.folder / "b.h5"
        (self.folder / "text").write_text("not HDF5")
        with h5py.File(a, "w") as f:
            f.create_dataset("x", data=np.random.default_rng(1).random((200, 200)), chunks=(50, 50), compression="gzip", fletcher32=True)
            chunk = f["x"].id.get_chunk_info(5)
            f["s"] = b"text"
        for code, part, *args in [(2, "no.h5", self.folder / "no.h5", b), (2, "HDF5", self.folder / "text", b), (2, "two arguments", a),
                                  (2, "/g is not a group", f"{a}:/g", b), (2, "/x is not a group", f"{a}:/x", b),
                                  (2, "dataset q", a, b, "--chunks", "q=3"), (2, "2 axes", a, b, "--chunks", "x=3"),
                                  (2, "--chunks", a, b, "--chunks", "0"), (2, "gzip:9", a, b, "--compress", "zip"),
                                  (2, "No such file", a, self.folder / "no" / "b.h5"), (2, "--raw", a, b, "--raw"),
                                  (2, "unexpected", a, b, b), (2, "axes", a, b, "--chunks", "/s=3")]:
            with self.subTest(args):
                self.refused(code, part, "copy", *args)
        damaged = self.folder / "damaged.h5"
        image = bytearray(a.read_bytes())
        image[chunk.byte_offset + 20] ^= 255
        damaged.write_bytes(image)
        self.refused(1, "/x: chunk (1, 1)", "copy", damaged, b, "--compress", "gzip:1")

        def small_files():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))
        for args in [[], ["--compress", "none"], ["--chunks", "auto"]]:
            done = clast("copy", a, b, *args, preexec=small_files)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(b"too large", done.stderr)
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()), ["a.h5", "damaged.h5", "text"])


class Diff(Tools):
    """clast diff, against NumPy."""

    def pair(self, a, b):
        for name, value in [("a.h5", a), ("b.h5", b)]:
            with h5py.File(self.folder / name, "w") as f:
                f.create_dataset("x", data=value, chunks=True if np.ndim(value) and np.size(value) else None)
        return f"{self.folder}/a.h5:/x", f"{self.folder}/b.h5:/x"

    def told(self, a, b, *args, code=1):
        return json.loads(self.run_ok("diff", "--json", *args, *self.pair(a, b), code=code))["datasets"][0]

    def test_numbers(self):
        rng = np.random.default_rng(7)
        for dtype in ["f4", "f8", ">f8", "f2", "i1", "u2", "i4", "u8", "?", "c8", "c16"]:
            a = rng.random((30, 40)) > 0.5 if dtype == "?" else (rng.random((30, 40)) * 100).astype(dtype)
            b = a.copy()
            b[rng.integers(0, 30, 20), rng.integers(0, 40, 20)] = np.array(3).astype(dtype)
            if dtype.startswith("c"):
                b[5, 6] = 1j
            t = self.told(a, b)
            wide = "c16" if dtype.startswith("c") else "f8"
            d = np.abs(a.astype(wide) - b.astype(wide))
            with np.errstate(all="ignore"):
                r = np.where(d == 0, 0, d / np.abs(b.astype(wide)))
            self.assertEqual((t["different"], t["count"], t["equal"]), (int((a != b).sum()), 1200, False), dtype)
            self.assertAlmostEqual(t["largest"], float(d.max()), 6)
            self.assertAlmostEqual(d[tuple(t["where"])], float(d.max()), 6)
            self.assertEqual(t["where"], list(np.unravel_index(d.argmax(), d.shape)))
            self.assertAlmostEqual(r[tuple(t["where_relative"])], float(r.max()), 6)
            self.run_ok("diff", *self.pair(a, a), code=0)

    def test_integers_are_exact(self):
        big = 2**63
        rows = [("i8", [-big, 0, big - 1], "i8", [big - 1, 0, big - 1], 2**64 - 1, 1),
                ("u8", [big, 2**64 - 1], "u8", [big + 1, 2**64 - 1], 1, 1),
                ("i8", [big - 1, -1], "u8", [big, 2**64 - 1], 2**64 - 1, 2),
                ("u8", [5, big], "i8", [-3, big - 1], 8, 2),
                ("i8", [2**53, 2**62], "i8", [2**53 + 1, 2**62 + 1], 1, 2),
                ("i4", [-1, 7], "u4", [2**32 - 1, 7], 2**32, 1),
                ("?", [True, False], "i1", [1, -1], 1, 1)]
        for x, a, y, b, largest, n in rows:
            t = self.told(np.array(a, x), np.array(b, y))
            self.assertEqual((t["largest"], t["different"], t["same_dtype"]), (largest, n, x == y), (x, a, y, b))
        self.assertEqual(self.told(np.array([1, 2], "i4"), np.array([1, 2], "i8"))["different"], 0)
        self.run_ok("diff", "--any-dtype", *self.pair(np.array([1, 2], "i4"), np.array([1, 2], "f8")), code=0)

    def test_nan_infinity_tolerance(self):
        nan, inf = np.nan, np.inf
        a, b = np.array([nan, nan, inf, inf, 1.0, -inf]), np.array([nan, 1, inf, 5, 1.5, inf])
        t = self.told(a, b)
        self.assertEqual((t["different"], t["one_nan"], t["largest"], t["where"]), (4, 1, "Infinity", [3]))
        self.assertEqual(self.told(a, b, "--nan-differs")["different"], 5)
        a, b = np.array([1.0, 100.0]), np.array([1.01, 101.0])
        self.run_ok("diff", "--rtol", "0.02", *self.pair(a, b), code=0)
        self.run_ok("diff", "--atol", "1", *self.pair(a, b), code=0)
        self.assertEqual(self.told(a, b, "--atol", "0.5")["different"], 1)
        self.assertEqual(self.told(np.array([5, 9]), np.array([5, 10]), "--rtol", "0.01")["different"], 1)
        self.run_ok("diff", "--rtol", "0.2", *self.pair(np.array([5, 9]), np.array([5, 10])), code=0)
        self.assertEqual(self.run_ok("diff", *self.pair(np.arange(3), np.arange(4)), code=1), b"/x: shape (3,) and (4,)\n")
        self.run_ok("diff", *self.pair(np.zeros((0, 3)), np.zeros((0, 3))), code=0)
        self.assertIn(b"1 of 1 elements differ, by at most 0.5 at [], relative 0.2 at []", self.run_ok("diff", *self.pair(3.0, 2.5), code=1))

    def test_files(self):
        a, b = self.folder / "p.h5", self.folder / "q.h5"
        Copy.make(self, a)
        self.run_ok("copy", a, b, "--compress", "gzip:1", "--chunks", "auto")
        done = clast("diff", a, b)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))
        with h5py.File(b, "r+") as f:
            f["kinds/1"][2, 3] += 1
            f["words"][3] = "other"
            f["ragged"][2] = [5]
            f["refs"][0, 0] = f["words"].ref
            f["record"][1] = (9, 9, b"x")
            f["new"] = 1
            del f["scalar"]
        lines = self.run_ok("diff", a, b, code=1).decode().splitlines()
        self.assertEqual([line.split(":")[0] for line in lines], ["/kinds/1", "/new", "/ragged", "/record", "/refs", "/scalar", "/words"])
        self.assertIn("1 of 775 elements differ", lines[0])
        with h5py.File(b, "r+") as f:
            f[b"\xff\xc3 \xc3\xa9"] = 1
        told = json.loads(self.run_ok("diff", "--json", a, b, code=1))
        self.assertIn("/\udcff\udcc3 \xe9", [d["b"] for d in told["datasets"]])
        self.assertEqual(sorted((d["a"] or d["b"]) for d in told["datasets"] if not d["equal"])[:-1], [line.split(":")[0] for line in lines])
        self.assertFalse(told["equal"])

    def test_one_pass_and_refusals(self):
        x = np.random.default_rng(1).random((700, 700))
        a, b = self.pair(x, x + 1)
        self.run_ok("diff", "--memory", "12M", a, b, code=1)
        self.refused(2, "/y", "diff", f"{self.folder}/a.h5:/y", b)
        self.refused(2, "two files", "diff", a, self.folder / "b.h5")
        self.refused(2, "no.h5", "diff", self.folder / "no.h5", self.folder / "b.h5")
        self.refused(2, "two arguments", "diff", a)
        self.refused(2, "--rtol", "diff", "--rtol", "x", a, b)
        with h5py.File(self.folder / "a.h5") as f:
            at = f["x"].id.get_chunk_info(1).byte_offset
        with h5py.File(self.folder / "c.h5", "w") as f:
            f.create_dataset("x", data=x, chunks=(100, 100), compression="gzip")
            at = f["x"].id.get_chunk_info(7).byte_offset
        image = bytearray((self.folder / "c.h5").read_bytes())
        image[at + 30] ^= 255
        (self.folder / "c.h5").write_bytes(image)
        self.refused(2, "/x: chunk (1, 0)", "diff", a, f"{self.folder}/c.h5:/x")


if __name__ == "__main__":
    unittest.main()
