#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes what the corpus of fuzz_classify began with: the seven kinds of files of tests/hostile.c and some that say more of
themselves, all of them small. classify/ is what the fuzzer found beside them.

    seed_classify.py FOLDER
"""
import pathlib
import sys

import h5py
import numpy as np

VALUES = np.arange(120.0).reshape(12, 10)
SPECS = [
    ("earliest", dict(data=VALUES)),
    ("earliest", dict(data=VALUES, chunks=(4, 3), compression="gzip", shuffle=True)),
    ("earliest", dict(data=VALUES, chunks=(4, 3), fletcher32=True)),
    ("latest", dict(data=VALUES, chunks=(4, 3))),
    ("latest", dict(data=VALUES, chunks=(4, 3), maxshape=(None, 10), compression="gzip")),
    ("latest", dict(data=VALUES, chunks=(4, 3), maxshape=(None, None), compression="gzip", shuffle=True, fletcher32=True)),
    ("latest", dict(data=VALUES, chunks=(4, 3), fillvalue=3)),
    ("earliest", dict(data=VALUES.astype("i2"), chunks=(4, 3), compression="lzf")),
    ("latest", dict(data=VALUES.astype(">f4"), chunks=(4, 3), scaleoffset=2)),
    ("earliest", dict(data=np.float32(3))),
    ("latest", dict(data=h5py.Empty("f8"))),
    ("earliest", dict(data=np.zeros(3, [("r", "f4"), ("i", "f4")]))),
    ("earliest", dict(data=np.array([b"a", b"bc"]))),
]


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for i, (libver, spec) in enumerate(SPECS):
        with h5py.File(folder / f"seed-{i}", "w", libver=libver, userblock_size=512 if i == 2 else None) as f:
            x = f.create_dataset("x", **spec)
            if i in (1, 7):
                x.attrs.update({"scale_factor": 0.5, "add_offset": 1.0, "_FillValue": x.dtype.type(3), "valid_range": [0.0, 50.0]})


if __name__ == "__main__":
    main()
