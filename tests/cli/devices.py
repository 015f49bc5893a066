"""Runs beside emulated devices: what was moved, which devices were lost."""

import os
import tempfile
import unittest

from support.program import ProgramTest

EMU = ",bw=1000 GB/s,latency=0s,speed=20"  # so slow are cores that devices get most of the tasks
RUN = ["run", "cholesky", "--n", "400", "--tile", "40", "--workers", "2", "--scheduler", "eager"]


class Losses(ProgramTest):
    def test_a_lost_device_is_told(self):
        found = self.done(*RUN, "--emu", "2:lose=1@60" + EMU, "--json", "-").json()
        self.assertTrue(found["verified"])
        self.assertEqual(found["devices"]["lost"], 1)
        self.assertGreaterEqual(found["devices"]["recomputed"], 0)
        text = self.done(*RUN, "--emu", "2:lose=1@60,lose=0@40" + EMU).out
        self.assertRegex(text, r"  lost +2 devices; \d+ tasks were run again")

    def test_what_was_computed_again_is_counted(self):
        """Everything is on the one device when that is lost."""
        call = ["run", "gemm", "--n", "256", "--tile", "64", "--workers", "1", "--scheduler", "eager", "--json", "-"]
        recomputed = [self.done(*call, "--emu", f"1:lose=0@{at},pipeline=1" + EMU).json()["devices"]["recomputed"] for at in [120, 160]]
        self.assertGreater(max(recomputed), 0, recomputed)

    def test_without_losses_nothing_is_told(self):
        self.assertEqual(self.done(*RUN, "--emu", "2:" + EMU[1:], "--json", "-").json()["devices"], {"lost": 0, "recomputed": 0})
        self.assertNotIn("lost", self.done(*RUN, "--emu", "2:" + EMU[1:]).out)


class Comparisons(ProgramTest):
    def test_policies_are_compared_live_beside_devices(self):
        call = ["compare", "cholesky", "--n", "256", "--tile", "64", "--schedulers", "auto,eager,dmdas"]
        rows = self.done(*call, "--emu", "2:" + EMU[1:], "--memory", "emu=1MB", "--json", "-").json()["rows"]
        self.assertEqual([row["scheduler"] for row in rows], [rows[0]["scheduler"], "eager", "dmdas"])
        self.assertNotEqual(rows[0]["scheduler"], "auto")
        for row in rows:
            self.assertTrue(row["verified"])
            self.assertEqual([c["name"] for c in row["worker_classes"]], ["cpu", "emu"])
            self.assertLessEqual(row["memory"]["peak_bytes"]["emu1"], 1_000_000)
            self.assertGreater(row["memory"]["bytes_to_device"], 0)
            self.assertEqual(row["devices"]["lost"], 0)
        text = self.done(*call, "--emu", "2:" + EMU[1:]).out
        for word in ["moved", "evictions", "dmdas"]:
            self.assertIn(word, text)
        self.assertNotIn("moved", self.done(*call).out)

    def test_a_machine_file_has_its_own_devices(self):
        self.refused("compare", "cholesky", "--machine", "mirage", "--emu", "2", "--memory", "emu=1MB",
                     says=["--emu, --memory belongs to this machine", "--machine"])
        self.refused("machine", "mirage", "--emu", "2", says=["--emu belongs to this machine"])
        self.refused("machine", "--emu", "2:size=3", says=["unknown setting 'size'"])


class SavedMachines(ProgramTest):
    def machine(self, *words, **options):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "emulated.toml")
            self.done("machine", *words, "--save", path, **options)
            return self.done("machine", path, "--json", "-").json()

    def test_the_devices_are_in_the_file(self):
        found = self.machine("--workers", "3", "--emu", "2:bw=2GB/s,latency=5us,streams=2,pipeline=1", "--memory", "emu1=1MB",
                             environment={"MITRA_MODELS": "/nowhere/models.toml"})
        self.assertEqual([(c["name"], c["kind"], c["count"]) for c in found["classes"]], [("cpu", "cpu", 3), ("emu", "hip", 2)])
        self.assertEqual([n["name"] for n in found["memory_nodes"]], ["ram", "emu0", "emu1"])
        self.assertEqual([(c["streams"], c["pipeline"]) for c in found["classes"]], [(1, 1), (2, 2)])
        self.assertEqual([link["bandwidth_bytes_per_s"] for link in found["links"]], [2e9] * 4)
        self.assertTrue(all(route["latency_s"] == 5e-6 for route in found["routes"]))
        self.assertIsNone(found["classes"][1]["peak_flops_per_s"]["fp64"])

    def test_devices_that_do_not_reach_each_other_copy_through_the_host(self):
        routes = self.machine("--emu", "2:peer=0,latency=5us", environment={"MITRA_MODELS": "/nowhere/models.toml"})["routes"]
        self.assertEqual(sorted(len(route["links"]) for route in routes), [1, 1, 1, 1, 2, 2])

    def test_calibrated_times_are_stretched(self):
        """2 devices of 3 streams on P processors: d = 6 / P; a core is 4 times as slow as a device."""
        with tempfile.TemporaryDirectory() as directory:
            models = os.path.join(directory, "models.toml")
            name = self.done("calibrate", "--quick", "--codelets", "gemm", "--workers", "1", "--models", models,
                             "--save", os.path.join(directory, "here.toml"), "--json", "-").json()["machine"]
            os.rename(os.path.join(directory, "here.toml"), os.path.join(directory, f"machine-{name}.toml"))
            core = self.done("machine", os.path.join(directory, f"machine-{name}.toml"), "--json", "-").json()
            path = os.path.join(directory, "emulated.toml")
            processors = self.done("machine", "--json", "-").json()["processors"]
            self.done("machine", "--workers", "2", "--emu", "2:streams=3,speed=4", "--save", path, environment={"MITRA_MODELS": models})
            found = self.done("machine", path, "--json", "-").json()
            simulated = self.done("simulate", "gemm", "--n", "512", "--tile", "128", "--machine", path, "--scheduler", "dmdas",
                                  "--json", "-", environment={"MITRA_MODELS": models}).json()
        device = max(1, 6 / processors)
        self.assertEqual([c["count"] for c in found["classes"]], [2, 2])
        key = lambda kernel: (kernel["codelet"], kernel["precision"], str(kernel["shapes"]))  # noqa: E731
        before = {key(k): k["seconds"] for k in core["kernels"]}
        self.assertGreater(len(before), 1)
        for kernel in found["kernels"]:
            factor = {"emu": device, "cpu": 4 * device}[kernel["class"]]
            self.assertAlmostEqual(kernel["seconds"] / before[key(kernel)], factor, delta=1e-3 * factor)
        self.assertEqual(len(found["kernels"]), 2 * len(core["kernels"]))
        self.assertGreater(simulated["worker_classes"][1]["tasks"], simulated["worker_classes"][0]["tasks"])


if __name__ == "__main__":
    unittest.main()
