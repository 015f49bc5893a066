"""The search for METG(50 %), the figure of Task Bench (Slaughter et al., SC 2020)."""

import statistics


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

    def search(self):
        """Brackets each crossing between n and 2n iterations by a few runs, then measures those two in rounds. Medians
        that do not enclose it move the bracket, until they do: a count once measured is not measured again."""
        self.settle(self.SEARCH_RUNS, "metg, search")
        for case in self.cases:
            case.runs.clear()  # what found the bracket does not count as a measurement
        self.settle(self.bench.arguments.repeat, "metg")

    def settle(self, rounds, title):
        while work := [(case, count) for case in self.cases if not case.dead()
                       for count in (case.bracket, 2 * case.bracket) if not case.runs.get(count)]:
            self.bench.rounds(work, rounds, f"{title}, {len(work)} points")
            for case in self.cases:
                while self.moved(case):
                    pass

    def moved(self, case):
        """Halves or doubles the bracket if both its ends are known and lie on the same side of the crossing."""
        ends = [self.median_point(case, count) for count in (case.bracket, 2 * case.bracket)]
        if None in ends:
            return False
        fine, coarse = (efficiency >= self.TARGET for _, efficiency in ends)
        if fine and case.bracket > 1:
            case.bracket //= 2
        elif not fine and not coarse and case.bracket < self.COARSEST:
            case.bracket *= 2
        else:
            return False
        return True

    def values(self, case):
        """METG in microseconds: the median of the rounds, then each round."""
        coarse = self.median_point(case, 2 * case.bracket)
        if case.dead() or coarse is None or coarse[1] < self.TARGET:
            case.failures.append("no two iteration counts enclose an efficiency of 50 %")
            return []
        pairs = zip(self.points(case, case.bracket), self.points(case, 2 * case.bracket))
        each = [self.interpolate(fine, coarse) for fine, coarse in pairs]
        return [statistics.median(each)] + each

    def interpolate(self, fine, coarse):
        """Of one round, whose points may lie beside the crossing that the medians enclose: then this extrapolates."""
        if fine[1] >= self.TARGET:
            return fine[0]
        if fine[1] >= coarse[1] or fine[0] >= coarse[0]:
            return coarse[0]
        return coarse[0] - (coarse[0] - fine[0]) * (coarse[1] - self.TARGET) / (coarse[1] - fine[1])
