"""Trace files: one request a line, read in blocks, every malformed line named by its number."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.hardware.dram.traffic import LINE_BYTES, Traffic
from accelsim.hardware.part import show

LARGEST_ADDRESS = 1 << 62
_BLOCK_BYTES = 1 << 22
_LONGEST_LINE = 1 << 16
_ADDRESS = re.compile(r"0[xX][0-9a-fA-F]{1,40}|0|[1-9][0-9]{0,40}")
_DIRECTIONS = {"r": False, "read": False, "w": True, "write": True}

_NEWLINE, _COMMA, _SPACE_BIT = ord("\n"), ord(","), 0x20
_DIGITS = np.full(256, 255, dtype=np.uint8)
for _base, _first in ((0, "0123456789"), (10, "abcdef"), (10, "ABCDEF")):
    for _value, _letter in enumerate(_first, start=_base):
        _DIGITS[ord(_letter)] = _value
_MOST_HEX, _MOST_DECIMAL = 15, 18
"""Digits that surely fit 62 bits and a sign; longer numbers are read one by one."""


def read_trace(path: str | Path, capacity_bytes: int = LARGEST_ADDRESS) -> Traffic:
    """Read a trace file: one request a line, an address and a direction with a comma between them.

    `0x1f40,read` or `8000,W`: the address in bytes, decimal or with 0x, the direction R, W, read or
    write, whichever comes first. Blanks do not count, `#` starts a comment, and the first line may
    be a heading that names a column `address`. The bytes that a request moves are the 64 around its
    address. An address beyond the capacity is refused, as is any other line.
    """
    reader = _Reader(str(path), capacity_bytes)
    try:
        with Path(path).open("rb") as file:
            for block in _blocks(file, str(path)):
                reader.take(block)
    except AccelsimError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise AccelsimError(f"trace={show(str(path))}: cannot be read: {reason}") from None
    return reader.traffic()


def _blocks(file: BinaryIO, path: str) -> Iterator[bytes]:
    """Whole lines, some megabytes at a time; the last line ends as the others do."""
    number = 1
    while block := file.read(_BLOCK_BYTES):
        if not block.endswith(b"\n"):
            block += file.readline(_LONGEST_LINE)
        if not block.endswith(b"\n"):
            block += b"\n"
            if file.read(1):
                last = number + block.count(b"\n") - 1
                raise AccelsimError(
                    f"{path}: line {last}: must be a request, not a line of more than"
                    f" {_LONGEST_LINE} bytes"
                )
        yield block
        number += block.count(b"\n")


class _Reader:
    """What has been read so far."""

    def __init__(self, path: str, capacity_bytes: int) -> None:
        self.path = path
        self.capacity_bytes = capacity_bytes
        self.lines = 0
        self.heading_allowed = True
        self.addresses: list[np.ndarray] = []
        self.writes: list[np.ndarray] = []

    def traffic(self) -> Traffic:
        if not any(len(part) for part in self.addresses):
            raise AccelsimError(f"{self.path}: no requests, must hold one at least")
        return Traffic(np.concatenate(self.addresses), np.concatenate(self.writes))

    def take(self, block: bytes) -> None:
        """The usual lines all at once, the others one by one."""
        if not self.lines:
            block = block.removeprefix(b"\xef\xbb\xbf")
        block = block.replace(b"\r\n", b"\n").replace(b", ", b",").replace(b" ,", b",")
        data = np.frombuffer(block + bytes(2 * _MOST_DECIMAL), dtype=np.uint8)
        stops = np.flatnonzero(data == _NEWLINE)
        starts = np.concatenate([[0], stops[:-1] + 1])
        addresses, writes, usual = _usual_lines(data, starts, stops)
        usual &= addresses < self.capacity_bytes
        keep = usual.copy()
        first = int(usual.argmax()) if usual.any() else len(usual)
        for i in np.flatnonzero(~usual).tolist():
            self.heading_allowed = self.heading_allowed and not self.addresses and i < first
            request = self._one(block[starts[i] : stops[i]], self.lines + i + 1)
            if request is not None:
                keep[i] = True
                addresses[i], writes[i] = request
        if keep.any():
            addresses -= addresses % LINE_BYTES
            self.addresses.append(addresses[keep])
            self.writes.append(writes[keep])
        self.lines += len(stops)

    def _one(self, line: bytes, number: int) -> tuple[int, bool] | None:
        """Address and direction of a line, None for a line without a request."""
        text = line.decode("utf-8", "replace")
        words = [word.strip() for word in text.split("#")[0].split(",")]
        if words == [""]:
            return None
        where = f"{self.path}: line {number}: "
        if self.heading_allowed and "address" in (word.lower() for word in words):
            self.heading_allowed = False
            return None
        self.heading_allowed = False
        if len(words) == 2 and words[1].lower() in _DIRECTIONS:
            words.reverse()
        if len(words) != 2 or words[0].lower() not in _DIRECTIONS:
            raise AccelsimError(
                f"{where}{show(text)} must be an address and R or W, such as 0x1f40,R"
            )
        if not _ADDRESS.fullmatch(words[1]):
            raise AccelsimError(f"{where}{show(words[1])} must be an address, decimal or with 0x")
        address = int(words[1], 16 if words[1][:2].lower() == "0x" else 10)
        if address >= self.capacity_bytes:
            raise AccelsimError(
                f"{where}address={address:#x}: must be < {self.capacity_bytes:#x}, the capacity"
            )
        return address, _DIRECTIONS[words[0].lower()]


def _usual_lines(
    data: np.ndarray, starts: np.ndarray, stops: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Addresses, directions, and which lines are `word,word` without anything unusual in them."""
    commas = np.flatnonzero(data == _COMMA)
    of_line = np.searchsorted(stops, commas)
    usual = np.bincount(of_line, minlength=len(stops)) == 1
    comma = starts.copy()
    comma[of_line] = commas
    direction_first = _DIGITS[data[starts]] > 9
    word = np.where(direction_first, starts, comma + 1)
    word_stop = np.where(direction_first, comma, stops)
    number = np.where(direction_first, comma + 1, starts)
    number_stop = np.where(direction_first, stops, comma)
    writes, known = _directions(data, word, word_stop)
    addresses, readable = _addresses(data, number, number_stop)
    return addresses, writes, usual & known & readable


