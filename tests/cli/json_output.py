"""The JSON of every call: its keys, their types, and null where there is no value."""

import json
import os
import tempfile
import unittest

from support.program import ProgramTest

BOUNDS = ["critical_path_s", "area_s", "mixed_s", "best_s", "gap", "energy_j"]
ENERGY = ["total_j", "source", "average_w", "peak_w", "edp_js", "by_component", "power_cap_w", "cap_violation_s"]
CHOLESKY = ["run", "cholesky", "--n", "200", "--tile", "64"]


class Run(ProgramTest):
    def test_a_run_has_the_keys_of_its_contract(self):
        found = self.done(*CHOLESKY, "--workers", "2", "--json", "-").json()
        expected = {"workload": "cholesky", "backend": "native", "scheduler": "locality_ws", "seed": 1, "tasks": 20, "workers": 2,
                    "verified": True, "schedule_digest": None, "reference_gflops": None,
                    "parameters": {"n": 200, "tile": 64, "precision": "double", "seed": 1},
                    "bounds": dict.fromkeys(BOUNDS), "energy": dict.fromkeys(ENERGY),
                    "decisions": dict.fromkeys(["count", "mean_ns", "max_ns"])}
        for key, value in expected.items():
            self.assertEqual(found[key], value, key)
        for key in ["makespan_s", "tasks_per_s", "gflops", "flops", "submit_s", "wall_s", "residual"]:
            self.assertIsInstance(found[key], float, key)
            self.assertGreater(found[key], 0, key)
        self.assertIsInstance(found["machine"], str)
        self.assertAlmostEqual(found["flops"], 200**3 / 3 + 200**2 / 2 + 200 / 6, places=3)
        self.assertAlmostEqual(found["gflops"], found["flops"] / found["makespan_s"] / 1e9)
        self.assertAlmostEqual(found["tasks_per_s"], found["tasks"] / found["makespan_s"])
        self.assertLessEqual(found["submit_s"], found["makespan_s"])
        self.assertLessEqual(found["makespan_s"], found["wall_s"])
        self.assertGreater(found["memory"].pop("peak_rss_bytes"), 1 << 20)
        self.assertEqual(found["memory"], dict.fromkeys(["bytes_to_device", "bytes_from_device", "bytes_peer", "evictions", "peak_bytes"]))
        self.assertEqual(found["devices"], dict.fromkeys(["lost", "recomputed"]))
        self.assertEqual(sum(c["count"] for c in found["worker_classes"]), 2)
        self.assertEqual(sum(c["tasks"] for c in found["worker_classes"]), 20)
        self.assertEqual([c["busy_fraction"] for c in found["worker_classes"]], [None])

    def test_the_reference_is_measured_where_it_is_asked_for(self):
        self.assertGreater(self.done(*CHOLESKY, "--reference", "--json", "-").json()["reference_gflops"], 0)
        self.assertIsNone(self.done("run", "stencil", "--n", "64", "--reference", "--json", "-").json()["reference_gflops"])

    def test_repetitions_are_reported_together(self):
        found = self.done(*CHOLESKY, "--repeat", "4", "--json", "-").json()
        self.assertEqual(found["repetitions"]["count"], 4)
        times = found["repetitions"]["makespan_s"]
        self.assertLessEqual(times["p25"], times["median"])
        self.assertLessEqual(times["median"], times["p75"])
        self.assertEqual(found["tasks"], 20)

    def test_a_file_leaves_standard_output_to_people(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "result.json")
            text = self.done(*CHOLESKY, "--json", path).out
            with open(path, encoding="utf-8") as file:
                found = json.load(file)
        for word in ["cholesky", "n=200", "makespan", "GFLOP/s", "measured in this run", "verified"]:
            self.assertIn(word, text)
        self.assertTrue(found["verified"])
        self.assertGreater(found["reference_gflops"], 0)


