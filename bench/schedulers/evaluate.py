#!/usr/bin/env python3
"""How good every scheduling policy is, in virtual time: the gap to a proven bound, and to the best policy of each case.

Usage: evaluate.py BUILD_DIR [--quick] [--json FILE]; BUILD_DIR has the program `mitra`. README.md says what the cases are.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import cases

OURS = "mitra"       # the policy that has to be best everywhere,
TOLERANCE = 0.03     # but for so much
EQUAL = 1e-9         # relative: two makespans that differ by less are both the best


def run(program, case, schedulers, directory, patience):
    """All policies on one case: {"bound_s", "makespans": {policy: s}, "failures": {policy: why}}."""
    descriptor, path = tempfile.mkstemp(dir=directory, suffix=".json")
    os.close(descriptor)
    command = [program, "compare", *case.command, "--schedulers", schedulers, "--jobs", "1", "--json", path]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MITRA_")}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=patience)
    except subprocess.TimeoutExpired:
        raise SystemExit(f"evaluate.py: {case.name()}: no end within {patience} s: {' '.join(command)}")
    if done.returncode not in (0, 1) or not os.path.getsize(path):
        raise SystemExit(f"evaluate.py: {case.name()}: {done.stderr.strip()}: {' '.join(command)}")
    result = {"bound_s": None, "makespans": {}, "failures": {}}
    with open(path, encoding="utf-8") as file:
        for row in json.load(file)["rows"]:
            if "error" in row:
                result["failures"][row["scheduler"]] = row["error"]
                continue
            result["makespans"][row["scheduler"]] = row["makespan_s"]
            result["bound_s"] = row["bounds"]["best_s"]
            result["tasks"] = row["tasks"]
    return result


def summary(results):
    """By policy, best mean gap first: {"policy", "mean_gap", "mean_ratio", "worst_ratio", "worst_case", "best", "failures"}."""
    rows = {}
    for case, result in results:
        if not result["makespans"]:
            continue
        best = min(result["makespans"].values())
        for policy, makespan in result["makespans"].items():
            row = rows.setdefault(policy, {"gaps": [], "ratios": [], "cases": []})
            row["gaps"].append(makespan / result["bound_s"] - 1.0)
            row["ratios"].append(makespan / best)
            row["cases"].append(case)
    found = []
    for policy, row in rows.items():
        worst = max(range(len(row["ratios"])), key=row["ratios"].__getitem__)
        found.append({"policy": policy, "cases": len(row["cases"]),
                      "mean_gap": sum(row["gaps"]) / len(row["gaps"]), "mean_ratio": sum(row["ratios"]) / len(row["ratios"]),
                      "worst_ratio": row["ratios"][worst], "worst_case": row["cases"][worst].name(),
                      "best": sum(ratio <= 1.0 + EQUAL for ratio in row["ratios"]),
                      "behind": sum(ratio > 1.0 + TOLERANCE for ratio in row["ratios"]),
                      "failures": sum(policy in result["failures"] for _, result in results)})
    return sorted(found, key=lambda row: (row["mean_gap"], row["policy"]))


def behind(results, policy):
    """The cases in which `policy` is behind the best by more than the tolerance, worst first: (ratio, case, best)."""
    found = []
    for case, result in results:
        if policy in result["makespans"]:
            best = min(result["makespans"], key=lambda name: (result["makespans"][name], name))
            ratio = result["makespans"][policy] / result["makespans"][best]
            if ratio > 1.0 + TOLERANCE:
                found.append((ratio, case, best))
    return sorted(found, key=lambda entry: -entry[0])


def groups(results, policies):
    """Mean gap by policy for the graphs, the sizes, the machines, and the two amounts of memory."""
    keys = [lambda c: c.graph.split()[0], lambda c: c.size, lambda c: c.machine, lambda c: "little memory" if c.limited else "whole memory"]
    table = {}
    for key in keys:
        for case, result in results:
            for policy in policies:
                if policy in result["makespans"]:
                    table.setdefault(key(case), {}).setdefault(policy, []).append(result["makespans"][policy] / result["bound_s"] - 1.0)
    return {title: {policy: sum(gaps) / len(gaps) for policy, gaps in row.items()} for title, row in table.items()}


def report(results, wall):
    table = summary(results)
    lines = [f"{len(results)} cases, {sum(result.get('tasks', 0) for _, result in results)} tasks, {wall:.0f} s", "",
             f"{'policy':16} {'mean gap':>9} {'mean/best':>9} {'worst/best':>10} {'best':>5} {'>3 %':>5} {'failed':>6}  worst case"]
    for row in table:
        lines.append(f"{row['policy']:16} {100 * row['mean_gap']:8.2f}% {row['mean_ratio']:9.3f} {row['worst_ratio']:10.3f} "
                     f"{row['best']:5} {row['behind']:5} {row['failures']:6}  {row['worst_case']}")
    policies = [row["policy"] for row in table]
    by_group = groups(results, policies)
    lines += ["", "mean gap, %"]
    width = max([len(title) for title in by_group], default=0)
    lines.append(" " * width + "".join(f" {policy:>{max(6, len(policy))}}" for policy in policies))
    for title, row in by_group.items():
        cells = (f" {100 * row[p]:{max(6, len(p))}.1f}" if p in row else f" {'-':>{max(6, len(p))}}" for p in policies)
        lines.append(f"{title:{width}}" + "".join(cells))
    if OURS in policies:
        late = behind(results, OURS)
        lines += ["", f"{OURS} is more than {100 * TOLERANCE:.0f} % behind the best in {len(late)} of {len(results)} cases"]
        lines += [f"  {100 * (ratio - 1.0):6.2f} %  {case.name()}: {best}" for ratio, case, best in late]
    for case, result in results:
        lines += [f"{case.name()}: {policy} failed: {why}" for policy, why in result["failures"].items()]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build_dir", help="a build directory: it has the program mitra")
    parser.add_argument("--quick", action="store_true", help="small sizes and one seed: below a minute")
    parser.add_argument("--json", metavar="FILE", help="every makespan and bound, and the table")
    parser.add_argument("--schedulers", default="all", metavar="LIST", help="policies, as `mitra compare` takes them [all]")
    parser.add_argument("--sizes", default=",".join(cases.SIZES), metavar="LIST", help="of %(default)s")
    parser.add_argument("--machines", default=",".join(cases.MACHINES), metavar="LIST", help="of %(default)s")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="cases at the same time [%(default)s]")
    parser.add_argument("--patience", type=float, default=600, metavar="SECONDS", help="for all policies on a case [%(default)s]")
    arguments = parser.parse_args()
    program = pathlib.Path(arguments.build_dir, "mitra").resolve()
    if not program.is_file():
        parser.error(f"no program {program}; build the target mitra first")
    sizes, machines = arguments.sizes.split(","), arguments.machines.split(",")
    for names, known in [(sizes, cases.SIZES), (machines, cases.MACHINES)]:
        for name in names:
            if name not in known:
                parser.error(f"unknown name '{name}'; known: {', '.join(known)}")
    seeds = cases.SEEDS
    if arguments.quick:
        sizes, seeds = [size for size in sizes if size != "large"] or sizes, cases.SEEDS[:1]

    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mitra-evaluation-") as directory:
        todo = cases.cases(directory, sizes, machines, seeds)
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            results = []
            work = lambda case: run(str(program), case, arguments.schedulers, directory, arguments.patience)
            for case, result in zip(todo, pool.map(work, todo)):
                results.append((case, result))
                if sys.stderr.isatty():
                    print(f"\r{len(results)} of {len(todo)} cases", end="", file=sys.stderr)
        if sys.stderr.isatty():
            print(file=sys.stderr)
    wall = time.monotonic() - began
    print(report(results, wall))
    if arguments.json:
        rows = [{"graph": case.graph, "size": case.size, "machine": case.machine, "limited": case.limited, **result} for case, result in results]
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"cases": rows, "summary": summary(results)}, file, indent=1)
    return 1 if any(result["failures"] for _, result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
