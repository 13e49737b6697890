#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""--untrusted from outside: the same values, what is refused, and that libhdf5 opens the file in no process but the helper.

    untrusted.py CLAST
"""
import ctypes
import fcntl
import json
import os
import pathlib
import platform
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import unittest

import h5py
import numpy as np

CLAST = os.path.abspath(sys.argv.pop(1))

# Preloaded into all: opening a file with libhdf5 ends every process but the helper.
GUARD = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int64_t H5Fopen(const char *name, unsigned flags, int64_t list)
{
    char program[4096] = "";
    if (readlink("/proc/self/exe", program, sizeof program - 1) < 0 || !strstr(program, "clast-describe"))
        abort();
    return ((int64_t (*)(const char *, unsigned, int64_t))dlsym(RTLD_NEXT, "H5Fopen"))(name, flags, list);
}
"""


# Preloaded into the helper: what code might do that a file has taken over, once the file is open.
ATTACK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
static void attack(const char *how)
{
    char *const argv[] = {"/bin/true", NULL};
    if (strcmp(how, "open") == 0)
        open("/etc/passwd", O_RDONLY);
    else if (strcmp(how, "stat") == 0)
        stat("/etc/passwd", &(struct stat){0});
    else if (strcmp(how, "socket") == 0)
        socket(AF_INET, SOCK_STREAM, 0);
    else if (strcmp(how, "fork") == 0)
        fork();
    else if (strcmp(how, "exec") == 0)
        execv(argv[0], argv);
    else if (strcmp(how, "kill") == 0)
        kill(getppid(), 0);
    else if (strcmp(how, "stderr") == 0)
        write(2, "x", 1);
    else if (strcmp(how, "code") == 0)
        mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    else if (strcmp(how, "turn") == 0)
        mprotect((void *)((uintptr_t)malloc(9000) & ~4095ull), 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
    else if (strcmp(how, "unlink") == 0)
        unlink("nothing");
    else if (strcmp(how, "memory") == 0) /* is allowed */
        free(memset(malloc(64 << 20), 1, 64 << 20));
}
int64_t H5Fopen(const char *name, unsigned flags, int64_t list)
{
    const int64_t id = ((int64_t (*)(const char *, unsigned, int64_t))dlsym(RTLD_NEXT, "H5Fopen"))(name, flags, list);
    const char *how = getenv("ATTACK");
    if (how)
        attack(how);
    return id;
}
"""

# Preloaded into the helper: what its limits are when it opens the file, told to a pipe, and what it meets beyond them.
LIMITS = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>
static void tell(const char *pipe)
{
    static const struct { const char *name; int what; } limits[] = {
        {"addresses", RLIMIT_AS}, {"seconds", RLIMIT_CPU}, {"files", RLIMIT_NOFILE}, {"written", RLIMIT_FSIZE}, {"core", RLIMIT_CORE}};
    int signal = 0, to = open(pipe, O_WRONLY | O_NONBLOCK);
    void *memory = malloc(256 << 20);
    for (int i = 0; i < 5; i++) {
        struct rlimit l;
        getrlimit(limits[i].what, &l);
        dprintf(to, "%s %lld %lld\n", limits[i].name, (long long)l.rlim_cur, (long long)l.rlim_max);
    }
    prctl(PR_GET_PDEATHSIG, &signal);
    dprintf(to, "privileges %d\ndumpable %d\ndeath %d\nmalloc %d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), prctl(PR_GET_DUMPABLE),
            signal, memory != NULL);
    int last = to, more;
    while ((more = dup(to)) >= 0)
        last = more;
    dprintf(to, "last %d\n", last);
    for (; last >= 3; last--)
        close(last);
    free(memory);
}
int64_t H5Fopen(const char *name, unsigned flags, int64_t list)
{
    const char *how = getenv("BEYOND"), *pipe = getenv("PIPE");
    if (pipe)
        tell(pipe);
    if (how && strcmp(how, "time") == 0)
        for (volatile int i = 0; ; i++)
            continue;
    if (how)
        write(open(how, O_WRONLY | O_CREAT, 0600), "x", 1);
    return ((int64_t (*)(const char *, unsigned, int64_t))dlsym(RTLD_NEXT, "H5Fopen"))(name, flags, list);
}
"""


def refuse_seccomp():
    """In the new process: a kernel that has no seccomp, by seccomp: it says EINVAL to prctl(PR_SET_SECCOMP, ...)."""
    libc = ctypes.CDLL(None, use_errno=True)
    prctl, set_seccomp, einval = 157 if platform.machine() == "x86_64" else 167, 22, 22
    steps = [(0x20, 0, 0, 0), (0x15, 0, 3, prctl), (0x20, 0, 0, 16), (0x15, 0, 1, set_seccomp), (0x06, 0, 0, 0x00050000 | einval),
             (0x06, 0, 0, 0x7FFF0000)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *s) for s in steps))
    program = ctypes.create_string_buffer(struct.pack("HP", len(steps), ctypes.addressof(code)))
    if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(set_seccomp, 2, ctypes.byref(program), 0, 0) != 0:
        os._exit(99)


