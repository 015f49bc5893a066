"""Measured times: calibrate, models, imports; every file in a cache directory of the test's own."""

import os
import tempfile
import unittest

from support.program import ProgramTest, mitra

STARPU = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../shared/data/starpu/codelets/45")
SAMPLING = """45
1
1
0
0
1
1
2
0. 0. 0. 0. nan nan 0 0 0
nan nan nan
0
24c84a50 11059200 1.769472e+09 8.778020e+04 9.598441e+02 2.889724e+08 2.536909e+13 3292
deadbeef 1234 0 8.778020e+04 9.598441e+02 2.889724e+08 2.536909e+13 3292
"""


class ModelsTest(ProgramTest):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.cache = {"XDG_CACHE_HOME": self.directory.name}

    def tearDown(self):
        self.directory.cleanup()

    def path(self, *names):
        return os.path.join(self.directory.name, *names)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)


class Models(ModelsTest):
    def test_nothing_is_stored_at_first(self):
        self.assertIn("mitra calibrate", self.done("models", environment=self.cache).out)
        found = self.done("models", "--json", "-", environment=self.cache).json()
        self.assertEqual(found["models"], [])
        self.assertTrue(found["file"].startswith(self.path("mitra", "models-")))
        self.assertEqual(os.listdir(self.directory.name), [])  # looking leaves no traces

    def test_an_import_goes_to_the_machine_of_its_name(self):
        file = self.write("chol_model_gemm.mirage", SAMPLING)
        text = self.done("models", "--import", file, environment=self.cache).out
        self.assertIn("1 kinds of tasks of machine mirage", text)
        self.assertIn("skipped: chol_model_gemm.mirage: 1234 bytes", text)
        found = self.done("models", "mirage", "--json", "-", environment=self.cache).json()
        self.assertEqual(found["machine"], "mirage")
        self.assertEqual(found["file"], self.path("mitra", "models-mirage.toml"))
        [row] = found["models"]
        self.assertEqual(row["codelet"], "gemm")
        self.assertEqual(row["class"], "cpu")
        self.assertEqual(row["data"], [{"rows": 960, "cols": 960, "element_bytes": 4}] * 3)
        self.assertAlmostEqual(row["seconds"], 87.7802e-3)
        self.assertEqual(row["count"], 3292)
        self.assertEqual(row["source"], "imported")
        self.assertEqual(row["origin"], "chol_model_gemm.mirage")
        self.assertEqual(row["flops"], 1769472000)
        self.assertIn("960x960 x3", self.done("models", "mirage", environment=self.cache).out)
        self.assertEqual(self.done("models", "--json", "-", environment=self.cache).json()["models"], [])

    def test_export_and_import_bring_the_same_back(self):
        self.done("models", "--import", self.write("chol_model_gemm.far", SAMPLING), environment=self.cache)
        before = self.done("models", "far", "--export", self.path("far.toml"), "--json", "-", environment=self.cache).json()
        os.remove(self.path("mitra", "models-far.toml"))
        self.done("models", "--import", self.path("far.toml"), environment=self.cache)
        self.assertEqual(self.done("models", "far", "--json", "-", environment=self.cache).json(), before)

    def test_a_named_file_and_the_variable_choose_the_store(self):
        file = self.write("chol_model_gemm.far", SAMPLING)
        self.done("models", "--import", file, "--models", self.path("a.toml"), environment=self.cache)
        self.assertIn("far", self.done("models", "far", "--models", self.path("a.toml"), environment=self.cache).out)
        variable = {"MITRA_MODELS": self.path("sub", "models.toml")}
        self.done("models", "--import", file, environment=variable)
        self.assertTrue(os.path.exists(self.path("sub", "models-far.toml")))
        self.refused("models", "--import", self.write("chol_model_gemm.near", SAMPLING), "--models", self.path("a.toml"),
                     environment=self.cache, says=["'far'", "'near'", "a.toml"])

    def test_kernel_rows_of_a_machine_file(self):
        found = self.done("models", "mirage", "--json", "-", environment=self.cache).json()
        self.assertIsNone(found["file"])
        self.assertIn("machine file", {row["source"] for row in found["models"]})
        gemm = [row["seconds"] for row in found["models"] if row["codelet"] == "gemm" and row["class"] == "cpu"
                and row["data"][0] == {"rows": 960, "cols": 960, "element_bytes": 8}]
        self.assertEqual([round(seconds, 9) for seconds in gemm], [0.172932])

    def test_wrong_calls(self):
        self.refused("models", "nobody", environment=self.cache, says=["'nobody'", "mirage"])
        self.refused("models", "--import", self.path("none.toml"), environment=self.cache, says=["none.toml"])
        self.refused("models", "--import", self.write("noname", SAMPLING), environment=self.cache, says=["SYMBOL.HOST"])
        self.refused("models", "--import", self.write("a.b", SAMPLING.replace("nan nan nan\n", "")), environment=self.cache,
                     says=["a.b:10:"])
        self.refused("models", "--models", self.write("new.toml", "format = 7\n"), environment=self.cache,
                     says=["new.toml:1:", "format 7 is newer"])
        self.refused("models", "--models", self.write("broken.toml", "format = ["), environment=self.cache, says=["broken.toml:1:"])
        self.refused("models", environment={"XDG_CACHE_HOME": "", "HOME": ""}, says=["--models"])
        self.refused("models", "mirage", "--export", self.path("x.toml"), environment=self.cache, says=["mitra machine mirage --save"])

    def test_real_samplings(self):
        if not os.path.isdir(STARPU):
            self.skipTest(f"there is no {STARPU}")
        files = sorted(os.path.join(STARPU, name) for name in os.listdir(STARPU))
        found = self.done("models", "--import", ",".join(files), "--json", "-", environment=self.cache).json()["imports"]
        self.assertEqual([(row["kinds"], row["skipped"]) for row in found], [(8, 0)] * 8)
        self.assertEqual(len(self.done("models", "sirocco", "--json", "-", environment=self.cache).json()["models"]), 32)