def _directions(
    data: np.ndarray, starts: np.ndarray, stops: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Which of the words mean a write, and which are known."""
    sizes = stops - starts
    writes = (data[starts] | _SPACE_BIT) == ord("w")
    known = np.zeros(len(starts), dtype=np.bool_)
    for name in _DIRECTIONS:
        same = sizes == len(name)
        for position, letter in enumerate(name):
            same &= (data[starts + position] | _SPACE_BIT) == ord(letter)
        known |= same
    return writes, known


def _addresses(
    data: np.ndarray, starts: np.ndarray, stops: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers, and which of them are plain decimal or hexadecimal ones."""
    zero = data[starts] == ord("0")
    hexadecimal = zero & ((data[starts + 1] | _SPACE_BIT) == ord("x")) & (stops - starts > 2)
    base = np.where(hexadecimal, 16, 10)
    first = np.where(hexadecimal, starts + 2, starts)
    sizes = stops - first
    readable = (sizes > 0) & (sizes <= np.where(hexadecimal, _MOST_HEX, _MOST_DECIMAL))
    readable &= hexadecimal | ~zero | (sizes == 1)
    values = np.zeros(len(starts), dtype=np.int64)
    longest = int(sizes[readable].max(initial=0))
    for position in range(longest):
        inside = readable & (position < sizes)
        digits = _DIGITS[data[np.where(inside, first + position, 0)]]
        readable &= ~inside | (digits < base)
        inside &= readable
        np.copyto(values, values * base + digits, where=inside)
    return values, readable
