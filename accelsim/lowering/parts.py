"""How sizes are cut into pieces, and what must fill whole bytes."""

from collections.abc import Iterable
from functools import lru_cache
from math import ceil

import numpy as np

from accelsim.network import Nest
from accelsim.program import Shape

EVERY_SIZE = 12
"""Up to so many rows or columns, images are cut in pieces of every size, beyond in even parts."""


def tiles(size: int | np.ndarray, step: int | np.ndarray) -> np.ndarray:
    """How many pieces of `step` cover `size`."""
    return np.asarray(-(-size // step))


def pieces(size: int, step: int) -> list[tuple[int, int]]:
    """(extent, how many) of the pieces of `step`: the full ones, and the rest."""
    full, rest = divmod(size, step)
    return [piece for piece in ((step, full), (rest, 1)) if piece[0] and piece[1]]


def bytes_of(bits: int | np.ndarray) -> np.ndarray:
    """Whole bytes that hold so many bits."""
    return np.asarray(-(-bits // 8))


def aligned(elements: int | np.ndarray, bits: Iterable[int]) -> np.ndarray:
    """Whether so many elements fill whole bytes at each of the widths."""
    return np.all([np.asarray(elements) * width % 8 == 0 for width in bits], axis=0)


@lru_cache(maxsize=65536)
def fills_bytes(step: int, whole: int, bits: tuple[int, ...]) -> bool:
    """Whether pieces of `step` start between whole bytes wherever `whole` elements repeat."""
    return all((step * width) % 8 == 0 and (whole * width) % 8 == 0 for width in bits)


def even_parts(size: int) -> list[int]:
    """Every size of the pieces when `size` is cut into 1, 2, 3, ... parts, largest first."""
    return sorted({ceil(size / parts) for parts in range(1, size + 1)}, reverse=True)


def multiples(size: int, step: int) -> list[int]:
    """The whole, and the multiples of `step` below it, largest first."""
    return [size, *(part for part in range(size // step * step, 0, -step) if part < size)]


def halves(size: int) -> list[int]:
    """The size, half of it, and so on to 1."""
    sizes = [size]
    while sizes[-1] > 1:
        sizes.append(ceil(sizes[-1] / 2))
    return sizes


def channel_parts(size: int, width: int, more: Iterable[int] = ()) -> list[int]:
    """Sizes of channel pieces: the whole, powers of two, multiples of the array's width, `more`."""
    powers = [2**power for power in range(16)]
    parts = {size, *more, *powers, *(width * power for power in powers)}
    return sorted((part for part in parts if part <= size), reverse=True)


def input_extent(
    start: int,
    stop: int,
    size: int,
    out_size: int,
    stride: int,
    reach: int,
    pad: int,
    apart: int = 1,
) -> tuple[int, int]:
    """Input rows (or columns) that output rows [start, stop) take: a half-open range.

    The range runs on to the next tile's first row, and to the border for the last tile, so that
    tiles in sequence load every row exactly once, also the rows that a stride steps over. `apart`
    is the input dilation: row i of the input is row `i * apart` of what the kernel slides over.
    """

    def row(dilated: int) -> int:
        """The first row of the input that does not come before this dilated one."""
        return -(-dilated // apart)

    low = min(max(row(start * stride - pad), 0), size) if start else 0
    if stop == out_size:
        return low, size
    end = row(max((stop - 1) * stride - pad + reach, stop * stride - pad))
    return low, min(max(end, low), size)


def spatial_parts(nest: Nest, region: Shape | None = None) -> list[tuple[int, int, int]]:
    """(batch, rows, columns) of outputs: whole images, whole rows of one, or pieces of rows.

    Where regions have a range each, only such as cut none.
    """
    batch, height, width = nest.batch, nest.out_height, nest.out_width
    if region is not None:
        sizes = zip((batch, height, width), region[:3], strict=True)
        images, rows, columns = (multiples(size, step) for size, step in sizes)
        split = [(images[-1], r, c) for r in rows for c in (width, *columns)]
        return list(dict.fromkeys([(b, height, width) for b in images] + split))
    whole_images = [(b, height, width) for b in even_parts(batch)]
    heights = even_parts(height) if height > EVERY_SIZE else range(height, 0, -1)
    widths = halves(width) if width > EVERY_SIZE else range(width, 0, -1)
    whole_rows = [(1, rows, width) for rows in heights]
    split_rows = [(1, rows, columns) for rows in heights for columns in widths]
    return list(dict.fromkeys(whole_images + whole_rows + split_rows))
