"""Machine files: shown, listed, saved, and refused with file and line."""

import os
import tempfile
import unittest

from support.program import ProgramTest


class Machines(ProgramTest):
    def test_the_list_has_every_shipped_machine(self):
        found = self.done("machine", "--list", "--json", "-").json()["machines"]
        names = [entry["name"] for entry in found]
        for name in ["alice-recoque-unified", "alice-recoque-unified-x64", "mirage", "sirocco", "mi300a-node", "identical-N"]:
            self.assertIn(name, names)
        text = self.done("machine", "--list").out
        for entry in found:
            self.assertIn(entry["name"], text)
            self.assertIn(entry["summary"], text)

    def test_a_machine_is_shown_with_its_assumptions(self):
        text = self.done("machine", "alice-recoque-unified").out
        for word in ["cpu", "252", "gpu", "288 TFLOP/s", "432 GB", "cpu-gpu", "600 GB/s", "1850 W", "conversion 0.94", "potrf 0.08",
                     "class.gpu.power.fp64", "assumed", "Each gpu keeps a core busy"]:
            self.assertIn(word, text)
        self.assertNotIn("class.gpu.count", text)
        self.assertIn("class.gpu.count", self.done("machine", "alice-recoque-unified", "--sources").out)
        self.assertIn("172.9 ms", self.done("machine", "mirage").out)

    def test_json(self):
        found = self.done("machine", "alice-recoque-unified", "--json", "-").json()
        self.assertEqual([found["name"], found["compute_nodes"], found["worker_count"]], ["alice-recoque-unified", 1, 256])
        self.assertEqual([c["count"] for c in found["classes"]], [252, 4])
        self.assertEqual(found["classes"][1]["peak_flops_per_s"]["fp64"], 288e12)
        self.assertIsNone(found["classes"][0]["peak_flops_per_s"]["fp8"])
        self.assertEqual(found["classes"][1]["power"]["cap_w"], 1850)
        self.assertEqual(len(found["memory_nodes"]), 5)
        self.assertEqual(len(found["links"]), 20)
        self.assertEqual(len(found["routes"]), 20)
        self.assertEqual(found["power"]["conversion"], 0.94)
        self.assertTrue(found["assumptions"])
        self.assertTrue(all(entry["assumption"] for entry in found["assumptions"]))
        self.assertGreater(len(self.done("machine", "mirage", "--sources", "--json", "-").json()["sources"]), 50)
        self.assertEqual(self.done("machine", "alice-recoque-unified-x16", "--json", "-").json()["worker_count"], 4096)
        self.assertIsNone(self.done("machine", "identical-3", "--json", "-").json()["classes"][0]["power"])

    def test_a_saved_machine_is_the_same_machine(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "mine.toml")
            shown = self.done("machine", "sirocco", "--save", path, "--json", "-").out
            self.assertEqual(self.done("machine", path, "--json", "-").out, shown)
            with open(path, encoding="utf-8") as file:
                self.assertIn("# Sirocco", file.read())  # with its comments
            again = os.path.join(directory, "again.toml")
            self.done("machine", path, "--save", again)
            a, b = (self.done("machine", p, "--json", "-").json() for p in (path, again))
            for key in ["classes", "memory_nodes", "links", "routes", "kernels"]:
                self.assertEqual(a[key], b[key], key)

    def test_this_machine_is_saved(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "here.toml")
            self.assertIn("3 workers", self.done("machine", "--workers", "3", "--save", path).out)
            found = self.done("machine", path, "--json", "-").json()
            self.assertEqual(found["worker_count"], 3)
            self.assertGreater(found["memory_nodes"][0]["capacity_bytes"], 1 << 26)
            self.assertIsNone(found["classes"][0]["peak_flops_per_s"]["fp64"])
            with open(path, encoding="utf-8") as file:
                self.assertIn("is not known", file.read())
        self.refused("machine", "mirage", "--save", "/nowhere/x.toml", says=["--save: cannot write '/nowhere/x.toml'"])

    def test_wrong_calls(self):
        self.refused("machine", "miraj", says=["no machine 'miraj'", "did you mean 'mirage'?", "alice-recoque-unified", "identical-N"])
        self.refused("machine", "identical-0", says=["1 to 65536"])
        self.refused("machine", "mirage", "--workers", "3", says=["--workers"])
        self.refused("machine", "mirage", "--list", says=["--list"])
        self.refused("machine", "--sources", says=["--sources"])
        self.refused("machine", "/", says=["no machine '/'"])

    def test_broken_files_are_told_with_their_line(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "broken.toml")
            for text, says in [("[memory.ram\n", ":1: no TOML"), ("[memory.ram]\ncapacity = 5\n", ":2: memory.ram.capacity = 5 has no unit"),
                               ("[memory.ram]\n\nsize = 5\n[class.cpu]\n", ":3: unknown key 'size'"), ("", "no 'memory'"), ("\0", ":1: ")]:
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
                self.refused("machine", path, says=["broken.toml", says])


if __name__ == "__main__":
    unittest.main()
