"""bench/schedulers: its graphs are the factorisations that they claim to be, and the evaluation counts right."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import support.program
from support.program import ProgramTest

DIRECTORY = pathlib.Path(__file__).resolve().parents[2] / "bench" / "schedulers"
sys.path.insert(0, str(DIRECTORY))
import cases
import evaluate
import graphs


class Graphs(ProgramTest):
    def simulated(self, graph, *words):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "graph.mgraph")
            graph.write(path)
            return self.done("simulate", path, "--machine", "mirage", "--scheduler", "dmda", "--json", "-", *words).json()

    def flops(self, graph):
        return sum(flops for _, _, flops, _ in graph.tasks)

    def test_lu(self):
        for tiles in [1, 2, 5, 9]:
            graph = graphs.lu(tiles, 960)
            self.assertEqual(len(graph.tasks), sum(k * k for k in range(1, tiles + 1)))
            self.assertEqual(max(graph.priorities()), 3 * tiles - 2)  # getrf, trsm, gemm a step
            self.assertAlmostEqual(self.flops(graph) / (2 / 3 * (960 * tiles) ** 3), 1.0, places=6)
        found = self.simulated(graphs.lu(9, 960))
        self.assertEqual(found["tasks"], 285)
        self.assertGreater(found["worker_classes"][1]["tasks"], 50)  # GPUs

    def test_qr(self):
        for tiles in [1, 2, 5, 9]:
            graph = graphs.qr(tiles, 960)
            self.assertEqual(len(graph.tasks), sum(k * k for k in range(1, tiles + 1)))
            n = 960 * tiles  # 4/3 n^3 + what folding tiles of a column costs more than a blocked QR
            self.assertLess(4 / 3 * n**3, self.flops(graph) * 1.000001)
            self.assertLess(self.flops(graph), 2.1 * n**3)
        self.assertEqual(self.simulated(graphs.qr(9, 960))["tasks"], 285)

    def test_the_longest_way_is_the_highest_priority(self):
        # Without edges but these: three tasks in a row, one beside them.
        graph = graphs.Graph(2)
        a, b = graph.datum("a"), graph.datum("b")
        graph.task("x", [("w", a)], 1)
        graph.task("x", [("r", a), ("w", b)], 1)
        graph.task("x", [("r", a)], 1)
        graph.task("x", [("rw", a)], 1)  # after both readers
        graph.task("x", [("r", b)], 1)
        self.assertEqual(graph.priorities(), [3, 2, 2, 1, 1])

    def test_layered(self):
        graph = graphs.layered(6, 5, 32, 1)
        self.assertEqual(len(graph.tasks), 30)
        for name, accesses, flops, _ in graph.tasks:
            modes = [mode for mode, _ in accesses]
            self.assertEqual(modes[-1], "w")
            self.assertIn(modes.count("r"), [1, 2, 3, 4])
            self.assertEqual(len(modes), modes.count("r") + 1)
            self.assertTrue(0.1 <= flops / (2 * 32**3) <= 10)
            self.assertIn(name, graphs.MIX)
        self.assertEqual(max(graph.priorities()), 6)
        self.assertEqual(graph.tasks, graphs.layered(6, 5, 32, 1).tasks)
        self.assertNotEqual(graph.tasks, graphs.layered(6, 5, 32, 2).tasks)


class Evaluation(unittest.TestCase):
    def case(self, name, makespans, bound=1.0, failures=()):
        return (cases.Case(name, "small", "mirage", False),
                {"bound_s": bound, "makespans": makespans, "failures": {policy: "why" for policy in failures}, "tasks": 1})

    def test_summary(self):
        results = [self.case("lu", {"mitra": 2.0, "dmda": 1.0}), self.case("qr", {"mitra": 4.0, "dmda": 4.1}, bound=2.0),
                   self.case("layered 1", {"mitra": 1.0}, failures=["dmda"])]
        ours, theirs = sorted(evaluate.summary(results), key=lambda row: row["policy"], reverse=True)
        self.assertEqual([ours["policy"], ours["best"], ours["behind"], ours["cases"]], ["mitra", 2, 1, 3])
        self.assertAlmostEqual(ours["mean_gap"], (1.0 + 1.0 + 0.0) / 3)
        self.assertEqual([ours["worst_ratio"], ours["worst_case"]], [2.0, "lu small, mirage"])
        self.assertEqual([theirs["best"], theirs["behind"], theirs["failures"]], [1, 0, 1])
        self.assertEqual([(ratio, best) for ratio, _, best in evaluate.behind(results, "mitra")], [(2.0, "dmda")])
        text = evaluate.report(results, 0.0)
        for words in ["1 of 3 cases", "100.00 %  lu small, mirage: dmda", "layered 1 small, mirage: dmda failed: why"]:
            self.assertIn(words, text)

    def test_the_program(self):
        program = pathlib.Path(support.program.MITRA)
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "result.json")
            done = subprocess.run([sys.executable, "-B", DIRECTORY / "evaluate.py", program.parent, "--quick", "--sizes", "small",
                                   "--machines", "mirage,alice-recoque-unified", "--schedulers", "dmda,eager", "--json", path],
                                  capture_output=True, text=True, timeout=100)
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(path, encoding="utf-8") as file:
                found = json.load(file)
        self.assertEqual(len(found["cases"]), 2 * 4 * 2)  # machines, graphs, memory
        for case in found["cases"]:
            self.assertEqual(set(case["makespans"]), {"dmda", "eager"})
            self.assertGreaterEqual(min(case["makespans"].values()), case["bound_s"])
            self.assertEqual(case["failures"], {})
        self.assertEqual(found["summary"][0]["policy"], "dmda")
        for words in ["16 cases", "mean gap", "little memory"]:
            self.assertIn(words, done.stdout)

    def test_little_memory_is_less(self):
        with tempfile.TemporaryDirectory() as directory:
            found = cases.cases(directory, ["small"], ["mirage"], [1])
            whole, little = (case for case in found if case.graph == "lu")
            text = pathlib.Path(little.command[-1]).read_text(encoding="utf-8")
            self.assertIn(f'capacity = "{36 * 960 * 960 * 8 // 3} B"', text)
            self.assertNotIn("capacity", pathlib.Path(whole.command[-1]).read_text(encoding="utf-8"))


if __name__ == "__main__":
    unittest.main()
