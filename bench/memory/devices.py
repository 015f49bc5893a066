#!/usr/bin/env python3
"""What memories of devices cost a run, beside emulated devices: copies hidden behind bodies, and memories that are too small.

usage: devices.py BUILD_DIR [overlap] [thrash] [order] [--repeat N] [--scheduler all|NAME,...] [--json FILE]

overlap  One device whose memory holds a part of the data; copying a tile takes as long as a body does on average. Hidden is
         1 - (makespan - makespan with copies that take no time) / time of the copies of the busier direction.
thrash   One device with a quarter of the data's bytes, beside one with room for all of them: the ratio of its makespan to
         that of the other one plus the time of the copies that no order avoids.

order    Cholesky on the cores and four devices under every policy: makespans as they are predicted from a calibration of this
         machine, and as they are; and how many pairs of policies whose makespans differ by more than 5 % are in the same order.
         Those that give a task to whoever asks first stand apart: in virtual time the application's thread is no worker.

Every figure is the median of N processes, those that are compared in turn, and in each the median of three runs, of which the
first one also learns how long tasks take. Python 3 and its standard library.
"""
import argparse
import json
import math
import os
import socket
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass


@dataclass
class Case:
    """A workload, with the loads that it cannot do without where its device has room for `tiles` tiles (a lower bound)."""
    workload: str
    options: dict

    @property
    def blocks(self):
        return -(-self.options["n"] // self.options["tile"])

    @property
    def tile_bytes(self):
        return 8 * self.options["tile"] ** 2

    @property
    def data_bytes(self):
        n = self.blocks
        return self.tile_bytes * {"cholesky": n * (n + 1) // 2, "gemm": 3 * n * n, "stencil": 2 * n * n}[self.workload]

    def least_loads(self, room):
        """In bytes. gemm: Irony, Toledo, Tiskin (JPDC 2004); cholesky: Beaumont, Eyraud-Dubois, Verite, Langou (SPAA 2022), n^3 / (3 sqrt(2 M));
        stencil: each block once."""
        n, m = self.blocks, room / self.tile_bytes
        tiles = {"cholesky": max(n * (n + 1) / 2, n**3 / (3 * math.sqrt(2 * m))),
                 "gemm": max(2 * n * n, 2 * n**3 / math.sqrt(m)),
                 "stencil": n * n}[self.workload]
        return tiles * self.tile_bytes

    def __str__(self):
        return self.workload + "".join(f" {key}={value}" for key, value in self.options.items())


class Tool:
    def __init__(self, build):
        self.program = os.path.join(build, "mitra")

    def run(self, case, scheduler, emu, memory=None):
        command = [self.program, "run", case.workload, "--scheduler", scheduler, "--workers", "1", "--emu", emu, "--repeat", "3", "--json", "-"]
        for key, value in case.options.items():
            command += [f"--{key}", str(value)]
        if memory is not None:
            command += ["--memory", f"emu={int(memory)} B"]
        # What is measured is the run, not the copies for the case that the device is lost.
        environment = dict(os.environ, MITRA_RECOVERY="0")
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)}\n{done.stderr}")
        result = json.loads(done.stdout)
        if result["verified"] is not True and result["verified"] is not None:
            sys.exit(f"{' '.join(command)}: the result is wrong")
        return result


def makespans(repeat, *runs):
    """Medians of runs that take turns, and the last result of each."""
    times = [[] for _ in runs]
    results = [None for _ in runs]
    for _ in range(repeat):
        for i, run in enumerate(runs):
            results[i] = run()
            times[i].append(results[i]["makespan_s"])
    return [statistics.median(t) for t in times], results


def on_devices(result):
    tasks = {c["name"]: c["tasks"] for c in result["worker_classes"]}
    return tasks.get("emu", 0) / sum(tasks.values())


EMU = "speed=50,pipeline=6,mem=0 B"  # a core is no help, and a first task on it, to see how long it takes, no great loss


def overlap(tool, schedulers, repeat):
    # The stencil is bound by memory, which is the host's: the second time, its bodies leave it to the copies for three quarters of the time.
    cases = [(Case("cholesky", {"n": 6144, "tile": 512}), 0.25, EMU),
             (Case("stencil", {"n": 6144, "tile": 512, "steps": 20}), 0.5, EMU),
             (Case("stencil", {"n": 6144, "tile": 512, "steps": 20}), 0.5, EMU + ",slow=4")]
    rows = []
    for case, share, emu in cases:
        room = share * case.data_bytes
        for scheduler in schedulers:
            def bodies_alone():
                return tool.run(case, scheduler, f"1:{emu},bw=1000 GB/s,latency=0 s", room)
            probe = bodies_alone()
            rate = case.tile_bytes * probe["tasks"] / probe["makespan_s"]
            (bodies, with_copies), results = makespans(repeat, bodies_alone, lambda: tool.run(case, scheduler, f"1:{emu},bw={rate:.0f} B/s", room))
            memory = results[1]["memory"]
            copies = max(memory["bytes_to_device"], memory["bytes_from_device"]) / rate
            rows.append({"case": str(case) + (" slow" if "slow" in emu else ""), "scheduler": scheduler, "room": share, "bandwidth_gb_s": rate / 1e9,
                         "bodies_s": bodies, "copies_s": copies, "makespan_s": with_copies,
                         "hidden": 1 - (with_copies - bodies) / copies, "on_device": on_devices(results[1])})
            print("{case:37} {scheduler:10} room for {room:.0%} of the data, {bandwidth_gb_s:5.2f} GB/s: bodies {bodies_s:6.3f} s, copies "
                  "{copies_s:6.3f} s, makespan {makespan_s:6.3f} s: hidden {hidden:6.1%}  (on the device {on_device:.0%})".format(**rows[-1]), flush=True)
    return rows


