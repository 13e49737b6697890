#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The reference workloads beside Dask, interleaved, on the same data, with the machine's limits from the same run.

Both sides use both cores; BLAS threads times workers = cores. Stores are timed to the rename, without fsync. The page
cache is warm after the first round, which is not counted. Each figure is a whole process: wall seconds from start to
exit (Dask's are taken inside the process, after its imports), peak resident set, bytes. Results are compared.
"""
import argparse
import json
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MIB = 1 << 20

# name: (data, program, store with these chunks or None, budget as a share of the data, what Dask computes)
WORKLOADS = {
    "elementwise": ("square", "sum(exp(-x*x/2)*sin(x) + sqrt(abs(x)))", None, 8,
                    "(da.exp(-x * x / 2) * da.sin(x) + da.sqrt(abs(x))).sum()"),
    "climate-mean": ("climate", "sum(mean(x, axis=0))", None, 4, "x.mean(axis=0).sum()"),
    "climate-anomaly": ("climate", "(x - mean(x, axis=0)).astype(float64).std(axis=0).sum()", None, 4,
                        "(x - x.mean(axis=0)).astype('f8').std(axis=0).sum()"),
    "symmetrise": ("square", "x + x.T - mean(x, axis=0)", (1024, 1024), 4, "x + x.T - x.mean(axis=0)"),
    "matmul": ("square", "x[:{h}, :{h}] @ x[:{h}, :{h}].T", (1024, 1024), 4, "x[:{h}, :{h}] @ x[:{h}, :{h}].T"),
    "chain": ("square", "std(x[:{h}, :{h}] @ (x[:{h}, :{h}].T + 1) - mean(x[:{h}, :{h}]))", None, 4,
              "(x[:{h}, :{h}].dot(x[:{h}, :{h}].T + 1) - x[:{h}, :{h}].mean()).std()"),
    "svd": ("tall", "u, s, v = svd(x); concatenate([s[:3], reshape(sum(u**2), (1,)), reshape(abs(v[0, 0]), (1,))])", None,
            4, "da.concatenate([s[:3], (u ** 2).sum().reshape((1,)), abs(v[0, 0]).reshape((1,))])"),
    # Rank 10 of random numbers: the two sides draw others, so these agree to a few per cent only.
    "svd-compressed": ("tall", "w, a, b = svd(x.T @ (x @ (random_uniform((200, 20), seed=1) - 0.5))); w, a, b = svd(x.T @ (x @ w)); "
                       "q, a, b = svd(x @ w); u, s, v = svd(q.T @ x); s[:3]", None, 4,
                       "da.linalg.svd_compressed(x, k=10, n_power_iter=2, seed=0)[1][:3]"),
    "rechunk": ("square", "x", ("n", 64), 4, "x.rechunk(({n}, 64))"),
}

AMPLE = 4  # times the data: a budget that does not bind

DASK = """
import os, sys, time, resource
import dask, h5py, numpy as np, dask.array as da
dask.config.set(scheduler="threads", num_workers=os.cpu_count())
d = h5py.File(sys.argv[1], "r")["x"]
x = da.from_array(d, chunks=d.chunks, lock=False)
start = time.perf_counter()
if "{name}" == "svd":
    u, s, v = da.linalg.svd(x)
y = {expression}
if {store}:
    y.to_hdf5(sys.argv[2], "/y", chunks={chunks})
else:
    print(repr([float(t) for t in np.atleast_1d(y.compute())]))
print("seconds", time.perf_counter() - start)
"""

TASKS = """
import time, dask, dask.array as da
dask.config.set(scheduler="threads", num_workers=2)
y = (da.ones((400, 400), chunks=(2, 2)) + 1).sum()
with dask.config.set({"optimization.fuse.active": False}):
    n, start = len(y.__dask_graph__()), time.perf_counter()
    y.compute()
print((time.perf_counter() - start) / n)
"""

LIMITS = """
import sys, time, numpy as np
def best(f, n=3):
    return min((lambda t: (f(), time.perf_counter() - t)[1])(time.perf_counter()) for _ in range(n))
n = 4096
a = np.random.default_rng(0).standard_normal((n, n))
print("dgemm n=4096, GFLOP/s", 2 * n ** 3 / best(lambda: a @ a) / 1e9)
b = np.empty_like(a)
print("memcpy, GB/s (read + written)", 2 * a.nbytes / best(lambda: np.copyto(b, a)) / 1e9)
f = open(sys.argv[1], "rb", buffering=0)
def read():
    f.seek(0)
    while f.readinto(memoryview(b).cast("B")):
        pass
print("page cache read, GB/s", __import__("os").path.getsize(sys.argv[1]) / best(read) / 1e9)
"""


def run(line, environment=None):
    """(output, wall seconds, peak RSS in bytes, characters read, written) of a child process."""
    with tempfile.TemporaryFile("w+") as out:
        start = time.perf_counter()
        child = subprocess.Popen(line, stdout=out, stderr=subprocess.STDOUT, env=environment)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read()
    if child.returncode:
        sys.exit(f"{line}: exit {child.returncode}\n{text}")
    return text, wall, usage.ru_maxrss * 1024


def apart(function, *arguments):
    """function(*arguments) in a child process. NumPy stays out of this one: the peak that Linux reports of a
    child counts what its parent held at the fork."""
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.apply(function, arguments)


def make_data(folder, scale):
    """The three data sets; the long axis shrinks with the scale, the chunks stay."""
    import h5py
    import numpy as np
    n = max(2048, int(16384 * scale ** .5) // 1024 * 1024)
    rng = np.random.default_rng(0)

    def fill(name, shape, chunks, dtype, rows, **filters):
        path = f"{folder}/{name}.h5"
        if not os.path.exists(path):
            with h5py.File(path + ".part", "w") as f:
                d = f.create_dataset("x", shape, dtype, chunks=chunks, **filters)
                for i in range(0, shape[0], chunks[0]):
                    d[i:i + chunks[0]] = rows(i, (min(chunks[0], shape[0] - i),) + shape[1:])
            os.rename(path + ".part", path)
        return path

    def climate(i, shape):
        t, la, lo = np.ogrid[i:i + shape[0], :shape[1], :shape[2]]
        x = 280 + 10 * np.sin(t / 50) + 20 * np.cos(la / 60) + 3 * np.sin(lo / 30)
        return np.round(x + .5 * rng.standard_normal(shape), 2).astype("f4")

    def normal(_, shape):
        return rng.standard_normal(shape)

    return n, {
        "square": (fill("square", (n, n), (1024, 1024), "f8", normal), n * n * 8),
        "tall": (fill("tall", (int(2e6 * scale) // 20000 * 20000, 200), (20000, 200), "f8", normal),
                 int(2e6 * scale) // 20000 * 20000 * 1600),
        "climate": (fill("climate", (int(2400 * scale) // 48 * 48, 361, 720), (48, 91, 180), "f4", climate,
                         compression="gzip", compression_opts=4, shuffle=True),
                    int(2400 * scale) // 48 * 48 * 361 * 720 * 4),
    }


def compare(name, mine, theirs):
    """Largest relative difference of the two results."""
    import h5py
    import numpy as np
    if WORKLOADS[name][2]:
        with h5py.File(mine["out"], "r") as a, h5py.File(theirs["out"], "r") as b:
            rows = [0, a["y"].shape[0] // 2 + 1, a["y"].shape[0] - 1]
            a, b = a["y"][rows], b["y"][rows]
    else:
        a = np.array([float(t) for t in mine["text"].replace("[", " ").replace("]", " ").split()])
        b = np.array(eval(theirs["text"]))  # pylint: disable=eval-used
    return float(np.max(np.abs(a - b) / np.maximum(1e-300, np.max(np.abs(b)))))


class Bench:
    """One run of everything."""

    def __init__(self, o):
        self.o = o
        self.clast = os.path.abspath(o.clast)
        self.n, self.data = apart(make_data, o.folder, o.scale)
        self.half = min(8192, self.n)
        self.one_blas = dict(os.environ, OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="2")
        self.base = run([self.clast, "eval", "1"])[2]

    def clast_run(self, name, is_limited=True):
        data, program, chunks, share, _ = WORKLOADS[name]
        path, size = self.data[data]
        stats, out = f"{self.o.folder}/stats.json", f"{self.o.folder}/clast_out.h5"
        budget = (size // self.o.share if self.o.share else size // share) if is_limited else AMPLE * size
        line = [self.clast, "eval", program.format(h=self.half), "--in", f"x={path}:/x", "--memory", str(budget),
                "--no-sync", "--quiet", f"--stats=json:{stats}", "--scratch", self.o.folder]
        if chunks:
            line += ["--out", f"{out}:/y", "--overwrite", "--chunks", ",".join(str(self.n if c == "n" else c) for c in chunks)]
        if os.path.exists(out):
            os.remove(out)
        text, wall, rss = run(line)
        with open(stats, encoding="utf-8") as f:
            return {"text": text, "wall": wall, "growth": rss - self.base, "budget": budget, "stats": json.load(f), "out": out}

    def dask_run(self, name):
        data, _, chunks, _, expression = WORKLOADS[name]
        out = f"{self.o.folder}/dask_out.h5"
        if os.path.exists(out):
            os.remove(out)
        code = DASK.format(name=name, store=bool(chunks), expression=expression.format(h=self.half, n=self.n),
                           chunks=tuple(self.n if c == "n" else c for c in chunks or ()))
        text, _, rss = run([sys.executable, "-c", code, self.data[data][0], out], self.one_blas)
        lines = text.strip().splitlines()
        return {"text": lines[0], "wall": float(lines[-1].split()[1]), "growth": rss, "out": out}

    def workload(self, name):
        rounds = []
        for i in range(self.o.rounds + 1):
            mine = self.clast_run(name)
            theirs = self.dask_run(name) if not self.o.alone else None
            ample = self.clast_run(name, is_limited=False) if self.o.alone else None
            if i:
                rounds.append((mine, theirs, ample))
        mine = rounds[-1][0]
        s, allowance = mine["stats"], mine["budget"] + 48 * MIB + 8 * MIB * mine["stats"]["workers"]
        worst = max(r[0]["growth"] for r in rounds)
        walls = [r[0]["wall"] for r in rounds]
        cells = [name, f"{mine['budget'] / MIB:.0f}", f"{statistics.median(walls):.2f} ({min(walls):.2f})"]
        if not self.o.alone:
            others = [r[1]["wall"] for r in rounds]
            ratios = [b / a for a, b in zip(walls, others)]
            difference = apart(compare, name, *rounds[-1][:2])
            cells += [f"{statistics.median(others):.2f} ({min(others):.2f})", f"{statistics.median(ratios):.1f}",
                      f"{rounds[-1][1]['growth'] / MIB:.0f}", f"{difference:.1e}"]
        else:
            ratios = [r[0]["wall"] / r[2]["wall"] for r in rounds]
            cells += [f"{statistics.median(ratios):.2f}"]
        cells += [f"{worst / MIB:.0f} / {allowance / MIB:.0f}" + ("" if worst <= allowance else " EXCEEDED"),
                  f"{s['read'] / MIB:.0f} ({predicted(s, 'read')})",
                  f"{s['spilled'] / MIB:.0f} ({predicted(s, 'spilled')})", f"{s['written'] / MIB:.0f}"]
        print("| " + " | ".join(cells) + " |", flush=True)
        return worst <= allowance


def predicted(stats, name):
    """Of a large plan that fits nothing is."""
    value = stats[f"predicted_{name}"]
    return "-" if value is None else f"{value / MIB:.0f}"


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("clast", help="the clast executable")
    p.add_argument("names", nargs="*", default=[], help="workloads; none: symmetrise, matmul, climate-mean")
    p.add_argument("--folder", default="build/bench-data", help="where data are made and kept")
    p.add_argument("--scale", type=float, default=.5, help="1: the full size, 2 to 3.2 GB a data set")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--share", type=int, default=0, help="budget: this fraction of the data (4: a quarter)")
    p.add_argument("--alone", action="store_true", help="without Dask, beside a run whose budget is several times the data")
    p.add_argument("--empty-tasks", help="the empty_tasks program: prints its figures first")
    o = p.parse_intermixed_args()
    unknown = [n for n in o.names if n not in WORKLOADS and n != "all"]
    if unknown:
        p.error(f"no such workload: {unknown[0]}; there are {', '.join(WORKLOADS)}")
    os.makedirs(o.folder, exist_ok=True)
    bench = Bench(o)
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        model = next((line.split(":")[1].strip() for line in f if line.startswith("model name")), "?")
    print(f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, {time.strftime('%Y-%m-%d')}; "
          f"{o.rounds} rounds, square n = {bench.n}")
    if not o.alone:
        print(run([sys.executable, "-c", LIMITS, bench.data["square"][0]])[0], end="")
        if o.empty_tasks:
            print(run([o.empty_tasks])[0], end="")
            print(f"dask, one task of (ones((400,400)) + 1).sum() in chunks of 2: {float(run([sys.executable, '-c', TASKS])[0]) * 1e6:.1f} us")
    head = ["workload", "budget MiB", "clast s: median (best)"]
    if not o.alone:
        head += ["dask s: median (best)", "dask/clast", "dask peak MiB", "difference"]
    else:
        head += ["times an ample budget"]
    head += ["growth / allowed MiB", "read MiB (predicted)", "spilled", "written"]
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head), flush=True)
    names = list(WORKLOADS) if o.names == ["all"] else o.names or ["symmetrise", "matmul", "climate-mean"]
    kept = [bench.workload(name) for name in names]
    for name in ("clast_out.h5", "dask_out.h5", "stats.json"):
        if os.path.exists(f"{o.folder}/{name}"):
            os.remove(f"{o.folder}/{name}")
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
