#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""netCDF-4 files and the command: names of axes, selections by coordinate, many files as one array.

    netcdf.py CLAST [--many]

Files are written by h5py in netCDF-4's layout (dimension scales); where netCDF4-python is installed, by that too. What is expected is
computed with NumPy. With --many, 10,000 files are read with 1024 descriptors, not 200 with 64.
"""
import importlib
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import unittest

import h5py
import numpy as np



def optional(module):
    try:
        return importlib.import_module(module)
    except ImportError:
        return None


MANY = "--many" in sys.argv
if MANY:
    sys.argv.remove("--many")
netCDF4, xarray = optional("netCDF4"), optional("xarray")  # pylint: disable=invalid-name
CLAST = os.path.abspath(sys.argv.pop(1))
ENV = {k: v for k, v in os.environ.items() if not k.startswith("CLAST_")}
NO_VARIABLE = "This is a netCDF dimension but not a netCDF variable.%10d"
LAT = np.linspace(90, -90, 19).astype("f4")
LON = np.arange(0, 360, 10.0)


def clast(*args, **kwargs):
    return subprocess.run([CLAST, "eval", *map(str, args)], capture_output=True, text=True, check=False, env=ENV, timeout=60, **kwargs)


def write(path, time, name="t2m", units="days since 2000-01-01", calendar="standard", packing=None, seed=1, lat=LAT, lon=LON,
          rows="lat", **more):
    """A file as climate models write them: time (unlimited), lat (descending), lon, and a variable; returns its decoded values."""
    values = np.random.default_rng(seed).normal(280, 10, (len(time), len(LAT), len(LON))).astype("f4")
    with h5py.File(path, "w") as f:
        f.create_dataset("time", data=time, maxshape=(None,), chunks=(512,))
        f["time"].attrs["units"] = units
        if calendar is not None:
            f["time"].attrs["calendar"] = calendar
        f.create_dataset(rows, data=lat).attrs["units"] = "degrees_north"
        f.create_dataset("lon", data=lon)
        f.create_dataset("bnds", data=np.zeros(2, ">f4"))
        for n, axis in enumerate(["time", rows, "lon"]):
            f[axis].make_scale(axis)
            f[axis].attrs["_Netcdf4Dimid"] = n
        f["bnds"].make_scale(NO_VARIABLE % 2)
        if packing is None:
            x = f.create_dataset(name, data=values, chunks=(min(4, len(time)), 19, 36), compression="gzip", shuffle=True)
        else:
            scale, offset = (np.float32(v) for v in packing)
            stored = np.round((values - offset) / scale).astype("i2")
            values = stored.astype("f4") * scale + offset
            x = f.create_dataset(name, data=stored, chunks=(min(4, len(time)), 19, 36))
            x.attrs.update(scale_factor=scale, add_offset=offset, _FillValue=np.int16(-32768))
        x.attrs.update(units="K", **more)
        bounds = f.create_dataset("time_bnds", data=np.stack([time, time], 1))
        for dataset, axes in [(x, ["time", rows, "lon"]), (bounds, ["time", "bnds"])]:
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

    def test_info(self):
        text, described = (subprocess.run([CLAST, "info", *more, f"{self.file}:/t2m"], capture_output=True, text=True, check=True).stdout
                           for more in ([], ["--json"]))
        self.assertIn(', axes "time", "lat", "lon"\n', text)
        self.assertIn('"axes": ["time", "lat", "lon"]', described)

    @unittest.skipIf(netCDF4 is None, "python3-netcdf4 is not installed")
    def test_netcdf_library(self):
        with netCDF4.Dataset(self.folder / "n.nc", "w") as f:
            for axis, n in [("time", None), ("station", 3), ("letter", 4)]:
                f.createDimension(axis, n)
            f.createVariable("time", "f8", ("time",))[:] = np.arange(5)
            f["time"].units = "hours since 1900-01-01"
            f.createGroup("deep").createVariable("x", "f4", ("time", "station", "letter"), zlib=True)[:] = np.arange(60).reshape(5, 3, 4)
        x = np.arange(60, dtype="f4").reshape(5, 3, 4)
        place = f"x={self.folder}/n.nc:/deep/x"
        self.equal(x.max((0, 2)), "max(x, ('time', 'letter'))", place)
        self.equal(x[2:4], "sel(x, time=('1900-01-01T02', '1900-01-01T03'))", place)
        self.refused("axis 1 has no coordinate (the axes are time, station, letter)", "sel(x, station=1)", place)


class Selections(Case):
    def setUp(self):
        super().setUp()
        self.file = self.folder / "a.nc"
        self.x = write(self.file, np.arange(366.0))
        self.place = f"x={self.file}:/t2m"

    def test_numbers(self):
        x = self.x
        for program, wanted in [
                ("sel(x, lat=(-30, 30))", x[:, 6:13]), ("x.sel(lat=(-30, 30), lon=(None, 20))", x[:, 6:13, :3]),
                ("sel(x, lat=40, lon=350.0)", x[:, 5, 35]), ("sel(x, lat=41, lon=(0, 5), method='nearest')", x[:, 5, :1]),
                ("sel(x[::-1, ::-2], lat=(0, 90))", x[::-1, 18::-2][:, 5:]), ("sel(x, time=(10, 10))", x[10:11]),
                ("sel(sel(x, lat=(0, 50)), lat=(-99, 20))", x[:, 7:10]), ("sel(x, lat=45, method='nearest')", x[:, 4]),
                ("sel(max(x, 'time') * 2, lon=(100, 120))", x.max(0)[:, 10:13] * 2),
                ("sel(x + x, lon=10) - sel(x, lon=10)", x[:, :, 1])]:
            self.equal(wanted, program, self.place)

    def test_dates(self):
        x = self.x
        for program, wanted in [
                ("sel(x, time='2000-02')", x[31:60]), ("sel(x, time=('2000-12', None))", x[335:]),
                ("sel(x, time=(None, '2000-01-02'))", x[:2]), ("sel(x, time=('2000-02-28', '2000-03-01T00'))", x[58:61]),
                ("sel(x, time='2000')", x), ("sel(x, time='2000-03-01T11', method='nearest')", x[60])]:
            self.equal(wanted, program, self.place)

    def test_only_what_is_selected_is_read(self):
        done = clast("sum(sel(x, time='2000-02', lat=(0, 10)))", "--in", self.place, "--stats")
        self.assertEqual(done.returncode, 0, done.stderr)
        read = float(next(line for line in done.stderr.split("\n") if line.startswith("read ")).split()[3])
        self.assertLessEqual(read, 0.1)  # MiB: 29 of 366 days, 19 x 36 floats each

    def test_calendars(self):
        """Against xarray and cftime, or as computed with them where they are not installed."""
        units = "days since 1999-12-30"
        months = {"standard": 31, "noleap": 31, "all_leap": 31, "360_day": 30, "julian": 31, "proleptic_gregorian": 31, None: 31}
        first = {"360_day": 1}  # day number of January 1st: 30 days in December
        for calendar, days in months.items():
            file = self.folder / f"{calendar}.nc"
            x = write(file, np.arange(0.0, 400.0, 0.5), units=units, calendar=calendar)
            at = 2 * first.get(calendar, 2)
            wanted = x[at:at + 2 * days]
            if xarray is not None and calendar in ("standard", "noleap", "360_day", "julian"):
                with xarray.open_dataset(file, use_cftime=True) as d:
                    np.testing.assert_array_equal(d.t2m.sel(time="2000-01").values, wanted)
            self.equal(wanted, "sel(x, time='2000-01')", f"x={file}:/t2m")

    def test_units_of_time(self):
        """The first of February is the 31st day in all of them."""
        for units, calendar, scale in [("microseconds since 2000-01-01", "standard", 86400e6), ("Hours Since 2000-01-01", "noleap", 24),
                                       ("nanoseconds since 2000-01-01", "proleptic_gregorian", 86400e9), ("weeks since 2000-01-01", "julian", 1 / 7)]:
            x = write(self.file, np.arange(60.0) * scale, units=units, calendar=calendar)
            if xarray is not None and units.startswith("micro"):
                with xarray.open_dataset(self.file, use_cftime=True) as d:
                    np.testing.assert_array_equal(d.t2m.sel(time="2000-02").values, x[31:])
            self.equal(x[31:], "sel(x, time='2000-02')", self.place) if calendar != "noleap" else self.equal(x[31:59], "sel(x, time='2000-02')", self.place)

    def test_years_before_christ(self):
        x = write(self.file, np.arange(800.0), units="days since -2-01-01", calendar="julian")
        self.equal(x[365:731], "sel(x, time='-1')", self.place)
        self.equal(x[731:], "sel(x, time=('1', None))", self.place)
        self.refused("there is no year 0 in this calendar", "sel(x, time='0')", self.place)
        x = write(self.file, np.arange(800.0), units="days since -1-01-01", calendar="proleptic_gregorian")
        self.equal(x[365:731], "sel(x, time='0')", self.place)

    def test_refused(self):
        for text, program in [
                ("line 1, column 8: sel: axis 'lat': no coordinate is 41 (there are 19, from 90 to -90 degrees_north)", "sel(x, lat=41)"),
                ("the lower end comes first, and ranges do not wrap around", "sel(x, lon=(350, 10))"),
                ("no coordinate lies in 95 to 100", "sel(x, lat=(95, 100))"), ("there is no such date", "sel(x, time='2000-02-30')"),
                ("no time lies in '2001-02' to '2001-02'", "sel(x, time='2001-02')"), ("'2000-03' to '2000-01' is empty", "sel(x, time=('2000-03', '2000-01'))"),
                ("its units are 'degrees_north'", "sel(x, lat='2000')"), ("lat must be a number, a date", "sel(x, lat=[1, 2])"),
                ("there is no axis 'level'", "sel(x, level=2)"), ("only method='nearest'", "sel(x, lat=2, method='pad')"),
                ("lat is given twice", "sel(x, lat=1, lat=2)"), ("an end of the range is NaN", "sel(x, lat=(nan, 2))"),
                ("an end of the range is NaN", "sel(x, lon=(0, nan))")]:
            self.refused(text, program, self.place)
        self.refused("axis 1 has no coordinate (the axes are time, bnds)", "sel(x, bnds=1)", f"x={self.file}:/time_bnds")
        with h5py.File(self.file, "r+") as f:
            f["lat"][4] = 95
        self.refused(f"{self.file}:/lat do not rise or fall all along: number 4 is 95 after 60", "sel(x, lat=0)", self.place)
        with h5py.File(self.file, "r+") as f:
            f["time"].attrs["units"] = "months since 2000-01-01"
        self.refused("months and years have no fixed length in this calendar", "sel(x, time='2000')", self.place)
        for calendar, why in [("none", "the calendar 'none' has no dates"), ("tai", "need a table of leap seconds, which is not supported")]:
            with h5py.File(self.file, "r+") as f:
                f["time"].attrs.update(units="days since 2000-01-01", calendar=calendar)
            self.refused(f"units are 'days since 2000-01-01' calendar {calendar}: ", "sel(x, time='2000')", self.place)
            self.refused(why, "sel(x, time='2000')", self.place)
        self.equal(self.x[3], "sel(x, time=3)", self.place)

    def test_coordinates_that_differ(self):
        other = self.folder / "b.nc"
        write(other, np.arange(366.0) + 10)
        places = [self.place, f"y={other}:/t2m"]
        self.equal(self.x[:, 9] - self.value("y[:, 9]", places[1]), "sel(x - y, lat=0)", *places)
        self.refused("a.nc:/time and " + str(other) + ":/time: arrays with these different coordinates were combined: number 0 is 0 and 10 days "
                     "since 2000-01-01; 366 of 366 differ, by at most 10", "sel(x - y, time=12)", *places)


class ManyFiles(Case):
    def make(self, n=5, length=3, **more):
        """n files of `length` days; the values of all after each other."""
        parts = []
        for i in range(n):
            kinds = {key: value(i) if callable(value) else value for key, value in more.items()}
            time = kinds.pop("time", np.arange(length) + float(i * length))
            parts.append(write(self.folder / f"m{i:03}.nc", time, seed=i, **kinds))
        return parts

    def cat(self, files="m*.nc", axis="time"):
        return f"x=cat({axis}, {self.folder}/{files}:/t2m)"

    def test_cat(self):
        x = np.concatenate(self.make())
        for program, wanted in [("x", x), ("x[4:11:2, 3]", x[4:11:2, 3]), ("max(x, 'time')", x.max(0)), ("sel(x, time=(4, 9), lat=(0, 30))", x[4:10, 6:10]),
                                ("sel(x, time='2000-01-07', lon=10)", x[6:7, :, 1]), ("x - min(x, 'time')", x - x.min(0))]:
            self.equal(wanted, program, self.cat())
        self.equal(x, "x", self.cat(axis="0"))
        with h5py.File(self.folder / "all.h5", "w") as f:
            f["v"] = x
        self.equal(np.concatenate([x, x], axis=1), "x", f"x=cat(-2, {self.folder}/all.h5, {self.folder}/all.h5:/v)")
        for memory in ["2M", "64M"]:
            done = clast("max(x)", "--in", self.cat(), "--memory", memory)
            self.assertEqual((done.returncode, done.stdout), (0, str(x.max()) + "\n"), done.stderr)

    def test_stack_and_lists(self):
        parts = self.make(3, time=lambda i: np.arange(3.0))
        a, b = self.folder / "m002.nc", self.folder / "m000.nc"
        self.equal(np.stack([parts[2], parts[0]]), "x", f"x=stack(member, {a}, {b}:/t2m)")
        self.equal(np.stack(parts, axis=1).max(1), "max(x, 1)", f"x=stack(1, {self.folder}/m*.nc:/t2m)")
        self.equal(np.stack(parts).max((0, 2)), "max(x, ('member', 'lat'))", f"x=stack(member, {self.folder}/m*.nc:/t2m)")
        names = self.folder / "list.txt"
        names.write_text(f"{a}\n\n{b}\n")
        self.equal(np.stack([parts[2], parts[0], parts[1]]), "x", f"x=stack(member, @{names}, {self.folder}/m001.nc:/t2m)")

    def test_order_is_that_of_bytes(self):
        for name in ["m10.nc", "m2.nc", "mA.nc", "ma.nc"]:
            write(self.folder / name, np.array([float("m10.nc m2.nc mA.nc ma.nc".split().index(name))]), seed=3)
        self.equal(np.arange(4.0), "x", f"x=cat(time, {self.folder}/m*.nc:/time)")

    def test_origins(self):
        x = np.concatenate(self.make(3, time=lambda i: np.arange(3.0) * [1, 24, 1][i], units=lambda i: f"{['days', 'hours', 'days'][i]} since 2000-01-{1 + 3 * i:02}"))
        self.equal(x[4:7], "sel(x, time=('2000-01-05', '2000-01-07'))", self.cat())
        self.equal(x[8], "sel(x, time=8)", self.cat())

    def test_packings(self):
        x = np.concatenate(self.make(4, packing=lambda i: (0.01 * (i + 1), 250.0 + i)))
        self.equal(x, "x", self.cat())
        done = clast("max(x)", "--in", self.cat(), "--raw")
        self.assertEqual(done.returncode, 2)
        self.assertIn("its own scale_factor, add_offset or _FillValue", done.stderr)

    def test_other_files_have_other_coordinates(self):
        """The first file alone does not tell whether coordinates are the same."""
        x = np.concatenate(self.make(3))
        m = [self.folder / f"m00{i}.nc" for i in range(3)]
        first, other, out = f"x=cat(time, {m[0]}, {m[1]}:/t2m)", f"y=cat(time, {m[0]}, {m[2]}:/t2m)", self.folder / "out.nc"
        self.equal(x[:6], "(x + x) / 2", first)
        self.refused("different coordinates", "sel(x - y, time=1)", first, other)
        done = clast("x", "--in", first, "--out", f"{out}:/x")
        self.assertEqual(done.returncode, 0, done.stderr)
        done = clast("x - y", "--in", first, "--in", other, "--out", f"{out}:/d")
        self.assertEqual(done.returncode, 0, done.stderr)
        with h5py.File(out) as f:
            np.testing.assert_array_equal(f["x"].dims[0][0], np.arange(6.0))
            name = f["d"].dims[0][0].attrs["NAME"]
            self.assertIn(b"not a netCDF variable", name)
            self.assertIn(f"--in '{first}' --in '{other}'".encode(), f.attrs["history"])

    def test_refused(self):
        self.make(3)
        first, last = self.folder / "m000.nc", self.folder / "m002.nc"
        write(last, np.arange(3.0))
        self.refused(f"do not go on from {self.folder}/m001.nc to {last}: 0 comes after 5", "x", self.cat())
        write(last, np.arange(6.0, 9), packing=(0.01, 280.0))
        done = clast("x", "--in", self.cat())
        self.assertEqual(done.returncode, 0, done.stderr)  # float32 as well
        with h5py.File(last, "r+") as f:
            f["t2m"].attrs["units"] = "Celsius"
        self.refused(f"{last}:/t2m has units 'Celsius', {first} has 'K'", "x", self.cat())
        write(last, np.arange(6.0, 9), calendar="360_day")
        self.refused("do not go together", "x", self.cat())
        with h5py.File(last, "w") as f:
            f["t2m"] = np.zeros((3, 19, 35), "f4")
        self.refused(f"{last}:/t2m has shape (3, 19, 35), {first} has (3, 19, 36)", "x", self.cat())
        with h5py.File(last, "w") as f:
            f["t2m"] = np.zeros((3, 19, 36))
        self.refused(f"{last}:/t2m has dtype float64, {first} has float32", "x", self.cat())
        last.write_bytes(b"no HDF5")
        self.refused(str(last), "x", self.cat())
        self.refused("has no axis 'level' (the axes are time, lat, lon)", "x", self.cat(axis="level"))
        self.refused("axis -2147483646", "x", self.cat(axis=-2**80))
        self.refused("axis 2147483646", "x", self.cat(axis=2**32))
        self.refused("no file matches", "x", self.cat("n*.nc"))
        self.refused("names no files", "x", "x=cat(time:/t2m)")
        self.refused("No such file", "x", f"x=cat(time, @{self.folder}/none:/t2m)")

    def test_other_axes_differ(self):
        """Which names and coordinates are refused, and what the message says; --any-coordinates takes all of them."""
        first, last = self.folder / "m000.nc", self.folder / "m001.nc"
        noise = LAT.astype("f8")
        noise[3] += 1e-9
        a = write(first, np.arange(3.0), standard_name="air_temperature")
        for text, more in [
                (f"axis 'lat' of {first} and of {last} has different coordinates: number 0 is 90 and -90 degrees_north; 18 of 19 differ, by at "
                 "most 180; the option any_coordinates joins them all the same", {"lat": LAT[::-1]}),
                ("'lon' of ", {"lon": LON + 100}), ("number 0 is 0 and 100; 36 of 36 differ, by at most 100", {"lon": LON + 100}),
                ("number 3 is 60 and 60.000000001000000 degrees_north; 1 of 19 differ, by at most 1e-09", {"lat": noise}),
                ("number 4 is 50 and nan degrees_north; 1 of 19 differ; the option any_coordinates", {"lat": np.where(LAT == 50, np.nan, LAT)}),
                (f"axis 1 of {last}:/t2m is 'latitude', that of {first} is 'lat'", {"rows": "latitude"}),
                (f"{last}:/t2m has standard_name 'dew_point_temperature', {first} has 'air_temperature'", {"standard_name": "dew_point_temperature"})]:
            b = write(last, np.arange(3.0, 6), seed=2, **more)
            digits = text.replace("60.000000001000000", f"{60.000000001:.17g}")
            self.refused(digits, "x", self.cat())
            wanted = np.concatenate([a, b])
            done = clast("x", "--in", self.cat(), "--any-coordinates", "--out", f"{self.out}:/v", "--overwrite", "--no-sync")
            self.assertEqual(done.returncode, 0, done.stderr)
            with h5py.File(self.out) as f:
                np.testing.assert_array_equal(f["v"][()], wanted)
                np.testing.assert_array_equal(f["lat"][()], LAT)
                self.assertIn(b"--any-coordinates", f.attrs["history"])
        for more in [{"lat": LAT.astype("f8"), "lon": LON.astype("i2")}, {"units": "hours since 2000-01-01", "time": np.arange(3.0, 6) * 24}]:
            self.equal(np.concatenate([a, write(last, **{"time": np.arange(3.0, 6), **more})]), "x", self.cat())
        write(last, np.arange(3.0, 6))
        with h5py.File(last, "r+") as f:
            f["lon"].attrs["NAME"] = NO_VARIABLE % 36
        self.refused(f"axis 'lon' has coordinates in {first}, but none in {last}", "x", self.cat())
        with h5py.File(last, "r+") as f:
            f["t2m"].dims[1].detach_scale(f["lat"])
        self.refused(f"axis 1 of {last}:/t2m is without a name, that of {first} is 'lat'", "x", self.cat())

    def test_other_axes_of_stacks(self):
        """All axes are others; times of other units are compared as instants."""
        parts = [write(self.folder / "m0.nc", np.arange(3.0)), write(self.folder / "m1.nc", np.arange(3.0) * 24 - 24, units="hours since 2000-01-02")]
        place = f"x=stack(member, {self.folder}/m*.nc:/t2m)"
        self.equal(np.stack(parts), "x", place)
        write(self.folder / "m1.nc", np.arange(3.0) * 24 - 23, units="hours since 2000-01-02")
        self.refused("axis 'time'", "x", place)
        self.refused("number 0 is 0 and 0.04166666667 days since 2000-01-01; 3 of 3 differ, by at most 0.0417", "x", place)
        write(self.folder / "m1.nc", np.arange(3.0), calendar="noleap")
        self.refused("do not go together", "x", place)

    def test_texts_along_an_axis(self):
        def station(path, names, time):
            with h5py.File(path, "w") as f:
                f["time"], f["t2m"] = [time], np.full((1, 2), time)
                f.create_dataset("station", data=names, dtype=h5py.string_dtype() if isinstance(names[0], str) else None)
                for i, axis in enumerate(["time", "station"]):
                    f[axis].make_scale(axis)
                    f["t2m"].dims[i].attach_scale(f[axis])
        first, last = self.folder / "m0.nc", self.folder / "m1.nc"
        station(first, ["Emden", "Norden"], 1.0)
        station(last, ["Emden", "Norden"], 2.0)
        self.equal(np.array([[1.0, 1], [2, 2]]), "x", self.cat())
        station(last, ["Norden", "Emden"], 2.0)
        self.refused("they are no numbers, and their elements or their datatypes differ", "x", self.cat())
        station(last, [1.0, 2.0], 2.0)
        self.refused("only one of them has numbers", "x", self.cat())

    def test_untrusted(self):
        self.make(2)
        done = clast("x", "--in", self.cat(), "--untrusted")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("--untrusted: 'x' is made of many files, which libhdf5 opens in this process", done.stderr)

    def test_few_descriptors(self):
        """Many more files than descriptors, read twice over."""
        n, descriptors = (10000, 1024) if MANY else (200, 64)
        values = np.random.default_rng(2).random((n, 2, 5))
        for i in range(n):
            with h5py.File(self.folder / f"m{i:05}.nc", "w") as f:
                f["time"] = [2.0 * i, 2.0 * i + 1]
                f["time"].make_scale("time")
                f.create_dataset("t2m", data=values[i], chunks=(1, 5), compression="gzip").dims[0].attach_scale(f["time"])
        x = values.reshape(-1, 5)
        limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
        self.equal(x - x.max(0), "x - max(x, 'time')", self.cat(), preexec_fn=limit)
        self.equal(x[101:350:7], "x[101:350:7]", self.cat(), preexec_fn=limit)


if __name__ == "__main__":
    for module in ["netCDF4", "xarray"]:
        if globals()[module] is None:
            print(f"python3-{module.lower()} is not installed: what needs it is left out")
    unittest.main()
