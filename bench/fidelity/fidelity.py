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
CODELETS = {"cholesky": "potrf,trsm,syrk,gemm", "stencil": "relax"}
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


def predict_and_run(program, case, scheduler, directory, calibrate):
    """Calibrates the codelets of the case if it is to, simulates it, runs it. @returns The two makespans, s."""
    models, machine = directory / "models.toml", directory / "machine.toml"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MITRA_")}
    environment["MITRA_MODELS"] = str(models)
    if calibrate:
        models.unlink(missing_ok=True)
        mitra(program, ["calibrate", "--workers", WORKERS, "--codelets", CODELETS.get(case[0], "task_bench"), "--save", machine],
              environment)
    words = [*words_of(case), "--scheduler", scheduler, "--json", "-"]
    # What calibration was not asked for prepares the data, before the graph that counts.
    predicted = mitra(program, ["simulate", *words, "--machine", machine, "--unknown", "1e-6"], environment)
    live = mitra(program, ["run", *words, "--workers", WORKERS, "--repeat", REPEAT], environment)
    return json.loads(predicted)["makespan_s"], json.loads(live)["makespan_s"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build_dir", help="a build directory: it has the program mitra")
    parser.add_argument("--quick", action="store_true", help="fewer cases and rounds")
    parser.add_argument("--repeat", type=int, help="rounds, of which the median error counts [5; 3]")
    parser.add_argument("--scheduler", default="locality_ws", help="the policy, live and in virtual time [%(default)s]")
    parser.add_argument("--json", metavar="FILE", help="every time")
    arguments = parser.parse_args()
    program = pathlib.Path(arguments.build_dir, "mitra").resolve()
    if not program.is_file():
        parser.error(f"no program {program}; build the target mitra_tool first")
    repeat = arguments.repeat or (3 if arguments.quick else 5)

    todo = cases(arguments.quick)
    pairs = [[] for _ in todo]
    with tempfile.TemporaryDirectory(prefix="mitra-fidelity-") as directory:
        for round_number in range(repeat):
            for i, case in enumerate(todo):
                # That of Cholesky takes longer than the runs of all its cases.
                again = case[0] != "cholesky" or i == 0 or todo[i - 1][0] != "cholesky"
                pairs[i].append(predict_and_run(program, case, arguments.scheduler, pathlib.Path(directory), again))
                if sys.stderr.isatty():
                    print(f"\r{round_number * len(todo) + i + 1} of {repeat * len(todo)}", end="", file=sys.stderr)
        if sys.stderr.isatty():
            print(file=sys.stderr)
    rows = [{"workload": case[0], "parameters": case[1], "predicted_s": [p for p, _ in found], "live_s": [r for _, r in found],
             "error": statistics.median(p / r - 1.0 for p, r in found)} for case, found in zip(todo, pairs)]

    print(f"{'case':58} {'live ms':>9} {'(spread)':>9} {'predicted':>9} {'(spread)':>9} {'error':>7}")
    for row in rows:
        name = row["workload"] + " " + " ".join(f"{key}={value}" for key, value in row["parameters"].items())
        cells = ""
        for times in (row["live_s"], row["predicted_s"]):
            middle = statistics.median(times)
            cells += f" {1e3 * middle:9.2f} {100 * (max(times) - min(times)) / middle:8.1f}%"
        print(f"{name:58}{cells} {100 * row['error']:6.1f}%")
    errors = [abs(row["error"]) for row in rows]
    print(f"median error {100 * statistics.median(errors):.1f} %, worst {100 * max(errors):.1f} %, {len(rows)} cases, "
          f"{WORKERS} workers, {arguments.scheduler}, {repeat} rounds")
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"scheduler": arguments.scheduler, "workers": WORKERS, "cases": rows}, file, indent=1)


if __name__ == "__main__":
    main()
