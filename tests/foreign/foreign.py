#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Files that nobody here wrote: every dataset of every HDF5 file is read as h5py reads it, or refused with a reason.

    foreign.py READER HELPER installed          files of packages that are installed, and one of each kind that h5py writes
    foreign.py READER HELPER packages [NAME...] files of Debian packages, fetched by apt-get into a folder that is removed
    foreign.py READER HELPER sources [NAME...]  the same of what upstream released, as Debian's source packages have it
    foreign.py READER HELPER folders FOLDER...  what is there

What is numeric for h5py must come out with the same bits (float16 as float32); what is not must be refused. All is read
a second time as an untrusted file: that may be refused, but never be other values, a crash or a wait. Where h5py fails,
Clast may as well; where h5py takes its process with it, or does not end, that is noted and the next dataset follows.
Prints how many datasets went which way; fails on any difference. Status 77: nothing could be fetched.
"""
import collections
import json
import os
import pathlib
import re
import resource
import signal
import subprocess
import sys
import tempfile

import h5py
import numpy as np

import packages

INSTALLED = ["/usr/lib/python3/dist-packages/h5py", "/usr/lib/python3/dist-packages/tables", "/usr/share/hdf5-tools"]
SIGNATURE = b"\x89HDF\r\n\x1a\n"
SECONDS = 60  # of the processor, for each process that looks at a file
PATIENCE = 10  # times that on the wall, since other work may be going on
WHOLE = 256 << 20  # bytes; of larger datasets the first and the last elements are compared
DIRECT = ("contiguous", "chunked", "filtered", "fill")


def is_hdf5(path):
    """The signature is at 0, 512, 1024, 2048 ..."""
    try:
        with open(path, "rb") as file:
            size, at = os.fstat(file.fileno()).st_size, 0
            while at + 8 <= size:
                file.seek(at)
                if file.read(8) == SIGNATURE:
                    return True
                at = max(512, 2 * at)
    except OSError:
        pass
    return False


def datasets(group, found, seen, say):
    """Paths of all datasets, each object once. Links to other files are not followed."""
    try:
        names = list(group)
    except Exception:  # pylint: disable=broad-except
        say("(group) h5py cannot list it", None)
        return
    for name in names:
        path = group.name.rstrip("/") + "/" + name
        try:
            link = group.get(name, getlink=True)
            if not isinstance(link, (h5py.HardLink, h5py.SoftLink)) or "\n" in name:
                continue
            item = group[name]
            key = h5py.h5o.get_info(item.id).addr
        except Exception:  # pylint: disable=broad-except
            found.append(path)  # Clast is asked for it nevertheless
            continue
        if key in seen:
            continue
        seen.add(key)
        if isinstance(item, h5py.Dataset):
            found.append(item.name or path)
        elif isinstance(item, h5py.Group):
            datasets(item, found, seen, say)


def boxes_of(dataset):
    """What of a dataset is compared: (first index, extent) of each axis, once or twice; [None]: all of it."""
    shape, room = list(dataset.shape or ()), WHOLE // 16
    if not shape or dataset.dtype.itemsize * np.prod(shape, dtype=object) <= WHOLE:
        return [None]
    extents = []
    for n in reversed(shape):
        extents.insert(0, min(n, max(room, 1)))
        room //= max(n, 1)
    return [[(0, e) for e in extents], [(n - e, e) for n, e in zip(shape, extents)]]


def wanted(dataset, boxes):
    """The values as h5py reads them in our dtypes; None: not numeric, nothing or too much; "failed" where h5py fails."""
    dtype = dataset.dtype
    if dataset.shape is None or np.prod(dataset.shape, dtype=object) >= 1 << 59 or dtype.kind not in "iufcb" or dtype.itemsize > (16 if dtype.kind == "c" else 8):
        return None
    if h5py.check_enum_dtype(dtype) is not None and dtype.kind != "b":
        return None
    target = np.float32 if dtype.itemsize == 2 and dtype.kind == "f" else dtype.newbyteorder("=")
    try:
        parts = [dataset[() if box is None else tuple(slice(at, at + n) for at, n in box)] for box in boxes]
    except Exception:  # pylint: disable=broad-except
        return "failed"
    return [np.ascontiguousarray(part, target) for part in parts]


def is_same(values, dtype, data):
    """Bits, but for the payload of NaNs."""
    if values.dtype.name != dtype or len(data) != values.nbytes:
        return False
    flat = values.reshape(-1)
    got = np.frombuffer(data, values.dtype)
    if np.array_equal(flat.view(np.uint8), got.view(np.uint8)):
        return True
    if values.dtype.kind not in "fc":
        return False
    flat = flat.view(f"f{values.dtype.itemsize // (2 if values.dtype.kind == 'c' else 1)}")
    got = got.view(flat.dtype)
    nan = np.isnan(flat)
    return bool(np.array_equal(nan, np.isnan(got)) and flat[~nan].tobytes() == got[~nan].tobytes())


def reason(message, path, name):
    """A refusal without the names in it."""
    message = message.replace(f"{path}:{name}", "").replace(path, "").lstrip(": ")
    message = re.sub(r"(?<=the link )\S+( leads to \S*,)?|(?<=; )datasets: .*", "...", message)
    return re.sub(r"'[^']*'|\(.*\)|(?<![a-z])\d+", "N", message)[:90]


class Reader:
    """The reader on one file, which is started again where it died; with a helper the file is untrusted."""

    def __init__(self, command, path, out):
        self.path, self.out = path, out
        self.command = [command[0], path, str(out), *command[1:]]
        self.process = self.data = None

    def ask(self, name, box=None):
        """("read", WAY, DTYPE), data; or ("refused", STATUS, MESSAGE), or ("died", ...)."""
        if not self.process:
            self.out.write_bytes(b"")
            self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self.data = open(self.out, "rb")  # pylint: disable=consider-using-with
        try:
            self.process.stdin.write(name + "\n" + " ".join(f"{at} {n}" for at, n in box or ()) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline().rstrip("\n")
        except BrokenPipeError:
            answer = ""
        if not answer:
            code = self.process.wait()
            self.process = None
            return ("died", -code, signal.Signals(-code).name if code < 0 else f"status {code}"), b""
        word = answer.split(" ", 2)
        if word[0] == "refused":
            return word, b""
        word[2], count = word[2].split()
        return word, self.data.read(int(count))

    def close(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait()

    def look_at(self, name, boxes, values):
        """What became of a dataset, and what is wrong with that. Values are wanted()'s; "unknown": anything is right."""
        kind = fault = None
        for i, box in enumerate(boxes):
            word, data = self.ask(name, box)
            if word[0] == "died":
                return "died", None if values == "failed" else f"the reader died: {word[2]}"
            if word[0] == "refused":
                kind = "refused: " + reason(word[2], self.path, name)
                if self.path not in word[2] or (name not in word[2] and "cannot be opened as" not in word[2]):
                    return kind, f"the message does not say of what it speaks: {word[2]}"
                return kind, f"refused, but numeric: {word[2]}" if isinstance(values, list) else None
            kind = word[1]
            if values is None:
                return kind, f"read as {word[2]}, but not numeric"
            if isinstance(values, list) and not is_same(values[i], word[2], data):
                fault = f"other values than h5py's {values[i].dtype}, read {word[1]} as {word[2]}"
        return kind, fault


