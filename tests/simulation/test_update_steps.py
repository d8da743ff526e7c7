"""Schemes that look at the tensor now and then: what their steps do, and what they come to."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import accelsim
from accelsim.errors import AccelsimError
from accelsim.network import Conv2d, MatMul, StepTensors, synthetic_steps
from accelsim.quant import Request, Scheme, Statistic, make_estimator
from tests.machine.test_values import run_or_skip
from tests.naive.layer import naive_accumulators
from tests.strategies import machines, operations, random_operands

CONV = Conv2d("conv", 6, 10, 3, 9, 8, stride=2, padding=(1, 0, 2, 1), bias=True)
DYNAMIC = ("spill", "lazy", "recompute", "resident")


@settings(max_examples=25)
@given(
    operations(("forward", "grad-input")),
    machines(),
    st.sampled_from(DYNAMIC),
    st.integers(0, 2**32),
)
def test_a_search_sees_the_accumulators_of_the_naive_twin(operation, hardware, realisation, seed):
    operands, nest = random_operands(operation, seed), operation.nest
    request = Request(frozenset({Statistic.TENSOR}))
    late = replace(
        operands, requantization=None, decide=lambda _: operands.requantization, request=request
    )
    outcome = run_or_skip(operation, hardware, realisation, late).outcome
    sums, _ = naive_accumulators(nest, operands, hardware.accumulator, operation.direction)
    np.testing.assert_array_equal(outcome.statistics.tensor, sums)
    scales = np.arange(1.0, nest.copies * sums.shape[3] + 1)
    real = outcome.statistics.to_observation(0.5, scales).values
    for image, values in enumerate(real):
        own = scales.reshape(nest.copies, -1)[image // nest.batch]
        np.testing.assert_array_equal(values, sums[image] * own / 2)


def test_a_search_over_sixteen_bits_sees_what_was_stored():
    layer = accelsim.Linear("wide", 600, 8, rows=40)
    (step,) = synthetic_steps(layer, steps=1)
    exact = accelsim.simulate(layer, "edge", "dsgc/spill", step).numerics.range_used
    rounded = accelsim.simulate(layer, "edge", "dsgc/spill16", step).numerics.range_used
    assert rounded.maximum == pytest.approx(exact.maximum, rel=0.05)
    assert rounded != exact


@pytest.mark.parametrize("layer", [CONV, MatMul("product", 5, 6, 7, copies=2)])
@pytest.mark.parametrize("estimator", ["dsgc:iterations=5", "bit-adaptive:threshold=0.0"])
def test_realisations_of_an_update_step_give_the_same_bits(layer, estimator):
    (step,) = synthetic_steps(layer, batch=2, steps=1, seed=4)
    results = [accelsim.simulate(layer, "mcu", f"{estimator}/{r}", step) for r in DYNAMIC]
    for result in results[1:]:
        np.testing.assert_array_equal(result.output, results[0].output)
        assert result.numerics == results[0].numerics
    assert [r.realisation for r in results] == list(DYNAMIC)


def test_dsgc_searches_on_update_steps_and_is_static_in_between():
    steps = synthetic_steps(CONV, steps=5, seed=1, drift=0.3)
    static = accelsim.simulate(CONV, "edge", "in-hindsight", steps[:2])
    for number in range(5):
        result = accelsim.simulate(CONV, "edge", "dsgc:period=3,iterations=6", steps[: number + 1])
        phases = [phase.phase for phase in result.phases]
        if number % 3:
            assert (result.realisation, phases) == ("static", ["product"])
            assert (result.traffic, result.total_cycles) == (static.traffic, static.total_cycles)
        else:
            assert (result.realisation, phases) == ("spill", ["product", "search", "requantize"])
            reads = sum(row.bytes for row in result.traffic if row.phase == "search")
            assert reads == 8 * result.bytes_of("accumulators", "store")


@pytest.mark.parametrize("data", ["synthetic", None])
def test_the_amortised_cost_is_that_of_one_update_and_the_steps_until_the_next(data):
    result = accelsim.simulate(CONV, "edge", "dsgc:period=100,iterations=6", data)
    update = accelsim.simulate(CONV, "edge", "dsgc:period=100,iterations=6", steps=1)
    found = result.amortised
    assert result.realisation == "static"
    assert (found.period_steps, found.passes) == (100, 9)
    assert (found.update.bytes, found.update.cycles) == (update.total_bytes, update.total_cycles)
    assert found.update.phases == update.phases
    assert (found.plain.bytes, found.plain.cycles) == (result.total_bytes, result.total_cycles)
    every = [update, *[result] * 99]
    assert result.bytes_per_step == sum(r.total_bytes for r in every) / 100
    assert result.cycles_per_step == sum(r.total_cycles for r in every) / 100
    assert update.amortised == found
    assert accelsim.Result.from_json(result.to_json()) == result


def test_a_scheme_without_updates_costs_what_its_step_costs():
    result = accelsim.simulate(CONV)
    assert result.amortised is None
    assert (result.bytes_per_step, result.cycles_per_step) == (
        result.total_bytes,
        result.total_cycles,
    )


def spiked():
    """A tensor whose mean magnitude 8 bits cannot keep: one value 320 times all others."""
    x = np.full((600, 1), 0.4)
    x[7] = 128.0
    return accelsim.Linear("spiked", 1, 4, rows=600), StepTensors(x, np.ones((4, 1)))


def test_a_retry_of_bit_adaptation_costs_a_read_and_widens_the_output():
    layer, step = spiked()
    content, picky = (
        Scheme.parse(name, input_bits=16) for name in ("bit-adaptive:threshold=1.0", "bit-adaptive")
    )
    narrow = accelsim.simulate(layer, "edge", content, step)
    retried = accelsim.simulate(layer, "edge", picky, step)
    assert (narrow.output_bits, retried.output_bits) == (8, 16)
    stored, read = (
        retried.bytes_of("accumulators", "store"),
        retried.bytes_of("accumulators", "load"),
    )
    assert read == 2 * stored
    assert narrow.bytes_of("accumulators", "load") == stored
    assert retried.bytes_of("output") == 2 * narrow.bytes_of("output")
    assert retried.amortised.passes == 2
    later = accelsim.simulate(layer, "edge", picky, [step, step])
    assert (later.output_bits, later.realisation) == (16, "static")
    assert later.bytes_of("output") == retried.bytes_of("output")
    assert retried.numerics.sqnr_db > narrow.numerics.sqnr_db + 20


def test_an_update_step_without_values_takes_the_cycles_of_one_with_them():
    scheme = Scheme.parse("dsgc:iterations=4")
    valued = accelsim.simulate(CONV, "mcu", scheme, steps=1)
    timed = accelsim.simulate(CONV, "mcu", scheme, None).amortised.update
    assert (timed.cycles, timed.bytes, timed.phases) == (
        valued.total_cycles, valued.total_bytes, valued.phases,
    )  # fmt: skip


def test_a_scheme_that_looks_now_and_then_is_not_static():
    assert Scheme.parse("dsgc").label == "dsgc/spill"
    with pytest.raises(
        AccelsimError, match="'dsgc/static': dsgc takes its range from the finished"
    ):
        Scheme.parse("dsgc/static")


def test_bit_adaptation_says_when_it_will_look_again():
    assert make_estimator("bit-adaptive:longest=7").period == 7
    assert make_estimator("dsgc:period=9").period == 9
    assert make_estimator("in-hindsight").period is None
