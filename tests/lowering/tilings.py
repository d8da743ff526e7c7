"""Any legal tiling of an operation, not only the best."""

import numpy as np
from hypothesis import assume

from accelsim.lowering.parts import fills_bytes
from accelsim.lowering.search import candidates, footprints
from accelsim.lowering.tiling import HELD, OUTERMOST, Candidates
from accelsim.program import GRAD_WEIGHT


def some_tiling(operation, hardware, pick, drained_bits):
    """The legal tiling that the number `pick` picks."""
    if operation.direction == GRAD_WEIGHT and operation.block is None:
        tilings = weight_gradient_tilings(operation, hardware, np.random.default_rng(pick))
    else:
        tilings = candidates(operation, hardware, drained_bits)
    legal = np.flatnonzero(footprints(operation, tilings, hardware, drained_bits).fits(hardware))
    assume(len(legal))
    return tilings[int(legal[pick % len(legal)])]


def weight_gradient_tilings(operation, hardware, rng):
    """Random ones: the search itself weighs those of least traffic only."""
    nest = operation.nest
    stored = operation.stored_bits(hardware.accumulator.bits)
    input_bits, gradient_bits = (operation.input_bits,), (operation.weight_bits,)
    whole_groups = nest.groups == 1 or (
        fills_bytes(nest.in_channels, nest.in_channels, input_bits)
        and fills_bytes(nest.out_channels, nest.out_channels, gradient_bits)
    )
    rows = []
    for _ in range(300):
        batch, height, width = nest.batch, nest.out_height, nest.out_width
        batch = int(rng.integers(1, batch + 1))
        if batch == 1 and rng.integers(2):
            height, width = (int(rng.integers(1, size + 1)) for size in (height, width))
        groups, outs, ins = nest.groups, nest.out_channels, nest.in_channels
        if whole_groups:
            groups = int(rng.integers(1, groups + 1))
        if groups == 1:
            outs, ins = (int(rng.integers(1, size + 1)) for size in (outs, ins))
            if not fills_bytes(outs, nest.out_channels, gradient_bits):
                outs = nest.out_channels
            if not fills_bytes(ins, nest.in_channels, (*input_bits, *stored)):
                ins = nest.in_channels
        order, x, y = rng.integers(2, 4), rng.integers(len(HELD)), rng.integers(len(HELD))
        rows.append((batch, height, width, groups, outs, ins, order, x, y))
    assert OUTERMOST[2:] == ("input channels", "output channels")
    return Candidates(np.array(rows).T)
