#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What docs/recipes.md shows works: every line of it is run on small data and its result compared with NumPy.

    recipes.py ROOT CLAST           Clast's lines
    recipes.py ROOT CLAST --peers   the lines of other tools, as far as these are installed

A recipe is a heading "### ..." with blocks of shell lines and of Python. RESULTS has an entry for each; a heading without one, or an
entry without a heading, fails. Each line runs alone in a fresh folder with the files that the page describes.
"""
import contextlib
import importlib
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import h5py
import numpy as np

PEERS = "--peers" in sys.argv
ROOT, CLAST = (os.path.abspath(a) for a in sys.argv[1:3])
PAGE = pathlib.Path(ROOT) / "docs" / "recipes.md"
ENV = {k: v for k, v in os.environ.items() if not k.startswith("CLAST_")}
ENV["PATH"] = os.path.dirname(CLAST) + os.pathsep + ENV["PATH"]

LAT, LON = np.arange(80, -81, -20.0), np.arange(0, 360, 30.0)
DAYS = np.arange(731.0)  # 2000 and 2001
RANDOM = np.random.default_rng(11)
SEASON = 15 * np.sin((DAYS[:, None, None] - 110) * 2 * np.pi / 365.25) * np.sign(LAT)[:, None]
T = (288 + SEASON + 30 * (np.cos(np.radians(LAT))[:, None] - 0.6) + RANDOM.normal(0, 3, (len(DAYS), len(LAT), len(LON)))).astype("f4")
MEMBERS = [(T[:60] + RANDOM.normal(0, 1, T[:60].shape)).astype("f4") for _ in range(3)]
FILL = np.float32(1e20)
GAPS = np.where(RANDOM.random(T.shape) < 0.1, np.float32(np.nan), T)
GAPS[:, 4] = np.nan
X, Y = RANDOM.random((300, 40)), RANDOM.random((40, 30))
D = T.astype("f8")


def describe(dataset, **attributes):
    """Texts of fixed length, as the netCDF library writes them."""
    dataset.attrs.update({name: np.bytes_(value) if isinstance(value, str) else value for name, value in attributes.items()})


def scale(file, name, values, **attributes):
    file.create_dataset(name, data=values)
    file[name].make_scale(name)
    describe(file[name], **attributes)


def weather(path, days, values, stored=None, **attributes):
    """A file as netCDF-4 writes it, with gzip: time, lat, lon and t2m."""
    with h5py.File(path, "w", track_order=True) as f:
        f.create_dataset("time", data=days, maxshape=(None,), chunks=(512,))
        f["time"].make_scale("time")
        describe(f["time"], units="days since 2000-01-01", calendar="standard", standard_name="time")
        scale(f, "lat", LAT, units="degrees_north", standard_name="latitude")
        scale(f, "lon", LON, units="degrees_east", standard_name="longitude")
        shape = (None,) + values.shape[1:]
        x = f.create_dataset("t2m", data=values if stored is None else stored, chunks=(30, 9, 12), maxshape=shape, compression="gzip", shuffle=True)
        describe(x, units="K", long_name="2 metre temperature", **attributes)
        for axis, name in enumerate(["time", "lat", "lon"]):
            x.dims[axis].attach_scale(f[name])


def make_files(folder):
    weather(folder / "t2m.nc", DAYS, T)
    (folder / "years").mkdir()
    weather(folder / "years/2000.nc", DAYS[:366], T[:366])
    weather(folder / "years/2001.nc", DAYS[366:], T[366:])
    for i, values in enumerate(MEMBERS):
        weather(folder / f"run{i + 1}.nc", DAYS[:60], values)
    other = T.copy()
    other[100, 3, 4] += 2
    weather(folder / "new.nc", DAYS, other)
    stored = np.round((D - 280) / 0.01).astype("i2")
    weather(folder / "packed.nc", DAYS, T, stored, scale_factor=0.01, add_offset=280.0, _FillValue=np.int16(-32768))
    weather(folder / "gaps.nc", DAYS, GAPS, np.where(np.isnan(GAPS), FILL, GAPS), _FillValue=FILL)
    with h5py.File(folder / "m.h5", "w") as f:
        f.create_dataset("x", data=X, chunks=(64, 16))
        f.create_dataset("y", data=Y)
        f.create_dataset("run/a", data=X[:5])
        f["run"].attrs["note"] = "first"
    shutil.copy(folder / "t2m.nc", folder / "damaged.nc")
    with h5py.File(folder / "damaged.nc") as f:
        chunk = f["t2m"].id.get_chunk_info(7)
    with open(folder / "damaged.nc", "r+b") as f:
        f.seek(chunk.byte_offset + chunk.size // 2)
        f.write(bytes(64))


class Done:
    """What a line left: its tool, folder, exit code and output."""

    def __init__(self, kind, folder, code, text):
        self.kind, self.folder, self.code, self.text = kind, folder, code, text

    def stored(self, place):
        name, path = place.split(":")
        with h5py.File(self.folder / name) as f:
            x = f[path]
            values = x[()]
            if values.dtype.kind == "i" and "scale_factor" in x.attrs:
                values = values * x.attrs["scale_factor"] + x.attrs["add_offset"]
            for name in {"_FillValue", "missing_value"} & set(x.attrs) if values.dtype.kind == "f" else ():
                values = np.where(values == x.attrs[name], np.nan, values)
            return np.squeeze(values), x.chunks, x.compression


def values(place, wanted, rtol=1e-5, atol=0.0, **of_tool):
    def check(done):
        np.testing.assert_allclose(done.stored(place)[0], np.squeeze(wanted), rtol=of_tool.get(done.kind, rtol), atol=atol)
    return check


def storage(place, wanted, chunks=None, compression=None):
    def check(done):
        got = done.stored(place)
        np.testing.assert_array_equal(got[0], wanted)
        if chunks is not None:
            assert got[1] == chunks, got[1]
        assert got[2] == compression, got[2]
    return check


def fails(done):
    assert done.code != 0, "no damage was found"


def says(*words):
    def check(done):
        for word in words:
            assert word in done.text, (word, done.text)
    return check


def differs(done):
    assert done.code == 1, (done.code, done.text)


def differs_or_says(done):
    """cdo's diff tells by what it prints."""
    assert done.code == 1 or re.search("1 of 731 records differ", done.text), (done.code, done.text)


