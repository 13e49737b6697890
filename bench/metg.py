#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""METG(50 %) of Clast's tasks beside a bare loop, OpenMP tasks and StarPU, interleaved: see metg.h and metg.c.

A round takes one pattern after another and within it one runtime after another, each a process of its own, with the
peak measured in the same round. Printed are medians over the rounds in microseconds: METG(50 %), and after the slash
the floor (wall time a task with one iteration of the kernel). Build, order and run are all inside the time.
"""
import argparse
import os
import statistics
import subprocess
import sys

RUNTIMES = ("bare", "clast", "libgomp", "libomp", "starpu")
PATTERNS = ("no_comm", "stencil_1d", "nearest", "spread", "fft", "all_to_all")
WHY = {"libgomp": "the build's compiler is not GCC, or OpenMP is off", "libomp": "clang or libomp-14-dev is missing",
       "starpu": "libstarpu-dev 1.3 is missing"}


def environment():
    """Pinned threads for OpenMP; StarPU's scheduler that knows locality, without its messages; no thread of the BLAS,
    which would look out for work on a core for 25 ms."""
    env = dict(os.environ, OMP_PROC_BIND="true", STARPU_SCHED="lws", STARPU_SILENT="1",
                OPENBLAS_NUM_THREADS="1")
    return env


def run(program, arguments):
    done = subprocess.run([program, *map(str, arguments)], env=environment(), capture_output=True, text=True,
                          timeout=600, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{os.path.basename(program)} {arguments}: {done.stderr.strip()}")
    return [float(x) for x in done.stdout.split()]


def measure(options, programs):
    """{(kernel, width, pattern, runtime): [(metg, floor), ...]}, and peaks by kernel."""
    found, peaks = {}, {}
    for _ in range(options.rounds):
        for kernel in options.kernels:
            peak = max(run(programs["bare"], ["--kernel", kernel, "--repeat", 5])[0] for _ in range(3))
            peaks.setdefault(kernel, []).append(peak)
            for width in options.widths:
                for pattern in options.patterns:
                    for name, program in programs.items():
                        values = run(program, ["--kernel", kernel, "--width", width, "--pattern", pattern, "--peak", peak,
                                               "--steps", options.steps, "--repeat", options.repeat])
                        found.setdefault((kernel, width, pattern, name), []).append(values)
    return found, peaks


def table(options, programs, found, peaks):
    for kernel in options.kernels:
        unit = "GFLOP/s" if kernel == "compute" else "GB/s copied"
        values = [p / 1e9 for p in peaks[kernel]]
        print(f"\n{kernel}-bound kernel, 2 workers; peak {min(values):.1f} to {max(values):.1f} {unit}\n")
        print("| width | pattern | " + " | ".join(programs) + " | clast / bare |")
        print("|---" * (len(programs) + 3) + "|")
        for width in options.widths:
            for pattern in options.patterns:
                median = {name: [statistics.median(v[i] for v in found[kernel, width, pattern, name]) for i in (0, 1)]
                          for name in programs}
                cells = [f"{m:.2f} / {f:.2f}" if m else f"over 200 / {f:.2f}" for m, f in median.values()]
                ratio = median["clast"][0] / median["bare"][0] if median["bare"][0] else 0
                print(f"| {width} | {pattern} | " + " | ".join(cells) + f" | {ratio:.1f} |", flush=True)


def words(text):
    return [w for w in text.split(",") if w]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", help="build folder in which `ninja metg` ran")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=3, help="runs of which the best makes a point")
    parser.add_argument("--widths", type=words, default=["2", "16"])
    parser.add_argument("--patterns", type=words, default=list(PATTERNS))
    parser.add_argument("--kernels", type=words, default=["compute", "memory"])
    parser.add_argument("--runtimes", type=words, default=list(RUNTIMES))
    options = parser.parse_args()
    programs = {}
    for name in RUNTIMES:
        path = os.path.join(options.build, "bench", "metg_" + name)
        if os.path.exists(path):
            if name in options.runtimes or name == "bare":
                programs[name] = path
        else:
            print(f"{name}: not built: {WHY.get(name, 'run `ninja metg` first')}")
    if "bare" not in programs or "clast" not in programs:
        sys.exit("metg: run `ninja metg` in the build folder first")
    found, peaks = measure(options, programs)
    table(options, programs, found, peaks)


if __name__ == "__main__":
    main()
