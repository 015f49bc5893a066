#!/usr/bin/env python3
"""Runs Mitra and its peers side by side and prints medians, quartiles and ratios to Mitra as Markdown.

Every round runs each runtime once, in turn, on the same cores: a disturbance of the machine hits all of them.
README.md beside this file says what is compared, and by which rules.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True  # the modules beside this file are part of the source tree
from measure import MODES, PROGRAMS, UNDISTURBED_ENOUGH, Bench
from metg import Metg

PATTERNS = ["independent", "independent_data", "chain", "stencil_1d", "cholesky"]


def quartiles(values):
    return statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else [values[0]] * 3


def number(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def summarise(cases, values_of, unit):
    """One dictionary a case; `values_of` gives the figure to show first, then the samples for the quartiles."""
    rows = []
    for case in cases:
        row = {"runtime": case.label, "mode": case.mode, "column": case.column, "unit": unit,
               "failures": case.failures, "disturbed": case.disturbed()}
        values = values_of(case)
        if values:
            low, _, high = quartiles(values[1:] or values)
            row.update(median=values[0], lower_quartile=low, upper_quartile=high, samples=len(values) - 1)
        rows.append(row)
    mitra = {(row["mode"], row["column"]): row.get("median") for row in rows if row["runtime"] == "mitra"}
    for row in rows:
        base = mitra.get((row["mode"], row["column"]))
        if base and "median" in row:
            row["ratio_to_mitra"] = row["median"] / base
    return rows


def cell(row):
    if row is None:
        return ""
    if "median" not in row:
        return "failed"
    text = f"**{number(row['median'])}** ({number(row['lower_quartile'])} to {number(row['upper_quartile'])})"
    if "ratio_to_mitra" in row and row["runtime"] != "mitra":
        text += f", {row['ratio_to_mitra']:.2f} x"
    return text + (f", failed {len(row['failures'])} times" if row["failures"] else "")


def print_tables(rows, title, labels, modes, columns):
    for mode in modes:
        print(f"\n### {title}, {mode}\n\n| runtime | {' | '.join(columns)} |\n|{'---|' * (len(columns) + 1)}")
        for label in labels:
            line = {row["column"]: row for row in rows if row["runtime"] == label and row["mode"] == mode}
            if line:
                print(f"| {label} | {' | '.join(cell(line.get(column)) for column in columns)} |")
    disturbed = sum(row["disturbed"] for row in rows)
    if disturbed:
        print(f"\n{disturbed} runs were disturbed (something else slowed the cores down each time they were tried); "
              f"they are left out of the medians where {UNDISTURBED_ENOUGH} others remain.")
    for row in rows:
        for reason in sorted(set(row["failures"])):
            print(f"\nfailed: {row['runtime']}, {row['mode']}, {row['column']}: {reason}")


def machine():
    models = (line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name"))
    git = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=pathlib.Path(__file__).parent,
                         capture_output=True, text=True)
    return {"cpu": next(models, "unknown CPU"), "cpus": os.cpu_count(), "kernel": platform.release(),
            "load_before": os.getloadavg()[0], "commit": git.stdout.strip() or "none",
            "date": time.strftime("%Y-%m-%d"), "command": " ".join(sys.argv)}


def words_of(known):
    def split(text):
        for word in text.split(","):
            if word not in known:
                raise argparse.ArgumentTypeError(f"unknown '{word}'; known: {', '.join(known)}")
        return text.split(",")
    return split


def numbers(text):
    return [int(word) for word in text.split(",")]


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    option = parser.add_argument
    option("--build-dir", default="build", help="where the peer_* programs are, at any depth (default: %(default)s)")
    option("--workers", type=int, default=2, help="threads in all, on as many cores (default: %(default)s)")
    option("--repeat", type=int, default=10, help="rounds; in each, a process a case (default: %(default)s)")
    option("--runtimes", type=words_of(PROGRAMS), default=list(PROGRAMS),
           help=f"comma separated, of: {', '.join(PROGRAMS)}")
    option("--patterns", type=words_of(PATTERNS), default=PATTERNS, help=f"comma separated, of: {', '.join(PATTERNS)}")
    option("--modes", type=words_of(MODES), default=MODES, help="comma separated, of: submit, replay")
    option("--tasks", type=int, default=100000, help="of each pattern but cholesky (default: %(default)s)")
    option("--tiles", type=int, default=60, help="of cholesky (default: %(default)s, 37820 tasks)")
    option("--metg", action="store_true", help="measure METG(50 %%) instead of the overhead")
    option("--widths", type=numbers, default=[2, 8], help="of METG's stencil (default: 2,8)")
    option("--metg-tasks", type=int, default=20000, help="in each run of METG (default: %(default)s)")
    option("--timeout", type=float, default=120, help="seconds for one process (default: %(default)s)")
    option("--patience", type=float, default=10,
           help="seconds to wait, for each run, until nothing else slows the cores down (default: %(default)s)")
    option("--json", metavar="FILE", help="write every sample and the summary there")
    return parser.parse_args()


def overhead(case):
    samples = [line["ns_per_task"] for line in case.counted()]
    return [statistics.median(samples), *samples] if samples else []


def main():
    arguments = parse()
    bench = Bench(arguments)
    about = machine()
    print(f"{about['cpu']}, {about['cpus']} cpus, Linux {about['kernel']}, load {about['load_before']:.2f}; "
          f"{about['date']}, commit {about['commit']}; {arguments.workers} workers on cpus {bench.cpus}; "
          f"medians (quartiles) of {arguments.repeat} rounds, ratio to Mitra.\n`{about['command']}`")
    if bench.missing:
        print(f"\nnot built: {', '.join(bench.missing)}")
    if arguments.metg:
        metg = Metg(bench)
        metg.search()
        cases, columns, title = metg.cases, [f"width {w}" for w in arguments.widths], "METG(50 %) in microseconds"
        rows = summarise(cases, metg.values, "us")
    else:
        columns, title = arguments.patterns, "Nanoseconds per task"
        sizes = ["--tasks", str(arguments.tasks), "--tiles", str(arguments.tiles)]
        cases = bench.cases(columns, lambda pattern: ["--pattern", pattern, *sizes])
        bench.rounds([(case, 0) for case in cases], arguments.repeat, "overhead")
        rows = summarise(cases, overhead, "ns")
    about["kernel_flops_per_second"] = bench.best_rate
    print_tables(rows, title, arguments.runtimes, arguments.modes, columns)
    if arguments.json:
        everything = {"about": about, "summary": rows, "cases": [dataclasses.asdict(case) for case in cases]}
        pathlib.Path(arguments.json).write_text(json.dumps(everything, indent=1) + "\n")
    return 1 if any(row["failures"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
