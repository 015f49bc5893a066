"""Runs the program `mitra` for tests: its path is the first argument of the test."""

import json
import os
import subprocess
import sys
import unittest

MITRA = os.path.abspath(sys.argv.pop(1))


class Result:
    def __init__(self, completed):
        self.status = completed.returncode
        self.out = completed.stdout.decode()
        self.err = completed.stderr.decode(errors="replace")

    def json(self):
        return json.loads(self.out)


def mitra(*words, environment=None, stdout=subprocess.PIPE):
    """Calls the program without any MITRA_* variable but those given."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MITRA_")}
    completed = subprocess.run([MITRA, *words], stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE,
                               env=clean | (environment or {}), timeout=100)
    completed.stdout = completed.stdout or b""
    return Result(completed)


class ProgramTest(unittest.TestCase):
    def refused(self, *words, says=(), **options):
        """The call is wrong: status 2, one line on standard error that says so, nothing on standard output."""
        result = mitra(*words, **options)
        self.assertEqual(result.status, 2, (words, result.err))
        self.assertEqual(result.out, "", words)
        self.assertRegex(result.err, r"\Amitra: .+\n\Z", words)
        for text in says:
            self.assertIn(text, result.err, words)

    def done(self, *words, **options):
        result = mitra(*words, **options)
        self.assertEqual(result.status, 0, (words, result.err))
        return result
