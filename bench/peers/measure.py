"""Runs the peers' programs: pinned, in turn, and again when something else slowed the cores down meanwhile."""

import dataclasses
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import time

MODES = ["submit", "replay"]
PROGRAMS = {  # label: program, its arguments, the modes that it has
    "mitra": ("peer_mitra", [], MODES),
    "libgomp": ("peer_libgomp", [], ["submit"]),
    "libomp": ("peer_libomp", [], ["submit"]),
    "onetbb": ("peer_onetbb", [], MODES),
    "onetbb lightweight": ("peer_onetbb", ["--option", "lightweight=yes"], MODES),
    "starpu lws": ("peer_starpu", ["--option", "policy=lws"], ["submit"]),
    "starpu eager": ("peer_starpu", ["--option", "policy=eager"], ["submit"]),
    "taskflow": ("peer_taskflow", [], MODES),
    "handwritten": ("peer_handwritten", [], MODES),
}
# A run is disturbed when other processes used this share of the pinned cores while it lasted, and more than the clock
# ticks of /proc/stat can be wrong by.
DISTURBED_SHARE, DISTURBED_SECONDS = 0.1, 0.025
SLOW_SHARE = 0.9  # of the best rate seen: a core below it has a neighbour, on its other hardware thread or on the host
UNDISTURBED_ENOUGH = 4  # for a median and quartiles
FAILURES_TO_GIVE_UP = 2  # of one case; the rest of its rounds would fail too, and a crash costs time


@dataclasses.dataclass
class Case:
    """One cell of a table: a runtime in one mode on one pattern or width, and what its runs printed."""
    label: str
    mode: str
    column: str
    command: list
    runs: dict = dataclasses.field(default_factory=dict)  # iterations (0 without kernel): list of the lines read
    failures: list = dataclasses.field(default_factory=list)
    bracket: int = 64  # METG: the finer of the two iteration counts around the crossing

    def dead(self):
        return len(self.failures) >= FAILURES_TO_GIVE_UP

    def counted(self, iterations=0):
        """The undisturbed runs, or all if too few are."""
        lines = self.runs.get(iterations, [])
        undisturbed = [line for line in lines if not line["disturbed"]]
        return undisturbed if len(undisturbed) >= UNDISTURBED_ENOUGH else lines

    def disturbed(self):
        return sum(line["disturbed"] for lines in self.runs.values() for line in lines)


class Bench:
    def __init__(self, arguments):
        self.arguments = arguments
        self.cpus = sorted(os.sched_getaffinity(0))[:arguments.workers]
        self.scratch = tempfile.TemporaryDirectory(prefix="mitra-peers-")  # StarPU keeps its calibration there
        self.environment = dict(os.environ, OMP_PROC_BIND="true", OMP_DYNAMIC="false", STARPU_SILENT="1",
                                STARPU_HOME=self.scratch.name, STARPU_NCPU=str(arguments.workers))
        found = {path.name: path for path in pathlib.Path(arguments.build_dir).rglob("peer_*")
                 if path.is_file() and os.access(path, os.X_OK)}
        if not found:
            sys.exit(f"compare.py: no peer_* programs below {arguments.build_dir}; "
                     "configure with -DMITRA_BUILD_PEERS=ON and build")
        self.programs = {label: found[PROGRAMS[label][0]] for label in arguments.runtimes
                         if PROGRAMS[label][0] in found}
        self.missing = [label for label in arguments.runtimes if label not in self.programs]
        self.any_program = next(iter(found.values()))
        self.best_rate = 0.0
        for _ in range(20):
            self.at_full_speed()

    def cases(self, columns, options_of):
        """Every found runtime in every mode that it has, for each column; `options_of` gives a column's options."""
        cases = []
        for column in columns:
            for mode in self.arguments.modes:
                for label, program in self.programs.items():
                    if mode in PROGRAMS[label][2]:
                        command = [str(program), "--mode", mode, "--workers", str(self.arguments.workers)]
                        cases.append(Case(label, mode, column, command + PROGRAMS[label][1] + options_of(column)))
        return cases

    def busy_seconds(self):
        """What all processes together have used of the pinned cores, and what this one and its children have."""
        fields = {line.split()[0]: line.split()[1:] for line in open("/proc/stat") if line.startswith("cpu")}
        busy = (0, 1, 2, 5, 6, 7)  # all but idle and iowait
        ticks = sum(int(fields[f"cpu{cpu}"][i]) for cpu in self.cpus for i in busy)
        own = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return ticks / os.sysconf("SC_CLK_TCK"), sum(usage.ru_utime + usage.ru_stime for usage in own)

    def process(self, command, **options):
        return subprocess.run(command, env=self.environment, capture_output=True, text=True,
                              preexec_fn=lambda: os.sched_setaffinity(0, self.cpus), **options)

    def execute(self, command):
        """Runs one process. Returns its output, or None and why it failed; and whether others disturbed it."""
        start, (all_before, own_before) = time.monotonic(), self.busy_seconds()
        try:
            done = self.process(command, timeout=self.arguments.timeout)
        except subprocess.TimeoutExpired:
            return None, f"no end within {self.arguments.timeout:g} s", False
        all_after, own_after = self.busy_seconds()
        others = (all_after - all_before) - (own_after - own_before)
        cores = (time.monotonic() - start) * len(self.cpus)
        if done.returncode < 0:
            return None, signal.Signals(-done.returncode).name, False
        if done.returncode > 0:
            own_words = [line for line in done.stderr.splitlines() if line.startswith("peer_")]  # not warnings
            return None, f"exit {done.returncode}: {(own_words or [done.stderr.strip()])[0]}", False
        return done.stdout, "", others > DISTURBED_SECONDS and others > DISTURBED_SHARE * cores

    def at_full_speed(self):
        """Whether every pinned core runs the compute kernel at the best rate seen, to within a tenth."""
        command = [str(self.any_program), "--rate", "--workers", str(len(self.cpus))]
        rates = json.loads(self.process(command, check=True).stdout)["kernel_flops_per_second"]
        self.best_rate = max(self.best_rate, *rates)
        return min(rates) >= SLOW_SHARE * self.best_rate

    def run(self, case, iterations=0):
        """Adds a sample to the case. A failure is kept with its reason, for the tables to show."""
        if case.dead():
            return
        command = case.command + (["--kernel", "compute", "--iterations", str(iterations)] if iterations else [])
        deadline = time.monotonic() + self.arguments.patience
        while True:
            while not self.at_full_speed() and time.monotonic() < deadline:
                time.sleep(0.05)
            output, failure, disturbed = self.execute(command)
            if failure:
                case.failures.append(failure)
                return
            disturbed = disturbed or not self.at_full_speed()
            if not disturbed or time.monotonic() >= deadline:
                break
        line = json.loads(output.splitlines()[-1])
        case.runs.setdefault(iterations, []).append(line | {"disturbed": disturbed})

    def rounds(self, work, number, title):
        """Runs each pair of a case and an iteration count once a round."""
        for done in range(number):
            for case, iterations in work:
                self.run(case, iterations)
            print(f"{title}: round {done + 1} of {number}", file=sys.stderr)
