"""Exit statuses and messages: what is wrong, and what is known."""

import os
import unittest

from support.program import ProgramTest, mitra

CALLS = [["run"], ["machine"], ["models"], ["calibrate"], ["schedulers"], ["workloads"], ["bench", "overhead"], ["bench", "metg"],
         ["bench", "simulator"], ["bench", "decision"]]
SMALL = ["run", "stencil_1d", "--width", "4", "--steps", "5", "--kernel", "empty"]


class Help(ProgramTest):
    def test_the_program_lists_its_calls_and_shows_examples(self):
        text = self.done("--help").out
        for word in ["run", "machine", "schedulers", "workloads", "bench", "Examples:", "Exit status"]:
            self.assertIn(word, text)
        self.assertEqual(self.done("-h").out, text)

    def test_every_call_explains_its_options_and_shows_examples(self):
        for call in CALLS:
            text = self.done(*call, "--help").out
            self.assertIn("--json", text)
            self.assertIn("Examples:\n  mitra " + " ".join(call), text)

    def test_the_version(self):
        self.assertRegex(self.done("--version").out, r"\Amitra \d+\.\d+\.\d+\n\Z")

    def test_a_call_of_a_later_version_is_not_listed(self):
        for word in ["pareto", "doctor"]:
            self.assertNotIn(word, self.done("--help").out)
            self.refused(word, says=[f"unknown call '{word}'"])


class WrongCalls(ProgramTest):
    def test_what_is_unknown_is_named_with_what_is_known(self):
        self.refused(says=["known calls of `mitra`: run, simulate, compare, bounds, machine"])
        self.refused("runn", says=["unknown call 'runn'", "run, simulate, compare, bounds, machine"])
        self.refused("bench", says=["overhead, metg"])
        self.refused("bench", "speed", says=["unknown call 'speed'", "overhead, metg"])
        self.refused("run", says=["name a workload", "cholesky", "random_nearest"])
        self.refused("run", "choleski", says=["unknown workload 'choleski'", "cholesky, gemm"])
        self.refused("run", "cholesky", "--nn", "5", says=["'--nn'", "--tile", "--scheduler"])
        self.refused("run", "cholesky", "--width", "5", says=["'cholesky' has no parameter 'width'", "n, tile"])
        self.refused(*SMALL, "--scheduler", "lifo", says=["lifo", "locality_ws", "work_stealing"])
        self.refused(*SMALL, "--backend", "cuda", says=["cuda", "native"])
        self.refused("run", "fft", "--kernel", "sleep", says=["sleep", "empty, busy, compute"])
        self.refused("bench", "overhead", "--patterns", "chain,ring", says=["ring", "independent", "cholesky"])
        self.refused("bench", "metg", "--modes", "twice", says=["twice", "submit, replay"])

    def test_values_that_cannot_be(self):
        for words in [["--n", "0"], ["--n", "-1"], ["--n", "1e3"], ["--n", ""], ["--n"], ["--n", "9" * 40], ["--tile", "0x10"],
                      ["--precision", "quad"], ["--workers", "-1"], ["--workers", "5000"], ["--workers", "2.5"],
                      ["--seed", "x"], ["--repeat", "0"], ["--n", "1", "--n", "2"], ["--json", "/nowhere/result.json"],
                      ["--n", "2000000", "--tile", "2000"]]:
            self.refused("run", "cholesky", *words)
        for words in [["--grain", "-1"], ["--grain", "nan"], ["--grain", "inf"], ["--fields", "1"], ["--width", "0"],
                      ["--steps", "99999999999999"], ["--iterations", "-5"]]:
            self.refused("run", "stencil_1d", *words)
        for words in [["--tasks", "0"], ["--workers", "1,,2"], ["--workers", ""], ["--repeat", "0"], ["--tiles", "100000"]]:
            self.refused("bench", "overhead", *words)
        for words in [["--width", "0"], ["--steps", "0"]]:
            self.refused("bench", "metg", *words)

    def test_nothing_crashes_it(self):
        odd = ["", "-", "--", "%s%n", "\u00e4", "a" * 10000, "1:2", ":", "x.so:y", "./missing.so:name", "-0", "1e999", "=", ",", "\n"]
        for option in ["--n", "--tile", "--scheduler", "--backend", "--workers", "--seed", "--repeat", "--grain", "--radix"]:
            for value in odd:
                result = mitra("run", "trivial", "--steps", "2", "--width", "2", option, value)
                self.assertIn(result.status, [0, 1, 2], (option, value, result.err))
        for value in odd:
            self.assertIn(mitra(value).status, [1, 2], value)
            self.assertIn(mitra("run", value).status, [1, 2], value)


class Environment(ProgramTest):
    def test_the_environment_counts_and_the_option_wins(self):
        environment = {"MITRA_SCHEDULER": "eager", "MITRA_WORKERS": "3", "MITRA_SEED": "7"}
        found = self.done(*SMALL, "--json", "-", environment=environment).json()
        self.assertEqual([found["scheduler"], found["workers"], found["seed"], found["parameters"]["seed"]], ["eager", 3, 7, 7])
        options = ["--scheduler", "priority", "--workers", "2", "--seed", "9"]
        found = self.done(*SMALL, *options, "--json", "-", environment=environment).json()
        self.assertEqual([found["scheduler"], found["workers"], found["seed"], found["parameters"]["seed"]], ["priority", 2, 9, 9])
        self.done(*SMALL, "--scheduler", "eager", environment={"MITRA_SCHEDULER": "lifo"})

    def test_a_wrong_environment_is_a_wrong_call(self):
        self.refused(*SMALL, environment={"MITRA_SCHEDULER": "lifo"}, says=["lifo", "eager"])
        self.refused(*SMALL, environment={"MITRA_WORKERS": "many"}, says=["MITRA_WORKERS"])
        self.refused(*SMALL, environment={"MITRA_SHEDULER": "eager"}, says=["MITRA_SHEDULER", "MITRA_SCHEDULER"])


class Failures(ProgramTest):
    def test_results_that_cannot_be_written_are_a_failure(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full")
        self.assertEqual(mitra(*SMALL, "--json", "/dev/full").status, 1)
        with open("/dev/full", "wb") as full:
            self.assertEqual(mitra("workloads", stdout=full).status, 1)

    def test_a_result_that_was_not_checked_fails_only_if_asked(self):
        large = ["run", "stencil", "--n", "1010", "--tile", "505", "--steps", "981", "--workers", "2"]
        strict = mitra(*large, "--strict")
        self.assertEqual(strict.status, 1)
        self.assertIn("not verified", strict.out)
        self.assertIn("could not be verified", strict.err)


if __name__ == "__main__":
    unittest.main()
