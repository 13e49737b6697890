# SPDX-License-Identifier: BSD-3-Clause
"""Inputs: how a dataset is stored, and what an expression sees of it.

Every form is written by libhdf5 through h5py, and read back by h5py when it was written. What an expression sees is
decoded here, in NumPy, by the rules of the CF conventions as the library documents them.
"""
import os

import h5py
import numpy as np
from h5py import h5d, h5p, h5s, h5t, h5z

INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
FORMS = ["contiguous", "compact", "chunked", "gzip", "shuffle", "gzip+shuffle", "fletcher32", "gzip+shuffle+fletcher32",
         "szip", "scaleoffset", "nbit", "big-endian", "float16", "odd integer", "odd float", "fill value", "unwritten",
         "resizable", "virtual", "external", "soft link", "other file", "scalar", "zero-length"]
FILTERS = {"szip": h5z.FILTER_SZIP, "scaleoffset": h5z.FILTER_SCALEOFFSET, "nbit": h5z.FILTER_NBIT,
           "gzip": h5z.FILTER_DEFLATE}
PACKING = ["scale_factor", "add_offset", "_FillValue", "missing_value", "_Unsigned"]


def available(form):
    """Whether this libhdf5 can write it."""
    wanted = FILTERS.get(form)
    if wanted is None:
        return True
    return bool(h5z.filter_avail(wanted)) and bool(h5z.get_filter_info(wanted) & h5z.FILTER_CONFIG_ENCODE_ENABLED)


def decoded(stored, attributes):
    """What the attributes make of stored numbers: fill values first, then scale, then offset, all in one dtype."""
    if stored.dtype.kind not in "iuf" or not attributes:
        return stored
    fills = [float(v) for name in ("missing_value", "_FillValue") for v in np.ravel(attributes.get(name, []))]
    if "_Unsigned" in attributes and stored.dtype.kind == "i":
        fills = [f + 2.0 ** (8 * stored.dtype.itemsize) if f < 0 else f for f in fills]
        stored = stored.view(stored.dtype.str.replace("i", "u"))
    fills = [f for f in fills if not np.isnan(f)]
    scaling = [attributes[name] for name in ("scale_factor", "add_offset") if name in attributes]
    if not fills and not scaling:
        return stored
    short = stored.dtype == np.float32 or stored.dtype.itemsize <= 2
    single = "scale_factor" in attributes and all(np.asarray(v).dtype in (np.float32, np.float16) for v in scaling)
    dtype = np.float32 if short and (single or not scaling) else np.float64
    with np.errstate(all="ignore"):
        values = np.array(stored.astype(dtype))
        for fill in fills:
            values[values == dtype(fill)] = np.nan
        if "scale_factor" in attributes:
            values = values * dtype(np.ravel(attributes["scale_factor"])[0])
        if "add_offset" in attributes:
            values = values + dtype(np.ravel(attributes["add_offset"])[0])
    return np.asarray(values, dtype)


def random_attributes(rng, stored, wish):
    """CF attributes for numbers that are stored: of either float type, as scalars or arrays of one."""
    names = [n for n in PACKING if n == wish or rng.random() < .4]
    attributes = {}
    for name in names:
        if name in ("scale_factor", "add_offset"):
            dtype = rng.choice(["float32", "float64"], p=[.6, .4])
            value = np.dtype(dtype).type(rng.choice([.1, .01, 2.5, -3, 1e-3, 273.15]))
            if rng.random() < .1:
                value = np.int16(7)
            attributes[name] = np.array([value]) if rng.random() < .3 else value
        elif name == "_Unsigned":
            if stored.dtype.kind == "i":
                attributes[name] = np.bytes_("true") if rng.random() < .5 else "true"
        else:
            there = stored.ravel()
            some = there[rng.integers(there.size, size=3)] if there.size else np.zeros(3, stored.dtype)
            if stored.dtype.kind == "f" and rng.random() < .15:
                some[0] = np.nan
            if name == "_FillValue":
                attributes[name] = some[0] if rng.random() < .8 else np.array(some[:1])
            else:
                attributes[name] = np.array(some[:int(rng.integers(1, 4))])
    return attributes