def is_described(done):
    text = done.text
    described = json.loads(text)
    assert "t2m" in text and described, text


def in_place(done):
    values("t2m.nc:t2c", T - np.float32(273.15), rtol=1e-3, atol=1e-3)(done)
    values("t2m.nc:t2m", T)(done)


def singular(done):
    s = np.linalg.svd((D - D.mean(0)).reshape(len(D), -1), compute_uv=False)
    np.testing.assert_allclose(done.stored("out.h5:s")[0], s, rtol=1e-4, atol=1e-2)


def group_alone(done):
    with h5py.File(done.folder / "out.h5") as f:
        found = f if "a" in f else f["run"]
        np.testing.assert_array_equal(found["a"], X[:5])
        assert found.attrs["note"] == "first"


def column(x):
    return (x - x.mean(0)) / x.std(0)


WEIGHT = np.cos(np.radians(LAT))[:, None] * np.ones(len(LON))
JUNE = int(np.flatnonzero(DAYS == 366 + 151)[0])  # 2001-06-01
EUROPE = T[:, (LAT >= 30) & (LAT <= 70)][:, :, (LON >= 0) & (LON <= 40)]
NC = "out.nc:t2m"
# heading: what has to hold after each of its lines
RESULTS = {
    "Mean over time": values(NC, D.mean(0)),
    "Mean over time with missing values": values(NC, np.where(np.isnan(GAPS).all(0), np.nan, np.nansum(GAPS, 0, "f8") / np.maximum(np.isfinite(GAPS).sum(0), 1))),
    "How many values there are": values(NC, np.isfinite(GAPS).sum(0)),
    "Anomaly": values(NC, D - D.mean(0), atol=1e-3),
    "Standard deviation": values(NC, D.std(0), rtol=1e-3),
    "A season, by dates": values(NC, T[JUNE:JUNE + 92]),
    "A box of latitudes and longitudes": values(NC, EUROPE),
    "The nearest grid point": values(NC, T[:, 1, 0]),
    "Zonal mean": values(NC, D.mean(2)),
    "Mean over the globe, weighted by area": values(NC, (D * WEIGHT).sum((1, 2)) / WEIGHT.sum(), cdo=1e-3),
    "Count of days above a threshold": values(NC, (T > 298.15).sum(0)),
    "Many files as one": storage(NC, T, compression="gzip"),
    "Mean over many files": values(NC, D.mean(0)),
    "Spread of an ensemble": values(NC, np.std(np.stack(MEMBERS).astype("f8"), axis=0), rtol=1e-3, atol=1e-3),
    "Conversion of units": values(NC, D - 273.15, rtol=1e-3, atol=1e-3),
    "Mask": values(NC, np.where(T > 273.15, T, np.nan)),
    "Every n-th step": values(NC, T[::10]),
    "A new variable in a file that exists": in_place,
    "Unpacking": values(NC, np.round((D - 280) / 0.01) * 0.01 + 280, rtol=1e-5),
    "Difference of two files": values(NC, np.where(np.arange(T.size).reshape(T.shape) == (100 * 9 + 3) * 12 + 4, 2, 0), atol=1e-4),
    "Are two files the same?": differs_or_says,
    "Statistics of every variable": says("t2m"),
    "Is a file damaged?": fails,
    "A description for programs": is_described,
    "Other chunks": storage(NC, T, (365, 3, 4), "gzip"),
    "Other compression": storage(NC, T, compression="gzip"),
    "No compression": storage(NC, T),
    "One group of a file": group_alone,
    "Product of matrices": values("out.h5:z", X @ Y, rtol=1e-12),
    "Standardised columns": values("out.h5:z", column(X), rtol=1e-9, atol=1e-12),
    "Transposing a matrix larger than memory": values("out.h5:z", X.T),
    "SVD and empirical orthogonal functions": singular,
    "A long job that can be interrupted": values(NC, D - D.mean(0), atol=1e-3),
    "A file from somewhere": values(NC, D.mean(0)),
}


