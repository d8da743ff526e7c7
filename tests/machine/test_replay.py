"""A program replayed without its clock leaves what the machine leaves."""

from dataclasses import replace

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from accelsim import machine
from accelsim.errors import AccelsimError
from accelsim.hardware import load_hardware
from accelsim.lowering import REALISATIONS, Operation, lower, outline
from accelsim.network import Nest
from accelsim.quant import Request, Statistic
from tests.naive.layer import naive_accumulators
from tests.strategies import machines, operations, random_operands

EVERYTHING = Request(
    frozenset(
        {Statistic.MOMENTS, Statistic.EXCEEDANCES, Statistic.SAMPLES, Statistic.CHUNKS}
    ),
    threshold=1000.0,
    chunks=3,
)  # fmt: skip


def lowered(operation, hardware, realisation):
    try:
        return lower(operation, hardware, realisation)
    except AccelsimError as error:
        assert "sram" in str(error)
        assume(False)


def same_statistics(one, other):
    for name in ("minima", "maxima"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        for groups in ("samples", "chunks"):
            np.testing.assert_array_equal(
                getattr(getattr(one, groups), name), getattr(getattr(other, groups), name)
            )
    for name in ("count", "sums", "squares", "above", "above_half"):
        assert getattr(one, name) == getattr(other, name)


@settings(max_examples=60)
@given(operations(), machines(), st.sampled_from(list(REALISATIONS)), st.integers(0, 2**32))
def test_a_replay_leaves_the_bits_statistics_and_counts_of_the_run(
    operation, hardware, realisation, seed
):
    operands = random_operands(operation, seed, mode=str(hardware.requantizer.mode))
    operands = replace(operands, request=EVERYTHING)
    if realisation != "static":
        known = operands.requantization
        operands = replace(operands, requantization=None, decide=lambda _: known)
    program = lowered(operation, hardware, realisation)
    ran = machine.run(program, hardware, operands).outcome
    product = machine.whole_product(program, hardware.accumulator, operands)
    replayed = machine.replay(program, hardware.accumulator, operands, product)
    np.testing.assert_array_equal(replayed.output, ran.output)
    assert replayed.output.dtype == ran.output.dtype
    assert replayed.overflow_count == ran.overflow_count
    assert replayed.saturated_count == ran.saturated_count
    assert replayed.requantization is ran.requantization
    same_statistics(replayed.statistics, ran.statistics)


@settings(max_examples=60)
@given(operations(), machines(), st.sampled_from(list(REALISATIONS)), st.integers(0, 2**32))
def test_an_outline_alone_leaves_the_bits_statistics_and_counts_of_any_program(
    operation, hardware, realisation, seed
):
    operands = random_operands(operation, seed, mode=str(hardware.requantizer.mode))
    operands = replace(operands, request=EVERYTHING)
    if realisation != "static":
        known = operands.requantization
        operands = replace(operands, requantization=None, decide=lambda _: known)
    program = lowered(operation, hardware, realisation)
    product = machine.whole_product(program, hardware.accumulator, operands)
    by_tiles = machine.replay(program, hardware.accumulator, operands, product)
    bare = outline(operation, hardware, realisation)
    assert not bare.commands
    at_once = machine.replay_whole(bare, hardware.accumulator, operands, product)
    np.testing.assert_array_equal(at_once.output, by_tiles.output)
    assert at_once.overflow_count == by_tiles.overflow_count
    assert at_once.saturated_count == by_tiles.saturated_count
    same_statistics(at_once.statistics, by_tiles.statistics)


@settings(max_examples=40)
@given(operations(), machines(), st.sampled_from(list(REALISATIONS)), st.integers(0, 2**32))
def test_an_outline_leaves_the_second_copy_as_well(operation, hardware, realisation, seed):
    operation = replace(operation, second_output_bits=16)
    operands = random_operands(operation, seed, mode=str(hardware.requantizer.mode))
    known = operands.requantization
    known = replace(known, second=replace(known, minimum=-9, maximum=99, seed=seed + 1))
    operands = replace(operands, requantization=known)
    if realisation != "static":
        operands = replace(operands, requantization=None, decide=lambda _: known)
    program = lowered(operation, hardware, realisation)
    product = machine.whole_product(program, hardware.accumulator, operands)
    by_tiles = machine.replay(program, hardware.accumulator, operands, product)
    bare = outline(operation, hardware, realisation)
    at_once = machine.replay_whole(bare, hardware.accumulator, operands, product)
    np.testing.assert_array_equal(at_once.output, by_tiles.output)
    np.testing.assert_array_equal(at_once.second_output, by_tiles.second_output)
    assert at_once.saturated_count == by_tiles.saturated_count


@settings(max_examples=20)
@given(operations(), machines(), st.integers(0, 2**32))
def test_an_outline_leaves_float32_without_a_range(operation, hardware, seed):
    operation = replace(operation, output_float=True, output_bits=32)
    operands = random_operands(operation, seed)
    scales = np.random.default_rng(seed).uniform(
        1e-9, 1e-3, len(operands.requantization.multipliers)
    )
    operands = replace(operands, requantization=None, scales=scales)
    program = lowered(operation, hardware, "static")
    product = machine.whole_product(program, hardware.accumulator, operands)
    by_tiles = machine.replay(program, hardware.accumulator, operands, product)
    bare = outline(operation, hardware, "static")
    at_once = machine.replay_whole(bare, hardware.accumulator, operands, product)
    assert at_once.output.dtype == np.float32
    np.testing.assert_array_equal(at_once.output, by_tiles.output)


@settings(max_examples=30)
@given(operations(), machines(), st.integers(0, 2**32))
def test_the_whole_product_is_that_of_the_naive_twin(operation, hardware, seed):
    operands = random_operands(operation, seed)
    program = lowered(operation, hardware, "static")
    product = machine.whole_product(program, hardware.accumulator, operands)
    sums, overflows = naive_accumulators(
        operation.nest, operands, hardware.accumulator, operation.direction
    )
    np.testing.assert_array_equal(product.sums, sums)
    assert product.overflow_count == overflows


def test_one_product_serves_any_number_of_replays():
    operation, hardware = Operation(Nest(1, 2, 1, 6, 9, 7, 7, 3, 3)), load_hardware("mcu")
    operands = random_operands(operation, 7)
    program = lower(operation, hardware, "static")
    product = machine.whole_product(program, hardware.accumulator, operands)
    before = product.sums.copy()
    outputs = [
        machine.replay(
            lower(operation, hardware, realisation), hardware.accumulator, operands, product
        ).output
        for realisation in ("static", "spill", "recompute", "static")
    ]
    np.testing.assert_array_equal(product.sums, before)
    for output in outputs[1:]:
        np.testing.assert_array_equal(output, outputs[0])
    assert outputs[0].any()
