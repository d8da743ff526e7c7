"""Topology files of SCALE-Sim: a convolution or a matrix product in each line, as a network.

A line of the first form is name, ifmap height, ifmap width, filter height, filter width, channels,
number of filters, stride; of the second (`-i gemm`) name, M, N, K. Which one a file has shows in
its first layer. The first line of a file is a heading; SCALE-Sim skips it, so a layer there is
refused. What stands behind the last comma of a line is a remark, so SCALE-Sim needs a trailing
comma; here a line without one is taken as well.
"""

import re
from pathlib import Path

from accelsim.errors import AccelsimError, shown
from accelsim.hardware.loading import read_text
from accelsim.network.layers import Conv2d, Layer, Linear
from accelsim.network.network import Network

MAXIMUM_LAYERS = 10_000

CONVOLUTION = (
    "IFMAP height", "IFMAP width", "filter height", "filter width", "channels", "number of filters",
    "stride",
)  # fmt: skip
PRODUCT = ("M", "N", "K")


def load_topology(path: Path) -> Network:
    """The layers of a file, not connected: SCALE-Sim runs each by itself.

    A convolution has no padding field. Its output has ceil((ifmap - filter + stride) / stride) rows
    there, so a last filter that stands partly outside the image counts; here that part is padding
    at the bottom and on the right. `DP` in a name makes a line a depthwise layer of `channels`
    groups with `number of filters` each. Of layers of one name the later ones get a number.
    """
    where = shown(str(path), 200).strip("'")
    lines = read_text(path, where).splitlines()
    if lines and _is_layer(lines[0]):
        raise AccelsimError(
            f"{where}: line 1 = {shown(lines[0])}: must be a heading, as SCALE-Sim skips the first "
            "line; put one before the layers"
        )
    rows = [(number, line) for number, line in enumerate(lines[1:], 2) if line.strip()]
    if not 1 <= len(rows) <= MAXIMUM_LAYERS:
        raise AccelsimError(
            f"{where}: {len(rows)} layers below the heading: must be 1 to {MAXIMUM_LAYERS}"
        )
    is_product = len(_fields(rows[0][1])) in (4, 5)
    layers: list[Layer] = []
    used: set[str] = set()
    for number, line in rows:
        try:
            fields = _fields(line)
            name = _free_name(fields, used)
            layers.append(_product(name, fields) if is_product else _convolution(name, fields))
        except AccelsimError as error:
            raise AccelsimError(f"{where}: line {number}: {error}") from None
    return Network.of_layers(_word(path.stem) or "topology", layers)


def _is_layer(line: str) -> bool:
    """Whether a line has numbers where a layer has them: a heading never does."""
    numbers = _fields(line)[1 : 1 + len(PRODUCT)]
    return len(numbers) == len(PRODUCT) and all(number.isdecimal() for number in numbers)


def _fields(line: str) -> list[str]:
    """The fields of a line without the remark behind the last comma."""
    fields = [field.strip() for field in line.split(",")]
    complete = len(fields) in (1 + len(PRODUCT), 1 + len(CONVOLUTION)) and fields[-1].isdigit()
    return fields if complete else fields[:-1]


def _product(name: str, fields: list[str]) -> Layer:
    m, n, k = _numbers(fields, PRODUCT)
    return Linear(name, in_features=k, out_features=n, rows=m)


def _convolution(name: str, fields: list[str]) -> Layer:
    height, width, rows, columns, channels, filters, stride = _numbers(fields, CONVOLUTION)
    groups = channels if "DP" in fields[0] else 1
    if rows > height or columns > width:
        raise AccelsimError(f"a filter of {rows}x{columns} is larger than its ifmap")
    below, right = _overhang(height, rows, stride), _overhang(width, columns, stride)
    return Conv2d(
        name, channels, filters * groups, (rows, columns), height, width, stride,
        (0, 0, below, right), groups=groups,
    )  # fmt: skip


def _overhang(size: int, kernel: int, stride: int) -> int:
    """How far the last filter stands out of the image."""
    outputs = -(-(size - kernel + stride) // stride)
    return (outputs - 1) * stride + kernel - size


def _numbers(fields: list[str], names: tuple[str, ...]) -> list[int]:
    """The whole numbers of a line, one for each name; a sparsity of N:N may follow."""
    values = fields[1 : 1 + len(names)]
    if len(values) < len(names):
        raise AccelsimError(
            f"{len(values)} numbers: must be {len(names)}, {', '.join(names)}, and a trailing comma"
        )
    for name, value in zip(names, values, strict=True):
        if not value.isascii() or not value.isdigit() or len(value) > 9 or int(value) < 1:
            raise AccelsimError(
                f"{name} = {shown(value)}: must be a whole number from 1 to 999999999"
            )
    _check_dense(fields[1 + len(names) :])
    return [int(value) for value in values]


def _check_dense(more: list[str]) -> None:
    sparsity = next((field for field in more if field), "1:1")
    part, colon, whole = sparsity.partition(":")
    if not colon or part.strip() != whole.strip():
        raise AccelsimError(
            f"sparsity = {shown(sparsity)}: must be 1:1; sparse layers are not simulated here"
        )


def _word(text: str) -> str:
    """The text as a name: without blanks and unprintable letters."""
    return re.sub(r"\s+", "_", "".join(c for c in text if c.isprintable()).strip())[:190]


def _free_name(fields: list[str], used: set[str]) -> str:
    word = _word(fields[0]) if fields else ""
    if not word:
        raise AccelsimError("the layer name is empty")
    name, count = word, 1
    while name in used:
        count += 1
        name = f"{word}_{count}"
    used.add(name)
    return name
