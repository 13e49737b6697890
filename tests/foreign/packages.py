# SPDX-License-Identifier: BSD-3-Clause
"""Files of Debian's packages, and of the sources that these are built from. Nothing is installed."""
import shutil
import subprocess

# HDF5 and netCDF-4 files of PyTables, bitshuffle, GMT, NeXus, PyMca, MINC and others.
PACKAGES = ["python-tables-data", "python3-tables", "python3-h5py-serial", "bitshuffle", "gmt-gshhg-low", "gmt-dcw",
            "hdf-compass-doc", "vitables", "pymca-data", "python3-nibabel", "minc-tools", "python3-pandas", "nexus-tools"]
SOURCES = ["hdf5", "netcdf", "pytables"]
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
APT = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root"]


def run(command, place):
    """What it complains of, each line once; "" where it succeeds."""
    done = subprocess.run(command, cwd=place, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    lines = dict.fromkeys((done.stderr + done.stdout).splitlines())
    return "" if done.returncode == 0 else "; ".join(lines) or f"{command[0]}: status {done.returncode}"


def unpack(name, place, complaint, pattern, command):
    """(name, place) with what the archives hold; (name, None), and the reason printed, where there are none."""
    archives = list(place.glob(pattern))
    for archive in archives:
        subprocess.run([*command, archive.name], cwd=place, check=True)
        archive.unlink()
    if archives:
        return name, place
    print(f"{name}: could not be had: {complaint}")
    return name, None


def fetch_packages(names, folder):
    for name in names:
        place = folder / name
        place.mkdir()
        complaint = run([*APT, "download", name], place)
        yield unpack(name, place, complaint, "*.deb", ["sh", "-c", 'dpkg-deb -x "$0" .'])
        shutil.rmtree(place, True)


def configure(folder):
    """An apt-get that knows sources. The machine's own need not: the place of its packages has them too."""
    for part in ("lists/partial", "cache/archives/partial"):
        (folder / "apt" / part).mkdir(parents=True)
    told = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages",
                           "Label: Debian", "Component: main"], capture_output=True, text=True, check=False).stdout
    if not told:
        return APT, "apt-get knows no archive of Debian (has `apt-get update` been run?)"
    (folder / "apt/sources.list").write_text(f"deb-src [signed-by={KEYS}] {told.splitlines()[0]}\n")
    apt = [*APT, "-o", "Dir::Etc::sourceparts=-"]
    for option, value in (("Dir::Etc::sourcelist", "sources.list"), ("Dir::State::lists", "lists"), ("Dir::Cache", "cache")):
        apt += ["-o", f"{option}={folder / 'apt' / value}"]
    return apt, run([*apt, "update"], folder)


def fetch_sources(names, folder):
    apt, complaint = configure(folder)
    for name in names:
        place = folder / name
        place.mkdir()
        complaint_of = complaint or run([*apt, "source", "--download-only", name], place)
        # The upstream part may be complete where another part of the package is missing.
        yield unpack(name, place, complaint_of, "*.orig*.tar.*", ["tar", "-xf"])
        shutil.rmtree(place, True)


def fetch(mode, names, folder):
    """Yields (name, folder with its files) for each of what is named, or of all; (name, None): it could not be had."""
    if mode == "sources":
        return fetch_sources(names or SOURCES, folder)
    return fetch_packages(names or PACKAGES, folder)