class Lists(ProgramTest):
    def test_schedulers(self):
        answer = self.done("schedulers", "--json", "-").json()
        found = answer["schedulers"]
        self.assertEqual((answer["default"], answer["default_beside_devices"]), ("locality_ws", "dmdas"))
        names = [entry["name"] for entry in found]
        self.assertEqual(names, sorted(names))
        self.assertLessEqual({"eager", "priority", "random", "work_stealing", "locality_ws"}, set(names))
        text = self.done("schedulers").out
        self.assertIn("Without a name: locality_ws; where there are devices: dmdas", text)
        for entry in found:
            self.assertIn(entry["name"], text)
            self.assertIn(entry["summary"], text)
            for parameter in entry["parameters"]:
                self.assertEqual(set(parameter), {"name", "default", "summary"})

    def test_workloads(self):
        found = self.done("workloads", "--json", "-").json()["workloads"]
        text = self.done("workloads").out
        for entry in found:
            self.assertIn(entry["name"], text)
            self.assertTrue(entry["summary"])
            self.assertTrue(entry["parameters"])
        self.assertIn("cholesky", [entry["name"] for entry in found])

    def test_machine(self):
        found = self.done("machine", "--workers", "3", "--json", "-").json()
        self.assertEqual(len(found["workers"]), 3)
        self.assertEqual([worker["id"] for worker in found["workers"]], [0, 1, 2])
        self.assertEqual(sorted(id for c in found["classes"] for id in c["workers"]), [0, 1, 2])
        self.assertGreaterEqual(found["processors"], 1)
        self.assertEqual(found["memory_nodes"][0]["name"], "host")
        self.assertEqual([len(row) for row in found["distances"]], [3, 3, 3])
        for a in range(3):
            for b in range(3):
                self.assertEqual(found["distances"][a][b], found["distances"][b][a])
        self.assertIn("3 workers", self.done("machine", "--workers", "3").out)


class Bench(ProgramTest):
    def quartiles(self, found):
        self.assertEqual(set(found), {"median", "p25", "p75"})
        self.assertGreater(found["p25"], 0)
        self.assertLessEqual(found["p25"], found["median"])
        self.assertLessEqual(found["median"], found["p75"])

    def test_overhead(self):
        size = ["--tasks", "500", "--tiles", "6", "--repeat", "3"]
        rows = self.done("bench", "overhead", *size, "--workers", "1,3", "--json", "-").json()["rows"]
        self.assertEqual(len(rows), 5 * 2 * 2)
        for row in rows:
            self.assertEqual(set(row), {"runtime", "pattern", "mode", "workers", "tasks", "ns_per_task"})
            self.assertEqual(row["runtime"], "mitra")
            self.assertIn(row["workers"], [1, 3])
            self.assertEqual(row["tasks"], {"cholesky": 56, "stencil_1d": 448}.get(row["pattern"], 500))
            self.quartiles(row["ns_per_task"])
        self.assertEqual({row["mode"] for row in rows}, {"submit", "replay"})
        text = self.done("bench", "overhead", *size, "--patterns", "chain", "--modes", "replay").out
        self.assertIn("chain", text)
        self.assertNotIn("submit", text)

    def test_metg(self):
        size = ["--width", "2", "--steps", "20", "--repeat", "2", "--workers", "1"]
        rows = self.done("bench", "metg", *size, "--json", "-").json()["rows"]
        self.assertEqual([row["mode"] for row in rows], ["submit", "replay"])
        for row in rows:
            self.assertEqual([row["pattern"], row["width"], row["steps"], row["tasks"], row["workers"]], ["stencil_1d", 2, 20, 40, 1])
            self.assertGreater(row["kernel_flops_per_s"], 0)
            self.assertGreater(len(row["points"]), 5)
            iterations = [point["iterations"] for point in row["points"]]
            self.assertEqual(iterations, sorted(iterations, reverse=True))
            self.assertIn("metg_s", row)  # null if the machine is too busy for any efficiency
        self.assertIn("METG(50 %)", self.done("bench", "metg", *size).out)


if __name__ == "__main__":
    unittest.main()
