#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Files that nobody here wrote: every dataset of every HDF5 file is read as h5py reads it, or refused with a reason.

    foreign.py READER installed          files of packages that are installed, and one of each kind that h5py writes
    foreign.py READER packages [NAME...] files of Debian packages, fetched by apt-get into a folder that is removed
    foreign.py READER sources [NAME...]  the same of what upstream released, as Debian's source packages have it

What is numeric for h5py must come out with the same bits (float16 as float32); what is not must be refused; where h5py
fails, or takes the process with it, Clast may as well. Prints how many datasets went which way; fails on any difference.
"""
import collections
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import h5py
import numpy as np

# Debian packages with HDF5 and netCDF-4 files of PyTables, bitshuffle, GMT, NeXus, PyMca, MINC and others.
PACKAGES = ["python-tables-data", "python3-tables", "python3-h5py-serial", "bitshuffle", "gmt-gshhg-low", "gmt-dcw",
            "hdf-compass-doc", "vitables", "pymca-data", "python3-nibabel", "minc-tools", "python3-pandas", "nexus-tools"]
SOURCES = ["hdf5", "netcdf", "pytables"]
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
INSTALLED = ["/usr/lib/python3/dist-packages/h5py", "/usr/lib/python3/dist-packages/tables", "/usr/share/hdf5-tools"]
SIGNATURE = b"\x89HDF\r\n\x1a\n"
SECONDS = 60  # a file


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


def datasets(group, found, seen):
    """Paths of all datasets, each object once. Links to other files are not followed."""
    for name in group:
        try:
            link = group.get(name, getlink=True)
            if not isinstance(link, (h5py.HardLink, h5py.SoftLink)) or "\n" in name:
                continue
            item = group[name]
            key = h5py.h5o.get_info(item.id).addr
        except Exception:  # pylint: disable=broad-except
            continue  # what h5py cannot open
        if key in seen:
            continue
        seen.add(key)
        if isinstance(item, h5py.Dataset):
            found.append(item.name or group.name.rstrip("/") + "/" + name)
        elif isinstance(item, h5py.Group):
            datasets(item, found, seen)


def wanted(dataset):
    """The values as h5py reads them in our dtypes; None: not numeric, or nothing to read; "failed" where h5py fails."""
    dtype = dataset.dtype
    if dataset.shape is None or dtype.kind not in "iufcb" or dtype.itemsize > (16 if dtype.kind == "c" else 8):
        return None
    if h5py.check_enum_dtype(dtype) is not None and dtype.kind != "b":
        return None
    try:
        values = dataset[()]
    except Exception:  # pylint: disable=broad-except
        return "failed"
    return np.ascontiguousarray(values, np.float32 if dtype.itemsize == 2 and dtype.kind == "f" else dtype.newbyteorder("="))


def is_same(values, dtype, data):
    """Bits, but for the payload of NaNs."""
    if values.dtype.name != dtype or len(data) != values.nbytes:
        return False
    got = np.frombuffer(data, values.dtype)
    if values.tobytes() == data:
        return True
    if values.dtype.kind not in "fc":
        return False
    flat = values.reshape(-1).view(f"f{values.dtype.itemsize // (2 if values.dtype.kind == 'c' else 1)}")
    got = got.view(flat.dtype)
    nan = np.isnan(flat)
    return bool(np.array_equal(nan, np.isnan(got)) and flat[~nan].tobytes() == got[~nan].tobytes())


def reason(message):
    """A refusal without the names in it."""
    message = re.sub(r"^\S.*?:/\S*?:? ", "", message)
    return re.sub(r"'[^']*'|\([^)]*\)|\d+", "N", message)[:70]


class Reader:
    """The reader on one file; started again where it died."""

    def __init__(self, reader, file, folder):
        self.command, self.out = [reader, file, str(folder / "out")], folder / "out"
        self.process = self.data = None

    def ask(self, path):
        if not self.process:
            self.out.write_bytes(b"")
            self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self.data = open(self.out, "rb")  # pylint: disable=consider-using-with
        try:
            self.process.stdin.write(path + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            code = self.process.wait()
            self.process = None
            return f"died {code}", b""
        answer = answer.rstrip("\n")
        return answer, self.data.read(int(answer.split()[3])) if answer.startswith("read ") else b""

    def close(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait()


def look_at(reader, name, values):
    """What became of a dataset, and what is wrong with that."""
    answer, data = reader.ask(name)
    word = answer.split()
    if word[0] == "died":
        return "died", None if isinstance(values, str) else f"the reader died: {answer}"
    if isinstance(values, str):
        return "h5py fails, Clast " + ("reads it" if word[0] == "read" else "refuses: " + reason(answer.split(" ", 2)[2])), None
    if word[0] == "refused":
        why = reason(answer.split(" ", 2)[2])
        return "refused: " + why, None if values is None else f"refused, but numeric ({values.dtype}): {answer}"
    if values is None:
        return "read", f"read as {word[2]}, but not numeric"
    return word[1], None if is_same(values, word[2], data) else f"other values than h5py's: {answer}"


def check_file(path, program, say):
    """All datasets of a file; say() gets (kind, fault or None) for each."""
    try:
        file = h5py.File(path, "r")
    except OSError:
        say("(file) h5py cannot open it", None)
        return
    with tempfile.TemporaryDirectory() as folder, file:
        names = []
        datasets(file, names, set())
        reader = Reader(program, path, pathlib.Path(folder))
        for name in names:
            try:
                values = wanted(file[name])
            except Exception:  # pylint: disable=broad-except
                values = "failed"
            kind, fault = look_at(reader, name, values)
            say(kind, fault and f"{path}:{name}: {fault}")
        reader.close()


def check_apart(path, program, counts, faults):
    """In a process of its own, since libhdf5 does not survive every file."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        signal.alarm(SECONDS)
        with os.fdopen(theirs, "w") as pipe:
            try:
                check_file(path, program, lambda kind, fault: print(f"{kind}\t{fault or ''}", file=pipe, flush=True))
            except Exception as error:  # pylint: disable=broad-except
                print(f"(file) not checked\t{path}: {error!r}", file=pipe, flush=True)
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as pipe:
        for line in pipe:
            kind, fault = line.rstrip("\n").split("\t", 1)
            counts[kind] += 1
            if fault:
                faults.append(fault)
    if os.waitpid(child, 0)[1] != 0:
        counts["(file) h5py died, or took too long"] += 1


