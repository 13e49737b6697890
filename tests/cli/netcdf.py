#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""netCDF-4 files and the command: names of axes, selections by coordinate, many files as one array.

    netcdf.py CLAST

Files are written by h5py in netCDF-4's layout (dimension scales); where netCDF4-python is installed, by that too. What is expected is
computed with NumPy.
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

CLAST = os.path.abspath(sys.argv.pop(1))
ENV = {k: v for k, v in os.environ.items() if not k.startswith("CLAST_")}
NO_VARIABLE = "This is a netCDF dimension but not a netCDF variable.%10d"
LAT = np.linspace(90, -90, 19).astype("f4")
LON = np.arange(0, 360, 10.0)


def clast(*args, **kwargs):
    return subprocess.run([CLAST, "eval", *map(str, args)], capture_output=True, text=True, check=False, env=ENV, timeout=60, **kwargs)


def write(path, time, name="t2m", units="days since 2000-01-01", calendar="standard", packing=None, seed=1, **more):
    """A file as climate models write them: time (unlimited), lat (descending), lon, and a variable; returns its decoded values."""
    values = np.random.default_rng(seed).normal(280, 10, (len(time), len(LAT), len(LON))).astype("f4")
    with h5py.File(path, "w") as f:
        f.create_dataset("time", data=time, maxshape=(None,), chunks=(512,))
        f["time"].attrs["units"] = units
        if calendar is not None:
            f["time"].attrs["calendar"] = calendar
        f.create_dataset("lat", data=LAT).attrs["units"] = "degrees_north"
        f.create_dataset("lon", data=LON)
        f.create_dataset("bnds", data=np.zeros(2, ">f4"))
        for n, axis in enumerate(["time", "lat", "lon"]):
            f[axis].make_scale(axis)
            f[axis].attrs["_Netcdf4Dimid"] = n
        f["bnds"].make_scale(NO_VARIABLE % 2)
        if packing is None:
            x = f.create_dataset(name, data=values, chunks=(4, 19, 36), compression="gzip", shuffle=True)
        else:
            scale, offset = (np.float32(v) for v in packing)
            stored = np.round((values - offset) / scale).astype("i2")
            values = stored.astype("f4") * scale + offset
            x = f.create_dataset(name, data=stored, chunks=(4, 19, 36))
            x.attrs.update(scale_factor=scale, add_offset=offset, _FillValue=np.int16(-32768))
        x.attrs.update(units="K", **more)
        bounds = f.create_dataset("time_bnds", data=np.stack([time, time], 1))
        for dataset, axes in [(x, ["time", "lat", "lon"]), (bounds, ["time", "bnds"])]:
            for i, axis in enumerate(axes):
                dataset.dims[i].attach_scale(f[axis])
    return values


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.out = self.folder / "out.h5"

    def value(self, program, *inputs, **kwargs):
        """What the program gives, by way of a file."""
        places = [word for place in inputs for word in ("--in", place)]
        done = clast(program, *places, "--out", f"{self.out}:/v", "--overwrite", "--no-sync", **kwargs)
        self.assertEqual(done.returncode, 0, done.stderr)
        with h5py.File(self.out) as f:
            return f["v"][()]

    def equal(self, wanted, program, *inputs, **kwargs):
        got = self.value(program, *inputs, **kwargs)
        np.testing.assert_array_equal(got, wanted)
        self.assertEqual(got.dtype, wanted.dtype)

    def refused(self, text, program, *inputs, code=2, **kwargs):
        places = [word for place in inputs for word in ("--in", place)]
        done = clast(program, *places, **kwargs)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertIn(text, done.stderr)
        self.assertEqual(done.stdout, "")


