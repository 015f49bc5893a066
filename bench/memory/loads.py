#!/usr/bin/env python3
"""How many tiles policies load for a product of n x n tiles on a GPU with room for M of them, beside the least that any order needs.

Usage: loads.py BUILD_DIR [--sizes 20,40,60] [--schedulers darts,mitra,dmdar] [--machine FILE]; BUILD_DIR has the program `mitra`.
In virtual time: the same build prints the same numbers. 2 n^3 / sqrt(M) is the bound of Hong and Kung (STOC 1981).
"""

import argparse
import json
import math
import os
import pathlib
import re
import subprocess
import sys

TILE = 960  # order of a tile, in floats
TILE_BYTES = 4 * TILE * TILE


def room(machine):
    """M: tiles that fit the GPU of the machine file."""
    found = re.search(r'^capacity = "([0-9.]+) (MB|GB)"', machine.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise SystemExit(f"loads.py: {machine}: no line capacity = \"NUMBER MB\"")
    return int(float(found[1]) * {"MB": 1e6, "GB": 1e9}[found[2]] // TILE_BYTES)


def run(program, machine, scheduler, tiles):
    """{"loads", "returned" (tiles that left the GPU), "seconds"} of one run."""
    command = [program, "simulate", "gemm", "--n", str(TILE * tiles), "--tile", str(TILE), "--precision", "float",
               "--machine", str(machine), "--scheduler", scheduler, "--json", "-"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MITRA_")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"loads.py: {done.stderr.strip()}: {' '.join(command)}")
    result = json.loads(done.stdout)
    return {"loads": round(result["memory"]["bytes_to_device"] / TILE_BYTES),
            "returned": round(result["memory"]["bytes_from_device"] / TILE_BYTES),
            "seconds": result["makespan_s"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build_dir", help="a build directory: it has the program mitra")
    parser.add_argument("--sizes", default="20,40,60", metavar="LIST", help="n, in tiles [%(default)s]")
    parser.add_argument("--schedulers", default="darts,mitra,dmdar", metavar="LIST", help="policies [%(default)s]")
    parser.add_argument("--machine", type=pathlib.Path, default=pathlib.Path(__file__).with_name("one-gpu.toml"), metavar="FILE",
                        help="a machine file with one GPU [one-gpu.toml]")
    options = parser.parse_args()
    program = os.path.join(options.build_dir, "mitra")
    tiles = room(options.machine)
    print(f"room for M = {tiles} tiles")
    print("| policy | n | loads | / (2 n^3 / sqrt(M)) | written back | s |")
    print("|---|---|---|---|---|---|")
    for scheduler in options.schedulers.split(","):
        for n in map(int, options.sizes.split(",")):
            row = run(program, options.machine, scheduler, n)
            ratio = row["loads"] / (2 * n**3 / math.sqrt(tiles))
            print(f"| {scheduler} | {n} | {row['loads']} | {ratio:.2f} | {row['returned']} | {row['seconds']:.2f} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
