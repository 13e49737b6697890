#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Files at work: reads, stores, copies and time means beside h5py, Dask, h5repack, nccopy, cdo and ncwa.

All in one interleaved run on the same files. A time is that of a whole process but for h5py and Dask, whose imports are not
counted. Stores are not synced on either side. "Peak" is the peak resident set of the process. Peers that are not installed are left out.
"""
import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from big import direct, forget

MIB = 1 << 20

PEER = """
import sys, time, h5py, numpy as np
a, b = sys.argv[1:3]
start = time.perf_counter()
{code}
print("seconds", time.perf_counter() - start)
"""
CHUNKS = """
import itertools
def boxes(d):
    for at in itertools.product(*(range(0, n, c) for n, c in zip(d.shape, d.chunks))):
        yield tuple(slice(i, min(i + c, n)) for i, c, n in zip(at, d.chunks, d.shape))
"""
DASK = """
import os, dask, dask.array as da
dask.config.set(scheduler="threads", num_workers=os.cpu_count())
d = h5py.File(a, "r")[{name!r}]
x = da.from_array(d, chunks=d.chunks or "auto", lock=False)
"""


class Bench:
    """One run of everything."""

    def __init__(self, o):
        self.o = o
        self.clast = os.path.abspath(o.clast)
        self.out = f"{o.folder}/out"
        self.one = dict(os.environ, OPENBLAS_NUM_THREADS="1")

    def file(self, name):
        return f"{self.o.folder}/{name}"

    def run(self, line):
        """(seconds, peak bytes, output)"""
        with tempfile.TemporaryFile("w+") as out:
            start = time.perf_counter()
            child = subprocess.Popen(line, stdout=out, stderr=subprocess.STDOUT, env=self.one)
            _, status, usage = os.wait4(child.pid, 0)
            wall = time.perf_counter() - start
            child.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            text = out.read()
        if child.returncode:
            return None, child.returncode, text
        last = text.strip().splitlines()[-1:] or [""]
        if last[0].startswith("seconds "):
            wall = float(last[0].split()[1])
        return wall, usage.ru_maxrss * 1024, text

    def eval(self, program, data, *options):
        return [self.clast, "eval", program, "--in", f"x={data}", "--quiet", "--no-sync", "--memory", "512M", *options]

    def python(self, code, *files):
        return [sys.executable, "-c", PEER.format(code=code), *files, ""]

    def race(self, title, entries):
        """entries: [(name, line, files to remove before)]; the first is ours. Prints medians, and how often we are as fast."""
        seconds, peaks, texts = {}, {}, {}
        entries = [e for e in entries if shutil.which(e[1][0]) or print(f"{e[0]}: {e[1][0]} is not installed", file=sys.stderr)]
        for i in range(self.o.rounds + 1):
            for name, line, outputs in entries:
                if seconds.get(name, [0]) is None:
                    continue
                for path in outputs:
                    if os.path.exists(path):
                        os.remove(path)
                wall, peak, texts[name] = self.run(line)
                if wall is None:
                    print(f"{name}: exit {peak}: {texts[name].strip()[-200:]}", file=sys.stderr)
                    seconds[name] = None
                elif i or self.o.rounds == 0:
                    seconds.setdefault(name, []).append(wall)
                    peaks[name] = max(peak, peaks.get(name, 0))
        first = entries[0][0]
        for name, _, _ in entries:
            if seconds.get(name):
                ratio = statistics.median(t / u for t, u in zip(seconds[name], seconds.get(first) or seconds[name]))
                print(f"| {title} | {name} | {statistics.median(seconds[name]):.2f} | {ratio:.1f} | {peaks[name] / MIB:.0f} |", flush=True)
        return texts


def make_data(folder, scale):
    """A netCDF-4 file as climate models write them, and a plain matrix, chunked and contiguous."""
    import h5py
    import numpy as np
    rng = np.random.default_rng(0)
    steps = max(96, int(2400 * scale) // 48 * 48)
    path = f"{folder}/climate.nc"
    if not os.path.exists(path):
        with h5py.File(path, "w") as f:
            for name, values, units in (("time", np.arange(steps) + .5, "days since 2000-01-01"),
                                        ("lat", np.linspace(-90, 90, 361), "degrees_north"),
                                        ("lon", np.arange(720) / 2, "degrees_east")):
                f[name] = values
                f[name].attrs["units"] = units
                f[name].make_scale(name)
            d = f.create_dataset("t2m", (steps, 361, 720), "f4", chunks=(48, 91, 180), compression="gzip", compression_opts=4,
                                 shuffle=True)
            for axis, name in enumerate(("time", "lat", "lon")):
                d.dims[axis].attach_scale(f[name])
            for i in range(0, steps, 48):
                t, la, lo = np.ogrid[i:i + 48, :361, :720]
                d[i:i + 48] = np.round(280 + 10 * np.sin(t / 50) + 20 * np.cos(la / 60) + 3 * np.sin(lo / 30)
                                       + .5 * rng.standard_normal((48, 361, 720)), 2)
    n = max(2048, int(16384 * scale ** .5) // 1024 * 1024)
    for name, chunks in (("chunked", (1024, 1024)), ("contiguous", None)):
        if not os.path.exists(f"{folder}/{name}.h5"):
            with h5py.File(f"{folder}/{name}.h5", "w") as f:
                d = f.create_dataset("x", (n, n), "f8", chunks=chunks)
                for i in range(0, n, 1024):
                    d[i:i + 1024] = np.round(rng.standard_normal((1024, n)), 3)


def reads(b):
    climate = b.file("climate.nc")
    loop = CHUNKS + "d = h5py.File(a, 'r')['t2m']\nprint(sum(float(d[i].sum(dtype='f8')) for i in boxes(d)))"
    b.race("sum of gzip and shuffle", [
        ("clast", b.eval("sum(x)", f"{climate}:/t2m"), []),
        ("clast, one worker", b.eval("sum(x)", f"{climate}:/t2m", "--workers", "1"), []),
        ("h5py, one thread", b.python(loop, climate), []),
        ("Dask", b.python(DASK.format(name="t2m") + "print(float(x.sum(dtype='f8').compute()))", climate), [])])
    for name in ("chunked", "contiguous"):
        rows = ("d = h5py.File(a, 'r')['x']\nb = np.empty((1024, d.shape[1]))\nm = -np.inf\n"
                "for i in range(0, d.shape[0], 1024):\n    d.read_direct(b, np.s_[i:i + 1024])\n    m = max(m, b.max())\nprint(m)")
        copy = ("import os\nf = os.open(a, os.O_RDONLY)\nb = memoryview(bytearray(1 << 20))\nwhile os.readv(f, [b]):\n    pass")
        b.race(f"max of plain float64, {name}", [
            ("clast", b.eval("max(x)", f"{b.file(name + '.h5')}:/x"), []),
            ("clast, one worker", b.eval("max(x)", f"{b.file(name + '.h5')}:/x", "--workers", "1"), []),
            ("h5py, one thread", b.python(rows, b.file(name + ".h5")), []),
            ("bare read() of the file, one thread", b.python(copy, b.file(name + ".h5")), [])])


def stores(b):
    out, source = b.out + ".h5", b.file("contiguous.h5")
    store = ("x = h5py.File(a, 'r')['x']\nwith h5py.File(b, 'w') as f:\n    d = f.create_dataset('y', x.shape, x.dtype, chunks=(512, 512), "
             "compression='gzip', compression_opts=4, shuffle=True)\n    for i in range(0, x.shape[0], 512):\n        d[i:i + 512] = x[i:i + 512]")
    b.race("store with gzip 4 and shuffle", [
        ("clast", b.eval("x", f"{source}:/x", "--out", f"{out}:/y", "--chunks", "512,512", "--compress", "gzip:4"), [out]),
        ("clast, one worker", b.eval("x", f"{source}:/x", "--out", f"{out}:/y", "--chunks", "512,512", "--compress", "gzip:4",
                                     "--workers", "1"), [out]),
        ("clast, zstd", b.eval("x", f"{source}:/x", "--out", f"{out}:/y", "--chunks", "512,512", "--compress", "zstd"), [out]),
        ("h5py", b.python(store, source, out), [out])])


def copies(b):
    out, n = b.out + ".h5", 64
    plain, climate = b.file("chunked.h5"), b.file("climate.nc")
    b.race("rechunk to columns, plain", [
        ("clast copy", [b.clast, "copy", plain, out, "--chunks", f"-1,{n}", "--quiet", "--no-sync", "--memory", "512M"], [out]),
        ("h5repack", ["h5repack", "-l", f"x:CHUNK={rows_of(plain)}x{n}", plain, out], [out])])
    b.race("rechunk gzip to 1 x 361 x 720", [
        ("clast copy", [b.clast, "copy", climate, out, "--chunks", "1,361,720", "--compress", "gzip:4", "--quiet", "--no-sync",
                        "--memory", "512M"], [out]),
        ("h5repack", ["h5repack", "-l", "t2m:CHUNK=1x361x720", climate, out], [out]),
        ("nccopy", ["nccopy", "-c", "time/1,lat/361,lon/720", climate, out], [out])])


def rows_of(path):
    return int(subprocess.run([sys.executable, "-c", f"import h5py; print(h5py.File({path!r})['x'].shape[0])"], check=True,
                              capture_output=True, text=True).stdout)


def means(b):
    climate = b.file("climate.nc")
    ours, cdo, ncwa = b.out + "_clast.nc", b.out + "_cdo.nc", b.out + "_ncwa.nc"
    b.race("mean over time", [
        ("clast", b.eval("mean(x, axis='time')", f"{climate}:/t2m", "--out", f"{ours}:/t2m"), [ours]),
        ("cdo timmean", ["cdo", "-s", "timmean", climate, cdo], [cdo]),
        ("ncwa -a time", ["ncwa", "-a", "time", climate, ncwa], [ncwa]),
        ("Dask", b.python(DASK.format(name="t2m") + "print(float(x.mean(axis=0).compute()[0, 0]))", climate), [])])
    check = ("import h5py, sys, os, numpy as np\nm = h5py.File(sys.argv[1])['t2m'][()]\nfor p in sys.argv[2:]:\n    if os.path.exists(p):\n"
             "        print(os.path.basename(p), 'largest difference of the means', float(abs(h5py.File(p)['t2m'][()].reshape(m.shape) - m).max()))")
    print(subprocess.run([sys.executable, "-c", check, ours, cdo, ncwa], check=True, capture_output=True, text=True).stdout, end="")
    for path in (ours, cdo, ncwa):
        if os.path.exists(path):
            os.remove(path)


COPY = """
import os, sys, time, numpy as np
path, step = sys.argv[1], 1 << 18
data, into, size = np.ones(1 << 26, "u1"), np.ones(step, "u1"), os.path.getsize(sys.argv[1])
view, file = memoryview(into), os.open(path, os.O_RDONLY)
start = time.perf_counter()
for at in range(0, size - step, step):
    {each}
