"""What to ask of a DRAM: patterns by name, and trace files. All are lists of lines."""

import re

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.hardware.part import show

LINE_BYTES = 64
"""Bytes of one request of a pattern or a trace file; a DRAM with smaller lines splits it."""

MOST_REQUESTS = 100_000_000

PATTERNS = "seq, stride:BYTES, random, mix:SHARE_WRITTEN"
_PATTERN = re.compile(r"(seq|stride|random|mix)(?::(.*))?")
_LARGEST_SHUFFLE = 1 << 24


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
        lines = np.empty((len(self), pieces), dtype=np.int64)
        for piece in range(pieces):
            np.floor_divide(self.addresses, line_bytes, out=lines[:, piece])
            lines[:, piece] += piece
        lines *= 2
        lines += self.writes[:, None]
        return lines.reshape(-1)


def pattern(
    text: str,
    requests: int,
    span_bytes: int = 1 << 26,
    seed: int = 1,
    write: float = 0,
    base: int = 0,
) -> Traffic:
    """Make a pattern by name: seq, stride:BYTES, random, mix:SHARE_WRITTEN.

    `seq` and `stride` start at `base` and begin anew at the end of the span; `random` draws lines
    of the span without repeating one. Each request is written with the probability `write`; `mix`
    is `random` with a probability of its own. Every request is the whole 64 bytes around its
    address.
    """
    match = _PATTERN.fullmatch(text)
    kind, argument = (match[1], match[2]) if match else ("", None)
    if not 1 <= requests <= MOST_REQUESTS:
        raise AccelsimError(f"{requests=}: must be >= 1 and <= {MOST_REQUESTS}")
    if span_bytes < LINE_BYTES:
        raise AccelsimError(f"{span_bytes=}: must be >= {LINE_BYTES}")
    if seed < 0:
        raise AccelsimError(f"{seed=}: must be >= 0")
    if not 0 <= write <= 1:
        raise AccelsimError(f"write_share={write:g}: must be >= 0 and <= 1")
    lines = span_bytes // LINE_BYTES
    draw = np.random.Generator(np.random.PCG64(seed))
    if kind == "seq" and argument is None:
        addresses = np.arange(requests) % lines * LINE_BYTES
    elif kind == "stride" and argument is not None:
        addresses = _strided(requests, _stride(text, argument), span_bytes)
    elif (kind == "random" and argument is None) or kind == "mix":
        write = _mixed_share(text, argument, write) if kind == "mix" else write
        addresses = _drawn(draw, text, requests, lines) * LINE_BYTES
    else:
        raise AccelsimError(f"pattern={show(text)}: must be one of {PATTERNS}")
    writes = draw.random(requests) < write if 0 < write < 1 else np.full(requests, bool(write))
    addresses += base
    return Traffic(addresses, writes)


def default_span(text: str, room_bytes: int) -> int:
    """The span of a pattern that names none: 64 MiB to draw from, all there is to walk through."""
    return min(1 << 26, room_bytes) if text.startswith(("random", "mix")) else room_bytes


def _stride(text: str, argument: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", argument) or int(argument) < 1:
        raise AccelsimError(f"pattern={show(text)}: the stride must be a whole number >= 1")
    return int(argument)


def _strided(requests: int, stride: int, span_bytes: int) -> np.ndarray:
    """0, stride, 2 * stride, ... within the span, on whole lines; never beyond 63 bits."""
    step = stride % span_bytes
    block = min(requests, (1 << 62) // max(1, step))
    inside = np.arange(block) * step
    parts = [
        (inside[: requests - start] + start * step % span_bytes) % span_bytes
        for start in range(0, requests, block)
    ]
    addresses = parts[0] if len(parts) == 1 else np.concatenate(parts)
    addresses -= addresses % LINE_BYTES
    return addresses


def _drawn(draw: np.random.Generator, text: str, requests: int, lines: int) -> np.ndarray:
    """Different lines of the span, in an order that has none."""
    if requests > lines:
        raise AccelsimError(
            f"pattern={show(text)}: {requests} requests, must be <= {lines}, the lines of"
            f" span_bytes={lines * LINE_BYTES}"
        )
    if lines > _LARGEST_SHUFFLE:  # a whole memory is too long a list to shuffle for a few of it
        return draw.choice(lines, requests, replace=False)
    return draw.permutation(lines)[:requests]


def _mixed_share(text: str, argument: str | None, write: float) -> float:
    if write:
        raise AccelsimError(f"write_share={write:g}: must be left out, mix:SHARE says it")
    try:
        share = 0.5 if argument is None else float(argument)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise AccelsimError(f"pattern={show(text)}: the share must be a number >= 0 and <= 1")
    return share