def thrash(tool, schedulers, repeat):
    cases = [Case("cholesky", {"n": 6144, "tile": 512}), Case("gemm", {"n": 3072, "tile": 256}), Case("stencil", {"n": 6144, "tile": 512, "steps": 20})]
    rate = 8e9  # B/s, the default of emulated devices
    rows = []
    for case in cases:
        room = case.data_bytes / 4
        for scheduler in schedulers:
            emu = f"1:{EMU},bw={rate:.0f} B/s"
            (fits, tight), results = makespans(repeat, lambda: tool.run(case, scheduler, emu), lambda: tool.run(case, scheduler, emu, room))
            unavoidable = case.least_loads(room) / rate
            memory = results[1]["memory"]
            rows.append({"case": str(case), "scheduler": scheduler, "fits_s": fits, "unavoidable_s": unavoidable, "makespan_s": tight,
                         "ratio": tight / (fits + unavoidable), "loaded": memory["bytes_to_device"] / case.least_loads(room),
                         "evictions": memory["evictions"]})
            print("{case:34} {scheduler:12} fits {fits_s:6.3f} s, loads that no order avoids {unavoidable_s:6.3f} s, a quarter of the memory "
                  "{makespan_s:6.3f} s: ratio {ratio:5.2f}  (loads / bound {loaded:5.2f}, {evictions} evictions)".format(**rows[-1]), flush=True)
    return rows


ORDER = {"n": 8192, "tile": 512}
ORDER_EMU = "4:slow=4"  # the bodies of all devices need half of two processors: copies and the engine have the rest
WHO_ASKS_FIRST = ("eager", "locality_ws", "work_stealing")


def order(tool, schedulers, repeat):
    options = [word for key, value in ORDER.items() for word in (f"--{key}", str(value))]
    with tempfile.TemporaryDirectory() as directory:
        environment = dict(os.environ, MITRA_RECOVERY="0", MITRA_MODELS=os.path.join(directory, "models.toml"))
        machine = os.path.join(directory, "emulated.toml")

        def call(*words):
            done = subprocess.run([tool.program, *words], capture_output=True, text=True, env=environment)
            if done.returncode != 0:
                sys.exit(f"{' '.join(words)}\n{done.stderr}")
            return done.stdout

        call("calibrate", "--codelets", "potrf,trsm,syrk,gemm", "--save", os.path.join(directory, f"machine-{socket.gethostname()}.toml"))
        call("machine", "--emu", ORDER_EMU, "--save", machine)
        rows = []
        for scheduler in schedulers:
            predicted = json.loads(call("simulate", "cholesky", *options, "--machine", machine, "--scheduler", scheduler, "--json", "-"))
            rows.append({"scheduler": scheduler, "predicted_s": predicted["makespan_s"], "runs_s": []})
        for _ in range(repeat):
            for row in rows:
                result = json.loads(call("run", "cholesky", *options, "--emu", ORDER_EMU, "--scheduler", row["scheduler"], "--repeat", "2", "--json", "-"))
                if result["verified"] is not True:
                    sys.exit(f"{row['scheduler']}: the result is wrong")
                row["runs_s"].append(result["makespan_s"])
                row["measured_s"] = statistics.median(row["runs_s"])
    for row in sorted(rows, key=lambda row: row["predicted_s"]):
        print("{scheduler:16} predicted {predicted_s:7.3f} s, measured {measured_s:7.3f} s".format(**row), flush=True)
    compared = [row for row in rows if row["scheduler"] not in WHO_ASKS_FIRST]
    for which, some in (("all policies", rows), ("without those", compared)):
        pairs = [(a, b) for i, a in enumerate(some) for b in some[:i]
                 if max(a["measured_s"], b["measured_s"]) > 1.05 * min(a["measured_s"], b["measured_s"])]
        wrong = [(a, b) for a, b in pairs if (a["predicted_s"] < b["predicted_s"]) != (a["measured_s"] < b["measured_s"])]
        print(f"{which}: {len(pairs) - len(wrong)} of {len(pairs)} pairs that differ by more than 5 % are in the predicted order; not so:",
              ", ".join(f"{a['scheduler']} {b['scheduler']}" for a, b in wrong))
    errors = sorted(abs(row["predicted_s"] / row["measured_s"] - 1) for row in compared)
    print(f"predictions are off by {statistics.median(errors):.1%} in the median, {errors[-1]:.1%} at most, without those")
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("what", nargs="*", default=["overlap", "thrash"], metavar="overlap|thrash|order")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--scheduler", default="dmdar,lookahead,darts", metavar="all|NAME,...")
    parser.add_argument("--json")
    arguments = parser.parse_args()
    tool = Tool(arguments.build)
    schedulers = arguments.scheduler.split(",")
    if schedulers == ["all"]:
        listed = json.loads(subprocess.run([tool.program, "schedulers", "--json", "-"], capture_output=True, text=True, check=True).stdout)
        schedulers = [s["name"] for s in listed["schedulers"]]
    measurements = {"overlap": overlap, "thrash": thrash, "order": order}
    for what in arguments.what:
        if what not in measurements:
            parser.error(f"unknown measurement '{what}'; known: {', '.join(measurements)}")
    rows = {}
    for what in arguments.what:
        print(what)
        rows[what] = measurements[what](tool, schedulers, arguments.repeat)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
