"""What to ask of a DRAM: patterns by name, and trace files. All are lists of lines."""

import re
from pathlib import Path

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.hardware.part import show

LINE_BYTES = 64
"""Bytes of one request of a pattern or a trace file; a DRAM with smaller lines splits it."""

_PATTERN = re.compile(r"(seq|stride|random|mix)(?::(.*))?")
PATTERNS = "seq, stride:BYTES, random, mix:SHARE_WRITTEN"


class Traffic:
    """Requests in order: byte addresses and whether each is written. Both arrays are read-only."""

    def __init__(self, addresses: np.ndarray, writes: np.ndarray) -> None:
        self.addresses = np.ascontiguousarray(addresses, dtype=np.int64)
        self.writes = np.ascontiguousarray(writes, dtype=np.bool_)
        if self.addresses.shape != self.writes.shape or self.addresses.ndim != 1:
            raise AccelsimError(
                f"traffic: {self.addresses.shape} addresses and {self.writes.shape} directions,"
                " must be two lists of one length"
            )
        self.addresses.flags.writeable = False
        self.writes.flags.writeable = False

    def __len__(self) -> int:
        return len(self.addresses)

    def lines(self, line_bytes: int, capacity_bytes: int) -> np.ndarray:
        """As a requester's trace: `line number * 2 + write`, each request cut into whole lines."""
        if len(self) and not 0 <= self.addresses.min() <= self.addresses.max() < capacity_bytes:
            low, high = int(self.addresses.min()), int(self.addresses.max())
            address = low if low < 0 else high
            raise AccelsimError(
                f"traffic: address={address:#x}: must be >= 0 and < {capacity_bytes:#x},"
                " the capacity"
            )
        pieces = max(1, LINE_BYTES // line_bytes)
        lines = self.addresses[:, None] // line_bytes + np.arange(pieces)
        return np.ascontiguousarray((lines * 2 + self.writes[:, None]).reshape(-1))


def pattern(
    text: str, requests: int, span_bytes: int = 1 << 26, seed: int = 1, write: bool = False
) -> Traffic:
    """Make a pattern by name: seq, stride:BYTES, random, mix:SHARE_WRITTEN.

    `seq` and `stride` start at 0 and begin anew at the end of the span; `random` draws lines of the
    span without repeating one, `mix` as well, each written with the given probability.
    """
    match = _PATTERN.fullmatch(text)
    kind, argument = (match[1], match[2]) if match else ("", None)
    lines = span_bytes // LINE_BYTES
    if requests < 1 or lines < 1:
        raise AccelsimError(
            f"pattern={show(text)}: {requests=} and {span_bytes=}, must be >= 1 and >= {LINE_BYTES}"
        )
    writes = np.full(requests, write)
    if kind == "seq" and argument is None:
        return Traffic(np.arange(requests) % lines * LINE_BYTES, writes)
    if kind == "stride" and argument is not None:
        if not argument.isdecimal() or int(argument) < 1:
            raise AccelsimError(f"pattern={show(text)}: the stride must be a whole number >= 1")
        return Traffic(np.arange(requests) * int(argument) % span_bytes, writes)
    if kind in ("random", "mix"):
        if requests > lines:
            raise AccelsimError(
                f"pattern={show(text)}: {requests} requests, must be <= {lines}, the lines of"
                f" {span_bytes=}"
            )
        draw = np.random.Generator(np.random.PCG64(seed))
        addresses = draw.permutation(lines)[:requests] * LINE_BYTES
        if kind == "mix":
            share = _share(text, argument)
            writes = draw.random(requests) < share
        elif argument is not None:
            raise AccelsimError(f"pattern={show(text)}: random takes nothing after it")
        return Traffic(addresses, writes)
    raise AccelsimError(f"pattern={show(text)}: must be one of {PATTERNS}")


def _share(text: str, argument: str | None) -> float:
    try:
        share = 0.5 if argument is None else float(argument)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise AccelsimError(f"pattern={show(text)}: the share must be a number >= 0 and <= 1")
    return share


def read_trace(path: str | Path) -> Traffic:
    """Read a trace file: one request a line, `R,0x1f40` or `W,8000`; `#` starts a comment.

    The address is in bytes, decimal or with 0x; a first line `op,address` is a heading. The bytes
    that a request moves are the 64 around its address.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        raise AccelsimError(f"trace={show(str(path))}: cannot be read: {reason}") from None
    addresses, writes = [], []
    for number, line in enumerate(text.splitlines(), start=1):
        content = line.split("#")[0].strip()
        if not content or (number == 1 and content.lower().replace(" ", "") == "op,address"):
            continue
        words = [word.strip() for word in content.split(",")]
        if len(words) != 2 or words[0].upper() not in ("R", "W"):
            raise AccelsimError(
                f"{path}: line {number}: {show(line)} must be R,address or W,address"
            )
        try:
            address = int(words[1], 0)
        except ValueError:
            address = -1
        if not 0 <= address < 1 << 62:
            raise AccelsimError(
                f"{path}: line {number}: {show(words[1])} must be an address, decimal or with 0x"
            )
        addresses.append(address - address % LINE_BYTES)
        writes.append(words[0].upper() == "W")
    if not addresses:
        raise AccelsimError(f"{path}: no requests, must hold one at least")
    return Traffic(np.array(addresses), np.array(writes))
