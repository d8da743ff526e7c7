"""Schemes with a range for each sample or region: what a user sees of them."""

import numpy as np
import pytest

import accelsim
from accelsim.errors import AccelsimError
from accelsim.network import Conv2d, Linear, MatMul, synthetic_steps
from accelsim.quant import Grid, Range, Scheme, register
from accelsim.quant.estimators import registry
from accelsim.quant.estimators.householder import BlockHouseholder

CONV = Conv2d("conv", 6, 10, 3, 9, 8, stride=2, padding=(1, 0, 2, 1), bias=True)
LAYERS = [
    CONV,
    Conv2d.depthwise("depthwise", 16, 3, 10, 9, padding="same"),
    Linear("linear", 50, 20, bias=True, rows=3),
    MatMul("product", 12, 16, 9, copies=3),
]
DYNAMIC = ("spill", "lazy", "recompute", "resident")


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
@pytest.mark.parametrize("name", ["per-sample", "per-sample:symmetric=1"])
def test_realisations_of_ranges_per_sample_give_the_same_bits(layer, name):
    (step,) = synthetic_steps(layer, batch=3, steps=1, seed=4)
    results = [accelsim.simulate(layer, "mcu", f"{name}/{r}", step) for r in DYNAMIC]
    for result in results[1:]:
        np.testing.assert_array_equal(result.output, results[0].output)
        assert result.numerics == results[0].numerics
    # 32 bits of scale, and 8 of the zero point of an asymmetric grid.
    assert {r.bytes_of("ranges") for r in results} == {3 * (4 if "symmetric" in name else 5)}


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_realisations_of_mixed_samples_give_the_same_bits(layer):
    (step,) = synthetic_steps(layer, batch=3, steps=1, seed=4)
    results = [
        accelsim.simulate(layer, "mcu", f"block-householder/{r}", step)
        for r in ("spill", "lazy", "resident")
    ]
    for result in results[1:]:
        np.testing.assert_array_equal(result.output, results[0].output)
        assert result.numerics == results[0].numerics
    # 32 bits of scale, 8 of zero point, and 64 of the sample's group and its ratio.
    assert {r.bytes_of("ranges") for r in results} == {3 * 13}
    plain = accelsim.simulate(layer, "mcu", "current", step)
    assert plain.unit("vector unit").idle_cycles == plain.total_cycles
    timed = accelsim.simulate(layer, "mcu", "block-householder", None, batch=3)
    assert (timed.total_cycles, timed.actions) == (results[0].total_cycles, results[0].actions)


@pytest.mark.parametrize("operation", ["forward", "grad-input"])
def test_mixed_samples_are_undone_to_the_tensor_they_stand_for(operation):
    layer = Conv2d("conv", 4, 8, 3, 8, 8, padding=1)
    result = accelsim.simulate(
        layer, "edge", Scheme.parse("block-householder", output_bits=12, input_bits=12,
        weight_bits=12), batch=5, steps=1, kind="gradient", operation=operation,
    )  # fmt: skip
    assert result.numerics.cosine > 0.9999
    assert result.numerics.sqnr_db > 40
    assert [phase.phase for phase in result.phases] == ["product", "mix", "requantize"]
    before, after = (np.array(counts) for counts in (result.values.before, result.values.after))
    assert np.abs(np.cumsum(before - after)).max() < 0.05 * before.sum()


def test_mixing_beats_a_range_per_sample_where_one_sample_is_large():
    """With stochastic rounding, at few bits; what the statistics unit saw decides the groups."""
    layer = Linear("linear", 64, 32)
    (step,) = synthetic_steps(layer, batch=16, steps=1)
    sizes = np.full((16, 1), 1e-3)
    sizes[5] = 1.0
    tensors = type(step)(step.input * sizes, step.weights, step.bias)
    machine = accelsim.load_hardware("edge", {"requantizer.mode": "stochastic"})
    fields = {"input_bits": 16, "weight_bits": 12, "output_bits": 4}
    errors = {
        name: accelsim.simulate(
            layer, machine, Scheme.parse(name, **fields), tensors
        ).numerics.mean_squared_error
        for name in ("block-householder", "per-sample", "current")
    }
    assert 3 * errors["block-householder"] < errors["per-sample"] < errors["current"]


