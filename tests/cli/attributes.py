#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What outputs say about themselves: attributes of inputs, where they hold and where they would lie, as h5py, ncdump and xarray see them.

    attributes.py CLAST
"""
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

try:
    import xarray
    import netCDF4  # pylint: disable=unused-import
except ImportError:
    xarray = None

CLAST = os.path.abspath(sys.argv.pop(1))
ENV = {k: v for k, v in os.environ.items() if not k.startswith("CLAST_")}
PLAIN = {"comment", "levels", "names", "flag", "kind", "grid"}
QUANTITY = {"units", "long_name", "standard_name"}


def clast(*args, **env):
    return subprocess.run([CLAST, "eval", *map(str, args)], capture_output=True, text=True, timeout=120, check=False, env={**ENV, **env})


class Attributes(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.file, self.out = self.folder / "in.h5", self.folder / "out.h5"
        t = np.random.default_rng(1).random((6, 5, 4)).astype("f4") + 270
        with h5py.File(self.file, "w") as f:
            f["other"] = t
            f["other"].attrs["units"] = "m"
            f["celsius"] = t - 273
            f["celsius"].attrs["units"] = np.bytes_("K")
            f["crs"] = 0
            f["t"] = t
            self.describe(f, "t")
            f["t"].attrs["valid_range"] = np.array([100, 400], "f4")
            f["packed"] = (t * 10).astype("i2")
            self.describe(f, "packed")
            for name, value in [("_FillValue", np.int16(2700)), ("scale_factor", np.float32(0.1)), ("add_offset", np.float32(1)),
                                ("valid_max", np.int16(4000)), ("actual_range", np.array([0, 1], "i2"))]:
                f["packed"].attrs[name] = value
            f["time"] = np.arange(5.0)
            f["time"].attrs["units"] = "days since 2000-01-01"
            f["time"].attrs["calendar"] = "noleap"

    def describe(self, f, name):
        a = f[name].attrs
        a["units"], a["long_name"], a["standard_name"] = "K", "air temperature", np.bytes_("air_temperature")
        a["comment"], a["levels"], a["names"] = "ü", np.array([1, 2, 3, 4], ">i2"), ["one", "three"]
        a["flag"], a["kind"], a["grid"] = True, np.bytes_(b"ab"), h5py.Empty("f8")
        a["where"], a["coordinates"], a["grid_mapping"] = f.ref, "t nothing", "crs"
        a["vlen"] = np.array([np.arange(2), np.arange(3)], dtype=h5py.vlen_dtype("i4"))
        a["pair"] = np.zeros((), [("a", "i4"), ("b", "f8")])
        a["CLASS"], a["DIMENSION_LABELS"], a["_Netcdf4Dimid"] = "CARRAY", ["a", "b", "c"], 0

    def eval(self, program, *args, name="t", file=None, **env):
        """The attributes of the output."""
        self.out.unlink(missing_ok=True)
        done = clast(program, "--in", f"x={file or self.file}:/{name}", "--out", f"{self.out}:/y", *args, **env)
        self.assertEqual(done.returncode, 0, done.stderr)
        with h5py.File(self.out) as f:
            return dict(f["y"].attrs)

    def carried(self, program, *args, name="t", **more):
        return {k for k in self.eval(program, *args, name=name, **more) if not k.startswith("clast_")} - {"DIMENSION_LIST"}

    def test_values_survive_as_they_are(self):
        with h5py.File(self.file, "r+") as f:
            f["t"].attrs["square"] = np.eye(3)  # which netCDF has no word for
            was = dict(f["t"].attrs)
        got = self.eval("x[1:]")
        for name in PLAIN | QUANTITY | {"square"}:
            np.testing.assert_array_equal(got[name], was[name], err_msg=name)
            self.assertEqual(np.asarray(got[name]).dtype, np.asarray(was[name]).dtype, name)
        with h5py.File(self.out) as f:
            self.assertEqual(f["y"].attrs.get_id("levels").dtype, np.dtype(">i2"))
            self.assertTrue(h5py.h5a.get_info(f["y"].id, b"flag"))

    def test_what_holds_after_which_operation(self):
        values, units = PLAIN | QUANTITY, PLAIN | {"units", "long_name"}
        for program, wanted in [
                ("x", values | {"valid_range"}), ("x.T[::-1, 1:3]", values | {"valid_range"}), ("concatenate((x, x))", values | {"valid_range"}),
                ("mean(x, axis=0)", values), ("max(x)", values), ("maximum(x, 0)", values), ("where(x > 271, x, 0)", values),
                ("x.astype(float64)", values), ("x - mean(x)", units), ("-x", units), ("sum(x, axis=(0, 2))", units), ("std(x)", units),
                ("nanmean(x, axis=0)", values), ("nanmin(x)", values), ("nansum(x)", units), ("nanstd(x, axis=1)", units), ("nanvar(x)", PLAIN),
                ("x - 273.15", PLAIN), ("1000 * x", PLAIN), ("x * x", PLAIN), ("x / x", PLAIN), ("var(x)", PLAIN), ("x > 271", PLAIN),
                ("argmax(x)", PLAIN), ("sqrt(x)", PLAIN), ("x[0] @ x[0].T", set()), ("x[0] - x[0] @ ones((4, 4))", PLAIN), ("ones(3)*x[0,0,0]", PLAIN)]:
            self.assertEqual(self.carried(program), wanted, program)

    def test_two_inputs(self):
        def both(program, other):
            return self.carried(program, "--in", f"o={self.file}:/{other}")
        values, units = PLAIN | QUANTITY, PLAIN | {"units", "long_name"}
        self.assertEqual(both("x - o", "other"), PLAIN)
        self.assertEqual(both("x - o", "celsius"), units)
        self.assertEqual(both("where(o > 0, x, 0)", "other"), values)
        self.assertEqual(both("concatenate((x, o))", "other"), PLAIN)
        self.assertEqual(both("concatenate((x, o))", "celsius"), values)
        self.assertEqual(both("concatenate((o, x))", "celsius"), {"units"})

    def test_packing(self):
        """Decoded values are floats with NaN; raw ones keep what says how to decode them as long as they are the same."""
        packing = {"_FillValue", "scale_factor", "add_offset", "valid_max"}
        got = self.eval("x", name="packed")
        self.assertEqual({k for k in got if not k.startswith("clast_")}, PLAIN | QUANTITY | {"_FillValue", "DIMENSION_LIST"})
        self.assertTrue(np.isnan(got["_FillValue"]) and got["_FillValue"].dtype == np.float32)
        self.assertNotIn("_FillValue", self.eval("x > 0", name="packed"))
        self.assertEqual(self.carried("x[0]", "--raw", name="packed"), PLAIN | QUANTITY | packing)
        self.assertEqual(self.carried("mean(x)", "--raw", name="packed"), PLAIN)
        self.assertEqual(self.carried("-x", "--raw", name="packed"), PLAIN)

    def test_times(self):
        self.assertEqual(self.carried("x[1:]", name="time"), {"units", "calendar"})
        self.assertEqual(self.carried("mean(x)", name="time"), {"units", "calendar"})
        self.assertEqual(self.carried("x[1:] - x[:-1]", name="time"), set())

    def test_names_of_variables_are_kept_where_these_are(self):
        self.out.unlink(missing_ok=True)
        with h5py.File(self.out, "w") as f:
            f["crs"] = 1
        done = clast("x", "--in", f"x={self.file}:/t", "--out", f"{self.out}:/y", "--out", f"{self.out}:/g/y")
        self.assertEqual(done.returncode, 2, done.stderr)
        done = clast("x; z = x", "--in", f"x={self.file}:/t", "--out", f"{self.out}:/y", "--out", f"z={self.out}:/g/y")
        self.assertEqual(done.returncode, 0, done.stderr)
        with h5py.File(self.out) as f:
            self.assertEqual(f["y"].attrs["grid_mapping"], "crs")
            self.assertNotIn("coordinates", f["y"].attrs)
            self.assertNotIn("grid_mapping", f["g/y"].attrs)

    def test_none(self):
        self.assertEqual(set(self.eval("x", "--no-attrs")), set())
        self.assertEqual(self.carried("x", "--no-attrs", name="packed"), set())

    def history(self):
        with h5py.File(self.out) as f:
            return f.attrs["history"].decode().split("\n") if "history" in f.attrs else None

    def test_provenance(self):
        program = "y = x  # it's\ny - o"
        got = self.eval(program, "--in", f"o={self.file}:/other", "--raw", "--chunks", "2,-1,4", "--compress=gzip:1", "--workers", "1")
        self.assertEqual(got["clast_program"].decode(), program)
        self.assertEqual(got["clast_inputs"].decode(), f"{self.file}:/t\n{self.file}:/other")
        version = subprocess.run([CLAST, "--version"], capture_output=True, text=True, check=True).stdout
        self.assertEqual("clast " + got["clast_version"].decode(), version.strip())
        line = self.history()[0]
        words = subprocess.run(["bash", "-c", f"printf '%s\\0' {line}"], capture_output=True, text=True, check=True).stdout.split("\0")[:-1]
        self.assertEqual(words, ["clast", "eval", program, "--in", f"x={self.file}:/t", "--in", f"o={self.file}:/other", "--chunks", "2,-1,4",
                                 "--compress", "gzip:1", "--raw"])
        self.eval("x", "--no-attrs")
        self.assertIsNone(self.history())

    def test_history(self):
        """Newest first, on top of what the file said, or the input's; no line twice; dated if a date is given."""
        with h5py.File(self.file, "r+") as f:
            f.attrs["history"] = "it began"
        self.eval("x")
        first = f"clast eval x --in x={self.file}:/t"
        self.assertEqual(self.history(), [first, "it began"])
        before = self.out.read_bytes()
        for program, more, wanted in [("x", {}, [first]), ("x+1", {}, [first.replace(" x ", " x+1 "), first])]:
            done = clast(program, "--in", f"x={self.file}:/t", "--out", f"{self.out}:/y", "--overwrite", **more)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(self.history(), wanted + ["it began"])
            self.assertEqual(self.out.read_bytes() == before, program == "x")
        self.eval("x", SOURCE_DATE_EPOCH="1000000000")
        self.assertEqual(self.history()[0], "Sun Sep 09 01:46:40 2001: " + first)
        self.eval("x", SOURCE_DATE_EPOCH="soon")
        self.assertEqual(self.history()[0], first)

    def test_losses_are_told(self):
        done = clast("x", "--in", f"x={self.file}:/t", "--out", f"{self.out}:/y")
        self.assertIn("3 of its input's attributes could not be copied", done.stderr)  # where, vlen, pair

    def test_chains_are_no_recursion(self):
        got = self.eval("\n".join(["y = x"] + ["y=y-x"] * 4000))
        self.assertEqual(got["units"], "K")

    def make_grid(self):
        with h5py.File(self.file, "r+") as f:
            g = f.create_group("grid")
            for name, values, units in [("lat", [-60, -30, 0, 30, 60.0], "degrees_north"), ("lon", np.arange(4) * 90, "degrees_east")]:
                g[name] = values
                g[name].attrs["units"] = units
                g[name].make_scale(name)
            g["x"] = np.arange(60.0).reshape(3, 5, 4)
            g["x"].dims[1].attach_scale(g["lat"])
            g["x"].dims[2].attach_scale(g["lon"])

    def axes(self, path="y"):
        """Coordinates of each axis; scales that stand for no name are left out."""
        with h5py.File(self.out) as f:
            return [[(scale.name, scale[()].tolist(), scale.attrs["units"]) for scale in dim.values() if "/unnamed_" not in scale.name] for dim in f[path].dims]

    def test_axes(self):
        """Coordinates go with their axes, sliced as these are; what is there already is shared."""
        self.make_grid()
        lat, lon = ("/lat", [-60, -30, 0, 30, 60], "degrees_north"), ("/lon", [0, 90, 180, 270], "degrees_east")
        for program, wanted in [
                ("x * 2", [[], [lat], [lon]]), ("mean(x, axis=(0, 1))", [[lon]]), ("x[1].T", [[lon], [lat]]), ("sum(x, axis='lat')", [[], [lon]]),
                ("x[0, 3:0:-2, 1:]", [[("/lat", [30, -30], "degrees_north")], [("/lon", [90, 180, 270], "degrees_east")]]), ("sum(x)", [])]:
            self.eval(program, name="grid/x")
            self.assertEqual(self.axes(), wanted, program)
        self.eval("x", "--no-attrs", name="grid/x")
        self.assertEqual(self.axes(), [[], [], []])
        self.out.unlink()
        place = ["--in", f"x={self.file}:/grid/x"]
        for program, path in [("x[0]", "a"), ("x[1]", "b"), ("x[1, 1:]", "c")]:
            self.assertEqual(clast(program, *place, "--out", f"{self.out}:/{path}").returncode, 0)
        self.assertEqual(self.axes("b"), [[lat], [lon]])
        self.assertEqual(self.axes("c"), [[("/lat_2", [-30, 0, 30, 60], "degrees_north")], [lon]])
        with h5py.File(self.out) as f:
            self.assertEqual(set(f), {"a", "b", "c", "lat", "lat_2", "lon"})

    def test_axes_in_the_input_s_own_file(self):
        self.make_grid()
        done = clast("z = x[0]; x - mean(x, axis=0)", "--in", f"x={self.file}:/grid/x", "--out", f"{self.file}:/grid/y", "--out", f"z={self.file}:/grid/x",
                     "--overwrite")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        with h5py.File(self.file) as f:
            g = f["grid"]
            self.assertEqual(set(g), {"lat", "lon", "x", "y", "unnamed_0"})
            self.assertEqual([g["y"].dims[1][0], g["y"].dims[2][0]], [g["lat"], g["lon"]])
            self.assertEqual([g["x"].dims[0][0], g["x"].dims[1][0]], [g["lat"], g["lon"]])
            users = sorted((f[r].name, int(i)) for r, i in g["lat"].attrs["REFERENCE_LIST"])
            self.assertEqual(users, [("/grid/x", 0), ("/grid/y", 1)])

    @unittest.skipUnless(shutil.which("ncdump"), "ncdump is not installed")
    def test_ncdump(self):
        self.eval("x - mean(x, axis=0)")
        done = subprocess.run(["ncdump", "-h", self.out], capture_output=True, text=True, check=True)
        for part in ['y:units = "K"', 'y:levels = 1s, 2s, 3s, 4s', 'y:long_name = "air temperature"']:
            self.assertIn(part, done.stdout)

    @unittest.skipUnless(shutil.which("h5dump"), "h5dump is not installed")
    def test_h5dump(self):
        self.eval("x")
        done = subprocess.run(["h5dump", "-A", self.out], capture_output=True, text=True, check=True)
        self.assertIn('ATTRIBUTE "units"', done.stdout)

    @unittest.skipUnless(xarray, "xarray or netCDF4 is not installed")
    def test_xarray(self):
        """Packed data through Clast and through xarray alone: the same values, units and fill."""
        file = self.folder / "in.nc"
        values = xarray.DataArray(np.linspace(250, 300, 60).reshape(5, 12).astype("f4"), dims=("a", "b"), name="p", attrs={"units": "K"})
        values[2, 3] = np.nan
        values.to_netcdf(file, encoding={"p": {"dtype": "i2", "_FillValue": -32768, "scale_factor": 0.01, "add_offset": 273.0}})
        for raw in [[], ["--raw"]]:
            self.eval("x", *raw, name="p", file=file)
            with xarray.open_dataset(self.out) as got, xarray.open_dataset(file) as was:
                np.testing.assert_allclose(got["y"], was["p"], rtol=1e-7)
                self.assertEqual(np.isnan(got["y"]).sum(), 1)
                self.assertEqual(got["y"].dims, ("a", "b"))
                self.assertEqual({k: v for k, v in got["y"].attrs.items() if not k.startswith("clast_")}, was["p"].attrs)


    @unittest.skipUnless(xarray, "xarray or netCDF4 is not installed")
    def test_coordinates_in_xarray(self):
        """Labels, times among them, as xarray gives them to its own result."""
        file = self.folder / "in.nc"
        time = ("time", np.arange(24), {"units": "hours since 2001-02-03", "calendar": "noleap"})
        lat = ("lat", np.linspace(-75, 75, 7).astype("f4"), {"units": "degrees_north"})
        x = xarray.DataArray(np.random.default_rng(0).random((24, 7, 3)), dims=("time", "lat", "member"), coords={"time": time, "lat": lat})
        x.to_dataset(name="x").to_netcdf(file)
        for program, select in [("x - mean(x, axis=0)", lambda x: x - x.mean("time")), ("mean(x[6:, ::2], axis=2)", lambda x: x[6:, ::2].mean("member")),
                                ("x[::-1, 3].T", lambda x: x[::-1, 3].drop_vars("lat").T)]:
            self.eval(program, name="x", file=file)
            with xarray.open_dataset(self.out) as got, xarray.open_dataset(file) as was:
                xarray.testing.assert_allclose(got["y"], select(was["x"]))


if __name__ == "__main__":
    unittest.main()
