"""The traces and configurations of the Ramulator 2.1 figures in tests/data/ramulator2.csv."""

import csv
from functools import cache
from pathlib import Path

import numpy as np

from accelsim.hardware.dram import CommandDram, Traffic

KIB, MIB = 1024, 1024 * 1024
S = 64 * MIB
DATA = Path(__file__).parents[1] / "data" / "ramulator2.csv"

CONFIGURATIONS = {
    "R_DDR4_RoBaRaCoCh": CommandDram(preset="ddr4-2400", mapping="RoBaRaCoCh"),
    "R_DDR4_MOP": CommandDram(preset="ddr4-2400", mapping="MOP4CLXOR"),
    "R_LPDDR5_MOP": CommandDram(preset="lpddr5-6400", mapping="MOP4CLXOR"),
}


@cache
def rows() -> list[dict[str, str]]:
    with DATA.open() as file:
        return list(csv.DictReader(file))


def chunk(base: int, size: int) -> np.ndarray:
    return base + np.arange(0, size, 64)


def parts(*pieces: tuple[np.ndarray, bool]) -> Traffic:
    addresses = np.concatenate([piece for piece, _ in pieces])
    writes = np.concatenate([np.full(len(piece), write) for piece, write in pieces])
    return Traffic(addresses, writes)


def round_robin(chunk_bytes: int) -> Traffic:
    count = 4 * MIB // (2 * chunk_bytes)
    return parts(
        *(
            (chunk(base + i * chunk_bytes, chunk_bytes), base == S)
            for i in range(count)
            for base in (0, S)
        )
    )


def three_streams() -> Traffic:
    at = [0, 0, 0]
    pieces = []
    for _ in range(820):
        for stream in (0, 1, 2, 1, 2):
            pieces.append((chunk(stream * S + at[stream], KIB), stream == 2))
            at[stream] += KIB
    return parts(*pieces)


def random_lines(mixed: bool) -> Traffic:
    draw = np.random.Generator(np.random.PCG64(3 if mixed else 1))
    addresses = draw.permutation(2**20)[:32768] * 64
    writes = draw.random(32768) < 0.5 if mixed else np.zeros(32768, bool)
    return Traffic(addresses, writes)


def overlapped() -> Traffic:
    pieces = [(chunk(0, 4 * MIB), True)]
    for i in range(1024):
        pieces += [(chunk(i * 4 * KIB, 4 * KIB), False), (chunk(S + i * KIB, KIB), True)]
    return parts(*pieces)


@cache
def trace(name: str) -> Traffic:
    if name.startswith(("a_seqrd", "b_seqwr")):
        size = int(name.split("_")[2][:-1]) * MIB
        return parts((chunk(0, size), name.startswith("b")))
    if name.startswith("c_rw"):
        return round_robin(int(name.split("_")[2]))
    if name.startswith("e_stride"):
        stride = int(name.split("_")[2])
        return Traffic(np.arange(16384) * stride, np.zeros(16384, bool))
    if name == "g_dq_serial":
        return parts((chunk(0, 4 * MIB), True), (chunk(0, 4 * MIB), False), (chunk(S, MIB), True))
    return {
        "d_3stream_1K_al": three_streams,
        "f_rand_64M": lambda: random_lines(False),
        "f_randrw_64M": lambda: random_lines(True),
        "g_dq_overlap": overlapped,
    }[name]()