def check_dataset(file, name, trusted, untrusted, say):
    try:
        boxes = boxes_of(file[name])
    except Exception:  # pylint: disable=broad-except
        boxes = [None]
    kind, fault = untrusted.look_at(name, boxes, "unknown")  # before h5py may take the process with it
    say("untrusted: " + kind, fault)
    try:
        values = wanted(file[name], boxes)
    except Exception:  # pylint: disable=broad-except
        values = "failed"
    if kind in DIRECT and values != "failed":
        say(None, untrusted.look_at(name, boxes, values)[1])
    kind, fault = trusted.look_at(name, boxes, values)
    say(f"h5py fails, Clast: {kind}" if values == "failed" else kind, fault)


def check_file(path, command, done, say):
    """All datasets of a file; say() gets (kind or None, fault or None) for each, or (None, None, its name) before."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        trusted, untrusted = Reader(command[:1], path, folder / "out"), Reader(command, path, folder / "untrusted")
        if not done:
            kind, fault = untrusted.look_at("/is not there", [None], None)
            say(None, fault and f"untrusted: {fault}")
        try:
            file = h5py.File(path, "r")
        except OSError:
            kind, fault = trusted.look_at("/is not there", [None], None)
            say(f"(file) h5py cannot open it, Clast: {kind}", fault)
            return
        names = []
        datasets(file, names, set(), say if not done else lambda *_: None)
        for name in names:
            if name not in done:
                signal.alarm(PATIENCE * SECONDS)
                say(None, None, name)
                check_dataset(file, name, trusted, untrusted, say)
        trusted.close()
        untrusted.close()


def check_apart(path, command, counts, faults):
    """In a process of its own, since libhdf5 does not survive every file; another one goes on behind what killed it."""
    done, status = [], 1
    while status != 0:
        before, ours, theirs = len(done), *os.pipe()
        child = os.fork()
        if child == 0:
            os.close(ours)
            os.chdir(os.path.dirname(path))  # where names of external files count from
            resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 5))
            signal.alarm(PATIENCE * SECONDS)
            with os.fdopen(theirs, "w") as pipe:
                check_file(path, command, set(done), lambda *what: print(json.dumps(what), file=pipe, flush=True))
            os._exit(0)
        os.close(theirs)
        with os.fdopen(ours) as pipe:
            for line in pipe:
                if not line.endswith("\n"):
                    break  # it died writing this
                kind, fault, *name = json.loads(line)
                done += name
                if kind:
                    counts[kind] += 1
                if fault:
                    faults.append(f"{path}:{done[-1] if done else ''}: {fault}")
        status = os.waitpid(child, 0)[1]
        if os.WIFSIGNALED(status):
            of = "a dataset" if len(done) > before else "the file"
            how = signal.Signals(os.WTERMSIG(status)).name
            counts[f"h5py does not survive {of}: {how}"] += 1
            print(f"{path}:{done[-1] if len(done) > before else ''}: h5py does not survive it: {how}")
        elif status != 0:
            faults.append(f"{path}: not checked")
        if len(done) == before:
            break


def check_folders(folders, command, counts, faults):
    files = 0
    for folder in folders:
        for path in sorted(p for p in pathlib.Path(folder).rglob("*") if p.is_file() and not p.is_symlink()):
            if is_hdf5(path):
                files += 1
                check_apart(str(path), command, counts, faults)
    return files


def write_kinds(path):
    """One dataset of every dtype that h5py has for us, in every storage that it writes."""
    storages = {"contiguous": {}, "chunked": {"chunks": (5, 7)}, "gzip": {"chunks": (5, 7), "compression": "gzip"},
                "lzf": {"chunks": (4, 9), "compression": "lzf", "shuffle": True, "fletcher32": True},
                "checked": {"chunks": (6, 6), "fletcher32": True}, "grows": {"chunks": (5, 7), "maxshape": (None, None)}}
    rng = np.random.default_rng(3)
    with h5py.File(path, "w", userblock_size=512) as file:
        for dtype in ["?", "i1", "<i2", ">i4", "<i8", "u1", ">u2", "u4", ">u8", "<f2", ">f2", "<f4", ">f4", "<f8", ">f8",
                      "<c8", ">c8", "<c16", ">c16"]:
            for name, storage in storages.items():
                values = rng.integers(0, 2 if dtype == "?" else 100, (13, 17)).astype(dtype)
                file.create_dataset(f"{name}/{np.dtype(dtype).str[1:]}{'be' if dtype[0] == '>' else ''}", data=values, **storage)
        file.create_dataset("scaled", data=rng.integers(0, 100, (13, 17)), chunks=(5, 7), scaleoffset=0)
        file.create_dataset("filled", (13, 17), "i4", chunks=(5, 7), fillvalue=-9)[2:4, 3:4] = 1
        file.create_dataset("empty", (0, 17), "f8")
        file.create_dataset("scalar", data=3.5)
        file.create_dataset("null", data=h5py.Empty("f4"))
        file.create_dataset("long", data=np.ones(3, np.longdouble))
        file["text"] = "words"
        file["record"] = np.zeros(3, [("a", "i4"), ("b", "f8")])
        file["enum"] = np.zeros(3, h5py.enum_dtype({"RED": 0, "BLUE": 1}))
        file["soft"] = h5py.SoftLink("/scaled")


def report(title, files, counts, faults):
    kinds = {"read directly": DIRECT, "by libhdf5": ("libhdf5",), "refused": ("refused",), "h5py fails": ("h5py fails",)}
    told = ", ".join(f"{word} {sum(n for kind, n in counts.items() if kind.startswith(begin))}" for word, begin in kinds.items())
    print(f"{title}: {files} files; datasets {told}; {len(faults)} faults")
    for kind, n in sorted(counts.items(), key=lambda item: (item[0].startswith("untrusted"), -item[1])):
        print(f"{n:6d}  {kind}")
    for fault in faults:
        print("FAULT " + fault)
    sys.stdout.flush()


def check(title, folders, command):
    counts, faults = collections.Counter(), []
    files = check_folders(folders, command, counts, faults)
    report(title, files, counts, faults)
    return files, len(faults)


def main():
    reader, helper, mode, *names = sys.argv[1:]
    command, results, missing = [os.path.abspath(reader), os.path.abspath(helper)], [], []
    with tempfile.TemporaryDirectory() as temp:
        folder = pathlib.Path(temp)
        if mode == "installed":
            write_kinds(folder / "kinds.h5")
            results.append(check("installed", [folder, *INSTALLED, *names], command))
        elif mode == "folders":
            results.append(check("folders", map(os.path.abspath, names), command))
        else:
            for name, place in packages.fetch(mode, names, folder):
                if place:
                    results.append(check(name, [place], command))
                else:
                    missing.append(name)
    files, faults = (sum(column) for column in zip(*results)) if results else (0, 0)
    print(f"{files} files, {faults} faults")
    if missing:
        print("SKIPPED, since apt-get could not fetch them: " + ", ".join(missing))
    if not results:
        return 77
    return 1 if faults or files == 0 else 0


sys.exit(main())
