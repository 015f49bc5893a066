"""The benchmarks of virtual time: the cost of decisions, the speed of the simulator."""

import os
import tempfile
import unittest

from support.program import ProgramTest, mitra


class Bench(ProgramTest):
    def quartiles(self, found):
        self.assertEqual(set(found), {"median", "p25", "p75"})
        self.assertGreaterEqual(found["p25"], 0)  # 0: below what reading the clock takes
        self.assertLessEqual(found["p25"], found["median"])
        self.assertLessEqual(found["median"], found["p75"])


class Decision(Bench):
    SIZE = ["--tiles", "8", "--repeat", "3"]

    def test_rows(self):
        found = self.done("bench", "decision", *self.SIZE, "--schedulers", "eager,dmdas,heft", "--workers", "4,16,300", "--json", "-").json()
        self.assertEqual([(row["scheduler"], row["workers"]) for row in found["rows"]],
                         [(name, count) for name in ["eager", "dmdas", "heft"] for count in [4, 16, 300]])
        for row in found["rows"]:
            self.assertEqual([row["tasks"], row["tiles"], row["machine"]], [120, 8, "alice-recoque-unified"])
            for key in ["ns_per_task", "ns_per_call", "longest_ns"]:
                self.quartiles(row[key])
            self.assertGreater(row["clock_ns"], 0)
            calls = row["calls"]
            self.assertEqual(set(calls), {"submitted", "ready", "next", "finished", "victim"})
            self.assertEqual(calls["ready"]["calls_per_task"], 1)
            self.assertGreaterEqual(calls["next"]["calls_per_task"], 1)
            watches = row["scheduler"] == "heft"
            self.assertEqual(calls["submitted"]["calls_per_task"], 1 if watches else 0)
            self.assertGreaterEqual(row["longest_ns"]["median"], row["ns_per_call"]["median"])
        planned, simple = (next(row for row in found["rows"] if row["scheduler"] == name) for name in ["heft", "eager"])
        self.assertGreater(planned["ns_per_task"]["median"], simple["ns_per_task"]["median"])

    def test_growth(self):
        found = self.done("bench", "decision", *self.SIZE, "--schedulers", "heteroprio,dmdas:window=4,alpha=2", "--workers", "64,4",
                          "--json", "-").json()
        self.assertEqual([row["scheduler"] for row in found["growth"]], ["heteroprio", "dmdas:window=4,alpha=2"])
        for row in found["growth"]:
            by_workers = {entry["workers"]: entry["ns_per_task"]["median"] for entry in found["rows"] if entry["scheduler"] == row["scheduler"]}
            self.assertEqual([row["from_workers"], row["to_workers"], row["log2_ratio"]], [4, 64, 3])
            self.assertAlmostEqual(row["ratio"], by_workers[64] / by_workers[4])
            self.assertEqual(row["at_most_logarithmic"], row["ratio"] <= 3)
        found = self.done("bench", "decision", *self.SIZE, "--schedulers", "eager", "--workers", "4", "--json", "-").json()
        self.assertEqual(found["growth"], [])

    def test_text_and_no_files_left(self):
        with tempfile.TemporaryDirectory() as directory:
            text = self.done("bench", "decision", *self.SIZE, "--schedulers", "eager", "--workers", "3,16", environment={"TMPDIR": directory}).out
            self.assertEqual(os.listdir(directory), [])
        for word in ["120 tasks", "alice-recoque-unified", "ns a task", "logarithmic"]:
            self.assertIn(word, text)

    def test_wrong_calls(self):
        self.refused("bench", "decision", "--workers", "2", says=["at least 3"])
        self.refused("bench", "decision", "--workers", "100000", says=["4096"])
        self.refused("bench", "decision", "--tiles", "0", says=["--tiles"])
        self.refused("bench", "decision", "--repeat", "0", says=["--repeat"])
        self.refused("bench", "decision", "--schedulers", "eager,lifo", says=["lifo", "eager"])

    def test_no_place_for_machine_files_is_a_failure(self):
        result = mitra("bench", "decision", *self.SIZE, "--schedulers", "eager", environment={"TMPDIR": "/nowhere"})
        self.assertEqual(result.status, 1)
        self.assertIn("TMPDIR", result.err)


class Simulator(Bench):
    def test_rows(self):
        found = self.done("bench", "simulator", "--tiles", "5,40", "--schedulers", "locality_ws,dmdas", "--repeat", "2",
                          "--machine", "mirage", "--json", "-").json()["rows"]
        self.assertEqual([(row["tiles"], row["scheduler"]) for row in found],
                         [(tiles, name) for tiles in [5, 40] for name in ["locality_ws", "dmdas"]])
        for row in found:
            self.assertEqual(row["tasks"], {5: 35, 40: 11480}[row["tiles"]])
            self.assertEqual([row["machine"], row["workers"], row["pattern"]], ["mirage", 12, "cholesky"])
            self.quartiles(row["tasks_per_s"])
            self.quartiles(row["tasks_per_cpu_s"])
            self.assertGreater(row["tasks_per_s"]["p25"], 0)
        large = found[-1]
        self.assertGreater(large["record_bytes_per_task"], 192)
        if large["bytes_per_task"] is not None:  # resident memory has the records in it
            self.assertGreater(large["bytes_per_task"], 0.8 * large["record_bytes_per_task"])
            self.assertLess(large["bytes_per_task"], 5000)

    def test_text(self):
        text = self.done("bench", "simulator", "--tiles", "4", "--schedulers", "eager", "--repeat", "1").out
        for word in ["alice-recoque-unified", "tasks/s", "bytes a task", "eager"]:
            self.assertIn(word, text)

    def test_wrong_calls(self):
        self.refused("bench", "simulator", "--tiles", "0,5", says=["--tiles"])
        self.refused("bench", "simulator", "--tiles", "501", says=["500"])
        self.refused("bench", "simulator", "--repeat", "0", says=["--repeat"])
        self.refused("bench", "simulator", "--machine", "cray1", says=["cray1"])
        self.refused("bench", "simulator", "--schedulers", "lifo", says=["lifo"])


if __name__ == "__main__":
    unittest.main()
