#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The command killed (SIGKILL) at random moments: the target is the old file or the new one, to the byte; the next run ends as if
nothing had been, with --resume from where the killed ones came to, and leaves nothing behind. The same seed gives the same moments,
as far as parts of a run's time can be the same. Kills that came after the end of the run do not count. A file that is changed in
place may be neither the old one nor the new one then, which is counted; with the old one put back the next run makes the new one.

    kills.py CLAST [--each N] [--rows N] [--seed S] [--only WORDS]
"""
import argparse
import ctypes
import hashlib
import os
import pathlib
import random
import select
import shutil
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np

import signals  # pylint: disable=unused-import

PROGRAM = "sin(x) * 2 + x.T[:1].T"
NONE, GZIP = ["--compress", "none"], ["--compress", "gzip:1"]

# What is there before, and how it is stored.
STORES = [
    ("a new file", [], NONE),
    ("a new file, compressed", [], GZIP),
    ("a dataset more", ["rest"], NONE),
    ("a dataset more, compressed", ["rest"], GZIP),
    ("another dataset in its place", ["rest", "y"], [*NONE, "--overwrite"]),
    ("another dataset in its place, compressed", ["rest", "y"], [*GZIP, "--overwrite"]),
]
COPIES = [
    ("a copy", [], [*NONE, "--chunks", "300,300"]),
    ("a copy, compressed", [], GZIP),
    ("a copy in a file's place", ["rest"], [*NONE, "--overwrite", "--chunks", "300,300"]),
    ("a copy in a file's place, compressed", ["rest"], [*GZIP, "--overwrite"]),
]


IN_PLACE = [
    ("a dataset more", ["rest"], [*NONE, "--in-place"]),
    ("another dataset in its place, compressed", ["rest", "y"], [*GZIP, "--overwrite", "--in-place"]),
]
IN_CLOSE_WRITE, IN_MODIFY, IN_MOVED_TO = 0x8, 0x2, 0x80  # of <sys/inotify.h>


class Changes:
    """Tells when something in a folder was written to, or a process has ended."""

    def __init__(self, folder):
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd = libc.inotify_init1(os.O_CLOEXEC)
        assert self.fd >= 0 and libc.inotify_add_watch(self.fd, str(folder).encode(), IN_CLOSE_WRITE | IN_MODIFY | IN_MOVED_TO) >= 0

    def wait(self, ended):
        """False: the process of that descriptor has ended."""
        ready, _, _ = select.select([self.fd, ended], [], [])
        if self.fd in ready:
            os.read(self.fd, 65536)
        return ended not in ready

    def close(self):
        os.close(self.fd)


class Kind:
    """What is killed again and again."""

    def __init__(self, trial, name, before, args, command):
        self.name, self.before, self.resume, self.in_place = name, before, command == "resume", command == "in place"
        place = ["--workers", "2", "--block", "256K", "--memory", "64M"]
        if command == "copy":
            self.line = [trial.clast, "copy", str(trial.input), str(trial.out), *place, *args]
        else:
            self.line = [trial.clast, "eval", PROGRAM, "--in", f"x={trial.input}:/x", "--out", f"{trial.out}:/y", *place, *args,
                         *(["--resume"] if self.resume else [])]
        self.dataset = "x" if command == "copy" else "y"
        self.kills = self.late = self.runs = self.taken = self.damaged = 0
        self.took, self.wanted, self.values = 60, None, None


class Trial:
    def __init__(self, clast, folder, rows):
        self.clast, self.folder = clast, folder
        self.input, self.out = folder / "in.h5", folder / "out.h5"
        self.x = np.random.default_rng(1).random((rows, 1000))
        with h5py.File(self.input, "w") as f:
            f.create_dataset("x", data=self.x, chunks=(100, 100), track_times=False)

    def prepare(self, kind):
        for p in self.folder.iterdir():
            if p != self.input:
                p.unlink()
        self.put_back(kind)

    def put_back(self, kind):
        for name in kind.before:
            with h5py.File(self.out, "a") as f:
                f[name] = np.arange(100000.0)

    def run(self, kind, line, may_exist=False):
        start = time.monotonic()
        done = subprocess.run(line, capture_output=True, text=True, timeout=300, check=False)
        # The file is there. If the kill came before the end of the tidying up, the run does the rest; else it refuses.
        is_refused = may_exist and done.returncode == 2 and "exists" in done.stderr
        assert done.returncode == 0 or is_refused, f"{line}: {done.stderr}"
        if not kind.resume and not is_refused:
            kind.took = time.monotonic() - start
        return done.stderr

    def reference(self, kind):
        """The bytes that a run gives, and how long it takes on a machine that has time for it."""
        took = 60
        for _ in range(3):
            self.prepare(kind)
            start = time.monotonic()
            self.run(kind, [*kind.line, "--no-sync"])
            took = min(took, time.monotonic() - start)
            assert kind.wanted in (None, self.digest()), f"{kind.name}: two runs give two files"
            kind.wanted = self.digest()
        kind.took = took
        y = kind.values = self.values(kind)
        if kind.dataset == "x":
            np.testing.assert_array_equal(y, self.x)
        else:
            np.testing.assert_allclose(y, np.sin(self.x) * 2 + self.x[:, :1], rtol=1e-14)

    def digest(self):
        return hashlib.sha256(self.out.read_bytes()).hexdigest() if self.out.exists() else None

    def is_new(self, kind, old):
        """Whether the target is the new file; else it is the old one."""
        found = self.digest()
        assert found in (old, kind.wanted), f"{kind.name}: neither the old file nor the new one"
        return found == kind.wanted

    def kill(self, line, seconds, gently):
        """Whether it was killed, or interrupted; it may have ended before."""
        process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ended = os.pidfd_open(process.pid)
        if not select.select([ended], [], [], seconds)[0]:
            (process.terminate if gently else process.kill)()
        os.close(ended)
        return process.wait() != 0

    def check_left(self, kind):
        left = sorted(p.name for p in self.folder.iterdir())
        assert left == ["in.h5", "out.h5"], f"{kind.name}: {left}"

    def attempt(self, kind, parts, sync):
        """Kills after these parts of a run's time, one after another, the first of several gently, then a run to the end."""
        self.prepare(kind)
        old, line = self.digest(), [*kind.line, *([] if sync else ["--no-sync"])]
        killed = False
        kind.runs += 1
        for i, part in enumerate(parts):
            killed = self.kill(line, part * kind.took, kind.resume and i == 0)
            kind.kills += killed
            if self.is_new(kind, old) or not killed:
                break
        is_late = self.is_new(kind, old)
        kind.late += is_late and killed
        if is_late and not kind.resume:
            # Put back what was there, beside whatever the killed run left.
            self.out.unlink()
            self.put_back(kind)
            is_late = False
        if not is_late:
            kind.taken += "earlier run" in self.run(kind, line)
            assert self.is_new(kind, old)
        elif killed:
            # With --overwrite it may be made once more, in the new file then: other free space, other places.
            self.run(kind, line, may_exist=True)
            np.testing.assert_array_equal(self.values(kind), kind.values)
        self.check_left(kind)

    def attempt_in_place(self, kind, part):
        """The file may be anything then; nothing else is harmed, nor is the next run."""
        self.prepare(kind)
        old, kind.runs = self.digest(), kind.runs + 1
        if not self.kill([*kind.line, "--no-sync"], part * kind.took, False):
            return
        found = self.digest()
        kind.kills += 1
        kind.late += found == kind.wanted
        kind.damaged += found not in (old, kind.wanted)
        self.out.unlink()
        self.put_back(kind)
        assert self.digest() == old
        self.run(kind, [*kind.line, "--no-sync"])
        assert self.digest() == kind.wanted, f"{kind.name}: another file after a kill"
        self.check_left(kind)

    def values(self, kind):
        with h5py.File(self.out) as f:
            return f[kind.dataset][()]

    def half_done(self, kind, part):
        """A compressed run is killed when a part of it is in the journal: the next one takes that over, if it was not too late."""
        self.prepare(kind)
        line = [*kind.line, "--no-sync"]
        changes = Changes(self.folder)
        process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ended = os.pidfd_open(process.pid)
        journal = self.folder / ".out.h5.clast-journal"
        while changes.wait(ended) and not (journal.exists() and journal.stat().st_size >= part * self.x.nbytes):
            pass
        process.kill()
        process.wait()
        os.close(ended)
        changes.close()
        if not self.out.exists():
            kind.taken += "earlier run" in self.run(kind, line)
        assert self.is_new(kind, None)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("clast")
    options.add_argument("--each", type=int, default=2, help="kills of each kind")
    options.add_argument("--rows", type=int, default=1500)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--only", default="", help="the kind of this name, or those with these words in it")
    o = options.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp())
    trial = Trial(o.clast, folder, o.rows)
    tables = {"store": STORES, "resume": STORES, "copy": COPIES, "in place": IN_PLACE}
    kinds = [Kind(trial, f"{command}: {name}", before, args, command)
             for command, rows in tables.items() for name, before, args in rows]
    kinds = [k for k in kinds if o.only == k.name] or [k for k in kinds if o.only in k.name]
    assert kinds, f"no kind is called {o.only}"
    for kind in kinds:
        rng = random.Random(f"{o.seed} {kind.name}")
        trial.reference(kind)
        while kind.kills < o.each:
            parts = [rng.uniform(0, 1.1) for _ in range(3 if kind.resume else 1)]
            if kind.in_place:
                trial.attempt_in_place(kind, parts[0])
            else:
                trial.attempt(kind, parts, kind.runs % 8 == 7)
        if kind.resume and not kind.before and GZIP[1] in kind.line:
            for i, part in enumerate((0.1, 0.3, 0.5) + 4 * (0.05, 0.1, 0.2)): # who kills may come late each time
                if i < 3 or kind.taken == 0:
                    trial.half_done(kind, part)
            assert kind.taken > 0, "no run had anything to go on with"
        print(f"{kind.name}: {kind.kills} kills in {kind.runs} runs, {kind.late} of them when the new file was in place, "
              f"{kind.taken} runs went on from there" + (f", {kind.damaged} files damaged" if kind.in_place else ""), flush=True)
    shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
