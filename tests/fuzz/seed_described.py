#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes a first corpus for fuzz_described: small datasets of each layout and some filters, as the helper describes them.

    seed_described.py HELPER FOLDER
"""
import pathlib
import subprocess
import sys
import tempfile

import h5py
import numpy as np

SAID_FROM = 28  # as in described.h
VALUES = np.arange(45, dtype="i2").reshape(5, 9)
SPECS = [
    dict(data=VALUES),
    dict(data=VALUES, chunks=(2, 4)),
    dict(data=VALUES, chunks=(3, 3), compression="gzip"),
    dict(data=VALUES.astype(">f4"), chunks=(3, 3), compression="gzip", shuffle=True, fletcher32=True),
    dict(data=VALUES.astype("f2"), chunks=(5, 4), compression="lzf"),
    dict(data=VALUES > 9, chunks=(8, 16), maxshape=(None, None)),
    dict(data=VALUES[0] + 1j, chunks=(4,), fletcher32=True),
    dict(shape=(6, 8), dtype="f8", chunks=(2, 4), fillvalue=7),
    dict(data=np.float32(3)),
]


def main():
    helper, folder = sys.argv[1:]
    with tempfile.TemporaryDirectory() as work:
        for i, spec in enumerate(SPECS):
            file = pathlib.Path(work) / f"{i}.h5"
            with h5py.File(file, "w", libver=("earliest", "latest")[i % 2]) as f:
                x = f.create_dataset("x", **spec)
                if i in (1, 3):
                    x.attrs.update({"scale_factor": 0.5, "_FillValue": x.dtype.type(3)})
            said = subprocess.run([helper, "decoded", file, "/x"], check=True, capture_output=True).stdout[SAID_FROM:]
            (pathlib.Path(folder) / f"seed-{i}").write_bytes(len(said).to_bytes(2, "little") + said + file.read_bytes())


if __name__ == "__main__":
    main()
