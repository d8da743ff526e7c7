"""From an address to a channel, a bank, a row: mappings as bit orders, checked to lose nothing.

A mapping here is linear in bits: every bit of every field is the XOR of some bits of the line
number (the byte address over the bytes of a transaction). That covers any bit order and any XOR
hash, says by elimination whether two lines could meet in one place, and decodes with one table
entry per byte.
"""

import re
from typing import NamedTuple

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.hardware.part import show

FIELDS = ("column", "rank", "bankgroup", "bank", "row", "channel")
SHORT = {
    "co": "column",
    "ra": "rank",
    "bg": "bankgroup",
    "ba": "bank",
    "ro": "row",
    "ch": "channel",
}
NAMED = ("RoBaRaCoCh", "MOP4CLXOR")
_TOKEN = re.compile(r"([a-z]+)(?::([0-9]{1,2}))?(?:\^([a-z]+))?")

Bits = dict[str, int]
"""Address bits of each field."""


class Mapping(NamedTuple):
    """Where a line lies, bit by bit."""

    bits: Bits
    masks: dict[str, list[int]]
    """For each field, from its lowest bit: the bits of the line number whose XOR it is."""

    @property
    def line_bits(self) -> int:
        """Bits of a line number."""
        return sum(self.bits.values())

    def place(self, line: int) -> dict[str, int]:
        """Every field of a line, the slow and obvious way."""
        return {
            field: sum(((line & mask).bit_count() & 1) << i for i, mask in enumerate(masks))
            for field, masks in self.masks.items()
        }

    def tables(self, bank_shift: int, row_shift: int) -> np.ndarray:
        """One table per byte of the line number; a packed place is the XOR of one entry of each."""
        tables = np.zeros(((self.line_bits + 7) // 8 or 1, 256), dtype=np.int64)
        for i in range(self.line_bits):
            place = self.place(1 << i)
            bank = place["rank"] << self.bits["bankgroup"] | place["bankgroup"]
            bank = bank << self.bits["bank"] | place["bank"]
            packed = place["channel"] | bank << bank_shift | place["row"] << row_shift
            selects = (np.arange(256) >> (i % 8)) & 1
            tables[i // 8] ^= packed * selects
        return tables


def make_mapping(text: str, bits: Bits, channel_at: int) -> Mapping:
    """Read a mapping: `RoBaRaCoCh`, `MOP4CLXOR`, or a bit order, most significant field first.

    A bit order names fields, `row bank bankgroup column:5 channel column:2`; `:n` takes n bits, no
    number the rest of the field; `bank^row` XORs the bits taken with as many row bits, from the
    lowest not yet used so. The named ones put the channel bits above `channel_at` bits of the line.
    """
    if text in NAMED:
        low = 2 if text == "MOP4CLXOR" else bits["column"]
        if text == "MOP4CLXOR" and bits["column"] < 2:
            raise AccelsimError(
                f"dram.mapping={show(text)}: must have 2 column bits or more to use"
            )
        order = [("column", i) for i in range(low)]
        for field in ("rank", "bankgroup", "bank"):
            order += [(field, i) for i in range(bits[field])]
        order += [("column", i) for i in range(low, bits["column"])]
        order += [("row", i) for i in range(bits["row"])]
        order[channel_at:channel_at] = [("channel", i) for i in range(bits["channel"])]
        masks = _masks(order, bits)
        if text == "MOP4CLXOR":
            _xor_column(masks, bits)
        return Mapping(bits, masks)
    order, xors = _read_order(text, bits)
    masks = _masks(order, bits)
    before = {field: list(values) for field, values in masks.items()}
    for (field, i), (source, j) in xors:
        masks[field][i] ^= before[source][j]
    mapping = Mapping(bits, masks)
    if _rank([mask for values in masks.values() for mask in values]) < mapping.line_bits:
        raise AccelsimError(
            f"dram.mapping={show(text)}: must be a bijection, but two lines share a place"
        )
    return mapping


def _masks(order: list[tuple[str, int]], bits: Bits) -> dict[str, list[int]]:
    masks = {field: [0] * bits[field] for field in FIELDS}
    for position, (field, i) in enumerate(order):
        masks[field][i] = 1 << position
    return masks


def _xor_column(masks: dict[str, list[int]], bits: Bits) -> None:
    """XOR the column, low bits first, into rank, bank group, bank and row, one after the other."""
    column = iter(list(masks["column"]))
    for field in ("rank", "bankgroup", "bank", "row"):
        for i in range(bits[field]):
            masks[field][i] ^= next(column, 0)


def _read_order(
    text: str, bits: Bits
) -> tuple[list[tuple[str, int]], list[tuple[tuple[str, int], tuple[str, int]]]]:
    """Split a bit order into fields from the least significant bit, and what is XORed into what."""
    where = f"dram.mapping={show(text)}"
    tokens = []
    for word in text.replace(",", " ").split():
        match = _TOKEN.fullmatch(word.lower())
        names = [SHORT.get(name, name) for name in (match[1], match[3] or "row")] if match else []
        if match is None or any(name not in FIELDS for name in names):
            raise AccelsimError(
                f"{where}: {show(word)} must be one of {', '.join(FIELDS)}, as field, field:bits or"
                f" field^field (or the mapping one of {', '.join(NAMED)})"
            )
        count = None if match[2] is None else int(match[2])
        tokens.append((names[0], count, names[1] if match[3] else None))
    given = {field: sum(c or 0 for f, c, _ in tokens if f == field) for field in FIELDS}
    for field in FIELDS:
        open_ended = sum(f == field and c is None for f, c, _ in tokens)
        if open_ended > 1:
            raise AccelsimError(f"{where}: {field} is without a number of bits more than once")
        if given[field] > bits[field] or (not open_ended and given[field] < bits[field]):
            raise AccelsimError(
                f"{where}: must be a bijection: {field} has {bits[field]} bits,"
                f" {given[field]} given"
            )
    order: list[tuple[str, int]] = []
    chunks = []
    taken = dict.fromkeys(FIELDS, 0)
    for field, count, source in reversed(tokens):
        size = bits[field] - given[field] if count is None else count
        chunk = [(field, taken[field] + i) for i in range(size)]
        taken[field] += size
        order += chunk
        chunks.append((chunk, source))
    xors = []
    used = dict.fromkeys(FIELDS, 0)
    for chunk, source in reversed(chunks):
        if source is None:
            continue
        if used[source] + len(chunk) > bits[source]:
            raise AccelsimError(
                f"{where}: {source} has {bits[source]} bits, too few to be XORed into all that ask"
            )
        for bit in chunk:
            xors.append((bit, (source, used[source])))
            used[source] += 1
    return order, xors


def _rank(rows: list[int]) -> int:
    """Rank of a bit matrix, a row per integer."""
    rank = 0
    rows = list(rows)
    while rows:
        pivot = rows.pop()
        if pivot:
            rank += 1
            low = pivot & -pivot
            rows = [row ^ pivot if row & low else row for row in rows]
    return rank
