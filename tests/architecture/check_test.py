"""Tests of check.py: small trees that break one rule each are refused, and the line is named."""

import pathlib
import tempfile
import unittest

import check


class Tree(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.directory.name).resolve()
        self.rules = check.Rules(pathlib.Path(__file__).with_name("rules.txt"))
        self.write("include/mitra/task.hpp", "#include <vector>\n")
        self.write("runtime/graph/tracker.hpp", '#include "mitra/task.hpp"\n')

    def tearDown(self):
        self.directory.cleanup()

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def violations(self, kind):
        return list({"includes": check.check_includes, "calls": check.check_calls,
                     "links": check.check_links}[kind](self.root, self.rules))

    def expect_one(self, kind, where, what):
        found = self.violations(kind)
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith(where + ": "), found[0])
        self.assertIn(what, found[0])


class Includes(Tree):
    def test_the_flow_is_accepted(self):
        self.write("runtime/graph/tracker.cpp", '#include "graph/tracker.hpp"\n#include <mitra/task.hpp>\n#include <fmt/core.h>\n')
        self.write("runtime/engine/runtime.cpp", '#include "graph/tracker.hpp"\n#include <hwloc.h>\n')
        self.write("schedulers/eager.cpp", "#include <mitra/task.hpp>\n#include <deque>\n")
        self.assertEqual(self.violations("includes"), [])

    def test_a_scheduler_may_not_see_the_runtime(self):
        self.write("schedulers/eager.cpp", '// first line\n#include "graph/tracker.hpp"\n')
        self.expect_one("includes", "schedulers/eager.cpp:2", "schedulers may not include runtime/graph/tracker.hpp")

    def test_a_relative_path_is_no_way_out(self):
        self.write("backends/cpu/driver.cpp", '#include "../../runtime/graph/tracker.hpp"\n')
        self.expect_one("includes", "backends/cpu/driver.cpp:1", "backends/cpu may not include runtime/graph")

    def test_layers_do_not_see_each_other(self):
        self.write("runtime/model/history.cpp", '#include "graph/tracker.hpp"\n')
        self.expect_one("includes", "runtime/model/history.cpp:1", "runtime/model may not include runtime/graph")

    def test_the_runtime_does_not_see_a_scheduler(self):
        self.write("schedulers/queue.hpp", "")
        self.write("runtime/graph/order.cpp", '#include "../../schedulers/queue.hpp"\n')
        self.expect_one("includes", "runtime/graph/order.cpp:1", "may not include schedulers/queue.hpp")

    def test_a_public_header_stands_alone(self):
        self.write("include/mitra/runtime.hpp", "#include <unistd.h>\n")
        self.expect_one("includes", "include/mitra/runtime.hpp:1", "C++ standard library only")

    def test_a_public_header_does_not_see_the_runtime(self):
        self.write("include/mitra/runtime.hpp", '#include "graph/tracker.hpp"\n')
        self.expect_one("includes", "include/mitra/runtime.hpp:1", "include may not include runtime/graph")

    def test_a_library_has_its_place(self):
        self.write("runtime/graph/tracker.cpp", "#include <hwloc.h>\n")
        self.expect_one("includes", "runtime/graph/tracker.cpp:1", "<hwloc.h> may be included only in")

    def test_catch_is_included_in_one_place(self):
        self.write("tests/unit/some_test.cpp", "#include <catch2/catch.hpp>\n")
        self.expect_one("includes", "tests/unit/some_test.cpp:1", "only in tests/support")

    def test_a_missing_header_is_named(self):
        self.write("schedulers/eager.cpp", '#include "no_such.hpp"\n')
        self.expect_one("includes", "schedulers/eager.cpp:1", "not in the tree")

    def test_a_comment_includes_nothing(self):
        self.write("schedulers/eager.cpp", '/*\n#include "graph/tracker.hpp"\n*/\n// #include "graph/tracker.hpp"\n')
        self.assertEqual(self.violations("includes"), [])


class Calls(Tree):
    def test_the_environment_is_read_in_one_file(self):
        self.write("runtime/engine/config.cpp", 'auto v = std::getenv("MITRA_WORKERS");\n')
        self.assertEqual(self.violations("calls"), [])
        self.write("runtime/memory/pool.cpp", '\nauto v = std::getenv("MITRA_POOL");\n')
        self.expect_one("calls", "runtime/memory/pool.cpp:2", "read once")

    def test_a_library_does_not_leave(self):
        self.write("backends/cpu/driver.cpp", "void f() { std::abort(); }\n")
        self.expect_one("calls", "backends/cpu/driver.cpp:1", "on the caller's behalf")

    def test_a_method_of_that_name_is_no_call(self):
        self.write("backends/cpu/driver.cpp", "void f() { scope.exit(); scope->exit(); on_exit(); }\n")
        self.assertEqual(self.violations("calls"), [])

    def test_a_library_does_not_print(self):
        self.write("runtime/observe/trace.cpp", 'void f() {\n  std::cerr << "x";\n}\n')
        self.expect_one("calls", "runtime/observe/trace.cpp:2", "does not print")
        self.write("runtime/observe/trace.cpp", 'void f() { std::snprintf(b, n, "x"); }\n')
        self.assertEqual(self.violations("calls"), [])

    def test_comments_and_literals_are_not_code(self):
        self.write("runtime/graph/tracker.cpp",
                   '// abort()\n/* exit(1) */ auto s = "abort()"; auto r = R"(exit(1))"; int n = 1\'000; char c = \'"\';\n')
        self.assertEqual(self.violations("calls"), [])

    def test_a_policy_has_no_clock(self):
        self.write("schedulers/eager.cpp", "auto t = std::chrono::steady_clock::now();\n")
        self.expect_one("calls", "schedulers/eager.cpp:1", "no clock")


class Links(Tree):
    def test_a_dead_link_is_named(self):
        self.write("README.md", "# Mitra\n\n[guide](docs/guide.md) [web](https://example.org) [here](#mitra)\n")
        self.expect_one("links", "README.md:3", "docs/guide.md")
        self.write("docs/guide.md", "[back](../README.md#mitra)\n")
        self.assertEqual(self.violations("links"), [])


if __name__ == "__main__":
    unittest.main()
