#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What the command writes beside its results: --trace, --graph, --progress, --stats=json.

    reports.py CLAST
"""
import json
import os
import pathlib
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import unittest

import h5py
import numpy as np

import signals  # pylint: disable=unused-import

CLAST = os.path.abspath(sys.argv.pop(1))
ENV = {k: v for k, v in os.environ.items() if not k.startswith("CLAST_")}


class Reports(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.home.cleanup)
        cls.input = pathlib.Path(cls.home.name) / "in.h5"
        rng = np.random.default_rng(1)
        with h5py.File(cls.input, "w") as f:
            f.create_dataset('x', data=rng.random((600, 600)), chunks=(100, 100), compression="gzip")
            f.create_dataset('g"\\\u00e9\n', data=rng.random((10, 10)), chunks=(5, 5))

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder, True)

    def eval(self, program, *args, env=None, code=0):
        done = subprocess.run([CLAST, "eval", program, *map(str, args)], capture_output=True, text=True, timeout=120,
                              check=False, env=env or ENV, cwd=self.folder)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def trace(self, program, *args, name="/x", code=0):
        file = self.folder / "t.json"
        inputs = ["--in", f"x={self.input}:{name}"] if re.search(r"\bx\b", program) else []
        done = self.eval(program, *inputs, "--trace", file, *args, code=code)
        return json.loads(file.read_text(encoding="utf-8")), done

    # ---- traces

    def check(self, trace):
        """Rows are named; within one, times ascend and events do not overlap; counters ascend. Gives all complete events."""
        rows, names, counters, all_events = {}, {}, {}, []
        for e in trace["traceEvents"]:
            self.assertEqual(e["pid"], 1)
            if e["ph"] == "M" and e["name"] == "thread_name":
                self.assertNotIn(e["tid"], names)
                names[e["tid"]] = e["args"]["name"]
            elif e["ph"] == "X":
                rows.setdefault(e["tid"], []).append(e)
                all_events.append(e)
            elif e["ph"] == "C":
                counters.setdefault(e["name"], []).append(e)
            else:
                self.assertIn(e["ph"], "Mi")
        self.assertEqual(set(rows), set(names))
        for tid, events in rows.items():
            self.assertRegex(names[tid], r"^(worker|I/O thread) \d+$")
            end = 0
            for e in events:
                begin = round(e["ts"] * 1000)
                self.assertGreaterEqual(begin, end, (names[tid], e))
                self.assertGreaterEqual(e["dur"], 0)
                end = begin + round(e["dur"] * 1000)
        self.assertEqual(set(counters), {"memory", "ready tasks", "bytes/s"})
        for events in counters.values():
            times = [e["ts"] for e in events]
            self.assertEqual(times, sorted(times))
            self.assertTrue(all(v >= 0 for e in events for v in e["args"].values()))
        self.assertEqual(trace["otherData"]["events"], sum(len(self.indices(e)) for e in all_events))
        return all_events

    def indices(self, event):
        return [event["args"]["index"], *event["args"].get("and", [])]

    def tasks(self, events):
        """(stage, index) of each task."""
        return [(e["args"]["stage"], i) for e in events if e["cat"] != "transfer" for i in self.indices(e)]

    def batches(self, events):
        """Events of tasks that were timed together, which follow each other in the file."""
        found, left = [], 0
        for e in events:
            if left == 0:
                found.append([])
                left = e["args"].get("timed together", 1)
            found[-1].append(e)
            left -= len(self.indices(e))
            self.assertGreaterEqual(left, 0, e)
        self.assertEqual(left, 0)
        return found

    def test_every_task_once(self):
        for workers in (1, 2, 3):
            trace, done = self.trace("x @ x.T - mean(x, axis=0)", "--workers", workers, "--block", "64K", "--out",
                                     f"{self.folder}/o{workers}.h5:/y", "--stats")
            events = self.check(trace)
            self.assertEqual(trace["otherData"]["dropped"], 0)
            tasks = self.tasks(events)
            self.assertEqual(len(tasks), len(set(tasks)))
            self.assertEqual(len(tasks), int(re.search(r"^tasks +(\d+)", done.stderr, re.M).group(1)))
            text = [e["name"] for e in events]
            for verb in ("read", "decode"):
                for i in range(6):
                    self.assertEqual(text.count(f"{verb} /x [{i}, {5 - i}]"), 1, text)
            self.assertTrue(any(re.fullmatch(r"matmul.* \[\d+, \d+\] #\d+", t) for t in text), text)
            self.assertTrue(any(e["cat"] == "store" for e in events))

    def test_tiny_tasks_of_one_operation_are_one_event(self):
        for workers in (1, 2):
            trace, done = self.trace("sum(arange(3e6))", "--block", "1K", "--workers", workers, "--stats")
            events = self.check(trace)
            self.assertEqual(trace["otherData"]["dropped"], 0)
            tasks = self.tasks(events)
            self.assertEqual(len(tasks), len(set(tasks)))
            self.assertEqual(len(tasks), int(re.search(r"^tasks +(\d+)", done.stderr, re.M).group(1)))
            for e in events:
                more = len(self.indices(e)) - 1
                self.assertEqual(re.findall(r" and (\d+) more$", e["name"]), [str(more)] if more else [])
            for batch in self.batches(events):
                stages = [e["args"]["stage"] for e in batch]
                self.assertTrue(all(a != b for a, b in zip(stages, stages[1:])), batch)

    def test_spills(self):
        trace, _ = self.trace("y = sin(reshape(arange(1e6), (1000, 1000))); a = y / mean(y, axis=0);"
                              "sum(reshape(a.T, (1000000,)) * sqrt(arange(1e6)))", "--block", "64K", "--memory", "4500K", "--workers", "2")
        events = self.check(trace)
        self.assertEqual(trace["otherData"]["dropped"], 0)
        memory = [e["args"]["bytes"] for e in trace["traceEvents"] if e["name"] == "memory"]
        self.assertTrue(0 < max(memory) <= 4500 * 1024, max(memory))
        for verb in ("spill", "reload"):
            self.assertTrue(any(e["name"].startswith(verb + " ") and e["cat"] == "transfer" for e in events), verb)

    def test_small_rings_drop_the_oldest_and_say_so(self):
        trace, done = self.trace("sum(arange(3e6))", "--block", "1K", "--memory", "16M", "--workers", "1", "--stats")
        events = self.check(trace)
        dropped = trace["otherData"]["dropped"]
        self.assertGreater(dropped, 0)
        self.assertLess(len(self.tasks(events)), int(re.search(r"^tasks +(\d+)", done.stderr, re.M).group(1)))
        said = [int(e["name"].split()[0]) for e in trace["traceEvents"] if e["ph"] == "i"]
        self.assertEqual(sum(said), dropped)

    def test_names_are_text(self):
        trace, _ = self.trace("sum(x)", name='/g"\\\u00e9\n')
        names = {e["name"] for e in self.check(trace)}
        self.assertTrue(any(n.startswith('read /g"\\\u00e9\n [') for n in names), names)

    def test_nothing_ran(self):
        trace, _ = self.trace("2 + 3")
        self.assertIsInstance(trace["traceEvents"], list)

    # ---- files

    def test_files_that_cannot_be_written(self):
        """Said before anything is read: the program is not even looked at."""
        plain = self.folder / "plain"
        plain.write_text("")
        for option in ("--trace=", "--stats=json:", "--graph="):
            for name, word in ((f"{self.folder}/none/f.dot", "No such file"), (f"{plain}/f.dot", "Not a directory")):
                done = self.eval("nonsense(", option + name, code=2)
                self.assertIn(word, done.stderr)
                self.assertIn(name, done.stderr)
                self.assertNotIn("column", done.stderr)
        (self.folder / "d.dot").mkdir()
        self.assertIn("directory", self.eval("1", f"--graph={self.folder}/d.dot", code=2).stderr)
        self.assertEqual({p.name for p in self.folder.iterdir()}, {"plain", "d.dot"})

    def test_files_are_replaced_whole(self):
        target, link = self.folder / "t.json", self.folder / "link.json"
        target.write_text("old")
        link.symlink_to(target)
        self.eval("1 + 1", f"--stats=json:{link}")
        self.assertTrue(link.is_symlink())
        self.assertIn("peak", json.loads(target.read_text()))
        mask = os.umask(0)
        os.umask(mask)
        self.assertEqual(stat.S_IMODE(target.stat().st_mode), 0o666 & ~mask)
        self.eval("1 +", f"--stats=json:{target}", code=2)
        self.assertIn("peak", json.loads(target.read_text()))
        self.assertEqual({p.name for p in self.folder.iterdir()}, {"t.json", "link.json"})
        self.assertIn("peak", json.loads(self.eval("1 + 1 > 5", "--stats=json:/dev/stderr").stderr))

    def test_an_interrupted_run_leaves_its_trace_and_nothing_else(self):
        """Interrupted when the first line of progress came; scratch, drafts and locks go."""
        with subprocess.Popen([CLAST, "eval", "sum(sin(arange(3e10)))", "--out", "o.h5:/y", "--trace", "t.json", "--progress", "--scratch", "."],
                              stderr=subprocess.PIPE, text=True, env=ENV, cwd=self.folder) as process:
            line = process.stderr.readline()
            process.send_signal(signal.SIGINT)
            said = process.stderr.read()
        self.assertRegex(line, r"^clast: +\d+ % 0 B read, .* written, 0:00, .* left\n$")
        self.assertIn("clast: interrupted\n", said)
        self.assertEqual(process.returncode, 130)
        events = self.check(json.loads((self.folder / "t.json").read_text()))
        self.assertTrue(any(e["cat"] == "fold" for e in events))
        self.assertEqual({p.name for p in self.folder.iterdir()}, {"t.json"})

    # ---- graphs

    def graph(self, program, *args, **kwargs):
        file = self.folder / "g.dot"
        self.eval(program, "--in", f"x={self.input}:/x", f"--graph={file}", *args, **kwargs)
        return file.read_text()

    def test_by_operation(self):
        out = self.folder / "o.h5"
        text = self.graph("x @ x.T - mean(x, axis=0)", "--block", "4K", "--out", f"{out}:/y")
        self.assertFalse(out.exists())
        boxes = dict(re.findall(r"^  v(\d+) \[shape=\w+, label=\"(.*)\"\];$", text, re.M))
        edges = re.findall(r"^  v(\d+) -> v(\d+) \[label=\"([^\"]+)\"\];$", text, re.M)
        self.assertEqual(len(edges), len({e[:2] for e in edges}))
        self.assertTrue({v for e in edges for v in e[:2]} <= set(boxes))
        source = next(k for k, v in boxes.items() if v.startswith(f"{self.input}:/x"))
        self.assertIn("(600, 600) in tiles (", boxes[source])
        self.assertTrue(any(e[0] == source for e in edges))
        sink = next(k for k, v in boxes.items() if f"{out}:/y" in v)
        self.assertTrue(any(e[1] == sink for e in edges))
        self.assertFalse(any(e[0] == sink for e in edges))
        self.assertTrue(any("matmul" in v and "tasks" in v for v in boxes.values()), boxes)

    def test_by_task(self):
        text = self.graph("x + x.T")
        self.assertTrue(re.search(r'label="add.*\\n\[\d, \d\]"', text), text)
        self.assertTrue(text.startswith("digraph") and text.endswith("}\n"))

    def test_explain_as_well(self):
        done = self.eval("arange(10) + 1", f"--graph={self.folder}/g.dot", "--explain")
        self.assertIn("memory:", done.stdout)

    def fake_dot(self, script):
        tools = self.folder / "bin"
        tools.mkdir()
        if script:
            (tools / "dot").write_text(script)
            (tools / "dot").chmod(0o755)
        return {**ENV, "PATH": str(tools)}

    def test_svg_without_dot(self):
        done = self.eval("arange(10) + 1", f"--graph={self.folder}/g.svg", env=self.fake_dot(None), code=1)
        self.assertIn("Graphviz", done.stderr)
        self.assertEqual({p.name for p in self.folder.iterdir()}, {"bin"})

    def test_svg_by_dot(self):
        env = self.fake_dot("#!/bin/sh\n[ \"$1\" = -Tsvg ] && echo '<svg>' && while read -r l; do echo \"$l\"; done <\"$2\"\n")
        self.eval("arange(10) + 1", f"--graph={self.folder}/g.svg", env=env)
        text = (self.folder / "g.svg").read_text()
        self.assertTrue(text.startswith("<svg>\ndigraph clast {"), text)

    def test_svg_by_failing_dot(self):
        env = self.fake_dot("#!/bin/sh\necho half\nexit 3\n")
        done = self.eval("arange(10) + 1", f"--graph={self.folder}/g.svg", env=env, code=1)
        self.assertIn("dot failed", done.stderr)
        self.assertEqual({p.name for p in self.folder.iterdir()}, {"bin"})

    @unittest.skipUnless(shutil.which("dot"), "Graphviz is not installed")
    def test_svg_by_graphviz(self):
        self.eval("arange(10) + 1", f"--graph={self.folder}/g.svg")
        self.assertIn("</svg>", (self.folder / "g.svg").read_text())

    def test_wrong(self):
        self.assertIn("FILE.svg", self.eval("1", "--graph=x.png", code=2).stderr)
        self.assertIn("nothing runs", self.eval("1", "--explain", "--trace=t.json", code=2).stderr)

    # ---- progress

    def test_last_line(self):
        done = self.eval("sum(x)", "--in", f"x={self.input}:/x", "--progress")
        # A run that a busy machine holds up says on the way how far it is.
        self.assertRegex(done.stderr, r"^(clast: +\d+ % [^\n]* left\n)*clast: 100 %, \d+ tasks, 2.7 MiB read, 8 B written, 0 B spilled, \d+\.\d s\n$")
        self.assertEqual(self.eval("sum(x)", "--in", f"x={self.input}:/x").stderr, "")
        self.assertEqual(self.eval("sum(x)", "--in", f"x={self.input}:/x", "--progress", "--quiet").stderr, "")

    def test_no_last_line_of_a_failure(self):
        done = self.eval("ones((4000, 4000)) @ ones((4000, 4000))", "--progress", "--memory", "1M", code=3)
        self.assertNotIn("100 %", done.stderr)

    def terminal(self, *args):
        """What is left on a terminal: runs the command on a pseudo-terminal as stderr."""
        main, side = os.openpty()
        with subprocess.Popen([CLAST, "eval", *map(str, args)], stdout=subprocess.PIPE, stderr=side, env=ENV) as process:
            os.close(side)
            text = b""
            while True:
                try:
                    piece = os.read(main, 4096)
                except OSError:
                    break
                if not piece:
                    break
                text += piece
            process.communicate()
            self.assertEqual(process.returncode, 0, text)
        os.close(main)
        return text.decode()

    def test_a_bar_on_a_terminal(self):
        """Long enough for a report on any machine; lines that are shown are wiped before the last one."""
        work = "sum(sin(cos(sin(arange(3e7)))))"
        text = self.terminal(work, "--progress", "--workers", "1")
        bars = re.findall(r"clast: +(\d+) % \[(#*)(\.*)\] [^\r]* left", text)
        self.assertTrue(bars, text)
        self.assertTrue(all(len(a) + len(b) == 24 for _, a, b in bars), bars)
        self.assertEqual([int(b[0]) for b in bars], sorted(int(b[0]) for b in bars))
        self.assertRegex(text, r"\r *\rclast: 100 %[^\r]*\r\n$")
        self.assertEqual(self.terminal(work, "--quiet"), "")


if __name__ == "__main__":
    unittest.main(verbosity=1)
