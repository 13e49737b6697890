#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Outputs as netCDF's own programs take them: opened for writing, added to, listed, read.

    netcdf_outputs.py CLAST

Where netCDF4-python or xarray is not installed, h5py looks at what they would need.
"""
import importlib
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


def optional(module):
    try:
        return importlib.import_module(module)
    except ImportError:
        return None


netCDF4, xarray = optional("netCDF4"), optional("xarray")  # pylint: disable=invalid-name
CLAST = os.path.abspath(sys.argv.pop(1))
ENV = {k: v for k, v in os.environ.items() if not k.startswith("CLAST_")}
LAT = np.linspace(90, -90, 7).astype("f4")


def clast(*args, **env):
    return subprocess.run([CLAST, "eval", *map(str, args)], capture_output=True, text=True, check=False, env={**ENV, **env}, timeout=120)


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.file, self.out = self.folder / "in.nc", self.folder / "out.nc"
        self.x = np.random.default_rng(1).random((12, 7, 3)).astype("f4")
        with h5py.File(self.file, "w") as f:
            f.create_dataset("time", data=np.arange(12.0), maxshape=(None,), chunks=(512,))
            f["lat"], f["member"] = LAT, np.zeros(3, ">f4")
            f["time"].attrs["units"], f["time"].attrs["calendar"] = "days since 2000-01-01", "standard"
            f["lat"].attrs["units"] = "degrees_north"
            x = f.create_dataset("x", data=self.x, chunks=(4, 7, 3), maxshape=(None, 7, 3), compression="gzip")
            for n in range(12):  # more than the header of an object in the new format holds
                x.attrs[f"a{5 * n % 12:02}"] = n
            for i, axis in enumerate(["time", "lat", "member"]):
                f[axis].make_scale(axis if axis != "member" else "This is a netCDF dimension but not a netCDF variable.         3")
                x.dims[i].attach_scale(f[axis])

    def store(self, program, *args, path="x", wanted="", into=None):
        done = clast(program, "--in", f"x={self.file}:/x", "--out", f"{into or self.out}:/{path}", "--no-sync", *args)
        self.assertEqual((done.returncode, done.stderr), (0, wanted))


class Writing(Case):
    """Old and new format of HDF5 (chunked without filters), and groups."""
    ways = [("x", ["--compress", "gzip:1"]), ("g/h/x", ["--compress", "none"]), ("x", ["--chunks", "5,3,2", "--compress", "none"])]

    def test_order_of_creation(self):
        for path, args in self.ways:
            self.out.unlink(missing_ok=True)
            self.store("x", *args, path=path)
            once = self.out.read_bytes()
            with h5py.File(self.out) as f:
                group = f[path].parent
                self.assertEqual(list(group), ["x", "time", "lat", "member"])  # that in which they were made
                while True:
                    order = group.id.get_create_plist().get_link_creation_order()
                    self.assertEqual(order, h5py.h5p.CRT_ORDER_TRACKED | h5py.h5p.CRT_ORDER_INDEXED, group.name)
                    if group.name == "/":
                        break
                    group = group.parent
            self.out.unlink()
            self.store("x", *args, path=path)
            self.assertEqual(self.out.read_bytes(), once)

    @unittest.skipUnless(netCDF4 and xarray, "netCDF4 or xarray is not installed")
    def test_files_can_be_added_to(self):
        for path, args in self.ways:
            self.out.unlink(missing_ok=True)
            self.store("x", *args, path=path)
            group = os.path.dirname(path)
            with netCDF4.Dataset(self.out, "a") as d:
                g = d[group] if group else d
                self.assertEqual([name for name in g["x"].ncattrs() if name[0] == "a"], [f"a{n:02}" for n in range(12)])
                g["x"].comment = "checked"
                d.reviewer = "somebody"
                g.createDimension("station", 2)
                g.createVariable("y", "f8", ("time", "station"))[:] = np.arange(24).reshape(12, 2)
            more = xarray.Dataset({"z": (("time", "lat"), np.ones((12, 7), "f4"))})
            more.to_netcdf(self.out, mode="a", group=group or None)
            with xarray.open_dataset(self.out, group=group or None) as d:
                np.testing.assert_array_equal(d["x"], self.x)
                np.testing.assert_array_equal(d["lat"], LAT)
                self.assertEqual(d["x"].dims[:2] + d["y"].dims, ("time", "lat", "time", "station"))
                self.assertEqual(d["x"].attrs["comment"], "checked")
            done = clast("x[:, 0, 0] + y[:, 1] + z[:, 0]", *(word for name in "xyz" for word in ("--in", f"{name}={self.out}:/{group}/{name}")),
                         "--out", f"{self.folder}/sum.h5:/s", "--overwrite", "--no-sync")
            self.assertEqual(done.returncode, 0, done.stderr)
            with h5py.File(self.folder / "sum.h5") as f, h5py.File(self.out) as g:
                np.testing.assert_array_equal(f["s"], self.x[:, 0, 0] + np.arange(1.0, 25, 2) + np.float32(1))
                self.assertEqual(g.attrs["reviewer"], b"somebody")

    def test_attributes_can_be_replaced(self):
        """HDF5 loses those whose order it has in an index, and h5py replaces them by renaming."""
        for path, args in self.ways:
            self.out.unlink(missing_ok=True)
            self.store("x", *args, path=path)
            with h5py.File(self.out, "r+") as f:
                for thing in (f[path], f[path].parent, f):
                    for n in range(12):
                        thing.attrs[f"more{n:02}"] = n
                    for n in range(4):
                        thing.attrs["more03"] = f"replaced {n}"
                        thing.attrs["more07"] = n
                    del thing.attrs["more07"]
                    self.assertEqual(thing.attrs["more03"], "replaced 3")
                    self.assertNotIn("more07", thing.attrs)

    def test_in_place_while_somebody_reads(self):
        self.store("x")
        before = self.out.read_bytes()
        with h5py.File(self.out):
            done = clast("x", "--in", f"x={self.file}:/x", "--out", f"{self.out}:/y", "--in-place")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(f"{self.out} cannot be changed in place: another program has it open", done.stderr)
        self.assertEqual(self.out.read_bytes(), before)

    @unittest.skipUnless(shutil.which("ncdump"), "ncdump is not installed")
    def test_kind(self):
        self.store("x")
        done = subprocess.run(["ncdump", "-k", self.out], capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout.strip(), "netCDF-4")


class Axes(Case):
    programs = {"mean(x, axis='time', keepdims=True)": ((1, 7, 3), (None, "lat", "member")), "x[:, newaxis, 2]": ((12, 1, 3), ("time", None, "member")),
                "stack((x, x), axis=3)": ((12, 7, 3, 2), ("time", "lat", "member", None)), "x[0].reshape(3, 7)": ((3, 7), (None, None))}

    def test_reading_again(self):
        """An axis without a name has none when it comes back, and takes none away where it meets a name."""
        self.store("mean(x, axis='time', keepdims=True)")
        done = clast("max(x - m, axis='time')", "--in", f"x={self.file}:/x", "--in", f"m={self.out}:/x", "--out", f"{self.folder}/y.nc:/y")
        self.assertEqual(done.returncode, 0, done.stderr)
        done = clast("max(m, axis='unnamed_0')", "--in", f"m={self.out}:/x")
        self.assertIn("no axis 'unnamed_0'", done.stderr)

    @unittest.skipUnless(netCDF4 and xarray, "netCDF4 or xarray is not installed")
    def test_axes_without_names(self):
        for program, (shape, names) in self.programs.items():
            self.out.unlink(missing_ok=True)
            self.store(program)
            with xarray.open_dataset(self.out) as d:
                self.assertEqual(d["x"].shape, shape, program)
                kind = "unnamed" if any(names) else "phony_dim"
                self.assertEqual(d["x"].dims, tuple(name or f"{kind}_{i}" for i, name in enumerate(names)))
            with netCDF4.Dataset(self.out, "a") as d:
                d["x"].comment = program


class Unlimited(Case):
    ways = [("x", [], (None, 7, 3)), ("x[:5].T", [], (3, 7, None)), ("x[::-1, 2]", ["--compress", "zstd"], (None, 3)), ("mean(x, axis='time')", [], (7, 3)),
            ("x", ["--compress", "none"], (12, 7, 3)), ("x", ["--compress", "none", "--chunks", "5,3,2"], (12, 7, 3)), ("x", ["--no-attrs"], (12, 7, 3))]

    def test_axes_that_can_grow(self):
        for program, args, wanted in self.ways:
            once = []
            for _ in range(2):
                self.out.unlink(missing_ok=True)
                self.store(program, *args)
                once.append(self.out.read_bytes())
            self.assertEqual(*once)
            with h5py.File(self.out) as f:
                self.assertEqual(f["x"].maxshape, wanted, program)
                if None in wanted:
                    scale = f["x"].dims[wanted.index(None)][0]
                    self.assertEqual(scale.maxshape, (None,))
                    np.testing.assert_array_equal(scale, np.arange(12.0)[:5] if "T" in program else np.arange(12.0)[::-1] if "::" in program else np.arange(12.0))

    def test_a_new_format_and_resuming(self):
        """Chunks without filters want the new format, in which such axes have other indices; a journal writes the file anew."""
        for more in [[], ["--resume"]]:
            done = clast("y = x + 1; z = y", "--in", f"x={self.file}:/x", "--out", f"y={self.out}:/y", "--compress", "gzip:1", "--no-sync", "--overwrite", *more)
            self.assertEqual(done.returncode, 0, done.stderr)
            with h5py.File(self.out) as f:
                self.assertEqual(f["y"].maxshape, (None, 7, 3))
                np.testing.assert_array_equal(f["y"], self.x + np.float32(1))
        plain = self.folder / "plain.h5"
        with h5py.File(plain, "w") as f:
            f.create_dataset("p", data=np.arange(100.0), chunks=(10,))
        done = clast("y = x + 1; q = p", "--in", f"p={plain}:/p", "--in", f"x={self.file}:/x", "--out", f"q={self.out}:/q", "--out", f"y={self.out}:/y", "--overwrite")
        self.assertEqual(done.returncode, 0, done.stderr)
        with h5py.File(self.out) as f:
            self.assertEqual((f["y"].maxshape, f["q"].maxshape), ((None, 7, 3), (100,)))
            np.testing.assert_array_equal(f["y"], self.x + np.float32(1))
        done = clast("all(y == x + 1)", "--in", f"y={self.out}:/y", "--in", f"x={self.file}:/x")
        self.assertEqual(done.stdout, "True\n", done.stderr)

    def add_unfiltered(self):
        """A second input along the same axes, /p, without filters."""
        with h5py.File(self.file, "r+") as f:
            p = f.create_dataset("p", data=self.x - 2, chunks=(4, 7, 3), maxshape=(None, 7, 3))
            for i, axis in enumerate(["time", "lat", "member"]):
                p.dims[i].attach_scale(f[axis])

    def store_two(self, out, order, *args):
        """y with the filters of x, q without any as p: in this order."""
        programs, inputs = {"y": "y = x + 1", "q": "q = p * 2"}, {"y": "x", "q": "p"}
        places = [(*("--in", f"{inputs[name]}={self.file}:/{inputs[name]}"), *("--out", f"{name}={out}:/{name}")) for name in order]
        done = clast("; ".join(programs[name] for name in order), "--no-sync", *sum(places, ()), *args)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def check_two(self, out, most):
        """Each is right and can grow or not as its own storage allows; the coordinate that they share can grow to `most`."""
        with h5py.File(out) as f:
            self.assertEqual(sorted(f), ["lat", "member", "q", "time", "y"])
            self.assertEqual((f["y"].maxshape, f["q"].maxshape, f["time"].maxshape), ((None, 7, 3), (12, 7, 3), most))
            self.assertEqual((f["y"].compression, f["q"].compression), ("gzip", None))
            for name, wanted in ("y", self.x + np.float32(1)), ("q", (self.x - 2) * np.float32(2)):
                np.testing.assert_array_equal(f[name], wanted)
                for i, axis in enumerate(["time", "lat", "member"]):
                    self.assertEqual(f[name].dims[i][0], f[axis], name)
            np.testing.assert_array_equal(f["time"], np.arange(12.0))
        done = clast("all(sel(y, time='2000-01-05') == y[4]) & all(sel(q, time='2000-01-05') == q[4])", "--in", f"y={out}:/y", "--in",
                     f"q={out}:/q")
        self.assertEqual((done.stdout, done.stderr), ("True\n", ""))

    def test_with_filters_and_without_along_one_axis(self):
        self.add_unfiltered()
        for order, most in ("yq", (None,)), ("qy", (12,)):
            together, apart = self.folder / f"{order}.nc", self.folder / f"{order}_apart.nc"
            self.store_two(together, order)
            self.store_two(apart, order[0])
            self.store_two(apart, order[1])
            for out in together, apart:
                self.check_two(out, most)
                if xarray:
                    with xarray.open_dataset(out, decode_times=False) as d:
                        self.assertEqual((d["y"].dims, d["q"].dims, d["time"].size), (("time", "lat", "member"),) * 2 + (12,))
                        np.testing.assert_array_equal(d["q"], (self.x - 2) * np.float32(2))
            again = self.folder / f"{order}_again.nc"
            self.store_two(again, order, "--workers", "1", "--resume")
            self.check_two(again, most)

    @unittest.skipUnless(netCDF4 and xarray, "netCDF4 or xarray is not installed")
    def test_records_are_added(self):
        self.store("x")
        with netCDF4.Dataset(self.out, "a") as d:
            self.assertEqual([d.dimensions[name].isunlimited() for name in ["time", "lat", "member"]], [True, False, False])
            d["time"][12:14] = [12, 13]
            d["x"][12:14] = self.x[:2] + 5
        with xarray.open_dataset(self.out, decode_times=False) as d:
            np.testing.assert_array_equal(d["x"], np.concatenate([self.x, self.x[:2] + 5]))
            self.assertEqual(d["time"].size, 14)


class Types(Case):
    def test_bools(self):
        """In netCDF int8 that says bool, elsewhere h5py's enumeration; the name of the file decides."""
        wanted = self.x > 0.5
        for args in [[], ["--compress", "none"], ["--chunks", "5,3,2", "--no-attrs"]]:
            for name in ["out.nc", "out.nc4", "out.cdf", "out.h5", "nc"]:
                out = self.folder / name
                self.store("x > 0.5", *args, "--overwrite", path="m", into=out)
                with h5py.File(out) as f:
                    is_netcdf = name not in ["out.h5", "nc"]
                    self.assertEqual(f["m"].dtype, np.dtype("i1" if is_netcdf else "?"), name)
                    self.assertEqual(f["m"].attrs.get("dtype"), b"bool" if is_netcdf else None)
                    np.testing.assert_array_equal(f["m"][()].astype(bool), wanted)

    def test_bools_are_read(self):
        self.store("x > 0.5", path="m")
        plain = self.folder / "again.h5"
        for args, dtype, values in [([], "?", self.x > 0.5), (["--raw"], "i1", (self.x > 0.5).astype("i1"))]:
            done = clast("m", "--in", f"m={self.out}:/m", "--out", f"{plain}:/m", "--overwrite", *args)
            self.assertEqual(done.returncode, 0, done.stderr)
            with h5py.File(plain) as f:
                self.assertEqual(f["m"].dtype, np.dtype(dtype))
                np.testing.assert_array_equal(f["m"], values)
                self.assertEqual("dtype" in f["m"].attrs, bool(args))
        for args in [[], ["--untrusted"]]:
            done = clast("sum(where(m, 1, 0))", "--in", f"m={self.out}:/m", *args)
            self.assertEqual((done.returncode, done.stdout), (0, f"{(self.x > 0.5).sum()}\n"), done.stderr)
        self.assertEqual(clast("sum(~m)", "--in", f"m={self.out}:/m", "--raw").stdout, f"{(~(self.x > 0.5).astype('i1')).sum(dtype='i8')}\n")

    def test_which_numbers_are_bools(self):
        with h5py.File(self.file, "r+") as f:
            for name, values, more in [("other", np.array([0, 1, -3], "i1"), {}), ("unsigned", np.array([0, 200, 0], "u1"), {}), ("wide", np.array([0, 2], "i2"), {}),
                                       ("filled", np.array([0, 1, -1], "i1"), {"_FillValue": np.int8(-1)}), ("text", np.array([2, 3], "i1"), {"dtype": "boolean"})]:
                f[name] = values
                f[name].attrs.update({"dtype": "bool", **more})
        for name, wanted in [("other", "[False True True]"), ("unsigned", "[False True False]"), ("wide", "[0 2]"), ("filled", "[0. 1. nan]"), ("text", "[2 3]")]:
            done = clast("v", "--in", f"v={self.file}:/{name}")
            self.assertEqual(" ".join(done.stdout.split()).replace("[ ", "["), wanted, done.stderr)
        done = clast("v", "--in", f"v={self.file}:/text", "--out", f"{self.out}:/v")
        self.assertEqual(done.returncode, 0, done.stderr)
        with h5py.File(self.out) as f:
            self.assertEqual(f["v"].attrs["dtype"], "boolean")

    @unittest.skipUnless(netCDF4 and xarray, "netCDF4 or xarray is not installed")
    def test_bools_in_xarray(self):
        self.store("x > 0.5", path="m")
        with xarray.open_dataset(self.out) as d:
            self.assertEqual(d["m"].dtype, np.dtype(bool))
            np.testing.assert_array_equal(d["m"], self.x > 0.5)
        file = self.folder / "theirs.nc"
        xarray.Dataset({"m": (("a", "b"), self.x[0] > 0.5)}).to_netcdf(file)
        done = clast("~m", "--in", f"m={file}:/m", "--out", f"{self.folder}/n.nc:/n")
        self.assertEqual(done.returncode, 0, done.stderr)
        with xarray.open_dataset(self.folder / "n.nc") as d:
            self.assertEqual(d["n"].dtype, np.dtype(bool))
            np.testing.assert_array_equal(d["n"], self.x[0] <= 0.5)

    def test_complex_numbers(self):
        self.store("x * 1j", path="c", wanted=f"clast: warning: {self.out}:/c is complex64, for which netCDF has no type: its programs will not see it\n")
        self.store("x * 1j", into=self.folder / "c.h5")


