"""The search for METG(50 %), the figure of Task Bench (Slaughter et al., SC 2020)."""

import statistics
import sys

from measure import FAILURES_TO_GIVE_UP


class Metg:
    """METG(50 %) as Task Bench defines it: the smallest task granularity (seconds x workers / tasks) at which a runtime
    still reaches half of the kernel's rate, interpolated linearly in efficiency towards the next finer point."""

    TARGET = 0.5
    COARSEST = 1 << 20
    SEARCH_RUNS = 3  # at each count; a single one that goes wrong would send the search far off

    def __init__(self, bench):
        self.bench = bench
        widths = {f"width {width}": width for width in bench.arguments.widths}
        steps = {column: max(1, bench.arguments.metg_tasks // width) for column, width in widths.items()}
        self.cases = bench.cases(list(widths), lambda column: [
            "--pattern", "stencil_1d", "--width", str(widths[column]), "--steps", str(steps[column])])

    def point(self, line):
        """Granularity in microseconds, and efficiency: against one rate for all, the best that one core reached."""
        workers = line["workers"]
        efficiency = line["flops_per_second"] / (workers * self.bench.best_rate)
        return (line["seconds"] * workers / line["tasks"] * 1e6, efficiency)

    def points(self, case, iterations):
        return [self.point(line) for line in case.counted(iterations)]

    def median_point(self, case, iterations):
        points = self.points(case, iterations)
        return tuple(statistics.median(values) for values in zip(*points)) if points else None

    def enough(self, case, iterations):
        point = self.median_point(case, iterations)
        return point is not None and point[1] >= self.TARGET

    def search(self):
        """Brackets each crossing between n and 2n iterations by a few runs, then measures those two in rounds; medians
        that do not enclose it move the bracket, and are measured in turn."""
        open_cases = list(self.cases)
        while open_cases:
            print(f"metg: {len(open_cases)} brackets to find", file=sys.stderr)
            for case in open_cases:
                for iterations in (case.bracket, 2 * case.bracket):
                    for _ in range(self.SEARCH_RUNS - len(case.runs.get(iterations, []))):
                        self.bench.run(case, iterations)
            open_cases = [case for case in open_cases if self.moved(case)]
        pending = list(self.cases)
        for attempt in range(6):
            # The runs that found the bracket do not count as measurements.
            for case in pending:
                for iterations in (case.bracket, 2 * case.bracket):
                    case.runs.pop(iterations, None)
            title = f"metg, pass {attempt + 1}, {len(pending)} cases"
            self.bench.rounds(pending, lambda case: (case.bracket, 2 * case.bracket), title)
            pending = [case for case in pending if self.moved(case)]
            if not pending:
                return
        for case in pending:
            case.failures.extend(["the efficiency does not settle around 50 %"] * FAILURES_TO_GIVE_UP)

    def moved(self, case):
        if case.dead():
            return False
        fine, coarse = self.enough(case, case.bracket), self.enough(case, 2 * case.bracket)
        if fine and case.bracket > 1:
            case.bracket //= 2
        elif not fine and not coarse and case.bracket < self.COARSEST:
            case.bracket *= 2
        else:
            return False
        return True

    def interpolate(self, fine, coarse):
        if coarse[1] < self.TARGET:
            return None  # not even the coarsest point is efficient enough
        if fine[1] >= self.TARGET or fine[0] >= coarse[0]:
            return min(fine[0], coarse[0]) if fine[1] >= self.TARGET else coarse[0]
        return coarse[0] - (coarse[0] - fine[0]) * (coarse[1] - self.TARGET) / (coarse[1] - fine[1])

    def values(self, case):
        """METG in microseconds: of the medians, then of each round."""
        if case.dead():
            return []
        fine, coarse = case.bracket, 2 * case.bracket
        each = [self.interpolate(*pair) for pair in zip(self.points(case, fine), self.points(case, coarse))]
        value = self.interpolate(self.median_point(case, fine), self.median_point(case, coarse))
        return [] if value is None else [value] + [one for one in each if one is not None]