class Calibrate(ModelsTest):
    def test_kernels_are_measured_stored_and_shown(self):
        machine = self.path("here.toml")
        found = self.done("calibrate", "--quick", "--codelets", "potrf,gemm,relax", "--workers", "2", "--save", machine,
                          "--json", "-", environment=self.cache).json()
        self.assertEqual(found["machine_file"], machine)
        for key in ["submission_overhead_s", "task_overhead_s"]:
            self.assertGreater(found[key], 0, key)
            self.assertLess(found[key], 1e-2, key)
        self.assertGreater(found["bandwidth_one_bytes_per_s"], 1e8)
        models = self.done("models", "--json", "-", environment=self.cache).json()
        self.assertEqual(models["file"], found["models_file"])
        self.assertEqual({row["codelet"] for row in models["models"]}, {"potrf", "gemm", "relax"})
        self.assertEqual({row["class"] for row in models["models"]}, {"cpu"})
        self.assertEqual({row["source"] for row in models["models"]}, {"measured"})
        for row in models["models"]:
            self.assertGreater(row["seconds"], 0, row)
            self.assertGreater(row["flops"], 0, row)
        self.assertIn("half", self.done("models", "gemm", environment=self.cache).out)

        described = self.done("models", machine, "--json", "-", environment=self.cache).json()
        self.assertEqual(len(described["models"]), len(models["models"]))
        # Measured again, the same kinds have more measurements.
        again = self.done("calibrate", "--quick", "--codelets", "potrf", "--json", "-", environment=self.cache).json()
        self.assertIsNone(again["machine_file"])
        more = self.done("models", "potrf", "--json", "-", environment=self.cache).json()["models"]
        self.assertEqual(sum(row["count"] for row in more),
                         sum(row["count"] for row in models["models"] if row["codelet"] == "potrf") + again["measurements"])

    def test_wrong_calls(self):
        self.refused("calibrate", "--codelets", "potrf,gem", environment=self.cache, says=["'gem'", "gemm, heat, potrf"])
        self.refused("calibrate", "--quick", "--models", self.write("old.toml", "machine = 3"), environment=self.cache,
                     says=["old.toml:1:"])
        self.assertEqual(mitra("calibrate", "--models", "/proc/none/models.toml").status, 2)


if __name__ == "__main__":
    unittest.main()
