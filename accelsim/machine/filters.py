"""Filters on chip: turned as they arrive, and added to where they are what is computed."""

import numpy as np

from accelsim.kernels.weight_gradient import depthwise_gradient_tile, weight_gradient_tile
from accelsim.program import GRAD_INPUT, Box, Compute, Window


def add_weight_gradient(
    x: np.ndarray, dy: np.ndarray, acc: np.ndarray, window: Window, command: Compute
) -> None:
    """Add what a box of the output's gradient gives to a tile of weights, (filters, h, w, ins)."""
    assert command.over is not None
    sums = acc.transpose(1, 2, 3, 0)
    (image, row, column, _), (last_image, last_row, last_column, _) = (
        command.over.starts, command.over.stops,
    )  # fmt: skip
    positions = image, last_image, row, last_row, column, last_column
    steps = window.steps[:6]
    if window.depthwise:
        depthwise_gradient_tile(x, dy, sums, *positions, command.group_start, *steps)
    else:
        weight_gradient_tile(
            x, dy, sums, *positions, command.group_start, command.n_start, command.n_count,
            window.out_channels, command.channel_start, window.in_channels, *steps,
        )  # fmt: skip


def lay_out(
    centred: np.ndarray, box: Box, target: np.ndarray, window: Window, direction: str
) -> None:
    """Put filters where the kernels read them; for the gradient to the input turned.

    There forward filter `g * in_channels + i` holds what goes from input channel i of group g to
    each of the group's output channels.
    """
    if direction != GRAD_INPUT:
        filters, rows, columns, channels = box.slices
        target[rows, columns, channels, filters] = centred.transpose(1, 2, 3, 0)
        return
    ins, outs = window.in_channels, window.out_channels
    turned = centred[:, ::-1, ::-1].transpose(1, 2, 0, 3)
    first, last = box.starts[0], box.stops[0]
    for group in range(first // ins, -(-last // ins)):
        start, stop = max(first, group * ins), min(last, (group + 1) * ins)
        to = slice(group * outs + box.starts[3], group * outs + box.stops[3])
        of_group = turned[:, :, start - first : stop - first]
        target[:, :, start - group * ins : stop - group * ins, to] = of_group