class Untrusted(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        for name, text in {"guard": GUARD, "attack": ATTACK, "limits": LIMITS}.items():
            (cls.folder / f"{name}.c").write_text(text)
            subprocess.run(["cc", "-shared", "-fPIC", "-w", "-o", cls.folder / f"{name}.so", cls.folder / f"{name}.c", "-ldl"],
                           check=True)
        rng = np.random.default_rng(1)
        cls.data = {
            "contiguous": dict(data=rng.random((60, 70))),
            "big": dict(data=rng.integers(0, 99, (60, 70)).astype(">i2"), chunks=(16, 16)),
            "half": dict(data=rng.random((60, 70)).astype("f2"), chunks=(16, 16), compression="gzip"),
            "bool": dict(data=rng.random((60, 70)) < 0.5, chunks=(16, 16), compression="gzip", shuffle=True),
            "complex": dict(data=rng.random((60, 70)) + 1j, chunks=(16, 16), compression="gzip", fletcher32=True),
            "lzf": dict(data=rng.integers(0, 3, (60, 70)), chunks=(16, 16), compression="lzf"),
            "scalar": dict(data=2.5),
            "empty": dict(data=np.zeros((0, 4))),
        }
        cls.file = cls.folder / "in.h5"
        with h5py.File(cls.file, "w") as f:
            for name, how in cls.data.items():
                f.create_dataset(name, **how)
            f.create_dataset("scaled", data=np.arange(100), chunks=(10,), scaleoffset=0)
            f["elsewhere"] = h5py.ExternalLink("other.h5", "/x")

    def command(self, *args, preload=None, env=None, preexec=None):
        env = {**os.environ, **({"LD_PRELOAD": str(preload)} if preload else {}), **(env or {})}
        return subprocess.run([CLAST, *map(str, args)], capture_output=True, text=True, env=env, check=False, preexec_fn=preexec,
                              timeout=60)

    def clast(self, program, *args, preload=None):
        return self.command("eval", program, *args, preload=preload)

    def test_same_values_without_libhdf5(self):
        guard = self.folder / "guard.so"
        for name in self.data:
            source = f"x={self.file}:/{name}"
            trusted = self.clast("x", "--in", source)
            self.assertEqual(trusted.returncode, 0, trusted.stderr)
            done = self.clast("x", "--untrusted", "--in", source, preload=guard)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, trusted.stdout, ""))
        # The guard is one: without the option it ends the command.
        self.assertEqual(self.clast("x", "--in", f"x={self.file}:/big", preload=guard).returncode, -6)

    def test_info_without_libhdf5(self):
        guard = self.folder / "guard.so"
        for what in [], ["--json"]:
            for place in self.file, f"{self.file}:/half":
                trusted = self.command("info", *what, place)
                done = self.command("info", *what, "--untrusted", place, preload=guard)
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, trusted.stdout, ""))
                self.assertIn("/half", done.stdout)
        self.assertEqual(self.command("info", self.file, preload=guard).returncode, -6)
        told = json.loads(self.command("info", "--json", "--untrusted", self.file).stdout)
        self.assertEqual({o["path"][1:] for o in told["objects"]}, {"", "scaled", "elsewhere", *self.data})

    def test_check_without_libhdf5(self):
        guard = self.folder / "guard.so"
        done = self.command("info", "--check", "--untrusted", self.file, preload=guard)
        self.assertEqual(done.returncode, 1)  # one was not read
        self.assertIn("scaled is stored in a way that only libhdf5 reads", done.stderr)
        trusted = self.command("info", "--check", self.file).stdout.splitlines()
        self.assertEqual(done.stdout.splitlines(), [line for line in trusted if not line.startswith("/scaled")])
        done = self.command("info", "--check", "--untrusted", f"{self.file}:/big", preload=guard)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_diff_without_libhdf5(self):
        guard, other = self.folder / "guard.so", self.folder / "other.h5"
        with h5py.File(self.file) as f, h5py.File(other, "w") as g:
            for name in self.data:
                f.copy(name, g)
            g["half"][1, 2] += 1
            g["more"] = 1.0
        same = self.command("diff", "--untrusted", f"{self.file}:/big", f"{other}:/big", preload=guard)
        self.assertEqual((same.returncode, same.stdout, same.stderr), (0, "", ""))
        one = self.command("diff", "--untrusted", f"{self.file}:/half", f"{other}:/half", preload=guard)
        self.assertEqual((one.returncode, one.stderr), (1, ""))
        self.assertIn("/half: 1 of 4200 elements differ", one.stdout)
        files = self.command("diff", "--untrusted", self.file, other, preload=guard)
        self.assertEqual((files.returncode, files.stderr), (1, ""))
        self.assertEqual(files.stdout.splitlines()[:1] + files.stdout.splitlines()[2:],
                         [one.stdout.strip(), "/scaled: only in the first file"])
        with h5py.File(other, "a") as g:
            g["scaled"] = "text"
        files = self.command("diff", "--untrusted", self.file, other, preload=guard)
        self.assertEqual(files.returncode, 2)
        self.assertIn("/half: 1 of", files.stdout)
        self.assertIn("only libhdf5 reads", files.stderr)
        self.assertEqual(self.command("diff", self.file, other, preload=guard).returncode, -6)

    def test_copy_says_why_not(self):
        done = self.command("copy", "--untrusted", self.file, self.folder / "copy.h5")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("clast eval x --untrusted", done.stderr)
        self.assertFalse((self.folder / "copy.h5").exists())

    def test_names_that_steer_a_terminal(self):
        bad = self.folder / "names.h5"
        with h5py.File(bad, "w") as f:
            f["a\x1b[2Jb"] = np.arange(3)
            f[b"c\xff"] = np.arange(3)
            f["d\u009be\u202e"] = np.arange(3)
            f["plain \u00e9"] = np.arange(3)
            f["plain \u00e9"].attrs["k\nl"] = "v\x1bw"
        steering = set(range(32)) - {10} | set(range(0x7F, 0xA0)) | {0x202E}
        for what in [], ["--json"], ["--check"]:
            done = self.command("info", "--untrusted", *what, bad)
            self.assertEqual((done.returncode, done.stderr), (0, ""), what)
            self.assertFalse(steering & set(map(ord, done.stdout)), what)
            self.assertIn("plain \u00e9", done.stdout)
        names = {o["path"] for o in json.loads(self.command("info", "--untrusted", "--json", bad).stdout)["objects"]}
        self.assertEqual(names, {"/", "/a\x1b[2Jb", "/c\udcff", "/d\u009be\u202e", "/plain \u00e9"})
        with h5py.File(self.folder / "empty.h5", "w"):
            pass
        for more in [], ["--json"]:
            done = self.command("diff", "--untrusted", *more, bad, self.folder / "empty.h5")
            self.assertEqual(done.returncode, 1)
            self.assertFalse(steering & set(map(ord, done.stdout + done.stderr)))

    def test_more_than_a_file_can_hold(self):
        with h5py.File(self.folder / "huge.h5", "w") as f:
            f.create_dataset("x", shape=(1 << 45,), dtype="f8", chunks=(1 << 28,))
        done = self.command("info", "--check", "--untrusted", self.folder / "huge.h5")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("/x: claims to be 2.81e+14 bytes", done.stderr)
        done = self.command("diff", "--untrusted", f"{self.folder}/huge.h5:/x", f"{self.folder}/huge.h5:/x")
        self.assertEqual((done.returncode, done.stdout), (2, ""))

    def test_more_text_than_is_heard(self):
        with h5py.File(self.folder / "long.h5", "w") as f:
            for i in range(80):
                group = f.create_group(f"g{i}")
                for k in range(4):
                    group.attrs[f"a{k}"] = np.full(8000, -(2**62))
        done = self.command("info", "--json", "--untrusted", self.folder / "long.h5")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("more than 32 MiB", done.stderr)

    @unittest.skipUnless(platform.machine() in ("x86_64", "aarch64"), "no filter for this machine")
    def test_what_a_confined_helper_may_not(self):
        attack = self.folder / "attack.so"
        for how in "open", "stat", "socket", "fork", "exec", "kill", "stderr", "code", "turn", "unlink":
            for args in ["info"], ["eval", "sum(x)"]:
                place = [self.file] if args == ["info"] else ["--in", f"x={self.file}:/big"]
                done = self.command(*args, "--untrusted", *place, preload=attack, env={"ATTACK": how})
                self.assertEqual((done.returncode, done.stdout), (2, ""), how)
                self.assertIn("signal 31 (Bad system call)", done.stderr, how)
        for env in {}, {"ATTACK": "memory"}:
            self.assertEqual(self.command("info", "--untrusted", self.file, preload=attack, env=env).returncode, 0)

    def told(self, *args, preexec=None):
        """The limits of the helper of a command, by name."""
        fifo = self.folder / "fifo"
        os.mkfifo(fifo)
        try:
            with open(os.open(fifo, os.O_RDWR | os.O_NONBLOCK), "rb", buffering=0) as f:
                done = self.command(*args, preload=self.folder / "limits.so", env={"PIPE": str(fifo)}, preexec=preexec)
                self.assertEqual(done.returncode, 0, done.stderr)
                rows = [line.split() for line in (f.read(4096) or b"").decode().splitlines()]
        finally:
            fifo.unlink()
        return {name: [int(n) for n in numbers] for name, *numbers in rows}

    def test_the_limits_of_a_helper(self):
        wanted = {"addresses": [256 << 20] * 2, "seconds": [5, 6], "files": [16, 16], "written": [0, 0], "core": [0, 0], "privileges": [1],
                  "dumpable": [0], "death": [signal.SIGKILL], "malloc": [0], "last": [15]}
        for args in ["info", "--untrusted", self.file], ["eval", "sum(x)", "--untrusted", "--in", f"x={self.file}:/big"]:
            self.assertEqual(self.told(*args), wanted)
        # Those that are narrower already stay so.
        less = self.told("info", "--untrusted", self.file, preexec=lambda: resource.setrlimit(resource.RLIMIT_CPU, (3, 4)))
        self.assertEqual(less, {**wanted, "seconds": [3, 4]})

    def test_beyond_the_limits_of_a_helper(self):
        made = self.folder / "made"
        for how, words in (made, f"signal {int(signal.SIGXFSZ)} (File size limit exceeded)"), ("time", "took more time than is allowed"):
            done = self.command("info", "--untrusted", self.file, preload=self.folder / "limits.so", env={"BEYOND": str(how)},
                                preexec=lambda: resource.setrlimit(resource.RLIMIT_CPU, (1, 2)))
            self.assertEqual((done.returncode, done.stdout), (2, ""), how)
            self.assertIn(words, done.stderr)
        self.assertEqual(made.stat().st_size, 0)

    @unittest.skipUnless(platform.machine() in ("x86_64", "aarch64"), "no filter for this machine")
    def test_a_kernel_without_seccomp(self):
        source = ["--in", f"x={self.file}:/big", "--in", f"y={self.file}:/half"]
        plain = self.command("eval", "sum(x) + sum(y)", "--untrusted", *source)
        done = self.command("eval", "sum(x) + sum(y)", "--untrusted", *source, preexec=refuse_seccomp)
        self.assertEqual((done.returncode, done.stdout), (0, plain.stdout), done.stderr)
        self.assertEqual(done.stderr.count("not confined by seccomp"), 1, done.stderr)
        self.assertTrue(done.stderr.startswith("clast: warning: "), done.stderr)
        self.assertEqual(self.command("info", "--untrusted", "--quiet", self.file, preexec=refuse_seccomp).stderr, "")
        # It is the filter that ended the attacks.
        done = self.command("info", "--untrusted", self.file, preload=self.folder / "attack.so", env={"ATTACK": "open"},
                            preexec=refuse_seccomp)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_outputs_carry_values_only(self):
        out = self.folder / "out.h5"
        done = self.clast("x * 2", "--untrusted", "--in", f"x={self.file}:/contiguous", "--out", f"{out}:/y")
        self.assertEqual(done.returncode, 0, done.stderr)
        with h5py.File(out) as f:
            np.testing.assert_array_equal(f["y"][()], self.data["contiguous"]["data"] * 2)

    def test_refusals(self):
        for path, words in {"scaled": "only libhdf5 reads", "elsewhere": "another file", "missing": "does not exist"}.items():
            done = self.clast("x", "--untrusted", "--in", f"x={self.file}:/{path}")
            self.assertEqual((done.returncode, done.stdout), (2, ""))
            self.assertIn(words, done.stderr)

    def test_a_damaged_file(self):
        bad = self.folder / "bad.h5"
        contents = bytearray(self.file.read_bytes())
        for i in range(200, 900, 7):
            contents[i] ^= 0xFF
        bad.write_bytes(contents)
        done = self.clast("x", "--untrusted", "--in", f"x={bad}:/big")
        self.assertIn(done.returncode, (1, 2), done.stderr)
        self.assertIn("bad.h5", done.stderr)

    def test_a_wrong_checksum_is_said(self):
        bad = self.folder / "sum.h5"
        with h5py.File(bad, "w", libver="latest") as f:
            f["x"] = np.arange(9)
        contents = bytearray(bad.read_bytes())
        contents[contents.rindex(b"OHDR") + 30] ^= 1
        bad.write_bytes(contents)
        done = self.clast("x", "--untrusted", "--in", f"x={bad}:/x")
        self.assertEqual(done.returncode, 2)
        self.assertNotIn("signal", done.stderr)

    def each_way(self, file, locks=None):
        """What each command says of the file without trust, and with it."""
        env = {"HDF5_USE_FILE_LOCKING": locks} if locks else {}
        for job in (["eval", "sum(x)", "--in", f"x={file}:/x"], ["info", file], ["info", "--json", f"{file}:/x"], ["info", "--check", file],
                    ["diff", f"{file}:/x", f"{file}:/x"]):
            yield self.command(*job, "--untrusted", env=env), self.command(*job, env=env)

    def read_all(self, file, locks=None):
        for done, trusted in self.each_way(file, locks):
            self.assertEqual((done.returncode, done.stderr), (0, ""), done.args)
            self.assertEqual(done.stdout, trusted.stdout, done.args)

    def refuse_all(self, file, words, locks=None):
        for done, trusted in self.each_way(file, locks):
            self.assertEqual((done.returncode, done.stdout), (2, ""), done.args)
            self.assertIn(words, done.stderr)
            self.assertIn(words, trusted.stderr)

    def test_files_that_somebody_writes(self):
        """HDF5's locks are held to, unless the user has switched them off, and nobody is waited for."""
        locked = "is open for writing elsewhere and locked by HDF5 (HDF5_USE_FILE_LOCKING=FALSE disables its locks)"
        written, swmr = self.folder / "written.h5", self.folder / "swmr.h5"
        with h5py.File(written, "w") as f:
            f["x"] = np.arange(9.0)
            f.flush()
            self.refuse_all(written, locked)
            self.read_all(written, locks="FALSE")
        self.read_all(written)
        with h5py.File(swmr, "w", libver="latest") as f:
            f.create_dataset("x", data=np.arange(9.0), chunks=(3,))
            f.swmr_mode = True
            for locks in None, "FALSE":
                self.refuse_all(swmr, "cannot be opened as an HDF5 file (libhdf5: ", locks)
        self.read_all(swmr)

    def test_locks_of_others(self):
        file = self.folder / "locked.h5"
        with h5py.File(file, "w") as f:
            f["x"] = np.arange(9.0)
        with open(file, "r+b") as f:
            fcntl.flock(f, fcntl.LOCK_EX)
            self.refuse_all(file, "locked by HDF5")
            self.read_all(file, locks="FALSE")
            fcntl.flock(f, fcntl.LOCK_SH)
            self.read_all(file)
            fcntl.flock(f, fcntl.LOCK_UN)
            fcntl.lockf(f, fcntl.LOCK_EX)  # POSIX' locks are none of HDF5's
            self.read_all(file)

    def test_a_lease_of_somebody_else(self):
        file = self.folder / "leased.h5"
        with h5py.File(file, "w") as f:
            f["x"] = np.arange(9.0)
        self.addCleanup(signal.signal, signal.SIGIO, signal.signal(signal.SIGIO, signal.SIG_IGN))
        with open(file, "rb") as f:
            try:
                fcntl.fcntl(f, fcntl.F_SETLEASE, fcntl.F_WRLCK)
            except OSError as error:
                self.skipTest(f"no leases here: {error}")
            for job in ["eval", "sum(x)", "--in", f"x={file}:/x"], ["info", file]:
                done = self.command(*job, "--untrusted")
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertIn("another process has a lease of it", done.stderr)
            fcntl.fcntl(f, fcntl.F_SETLEASE, fcntl.F_UNLCK)
            self.read_all(file)

    def test_several_inputs_and_many_chunks(self):
        with h5py.File(self.folder / "many.h5", "w") as f:
            f.create_dataset("x", data=np.arange(50000.0), chunks=(1,))
        done = self.clast("sum(x) + sum(y)", "--untrusted", "--in", f"x={self.folder}/many.h5:/x", "--in",
                          f"y={self.folder}/many.h5:/x")
        self.assertEqual((done.returncode, float(done.stdout)), (0, 2 * sum(range(50000))), done.stderr)
        done = self.clast("sum(x)", "--untrusted", "--in", f"x={self.folder}/many.h5:/x", "--memory", "1M")
        self.assertEqual(done.returncode, 3, done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
