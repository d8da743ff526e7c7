"""Random layers, machines and operands, small enough for a slow twin."""

import numpy as np
from hypothesis import strategies as st

from accelsim.hardware import load_hardware
from accelsim.lowering import DIRECTIONS, Operation
from accelsim.machine import Operands
from accelsim.network import Nest
from accelsim.numerics import RequantizationMode, exact_sum_bound, fixed_point_scales
from accelsim.program import FORWARD, GRAD_INPUT, GRAD_WEIGHT
from accelsim.quant import Requantization

DATAFLOWS = ("weight-stationary", "input-stationary", "output-stationary")


@st.composite
def nests(draw, most_size=9):
    """Convolutions, depthwise and grouped ones, and batched products."""
    small = st.integers(1, 3)
    kind = draw(st.sampled_from(["conv", "conv", "grouped", "depthwise", "copies"]))
    groups = draw(st.integers(2, 5)) if kind in ("grouped", "depthwise") else 1
    kernel = draw(small), draw(small)
    dilation = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    padding = [draw(st.integers(0, 3)) for _ in range(4)]
    height = draw(st.integers(max(1, reach[0] - padding[0] - padding[2]), most_size))
    width = draw(st.integers(max(1, reach[1] - padding[1] - padding[3]), most_size))
    return Nest(
        copies=draw(st.integers(2, 3)) if kind == "copies" else 1,
        batch=draw(st.integers(1, 3)),
        groups=groups,
        in_channels=1 if kind == "depthwise" else draw(st.integers(1, 20)),
        out_channels=1 if kind == "depthwise" else draw(st.integers(1, 20)),
        in_height=height,
        in_width=width,
        kernel_height=kernel[0],
        kernel_width=kernel[1],
        stride_h=draw(small),
        stride_w=draw(small),
        dilation_h=dilation[0],
        dilation_w=dilation[1],
        pad_top=padding[0],
        pad_left=padding[1],
        pad_bottom=padding[2],
        pad_right=padding[3],
    )


@st.composite
def operations(draw, directions=DIRECTIONS):
    nest, direction = draw(nests()), draw(st.sampled_from(directions))
    return Operation(
        nest=nest.input_gradient() if direction == GRAD_INPUT else nest,
        name="random",
        direction=direction,
        input_bits=draw(st.sampled_from([1, 2, 3, 4, 7, 8, 12, 16])),
        weight_bits=draw(st.sampled_from([1, 2, 3, 4, 7, 8, 12, 16])),
        output_bits=draw(st.sampled_from([1, 2, 4, 5, 8, 16])),
        bias=direction == FORWARD and draw(st.booleans()),
    )


@st.composite
def machines(draw):
    """Machines from tiny to roomy, of every dataflow."""
    kib = st.sampled_from([0.25, 0.5, 1, 4, 64])
    overrides = {
        "array.rows": draw(st.integers(1, 20)),
        "array.columns": draw(st.integers(1, 20)),
        "array.dataflow": draw(st.sampled_from(DATAFLOWS)),
        "array.stationary_sets": draw(st.integers(1, 2)),
        "array.depthwise_packing": draw(st.integers(1, 4)),
        "array.issue_gap_cycles": draw(st.integers(0, 2)),
        "accumulator.bits": draw(st.sampled_from([16, 24, 32])),
        "accumulator.overflow": draw(st.sampled_from(["wrap", "saturate"])),
        "sram.input_kib": draw(kib),
        "sram.weight_kib": draw(kib),
        "sram.accumulator_kib": draw(kib),
        "sram.output_kib": draw(kib),
        "stat_unit.lanes": draw(st.sampled_from([None, 1, 3])),
        "stat_unit.reduction": draw(st.sampled_from(["combinational", "pipelined", "serial"])),
        "requantizer.lanes": draw(st.sampled_from([None, 1, 5])),
        "requantizer.stages": draw(st.integers(0, 3)),
        "requantizer.mode": draw(st.sampled_from([str(mode) for mode in RequantizationMode])),
        "dma.in_flight_bursts": draw(st.sampled_from([1, 4, 32])),
        "dma.arbitration": draw(st.sampled_from(["round-robin", "load-first", "store-first"])),
    }
    return load_hardware("edge", overrides | draw(memories()))


@st.composite
def memories(draw):
    """Ideal memories, and now and then one of banks and rows."""
    preset = draw(st.sampled_from([None, None, "ddr4-2400", "lpddr4-3200", "hbm2-2000"]))
    if preset is None:
        return {
            "dram.burst_bytes": draw(st.sampled_from([16, 64])),
            "dram.bandwidth_gb_per_s": draw(st.sampled_from([0.5, 3.7, 25.6])),
            "dram.latency_ns": draw(st.sampled_from([0, 100])),
        }
    return {
        "clock_mhz": draw(st.sampled_from([200, 800, 933.3])),
        "dram.preset": preset,
        "dram.channels": draw(st.sampled_from([1, 2])),
        "dram.page_policy": draw(st.sampled_from(["open", "closed"])),
        "dram.write_response": draw(st.sampled_from(["written", "accepted"])),
    }


def random_integers(rng, bits, signed, shape):
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1)) if signed else (0, 2**bits)
    return rng.integers(low, high, shape).astype(np.int32)


def random_operands(operation, seed, signed=False, asymmetric_weights=True, mode="nearest-even"):
    """Operands over the whole range of their bits, and a requantization that clamps some."""
    rng = np.random.default_rng(seed)
    nest = operation.nest
    x = random_integers(rng, operation.input_bits, signed, nest.input_shape)
    w = random_integers(rng, operation.weight_bits, True, operation.weight_shape)
    x_zero = int(random_integers(rng, operation.input_bits, signed, ()))
    filters, reduction, scales = operation.weight_shape[0], nest.reduction, nest.weight_vectors
    if operation.direction == GRAD_WEIGHT:
        filters, reduction = 1, nest.batch * nest.out_height * nest.out_width
        scales = nest.in_channels
    w_zero = np.zeros(filters, np.int64)
    if asymmetric_weights:
        w_zero = random_integers(rng, operation.weight_bits, True, filters).astype(np.int64)
    bias = rng.integers(-1000, 1000, filters) if operation.bias else None
    magnitude = 2**operation.input_bits * 2**operation.weight_bits
    bound = exact_sum_bound(reduction, 2**operation.input_bits, 2**operation.weight_bits, 1000)
    typical = magnitude * reduction**0.5 / 4
    ratios = rng.uniform(0.5, 2, scales) * 2**operation.output_bits / typical
    multipliers, shifts = fixed_point_scales(ratios)
    requantization = Requantization(
        multipliers,
        shifts,
        zero_point=int(rng.integers(0, 2**operation.output_bits)),
        minimum=0,
        maximum=2**operation.output_bits - 1,
        mode=RequantizationMode(mode),
        seed=int(rng.integers(0, 2**62)),
    )
    return Operands(
        input=x,
        input_zero_point=x_zero,
        weights=w,
        weight_zero_points=w_zero,
        sum_bound=bound,
        bias=bias,
        requantization=requantization,
    )