class Names(Case):
    def setUp(self):
        super().setUp()
        self.file = self.folder / "a.nc"
        self.x = write(self.file, np.arange(24.0))
        self.place = f"x={self.file}:/t2m"

    def test_reductions(self):
        wide = self.x.astype("f8")
        for program, wanted in [
                ("max(x, axis='time')", self.x.max(0)), ("x.min(axis='lat')", self.x.min(1)), ("argmax(x, axis='lon')", self.x.argmax(2)),
                ("any(x > 300, axis=('lat', 'lon'))", (self.x > 300).any((1, 2))), ("max(x, ('lon', 0))", self.x.max((0, 2))),
                ("sum(astype(x, float64), axis='time', keepdims=True).shape[0] * x[0, 0, 0]", self.x[0, 0, 0])]:
            self.equal(np.asarray(wanted), program, self.place)
        np.testing.assert_allclose(self.value("mean(x, axis='time')", self.place), wide.mean(0), rtol=1e-6)
        np.testing.assert_allclose(self.value("std(x, axis=('lat', 'lon'), ddof=1)", self.place), wide.std((1, 2), ddof=1), rtol=1e-4)

    def test_operations_pass_names_on(self):
        x = self.x
        for program, wanted in [
                ("max((x * 2 + 1)[3:, ::-2].T, axis='lat')", (x * 2 + 1)[3:, ::-2].T.max(1)),
                ("max(x[2], axis='lon')", x[2].max(1)),
                ("max(x[:, newaxis, 4], 'lon')", x[:, None, 4].max(2)),
                ("max(max(x, 'time'), 'lon')", x.max((0, 2))),
                ("transpose(x, ('lon', 'time', 'lat'))", x.transpose(2, 0, 1)),
                ("swapaxes(x, 'lat', 'lon')", x.swapaxes(1, 2)),
                ("flip(x, ('lat', 'time'))", x[::-1, ::-1]),
                ("x[:, :1].squeeze('lat')", x[:, 0]),
                ("max(x - max(x, axis='time'), axis='lat')", (x - x.max(0)).max(1)),
                ("max(where(x > 280, x, 0), 'time')", np.where(x > 280, x, np.float32(0)).max(0)),
                ("concatenate([x, x + 1], axis='time')", np.concatenate([x, x + 1])),
                ("max(concatenate([x, x[:3]]), axis='lat')", np.concatenate([x, x[:3]]).max(1)),
                ("max(stack([x, x], 1), axis='lat')", np.stack([x, x], 1).max(2)),
                ("max(rechunk(x, (5, 19, 7)), 'lon')", x.max(2)),
                ("max(x.reshape(1, 24, 19, 36), 'lat')", x[None].max(2)),
                ("max(x[0] @ x[0].T, 'lat')", None)]:
            if wanted is None:
                self.refused("2 axes are called 'lat'", program, self.place)
            else:
                self.equal(wanted, program, self.place)

    def test_unknown_names(self):
        self.refused("line 1, column 13: mean: there is no axis 'level' (the axes are time, lat, lon)", "x - mean(x, 'level')", self.place)
        self.refused("the axes are lon, 1, lat)", "max(x[0].T[:, newaxis], axis='level')", self.place)
        self.refused("have no names", "max(zeros((2, 2)), axis='lat')")
        self.refused("have no names", "max(x[0, :, :19] + x[0, :, :19].T, 'lat')", self.place)
        self.refused("only arrays have axes with names", "max([1, 2], axis='lat')")
        self.refused("place of a new axis", "stack([x, x], axis='lat')", self.place)

    def test_kinds_of_scales(self):
        self.equal(np.arange(24.0), "max(x, 'bnds')", f"x={self.file}:/time_bnds")
        self.equal(np.float32(90), "max(x, 'lat')", f"x={self.file}:/lat")
        other = self.folder / "b.h5"
        with h5py.File(other, "w") as f:
            f["deep/er/x"] = np.arange(6.0).reshape(2, 3)
            f["axes/station"] = np.arange(2)
            f["deep/height"] = np.arange(3)
            f["labels"] = np.arange(6.0).reshape(2, 3)
            f["labels"].dims[1].label = "level"
            for i, scale in enumerate(["axes/station", "deep/height"]):
                f[scale].make_scale("another name")
                f["deep/er/x"].dims[i].attach_scale(f[scale])
        self.equal(np.array([3.0, 4.0, 5.0]), "max(x, 'station')", f"x={other}:/deep/er/x")
        self.equal(np.array([2.0, 5.0]), "max(x, 'height')", f"x={other}:/deep/er/x")
        self.equal(np.array([2.0, 5.0]), "max(x, 'level')", f"x={other}:/labels")


if __name__ == "__main__":
    unittest.main()