def recipes():
    """{heading: [(kind, text)]}: shell lines one by one, continued lines joined; Python by the block."""
    found = {}
    text = PAGE.read_text(encoding="utf-8")
    for part in re.split(r"^### ", text, flags=re.M)[1:]:
        part = re.split(r"^## ", part, flags=re.M)[0]
        lines = found.setdefault(part.splitlines()[0], [])
        for language, block in re.findall(r"^```(\w+)\n(.*?)^```$", part, re.M | re.S):
            if language == "python":
                lines.append(("python", block))
            else:
                lines += [(line.split()[0], line) for line in block.replace("\\\n", " ").splitlines()]
    return found


def scope():
    """What the page's Python lines have imported."""
    names = {"np": "numpy", "xr": "xarray", "h5py": "h5py", "da": "dask.array"}
    return {name: importlib.import_module(module) for name, module in names.items()}


class Recipes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.base = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.base, True)
        (cls.base / "files").mkdir()
        make_files(cls.base / "files")

    def run_line(self, kind, text):
        folder = self.base / "run"
        shutil.rmtree(folder, True)
        shutil.copytree(self.base / "files", folder)
        if kind != "python":
            done = subprocess.run(text, shell=True, cwd=folder, capture_output=True, text=True, check=False, env=ENV, timeout=60)
            return Done(kind, folder, done.returncode, done.stdout if done.returncode == 0 else done.stdout + done.stderr)
        said = io.StringIO()
        here = os.getcwd()
        os.chdir(folder)
        try:
            with contextlib.redirect_stdout(said):
                exec(text, scope())  # pylint: disable=exec-used
        except Exception as e:  # pylint: disable=broad-except
            return Done(kind, folder, 1, said.getvalue() + repr(e))
        finally:
            os.chdir(here)
        return Done(kind, folder, 0, said.getvalue())

    def check(self, heading, kind, text):
        done = self.run_line(kind, text)
        result = RESULTS[heading]
        if result not in (fails, differs_or_says):
            self.assertEqual(done.code, 0, f"{text}\n{done.text[:500]}")
        try:
            result(done)
        except (AssertionError, OSError, KeyError, ValueError) as e:
            self.fail(f"{text}\n{done.text[:500]}\n{repr(e)[:500]}")

    def test_every_recipe_has_a_result(self):
        self.assertEqual(set(recipes()), set(RESULTS))
        for heading, lines in recipes().items():
            self.assertIn("clast", [kind for kind, _ in lines], heading)

    @unittest.skipIf(PEERS, "peers only")
    def test_clast(self):
        for heading, lines in recipes().items():
            for kind, text in lines:
                if kind == "clast":
                    with self.subTest(text):
                        self.check(heading, kind, text)

    @unittest.skipUnless(PEERS, "Clast only")
    def test_peers(self):
        count, missing = 0, set()
        for heading, lines in recipes().items():
            for kind, text in lines:
                if kind == "clast":
                    continue
                try:
                    if kind == "python":
                        scope()
                    elif shutil.which(kind) is None:
                        raise ImportError(kind)
                except ImportError as e:
                    missing.add(str(e))
                    continue
                count += 1
                with self.subTest(text):
                    self.check(heading, kind, text)
        print(f"{count} lines; not installed: {sorted(missing)}")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
