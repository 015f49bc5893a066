"""Task graphs in Mitra's format (docs/graph-files.md): tiled LU, tiled QR, random layered graphs.

Flops of the tile kernels, for tiles of order b, by their leading terms: getrf without pivoting 2/3 b^3, trsm b^3,
gemm 2 b^3; geqrt 4/3 b^3, ormqr 2 b^3, tsqrt 2 b^3, tsmqr 4 b^3 (inner blocking left out). Priorities are the tasks on
the longest way to the end of the graph, this one included, as in Mitra's own Cholesky.
"""

import random

ELEMENT = 8  # bytes: double

# Shares of the codelets of a layered graph. `product` has no rate of its own in the machine files: it runs like a large
# matrix product, best on GPUs. Panels are best on cores, the others lie between.
MIX = {"product": 0.40, "tsmqr": 0.20, "ormqr": 0.15, "getrf": 0.10, "geqrt": 0.10, "tsqrt": 0.05}


class Graph:
    """Tasks in submission order, on square tiles of order `tile`."""

    def __init__(self, tile):
        self.tile = tile
        self.data, self.tasks = [], []  # names; (name, accesses, flops, bytes moved)

    def datum(self, name):
        self.data.append(name)
        return len(self.data) - 1

    def task(self, name, accesses, flops):
        """`accesses` are (mode, datum). Bytes: each tile that is read or written, once; twice for both."""
        moved = sum(2 if mode == "rw" else 1 for mode, _ in accesses) * self.tile_bytes()
        self.tasks.append((name, accesses, flops, moved))

    def tile_bytes(self):
        return self.tile * self.tile * ELEMENT

    def data_bytes(self):
        return len(self.data) * self.tile_bytes()

    def priorities(self):
        """By task, the tasks on the longest way from it to the end. Backwards, so that successors come first."""
        ranks = [0] * len(self.tasks)
        after_write, after_read = {}, {}  # datum: the largest rank among the later writers, and readers before them
        for number in range(len(self.tasks) - 1, -1, -1):
            accesses = self.tasks[number][1]
            later = 0
            for mode, datum in accesses:
                later = max(later, after_write.get(datum, 0))
                if mode != "r":
                    later = max(later, after_read.get(datum, 0))
            ranks[number] = later + 1
            for mode, datum in accesses:
                if mode == "r":
                    after_read[datum] = max(after_read.get(datum, 0), later + 1)
                else:
                    after_write[datum], after_read[datum] = later + 1, 0
        return ranks

    def write(self, path):
        with open(path, "w", encoding="utf-8") as file:
            file.write("mgraph 1\n")
            for name in self.data:
                file.write(f'datum "{name}" {self.tile} {self.tile} {ELEMENT}\n')
            for (name, accesses, flops, moved), priority in zip(self.tasks, self.priorities()):
                words = ",".join(f"{mode}:{datum}" for mode, datum in accesses)
                file.write(f'task "{name}" priority={priority} access={words} flops={flops:.17g} bytes={moved}\n')
            file.write(f"end {len(self.data)} {len(self.tasks)}\n")


def lu(tiles, tile):
    """A = L U without pivoting, right-looking.

    for k: getrf A(k,k);  trsm A(k,j) by A(k,k), j > k;  trsm A(i,k) by A(k,k), i > k;  gemm A(i,j) by A(i,k), A(k,j)
    """
    graph, cube = Graph(tile), float(tile) ** 3
    a = [[graph.datum(f"A({i},{j})") for j in range(tiles)] for i in range(tiles)]
    for k in range(tiles):
        graph.task("getrf", [("rw", a[k][k])], 2 / 3 * cube)
        for i in range(k + 1, tiles):
            graph.task("trsm", [("r", a[k][k]), ("rw", a[k][i])], cube)
            graph.task("trsm", [("r", a[k][k]), ("rw", a[i][k])], cube)
        for i in range(k + 1, tiles):
            for j in range(k + 1, tiles):
                graph.task("gemm", [("r", a[i][k]), ("r", a[k][j]), ("rw", a[i][j])], 2 * cube)
    return graph


def qr(tiles, tile):
    """A = Q R with a flat tree: each tile of a column is folded into the diagonal one, one after the other.

    for k: geqrt A(k,k) -> T(k,k);  ormqr A(k,j) by A(k,k), T(k,k), j > k
           for i > k: tsqrt A(k,k), A(i,k) -> T(i,k);  tsmqr A(k,j), A(i,j) by A(i,k), T(i,k), j > k
    The factors T have the size of a tile here; with inner blocking they are smaller.
    """
    graph, cube = Graph(tile), float(tile) ** 3
    a = [[graph.datum(f"A({i},{j})") for j in range(tiles)] for i in range(tiles)]
    t = [[graph.datum(f"T({i},{j})") if j <= i else None for j in range(tiles)] for i in range(tiles)]
    for k in range(tiles):
        graph.task("geqrt", [("rw", a[k][k]), ("w", t[k][k])], 4 / 3 * cube)
        for j in range(k + 1, tiles):
            graph.task("ormqr", [("r", a[k][k]), ("r", t[k][k]), ("rw", a[k][j])], 2 * cube)
        for i in range(k + 1, tiles):
            graph.task("tsqrt", [("rw", a[k][k]), ("rw", a[i][k]), ("w", t[i][k])], 2 * cube)
            for j in range(k + 1, tiles):
                graph.task("tsmqr", [("r", a[i][k]), ("r", t[i][k]), ("rw", a[k][j]), ("rw", a[i][j])], 4 * cube)
    return graph


def layered(layers, width, tile, seed):
    """Each task reads one to four data of the layer before and writes one. Its flops are 2 b^3 times a factor from 0.1 to
    10, log-uniform. The data of a layer are used again three layers later: memory stays bounded, as in iterations."""
    graph, source = Graph(tile), random.Random(seed)
    kept = 3
    data = [[graph.datum(f"D({l},{i})") for i in range(width)] for l in range(kept)]
    for l in range(layers):
        before, mine = data[(l + kept - 1) % kept], data[l % kept]
        for i in range(width):
            read = sorted(source.sample(before, min(width, source.randint(1, 4))))
            name = source.choices(list(MIX), list(MIX.values()))[0]
            flops = 2.0 * tile**3 * 10.0 ** source.uniform(-1.0, 1.0)
            graph.task(name, [("r", datum) for datum in read] + [("w", mine[i])], flops)
    return graph