print("seconds", time.perf_counter() - start)
"""


def shares(b):
    """Plain data against what the machine does: copying from memory, and from the page cache, into a buffer that stays in the cache of
    one core; and direct I/O, where the page cache has nothing."""
    copy, read = (COPY.format(each=each) for each in ("np.copyto(into, data[at & (1 << 26) - 1:][:step])",
                                                               "os.preadv(file, [view], at)"))
    for name in ("chunked", "contiguous"):
        path = b.file(name + ".h5")
        size, found = os.path.getsize(path), {}
        lines = {"memcpy": [sys.executable, "-c", copy, path], "pread": [sys.executable, "-c", read, path]}
        for workers in sorted({1, len(os.sched_getaffinity(0))}):
            lines[workers] = b.eval("max(x)", f"{path}:/x", "--workers", str(workers), "--stats")
        for _ in range(b.o.rounds + 1):
            for key, line in lines.items():
                seconds, _, text = b.run(line)
                run = re.search(r"run_seconds +([\d.]+) s", text)  # the process takes a third of its time to start
                found.setdefault(key, []).append(float(run[1]) if run else seconds)
            forget(path)
            before = direct(path, size, False)
            forget(path)
            cold = b.run(lines[max(k for k in lines if isinstance(k, int))])[0]
            forget(path)
            found.setdefault("cold", []).append(size / cold / ((before + direct(path, size, False)) / 2))
            b.run(lines["pread"])
        s = {key: statistics.median(values[1:] or values) for key, values in found.items()}
        print(f"| max of plain float64, {name}, its run | GB/s a worker | share of memcpy | of pread |")
        for key in lines:
            if isinstance(key, int):
                net = s[key] * key
                print(f"| {key} workers | {size / net / 1e9:.1f} | {s['memcpy'] / net:.2f} | {s['pread'] / net:.2f} |")
        print(f"| cold, all workers, of direct I/O (whole process) | | {s['cold']:.2f} | |", flush=True)


PARTS = {"reads": reads, "shares": shares, "stores": stores, "copies": copies, "means": means}


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("clast", help="the clast executable")
    p.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; none: all")
    p.add_argument("--folder", default="build-bench/data", help="where data are made and kept")
    p.add_argument("--scale", type=float, default=.25, help="1: the full size, 2 to 2.5 GB a data set")
    p.add_argument("--rounds", type=int, default=3, help="and one before, that is not counted; 0: that one alone")
    o = p.parse_intermixed_args()
    unknown = [n for n in o.parts if n not in PARTS]
    if unknown:
        p.error(f"no such part: {unknown[0]}")
    os.makedirs(o.folder, exist_ok=True)
    child = os.fork()
    if child == 0:
        make_data(o.folder, o.scale)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        return 1
    print("| job | tool | s | times clast | peak MiB |\n|---|---|---|---|---|")
    for name in o.parts or PARTS:
        PARTS[name](Bench(o))
    if os.path.exists(f"{o.folder}/out.h5"):
        os.remove(f"{o.folder}/out.h5")
    return 0


if __name__ == "__main__":
    sys.exit(main())