class Source:
    """A dataset to be: `stored` goes into the file in one of the forms, `seen` is what a program gets."""

    def __init__(self, rng, array, form, wish):
        self.form, self.stored, self.attributes, self.raw = form, array, {}, False
        self.setup(rng)
        numeric = self.stored.dtype.kind in "iuf"
        if wish in PACKING or (numeric and rng.random() < .12):
            self.attributes = random_attributes(rng, self.stored, wish)

    @property
    def seen(self):
        stored = self.stored.astype(np.float32) if self.stored.dtype == np.float16 else self.stored
        return np.array(stored) if self.raw else np.array(decoded(stored, self.attributes))

    def items(self):
        """What of the suite's list this input exercises."""
        yield f"source: {self.form}"
        yield f"input of {self.seen.dtype.name}"
        for name in self.attributes:
            yield f"raw {name}" if self.raw else name

    # ---- forms: whether one fits an array, and what it does to the values

    def setup(self, rng):
        array, form = self.stored, self.form
        self.part = tuple(slice(0, n) for n in array.shape)
        self.fill = self.bits = self.size = None
        self.chunks = tuple(int(rng.integers(1, n + 1)) if n else 1 for n in array.shape)
        while array.size and np.prod([-(-n // c) for n, c in zip(array.shape, self.chunks)]) > 400:
            self.chunks = tuple(min(n, 2 * c) for n, c in zip(array.shape, self.chunks))
        if form == "szip" and np.prod(self.chunks) < 8:
            self.chunks = array.shape
        if form == "float16":
            with np.errstate(all="ignore"):
                self.stored = array.astype(np.float16)
        elif form == "odd integer":
            self.size = int(rng.integers(array.dtype.itemsize // 2 + 1, array.dtype.itemsize + 1))
            self.bits = int(rng.integers(6, 8 * self.size + 1))
            self.clip()
        elif form == "nbit" and array.dtype.kind in "iu" and rng.random() < .7:
            self.size, self.bits = array.dtype.itemsize, int(rng.integers(6, 8 * array.dtype.itemsize + 1))
            self.clip()
        elif form == "odd float":
            self.stored = (np.ascontiguousarray(array).view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
            self.stored = self.stored.reshape(array.shape)
        elif form in ("fill value", "unwritten"):
            self.fill = array.ravel()[0] if rng.random() < .6 else array.dtype.type(0)
            bounds = [sorted(int(v) for v in rng.integers(0, n + 1, 2)) for n in array.shape]
            self.part = tuple(slice(lo, hi if form == "fill value" else lo) for lo, hi in bounds)
            stored = np.full(array.shape, self.fill, array.dtype)
            stored[self.part] = array[self.part]
            self.stored, self.late = stored, rng.random() < .5
        self.written, self.digits = None, 0
        may_swap = form not in ("compact", "odd float", "scaleoffset") and array.dtype.kind in "iufc"
        self.swapped = form == "big-endian" or (may_swap and rng.random() < .08)
        if form == "scaleoffset" and array.dtype.kind == "f":
            self.round(rng)

    def round(self, rng):
        """The filter keeps so many decimal digits: what it leaves is what libhdf5 reads."""
        self.written, self.digits = self.stored, int(rng.integers(0, 4))
        with h5py.File("rounded", "w", driver="core", backing_store=False) as file:
            self.write_plain(rng, file, "x", self.written)
            self.stored = file["x"][()]

    def clip(self):
        """The values that so many bits hold."""
        signed = self.stored.dtype.kind == "i"
        low, high = (-2 ** (self.bits - 1), 2 ** (self.bits - 1) - 1) if signed else (0, 2 ** self.bits - 1)
        kind, info = self.stored.dtype.type, np.iinfo(self.stored.dtype)
        self.stored = np.minimum(np.maximum(self.stored, kind(max(low, info.min))), kind(min(high, info.max)))

    def file_type(self):
        dtype = self.stored.dtype.newbyteorder(">") if self.swapped else self.stored.dtype
        kind = h5t.py_create(dtype, logical=True).copy()
        if self.form == "odd float":
            kind = h5t.IEEE_F32LE.copy()
            kind.set_fields(15, 7, 8, 0, 7)
            kind.set_size(2)
            kind.set_ebias(127)
        elif self.bits:
            kind.set_precision(self.bits)
            kind.set_size(self.size)
        return kind

    def properties(self, rng):
        form, plist = self.form, h5p.create(h5p.DATASET_CREATE)
        if form == "compact":
            plist.set_layout(h5d.COMPACT)
        filters = set(form.split("+"))
        chunked = filters & {"gzip", "shuffle", "fletcher32", "szip", "scaleoffset", "nbit", "chunked", "resizable"}
        if form == "zero-length" and rng.random() < .5:
            plist.set_chunk(tuple(max(1, c) for c in self.chunks))
        if form == "resizable":  # chunks may be larger than what is there
            self.chunks = tuple(c + int(rng.integers(0, 9)) for c in self.chunks)
        if chunked or (self.fill is not None and self.late and self.stored.ndim):
            plist.set_chunk(self.chunks)
        elif form in ("big-endian", "float16", "odd integer", "odd float") and self.stored.ndim and rng.random() < .6:
            plist.set_chunk(self.chunks)
        if "nbit" in filters:
            plist.set_filter(h5z.FILTER_NBIT, 0, ())
        if "scaleoffset" in filters:
            plist.set_scaleoffset(h5z.SO_INT if self.stored.dtype.kind in "iu" else h5z.SO_FLOAT_DSCALE, self.digits)
        if "shuffle" in filters:
            plist.set_shuffle()
        if "gzip" in filters:
            plist.set_deflate(int(rng.integers(1, 4)))
        if "szip" in filters:
            plist.set_szip(h5z.SZIP_NN_OPTION_MASK if rng.random() < .5 else h5z.SZIP_EC_OPTION_MASK, 2)
        if "fletcher32" in filters:
            plist.set_fletcher32()
        if self.fill is not None and self.fill.dtype.kind not in "b":
            plist.set_fill_value(np.asarray(self.fill))
        return plist

    def write(self, rng, file, name):
        """Into an open file; h5py must read back what was meant."""
        folder, array, form = os.path.dirname(file.filename), self.stored, self.form
        array = np.asarray(array if self.written is None else self.written, order="C")
        if form == "virtual":
            self.write_parts(file, name, array)
        elif form == "external":
            where = os.path.join(folder, f"{name}.bin")
            file.create_dataset(name, shape=array.shape, dtype=array.dtype, external=[(where, 0, array.nbytes)])[...] = array
        elif form == "soft link":
            file.create_dataset(f"kept/{name}", data=array)
            file[name] = h5py.SoftLink(f"/kept/{name}")
        elif form == "other file":
            with h5py.File(os.path.join(folder, f"{name}.h5"), "w") as other:
                other.create_dataset("data", data=array)
            file[name] = h5py.ExternalLink(f"{name}.h5", "/data")
        else:
            self.write_plain(rng, file, name, array)
        for key, value in self.attributes.items():
            file[name].attrs[key] = value
        self.verify(file, name)

    def write_plain(self, rng, file, name, array):
        most = tuple(h5s.UNLIMITED for _ in array.shape) if self.form == "resizable" else array.shape
        space = h5s.create_simple(array.shape, most) if array.ndim else h5s.create(h5s.SCALAR)
        dataset = h5d.create(file.id, name.encode(), self.file_type(), space, self.properties(rng))
        part = np.ascontiguousarray(array[self.part]) if array.ndim else array
        if part.size:
            target = dataset.get_space()
            if array.ndim:
                target.select_hyperslab(tuple(s.start for s in self.part), part.shape)
            memory = h5s.create_simple(part.shape) if array.ndim else h5s.create(h5s.SCALAR)
            dataset.write(memory, target, part, h5t.py_create(part.dtype, logical=True))

    def write_parts(self, file, name, array):
        layout, cut = h5py.VirtualLayout(shape=array.shape, dtype=array.dtype), array.shape[0] // 2
        for i, (lo, hi) in enumerate(((0, cut), (cut, array.shape[0]))):
            if hi > lo:
                file.create_dataset(f"{name}_part{i}", data=array[lo:hi])
                layout[lo:hi] = h5py.VirtualSource(".", f"{name}_part{i}", shape=array[lo:hi].shape)
        file.create_virtual_dataset(name, layout)

    def verify(self, file, name):
        # In the file's byte order: where only order and precision differ libhdf5 forgets the sign.
        back = np.empty(self.stored.shape, self.stored.dtype.newbyteorder(">" if self.swapped else "="))
        file[name].id.read(h5s.ALL, h5s.ALL, back, h5t.py_create(back.dtype, logical=True))
        want = np.asarray(self.stored)
        if want.dtype.kind in "fc":
            same = np.array_equal(back, want, equal_nan=True)
        else:
            same = np.array_equal(back, want)
        if not same:
            raise AssertionError(f"h5py reads {self.form} of {want.dtype} otherwise than it wrote it")


def fitting_forms(array):
    """The forms that an array can have."""
    kind, forms = array.dtype.kind, []
    for form in FORMS:
        if form == "scalar" or form == "zero-length":
            fits = array.ndim == 0 if form == "scalar" else array.size == 0
        elif array.size == 0:
            fits = False
        elif form in ("contiguous", "soft link", "other file"):
            fits = array.ndim > 0
        elif form == "compact":
            fits = array.ndim > 0 and array.nbytes < 60000
        elif form == "scaleoffset":
            fits = array.ndim > 0 and (kind in "iu" or (kind == "f" and bool(np.all(np.abs(array) < 1e6))))
        elif form == "nbit":
            fits = array.ndim > 0 and kind in "iuf"
        elif form == "szip":
            fits = array.ndim > 0 and kind in "iuf" and array.size > 8
        elif form == "big-endian":
            fits = kind in "iufc" and array.dtype.itemsize > 1
        elif form == "float16" or form == "odd float":
            fits = array.dtype == np.float32
        elif form == "odd integer":
            fits = kind in "iu"
        elif form in ("fill value", "unwritten"):
            fits = kind in "iuf" and array.ndim > 0
        else:
            fits = array.ndim > 0
        if fits and available(form):
            forms.append(form)
    return forms
