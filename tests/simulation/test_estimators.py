"""Estimators in whole runs: the statistics unit tells them what the tensor itself would."""

import numpy as np
import pytest

from accelsim import simulate
from accelsim.network import Conv2d, Linear, MatMul, synthetic_steps
from accelsim.network.reference import float_output
from accelsim.quant import Observation, Scheme, make_estimator

CONV = Conv2d(name="conv", in_channels=6, out_channels=10, height=9, width=7, kernel=3, padding=1)
LAYERS = (CONV, Linear("linear", 24, 10, rows=3), MatMul("matmul", 5, 6, 7, copies=2))
STEPS = 5


def exact_outputs(layer):
    """The float outputs of every step, in the nest's layout."""
    for tensors in synthetic_steps(layer, 2, STEPS, 0, 0.3):
        x, w = layer.to_nest_input(tensors.input), layer.to_nest_weights(tensors.weights)
        yield float_output(layer.nest(2), x, w, None)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
@pytest.mark.parametrize(
    "specification",
    [
        "fixed:maximum=3.0", "fixed-point:fraction=4", "current", "running", "in-hindsight",
        "saturation:ratio=0.02", "sigma-ema", "chunked:chunks=4", "power-of-two", "delayed",
    ],
)  # fmt: skip
def test_a_run_uses_nearly_the_range_that_the_float_tensors_give(specification, layer):
    """12 bits, so that the operands are nearly exact and no sum leaves its accumulator."""
    bits = {"input_bits": 12, "weight_bits": 12}
    result = simulate(
        layer, "edge", Scheme.parse(specification, **bits), steps=STEPS, batch=2, drift=0.3
    )
    estimator = make_estimator(specification)
    for step, values in enumerate(exact_outputs(layer)):
        request = estimator.request(step)
        decision = estimator.decision_for(step)
        observed = Observation.of(values, request)
        if decision is None:
            decision = estimator.decision_from(observed)
        estimator.observe(observed)
    used = result.numerics.range_used
    assert (used.minimum, used.maximum) == pytest.approx(
        (decision.limits.minimum, decision.limits.maximum), rel=2e-3, abs=2e-3
    )
    assert result.numerics.output_scale == pytest.approx(decision.grid().scale, rel=2e-3)
    assert result.realisation == ("spill" if estimator.needs_current else "static")


@pytest.mark.parametrize("specification", ["sigma-ema", "saturation:ratio=0.02", "chunked"])
def test_every_realisation_shows_the_statistics_unit_each_accumulator_once(specification):
    results = [
        simulate(CONV, "edge", f"{specification}/{realisation}", steps=3)
        for realisation in ("spill", "lazy", "recompute", "resident")
    ]
    assert [r.realisation for r in results] == ["spill", "lazy", "recompute", "resident"]
    assert len({result.numerics.range_used for result in results}) == 1


def test_a_constant_range_needs_no_past():
    result = simulate(CONV, "edge", "fixed", steps=1)
    assert (result.realisation, result.step) == ("static", 0)
    assert np.isfinite(result.numerics.sqnr_db)