def check_folders(folders, program, counts, faults):
    files = 0
    for folder in folders:
        for path in sorted(p for p in pathlib.Path(folder).rglob("*") if p.is_file() and not p.is_symlink()):
            if is_hdf5(path):
                files += 1
                check_apart(str(path), program, counts, faults)
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


def fetch(names, folder):
    """Yields a folder for each package that could be had; nothing is installed."""
    for name in names:
        place = folder / name
        place.mkdir()
        done = subprocess.run(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", name], cwd=place, check=False)
        for archive in place.glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", archive.name, "."], cwd=place, check=True)
            archive.unlink()
        if done.returncode == 0:
            yield place
        else:
            print(f"{name}: could not be had")
        shutil.rmtree(place, True)


def fetch_sources(names, folder):
    """The same for source packages. The machine's own apt need not know sources: the place of its packages has them too."""
    for part in ("lists/partial", "cache/archives/partial"):
        (folder / "apt" / part).mkdir(parents=True)
    told = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages",
                           "Label: Debian", "Component: main"], capture_output=True, text=True, check=True).stdout
    (folder / "apt/sources.list").write_text(f"deb-src [signed-by={KEYS}] {told.splitlines()[0]}\n")
    apt = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root"]
    for option, value in (("Dir::Etc::sourcelist", "sources.list"), ("Dir::State::lists", "lists"), ("Dir::Cache", "cache")):
        apt += ["-o", f"{option}={folder / 'apt' / value}"]
    apt += ["-o", "Dir::Etc::sourceparts=-"]
    subprocess.run([*apt, "update"], check=True)
    for name in names:
        place = folder / name
        place.mkdir()
        subprocess.run([*apt, "source", "--download-only", name], cwd=place, check=False)
        archives = list(place.glob("*.orig*.tar.*"))  # complete even where another part of the package is missing
        for archive in archives:
            subprocess.run(["tar", "-xf", archive.name], cwd=place, check=True)
            archive.unlink()
        if archives:
            yield place
        else:
            print(f"{name}: could not be had")
        shutil.rmtree(place, True)


def main():
    program, mode, *names = sys.argv[1:]
    program = os.path.abspath(program)
    counts, faults, files = collections.Counter(), [], 0
    with tempfile.TemporaryDirectory() as temp:
        folder = pathlib.Path(temp)
        if mode == "installed":
            write_kinds(folder / "kinds.h5")
            files += check_folders([folder, *INSTALLED, *names], program, counts, faults)
        else:
            for place in fetch_sources(names or SOURCES, folder) if mode == "sources" else fetch(names or PACKAGES, folder):
                n = check_folders([place], program, counts, faults)
                print(f"{place.name}: {n} files")
                files += n
    for kind, n in counts.most_common():
        print(f"{n:6d}  {kind}")
    for fault in faults:
        print("FAULT " + fault)
    print(f"{files} files, {sum(counts.values())} datasets, {len(faults)} faults")
    return 1 if faults or not counts else 0


sys.exit(main())