class Globals(Case):
    root = {"Conventions": "CF-1.8", "title": "a run", "levels": np.array([1, 2], "i2"), "license": "none"}
    own = {"title": "a product", "product": 7}

    def setUp(self):
        super().setUp()
        with h5py.File(self.file, "r+") as f:
            f.attrs.update({**self.root, "_NCProperties": "version=2", "geospatial_lat_min": -90.0, "tracking_id": "1-2-3", "history": "it began"})
            g = f.create_group("product")
            g["x"], g["other"] = self.x[0, 0], self.x[0, 1]
            g.attrs.update({**self.own, "NX_class": "NXdata"})

    def check(self, *groups, into=None):
        with h5py.File(into or self.out) as f:
            for group, wanted in groups:
                got = {k: v for k, v in f[group].attrs.items() if k != "history"}
                self.assertEqual(set(got), set(wanted), group)
                for name, value in wanted.items():
                    np.testing.assert_array_equal(got[name], value)

    def make(self, program, *args, place="/product/x"):
        done = clast(program, "--in", f"x={self.file}:{place}", *args, "--no-sync")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_where_they_go(self):
        for path, groups in [("x", [("/", {**self.root, **self.own})]), ("g/x", [("/", self.root), ("g", self.own)]),
                             ("g/h/x", [("/", self.root), ("g", {}), ("g/h", self.own)])]:
            self.out.unlink(missing_ok=True)
            self.make("x * 2", "--out", f"{self.out}:/{path}")
            self.check(*groups)
        self.out.unlink()
        self.make("mean(x, axis=0)", "--out", f"{self.out}:/g/x", place="/x")
        self.check(("/", self.root), ("g", {}))
        with h5py.File(self.out) as f:
            self.assertEqual(f.attrs["history"].decode().split("\n")[1], "it began")
        self.out.unlink()
        self.make("x", "--out", f"{self.out}:/x", "--no-attrs")
        self.check(("/", {}))

    def explain(self, program):
        return clast(program, "--in", f"x={self.file}:/product/x", "--out", f"{self.out}:/g/x", "--overwrite", "--explain").stdout

    def test_files_that_are_there(self):
        """One that is added to keeps its own; one that would be made again as it is gives way to a new one."""
        self.make("x", "--out", f"{self.out}:/g/x")
        first = self.out.read_bytes()
        for program in ["x", "x + 1"]:
            self.assertIn("nothing else is in it", self.explain(program))
            self.make(program, "--out", f"{self.out}:/g/x", "--overwrite")
            self.check(("/", self.root), ("g", self.own))
            self.assertEqual(self.out.read_bytes() == first, program == "x")
        with h5py.File(self.out, "r+") as f:
            f.attrs["title"] = "mine"
        self.assertIn("is copied first", self.explain("x"))
        self.make("x", "--out", f"{self.out}:/g/x", "--overwrite")
        self.make("x", "--out", f"{self.out}:/other/x")
        self.check(("/", {**self.root, "title": "mine"}), ("g", self.own), ("other", {}))

    def test_several_outputs(self):
        self.make("y = x + 1; w = -x; z = o", "--in", f"o={self.file}:/x", "--out", f"z={self.out}:/z", "--out", f"y={self.out}:/y", "--out", f"w={self.folder}/b.h5:/g/w")
        self.check(("/", {**self.root, **self.own}))
        self.check(("/", self.root), ("g", self.own), into=self.folder / "b.h5")


if __name__ == "__main__":
    for module in ["netCDF4", "xarray"]:
        if globals()[module] is None:
            print(f"python3-{module.lower()} is not installed: what needs it is left out")
    unittest.main()
