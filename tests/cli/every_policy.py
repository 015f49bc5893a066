"""Every workload verifies under every policy, with 1, 2, 8 and 64 workers."""

import glob
import unittest

from support.program import ProgramTest, mitra

SIZES = {"cholesky": ["--n", "160", "--tile", "32"], "gemm": ["--n", "96", "--tile", "32"],
         "stencil": ["--n", "96", "--tile", "32", "--steps", "9"]}
TASK_BENCH = ["--width", "9", "--steps", "40", "--kernel", "empty"]


class EveryPolicy(ProgramTest):
    def test_every_workload_verifies(self):
        policies = [entry["name"] for entry in mitra("schedulers", "--json", "-").json()["schedulers"]]
        workloads = [entry["name"] for entry in mitra("workloads", "--json", "-").json()["workloads"]]
        self.assertGreaterEqual(len(policies), 5)
        self.assertGreaterEqual(len(workloads), 14)
        for policy in policies:
            for workers in [1, 2, 8, 64]:
                for workload in workloads:
                    with self.subTest(policy=policy, workers=workers, workload=workload):
                        found = self.done("run", workload, *SIZES.get(workload, TASK_BENCH), "--scheduler", policy,
                                          "--workers", str(workers), "--json", "-").json()
                        self.assertIs(found["verified"], True)
                        self.assertEqual([found["scheduler"], found["workers"]], [policy, workers])

    def test_a_policy_from_a_shared_object(self):
        objects = glob.glob("plugins/*newest_first.so")
        if not objects:
            self.skipTest("the test plugins are not built")
        name = f"./{objects[0]}:newest_first"
        self.assertIs(self.done("run", "fft", *TASK_BENCH, "--scheduler", name, "--json", "-").json()["verified"], True)
        self.refused("run", "fft", "--scheduler", f"./{objects[0]}:nobody", says=["nobody"])
        self.refused("run", "fft", "--scheduler", "./plugins/missing.so:nobody", says=["missing.so"])


if __name__ == "__main__":
    unittest.main()
