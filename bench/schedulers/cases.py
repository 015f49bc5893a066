"""The cases of an evaluation: a graph, a size, a machine, with its whole memory or with little on its GPUs."""

import dataclasses
import pathlib

import graphs

# Order of a tile: what the GPUs of a machine need to be worth their overhead. Layered graphs have smaller ones, so that
# cores count beside GPUs.
MACHINES = {"mirage": (960, 960), "sirocco": (960, 960), "mi300a-node": (2560, 512), "alice-recoque-unified": (3072, 512)}
GPU_MEMORY = {"mirage": "gpu", "sirocco": "gpu", "mi300a-node": "hbm", "alice-recoque-unified": "hbm"}
# Rates beside a matrix product, for machine files that have none: those of alice-recoque-unified, which were taken from
# measurements of GPUs and cores of that age. Measured kernels of a machine file come first.
RATES = {
    "gpu": {"potrf": 0.08, "trsm": 0.35, "syrk": 0.70, "getrf": 0.08, "geqrt": 0.05, "tsqrt": 0.05, "ormqr": 0.26, "tsmqr": 0.31},
    "cpu": {"potrf": 0.90, "trsm": 1.00, "syrk": 0.95, "getrf": 0.85, "geqrt": 0.75, "tsqrt": 0.79, "ormqr": 0.90, "tsmqr": 0.90},
}
WITHOUT_RATES = ["mirage", "sirocco"]
SIZES = {  # rows of tiles; layers and width
    "small": {"cholesky": 8, "lu": 6, "qr": 6, "layered": (8, 16)},
    "medium": {"cholesky": 16, "lu": 12, "qr": 12, "layered": (20, 40)},
    "large": {"cholesky": 40, "lu": 30, "qr": 30, "layered": (40, 200)},
}
LIMIT = 3          # limited: a GPU has room for the data divided by it,
LEAST_TILES = 10   # and at least for that many tiles: twice the largest task
SEEDS = [1, 2, 3]


@dataclasses.dataclass
class Case:
    graph: str      # "cholesky", "lu", "qr", "layered 1"
    size: str
    machine: str
    limited: bool
    command: list = dataclasses.field(default_factory=list)  # of `mitra compare`: the workload and its machine

    def name(self):
        return f"{self.graph} {self.size}, {self.machine}{', little memory' if self.limited else ''}"


def workload(directory, kind, seed, size, tile):
    """The words that name the workload to `mitra`, and the bytes of its data. A graph is written once."""
    extent = SIZES[size][kind]
    if kind == "cholesky":
        return ["cholesky", "--n", str(extent * tile), "--tile", str(tile)], extent * (extent + 1) // 2 * tile * tile * graphs.ELEMENT
    make = {"lu": lambda: graphs.lu(extent, tile), "qr": lambda: graphs.qr(extent, tile),
            "layered": lambda: graphs.layered(*extent, tile, seed)}[kind]
    graph = make()
    path = pathlib.Path(directory, f"{kind}-{size}-{tile}-{seed}.mgraph")
    if not path.exists():
        graph.write(path)
    return [str(path)], graph.data_bytes()


def machine_file(directory, machine, capacity):
    """A file that extends the machine. @param capacity  Bytes of a GPU's memory; None: as it is."""
    text = f'name = "{machine}"\nextends = "{machine}"\n'
    if capacity is not None:
        text += f'[memory.{GPU_MEMORY[machine]}]\ncapacity = "{capacity} B"\n'
    if machine in WITHOUT_RATES:
        for worker_class, rates in RATES.items():
            text += f"[rates.{worker_class}]\n" + "".join(f"{codelet} = {rate}\n" for codelet, rate in rates.items())
    path = pathlib.Path(directory, f"{machine}-{capacity or 'whole'}.toml")
    path.write_text(text, encoding="utf-8")
    return str(path)


def cases(directory, sizes, machines, seeds):
    """Writes the files that they need into `directory`."""
    found = []
    for size in sizes:
        for machine in machines:
            for kind in ["cholesky", "lu", "qr", "layered"]:
                for seed in seeds if kind == "layered" else [0]:
                    tile = MACHINES[machine][kind == "layered"]
                    words, data = workload(directory, kind, seed, size, tile)
                    for limited in [False, True]:
                        least = LEAST_TILES * tile * tile * graphs.ELEMENT
                        file = machine_file(directory, machine, max(data // LIMIT, least) if limited else None)
                        title = f"layered {seed}" if kind == "layered" else kind
                        found.append(Case(title, size, machine, limited, [*words, "--machine", file]))
    return found
