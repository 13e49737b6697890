#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What `clast eval` prints, against numpy's str(), over random arrays of every dtype; one process reads many datasets.

    print.py CLAST [--count N] [--first SEED]
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

import h5py
import numpy as np

DTYPES = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64", "complex64", "complex128"]
SHAPES = [(), (0,), (3, 0), (1,), (7,), (100,), (1000,), (1001,), (5000,), (2, 3), (6, 200), (40, 40), (7, 300), (2, 3, 4), (11, 12, 13), (1, 1, 1, 2)]


def floats(rng, shape):
    """Values of one of several characters: plain, whole, tiny, huge, with NaN and infinities, all equal."""
    kind = rng.integers(9)
    if kind == 0:
        return rng.random(shape)
    if kind == 1:
        return np.round(rng.normal(size=shape) * 50)
    if kind == 2:
        return rng.normal(size=shape) * 10.0 ** rng.integers(-30, 30, size=shape)
    if kind == 3:
        return rng.normal(size=shape) * 10.0 ** rng.integers(-6, 12)
    if kind == 4:
        return rng.integers(-40, 40, size=shape) / 8
    if kind == 5:
        return np.zeros(shape)
    values = np.array(rng.normal(size=shape) * 10.0 ** rng.integers(-3, 6))
    if values.ndim:
        values[rng.random(shape) < 0.2] = [np.nan, np.inf, -np.inf, 0.0, -0.0][rng.integers(5)]
    return values if kind < 8 else np.full(shape, [np.nan, np.inf, -np.inf][rng.integers(3)])


def values(rng, dtype, shape):
    d = np.dtype(dtype)
    with np.errstate(all="ignore"):
        if d.kind == "b":
            return rng.random(shape) < 0.5
        if d.kind in "iu":
            info = np.iinfo(d)
            top = min(int(info.max), 10 ** int(rng.integers(1, 19)))
            return np.array(rng.integers(max(int(info.min), -top), top, size=shape, endpoint=True), dtype=d)
        if d.kind == "c":
            z = np.zeros(shape, d)
            z.real[...], z.imag[...] = floats(rng, shape), floats(rng, shape)
            return z
        return np.asarray(floats(rng, shape)).astype(d)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("clast")
    options.add_argument("--count", type=int, default=300)
    options.add_argument("--first", type=int, default=0)
    o = options.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "in.h5")
        wanted = {}
        with h5py.File(file, "w") as f:
            for seed in range(o.first, o.first + o.count):
                rng = np.random.default_rng(seed)
                shape = SHAPES[rng.integers(len(SHAPES))]
                data = values(rng, DTYPES[rng.integers(len(DTYPES))], shape)
                f.create_dataset(f"d{seed}", data=data)
                wanted[seed] = str(f[f"d{seed}"][()])
        for seed, text in wanted.items():
            done = subprocess.run([o.clast, "eval", "x", "--in", f"x={file}:/d{seed}"], capture_output=True, text=True, timeout=60, check=False)
            if done.returncode != 0 or done.stdout != text + "\n":
                failed += 1
                if failed <= 5:
                    pairs = zip(text.split("\n"), done.stdout.split("\n"))
                    line = next((p for p in pairs if p[0] != p[1]), ("", ""))
                    print(f"seed {seed}: exit {done.returncode} {done.stderr}\n  numpy {line[0]!r}\n  clast {line[1]!r}")
    print(f"{o.count} arrays, {failed} printed differently")
    return 1 if failed or not wanted else 0


if __name__ == "__main__":
    sys.exit(main())