def test_an_estimator_that_mixes_must_say_so_and_networks_refuse_it():
    class Silent(BlockHouseholder):
        """Decides reflections without a word."""

        mixes = False

        def extent(self, shape, samples):
            return None

    register("silent")(Silent)
    try:
        with pytest.raises(AccelsimError, match=r"silent/spill.*must say mixes = True"):
            accelsim.simulate(CONV, "edge", "silent/spill", batch=2)
    finally:
        registry._REGISTRY.pop("silent")
    with pytest.raises(AccelsimError, match="mixes samples, and to undo that in the next"):
        accelsim.simulate("digits-cnn", "edge", "block-householder", data=None)


def test_a_small_sample_beside_a_large_one_keeps_its_levels():
    layer = Conv2d("conv", 4, 8, 3, 8, 8, padding=1)
    (step,) = synthetic_steps(layer, batch=2, steps=1)
    scaled = step.input * np.array([1.0, 1e-3]).reshape(2, 1, 1, 1)
    tensors = type(step)(scaled, step.weights, step.bias)
    fields = {"input_bits": 16, "weight_bits": 12}
    shared, own = (
        accelsim.simulate(layer, "edge", Scheme.parse(name, **fields), tensors)
        for name in ("current", "per-sample")
    )
    levels = [len(np.unique(result.output[1])) for result in (shared, own)]
    assert levels[0] <= 3
    assert levels[1] > 100


def test_the_output_of_a_region_is_on_the_grid_of_the_region():
    layer = Conv2d("conv", 4, 16, 1, 8, 8)
    (step,) = synthetic_steps(layer, steps=1, seed=3)
    scheme = Scheme.parse("per-tile:rows=4,columns=4,channels=8", input_bits=12, weight_bits=12)
    result = accelsim.simulate(layer, "edge", scheme, step)
    exact = np.einsum("bchw,oc->bohw", step.input, step.weights[:, :, 0, 0])
    for row, column, channel in np.ndindex(2, 2, 2):
        own = (
            slice(None), slice(channel * 8, channel * 8 + 8),
            slice(row * 4, row * 4 + 4), slice(column * 4, column * 4 + 4),
        )  # fmt: skip
        grid = Grid.affine(Range.of(exact[own]), 8)
        assert np.abs(result.output[own] - grid.quantize(exact[own])).max() <= 1
    assert result.numerics.output_scale is None
    assert (
        result.numerics.sqnr_db
        > accelsim.simulate(
            layer, "edge", Scheme.parse("current", input_bits=12, weight_bits=12), step
        ).numerics.sqnr_db
    )


def test_regions_cost_their_ranges_and_no_spill():
    static, spill, tiles = (
        accelsim.simulate("resnet18.layer1", "edge", name, None)
        for name in ("in-hindsight", "current", "per-tile")
    )
    assert tiles.bytes_of("ranges", "store") == 7 * 7 * 2 * 5
    assert tiles.bytes_of("accumulators") == 0
    assert static.bytes_of("output") == tiles.bytes_of("output")
    assert static.total_bytes < tiles.total_bytes < spill.total_bytes / 4
    assert tiles.realisation == "static"


def test_one_step_suffices_and_no_bootstrap_is_told():
    from io import StringIO

    from rich.console import Console

    from accelsim.report.text import result_text

    result = accelsim.simulate(CONV, "edge", "per-tile", steps=1)
    buffer = StringIO()
    Console(file=buffer, width=80).print(result_text(result))
    assert "bootstrap" not in buffer.getvalue()


def test_timing_only_gives_the_cycles_of_a_run_with_values():
    for scheme in ("per-sample/resident", "per-tile:rows=2,channels=8"):
        timed = accelsim.simulate(CONV, "mcu", scheme, None, batch=2)
        valued = accelsim.simulate(CONV, "mcu", scheme, batch=2)
        assert (timed.total_cycles, timed.units, timed.traffic, timed.phases) == (
            valued.total_cycles, valued.units, valued.traffic, valued.phases,
        )  # fmt: skip


@pytest.mark.parametrize("data", ["synthetic", None])
@pytest.mark.parametrize("scheme", ["per-sample", "per-tile"])
def test_a_gradient_to_the_weights_has_no_parts(scheme, data):
    with pytest.raises(AccelsimError, match="must not need a range per sample"):
        accelsim.simulate(CONV, "edge", scheme, data, operation="grad-weight")
