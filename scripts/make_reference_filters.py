#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes reference_filters.h5: small datasets stored by the filters' own HDF5 plugins.

    HDF5_PLUGIN_PATH=FOLDER make_reference_filters.py FILE

The plugins are Debian's hdf5-filter-plugin (lz4), bitshuffle and hdf5-filter-plugin-blosc-serial; lzf is h5py's own.
Element i of each dataset, in C order, is (i * i) % 251 + i / 8. There is no plugin for Zstandard by itself in Debian 12.
"""
import sys

import h5py
import numpy as np

DATASETS = {
    "lzf": ("i4", {"compression": "lzf", "shuffle": True, "fletcher32": True}),
    "lz4": ("f8", {"compression": 32004}),
    "lz4_blocks": ("i2", {"compression": 32004, "compression_opts": (64,)}),
    "blosc": ("f4", {"compression": 32001}),
    "blosc_zstd_bits": ("f8", {"compression": 32001, "compression_opts": (0, 0, 0, 0, 9, 2, 5)}),
    "bitshuffle": ("i4", {"compression": 32008}),
    "bitshuffle_lz4": ("f8", {"compression": 32008, "compression_opts": (0, 2)}),
    "bitshuffle_lz4_blocks": ("i2", {"compression": 32008, "compression_opts": (32, 2), "fletcher32": True}),
}


def main():
    with h5py.File(sys.argv[1], "w", libver="latest") as file:
        for name, (dtype, options) in DATASETS.items():
            i = np.arange(23 * 31)
            values = (i * i % 251 + i / 8).astype(dtype).reshape(23, 31)
            file.create_dataset(name, data=values, chunks=(8, 13), **options)


main()
