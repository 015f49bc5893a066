#!/usr/bin/env python3
"""How well virtual time says what real time then says: calibrate, predict, run, compare.

Usage: fidelity.py BUILD_DIR [--quick] [--json FILE]; BUILD_DIR has the program `mitra`. README.md says what the cases are.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

WORKERS = 2
REPEAT = 3  # in one process: the median leaves out the first touch of memory and libraries
TASK_BENCH = ["trivial", "no_comm", "stencil_1d", "fft", "tree", "random_nearest"]


def cases(quick):
    """(workload, parameters) of each case: a quarter of a second to a few seconds of real time."""
    found = []
    for n, tile in [(3072, 128), (3072, 256), (4096, 256), (4096, 512), (6144, 512)]:
        found.append(("cholesky", {"n": n, "tile": tile}))
        if not quick:
            found.append(("cholesky", {"n": n, "tile": tile, "precision": "float"}))
    for n, tile, steps in [(3072, 128, 40), (3072, 256, 40), (3072, 512, 40), (4096, 512, 40), (5120, 1024, 20)]:
        found.append(("stencil", {"n": n, "tile": tile, "steps": steps}))
    for graph in TASK_BENCH[:3] if quick else TASK_BENCH:
        for iterations, steps in [(400, 1000), (4000, 400)]:
            found.append((graph, {"width": 16, "steps": steps, "iterations": iterations}))
    return found


def mitra(program, words, environment):
    command = [str(program), *map(str, words)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"fidelity.py: {' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def words_of(case):
    workload, parameters = case
    return [workload, *[word for name, value in parameters.items() for word in (f"--{name}", value)]]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build_dir", help="a build directory: it has the program mitra")
    parser.add_argument("--quick", action="store_true", help="fewer cases and repetitions: about a minute")
    parser.add_argument("--repeat", type=int, help="live runs of each case, of which the median counts [5; 3]")
    parser.add_argument("--scheduler", default="locality_ws", help="the policy, live and in virtual time [%(default)s]")
    parser.add_argument("--json", metavar="FILE", help="every time")
    arguments = parser.parse_args()
    program = pathlib.Path(arguments.build_dir, "mitra").resolve()
    if not program.is_file():
        parser.error(f"no program {program}; build the target mitra_tool first")
    repeat = arguments.repeat or (3 if arguments.quick else 5)

    with tempfile.TemporaryDirectory(prefix="mitra-fidelity-") as directory:
        models, machine = pathlib.Path(directory, "models.toml"), pathlib.Path(directory, "machine.toml")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MITRA_")}
        environment["MITRA_MODELS"] = str(models)
        todo = cases(arguments.quick)
        live = [[] for _ in todo]
        # Round after round, so that what else the machine does meets all cases alike; and calibration, which adds to what
        # was measured before. It never sees the cases.
        for round_number in range(repeat):
            mitra(program, ["calibrate", "--workers", WORKERS, "--save", machine], environment)
            for i, case in enumerate(todo):
                words = ["run", *words_of(case), "--workers", WORKERS, "--scheduler", arguments.scheduler, "--repeat", REPEAT, "--json", "-"]
                live[i].append(json.loads(mitra(program, words, environment))["makespan_s"])
                if sys.stderr.isatty():
                    print(f"\r{round_number * len(todo) + i + 1} of {repeat * len(todo)} runs", end="", file=sys.stderr)
        if sys.stderr.isatty():
            print(file=sys.stderr)
        rows = []
        for case, times in zip(todo, live):
            words = ["simulate", *words_of(case), "--machine", machine, "--scheduler", arguments.scheduler, "--json", "-"]
            predicted = json.loads(mitra(program, words, environment))["makespan_s"]
            real = statistics.median(times)
            rows.append({"workload": case[0], "parameters": case[1], "predicted_s": predicted, "live_s": times, "median_s": real,
                         "error": predicted / real - 1.0})

    print(f"{'case':58} {'live ms':>9} {'(spread)':>9} {'predicted':>9} {'error':>7}")
    for row in rows:
        name = row["workload"] + " " + " ".join(f"{key}={value}" for key, value in row["parameters"].items())
        spread = (max(row["live_s"]) - min(row["live_s"])) / row["median_s"]
        print(f"{name:58} {1e3 * row['median_s']:9.2f} {100 * spread:8.1f}% {1e3 * row['predicted_s']:9.2f} {100 * row['error']:6.1f}%")
    errors = [abs(row["error"]) for row in rows]
    print(f"median error {100 * statistics.median(errors):.1f} %, worst {100 * max(errors):.1f} %, {len(rows)} cases, "
          f"{WORKERS} workers, {arguments.scheduler}, {repeat} live runs each")
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"scheduler": arguments.scheduler, "workers": WORKERS, "cases": rows}, file, indent=1)


if __name__ == "__main__":
    main()
