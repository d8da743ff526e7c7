"""simulate and compare: steps, ranges and errors, held against the twins and the float layer."""

import json
import subprocess
import sys

import numpy as np
import pytest

import accelsim
from accelsim.errors import AccelsimError
from accelsim.network import Conv2d, Linear, MatMul, StepTensors, synthetic_steps
from accelsim.quant import Range, Scheme
from tests.naive import quant as twin

CONV = Conv2d("conv", 6, 10, 3, 9, 8, stride=2, padding=(1, 0, 2, 1), bias=True)
LAYERS = [
    CONV,
    Conv2d("grouped", 8, 12, 3, 7, 7, padding=1, groups=4),
    Conv2d.depthwise("depthwise", 16, 3, 10, 9, padding="same"),
    Linear("linear", 50, 20, bias=True, rows=3),
    MatMul("product", 12, 16, 9, copies=3),
]


def float_layer(layer, tensors):
    """The layer in plain NumPy, in the user's layout."""
    x, w = tensors.input, tensors.weights
    if isinstance(layer, MatMul):
        return x @ w
    if isinstance(layer, Linear):
        return x @ w.T + tensors.bias
    top, left, bottom, right = layer.padding
    x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    _, _, height, width = layer.output_shape(len(x))
    out = np.zeros(layer.output_shape(len(x)))
    per_group = layer.in_channels // layer.groups
    for o in range(layer.out_channels):
        group = o // (layer.out_channels // layer.groups)
        own = x[:, group * per_group : (group + 1) * per_group]
        for i in range(height):
            for j in range(width):
                a, b = i * layer.stride[0], j * layer.stride[1]
                patch = own[:, :, a : a + layer.kernel[0], b : b + layer.kernel[1]]
                out[:, o, i, j] = (patch * w[o]).sum(axis=(1, 2, 3))
        if tensors.bias is not None:
            out[:, o] += tensors.bias[o]
    return out


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
@pytest.mark.parametrize("scheme", ["in-hindsight", "current"])
def test_a_finely_quantized_output_is_the_float_layer_up_to_rounding(layer, scheme):
    steps = synthetic_steps(layer, batch=2, steps=2, seed=3, drift=0)
    wide = Scheme.parse(scheme, weight_bits=12, input_bits=12, output_bits=16)
    result = accelsim.simulate(layer, "mcu", wide, [steps[0], steps[0]])
    exact = float_layer(layer, steps[0])
    numerics = result.numerics
    real = numerics.output_scale * (result.output - numerics.output_zero_point)
    assert result.output.shape == exact.shape
    np.testing.assert_allclose(real, exact, atol=np.abs(exact).max() * 2e-3)
    assert numerics.overflow_count == 0
    assert numerics.sqnr_db > 60
    noise = real - exact
    sqnr = 10 * np.log10((exact**2).sum() / (noise**2).sum())
    assert numerics.sqnr_db == pytest.approx(sqnr, abs=1e-6)
    assert numerics.bias == pytest.approx(noise.mean(), abs=1e-9)


def test_the_range_used_in_hindsight_is_the_recurrence_over_what_was_observed():
    steps = synthetic_steps(CONV, steps=5, seed=1, drift=0.3)
    results = [accelsim.simulate(CONV, "edge", "in-hindsight", steps[:n]) for n in range(2, 6)]
    observed = [
        accelsim.simulate(CONV, "edge", "current", [step]).numerics.range_observed for step in steps
    ]
    pairs = [(r.minimum, r.maximum) for r in observed]
    expected = twin.hindsight(pairs, 0.9)
    for number, result in enumerate(results, start=1):
        used = result.numerics.range_used
        assert result.step == number
        assert (used.minimum, used.maximum) == pytest.approx(expected[number])
        seen = result.numerics.range_observed
        assert (seen.minimum, seen.maximum) == pairs[number]


def test_the_observed_range_is_that_of_the_output_up_to_the_operands_grids():
    (step,) = synthetic_steps(CONV, steps=1)
    wide = Scheme.parse("current", weight_bits=12, input_bits=12, output_bits=8)
    result = accelsim.simulate(CONV, "edge", wide, step)
    exact = Range.of(float_layer(CONV, step))
    seen = result.numerics.range_observed
    assert seen.minimum == pytest.approx(exact.minimum, rel=1e-3)
    assert seen.maximum == pytest.approx(exact.maximum, rel=1e-3)


@pytest.mark.parametrize("bits", [1, 16])
def test_the_narrowest_and_the_widest_operands_run_as_any_other(bits):
    """A channel vector fills whole bytes: 16 channels of a bit are two."""
    layer = Conv2d("conv", 8, 16, 1, 6, 6)
    scheme = Scheme.parse("current", weight_bits=bits, input_bits=bits, output_bits=bits)
    result = accelsim.simulate(layer, "edge", scheme)
    assert result.output.min() == 0
    assert result.output.max() == 2**bits - 1
    stored = [row.bytes for row in result.traffic if row.tensor == "output"]
    assert stored == [36 * 16 * bits // 8]


def test_static_and_spill_of_one_range_give_the_same_bits():
    steps = synthetic_steps(CONV, steps=3, seed=2)
    one = accelsim.simulate(CONV, "edge", "in-hindsight/static", steps)
    other = accelsim.simulate(CONV, "mcu", "in-hindsight/spill", steps)
    np.testing.assert_array_equal(one.output, other.output)
    assert one.numerics == other.numerics
    assert other.total_bytes > one.total_bytes


def test_timing_only_gives_the_cycles_and_bytes_of_the_run_with_values():
    for scheme in ("in-hindsight", "current"):
        timed = accelsim.simulate(CONV, "mcu", scheme, None, batch=2)
        valued = accelsim.simulate(CONV, "mcu", scheme, batch=2)
        assert timed.numerics is None
        assert timed.data == "none"
        assert valued.data == accelsim.compare(CONV, "mcu").baseline.data == "synthetic"
        assert (timed.total_cycles, timed.units, timed.traffic, timed.spans) == (
            valued.total_cycles, valued.units, valued.traffic, valued.spans,
        )  # fmt: skip


def test_the_same_arguments_give_the_same_document_and_another_seed_another():
    stochastic = accelsim.load_hardware("edge", {"requantizer.mode": "stochastic"})
    texts = [accelsim.compare(CONV, stochastic, seed=seed).to_json() for seed in (4, 4, 5)]
    assert texts[0] == texts[1] != texts[2]


def test_a_second_process_gives_the_same_document():
    code = (
        "import accelsim; "
        "print(accelsim.compare(accelsim.Conv2d('c', 6, 10, 3, 9, 8, bias=True)).to_json())"
    )
    texts = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
        for _ in range(2)
    }
    here = accelsim.compare(Conv2d("c", 6, 10, 3, 9, 8, bias=True)).to_json()
    assert texts == {here + "\n"}


def test_json_comes_back_equal():
    comparison = accelsim.compare(CONV)
    assert accelsim.Comparison.from_json(comparison.to_json()) == comparison
    result = comparison.results[0]
    assert accelsim.Result.from_json(result.to_json()) == result
    assert json.loads(comparison.to_json())["ratios"][0]["bytes_ratio"] == (
        comparison.results[1].total_bytes / result.total_bytes
    )


def test_a_frame_has_a_row_per_tensor_direction_and_phase():
    comparison = accelsim.compare(CONV)
    frame = comparison.to_frame()
    assert frame["bytes"].sum() == sum(r.total_bytes for r in comparison.results)
    assert set(frame["scheme"]) == {"in-hindsight/static", "current/spill"}


def test_overflow_of_a_narrow_accumulator_is_reported():
    narrow = accelsim.load_hardware("edge", {"accumulator.bits": 16})
    result = accelsim.simulate(Linear("wide", 512, 8), narrow)
    assert result.numerics.overflow_count > 0
    assert accelsim.simulate(Linear("wide", 512, 8)).numerics.overflow_count == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"work": "resnet18.layre1"}, "layre1"),
        ({"work": "resnet19.layer1"}, "resnet19"),
        ({"hardware": "edgy"}, "edgy"),
        ({"scheme": "in-hindsigth"}, "in-hindsight"),
        ({"scheme": "current/static"}, "current/spill"),
        ({"data": "real"}, "data='real'"),
        ({"data": []}, r"data=\[\]"),
        ({"batch": 0}, "batch"),
        ({"steps": 1}, "steps=1.*at least 2"),
        ({"drift": float("nan")}, "drift"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(arguments, message):
    with pytest.raises(AccelsimError, match=message) as error:
        accelsim.simulate(**({"work": CONV} | arguments))
    assert "\n" not in str(error.value)


def test_tensors_of_another_shape_are_refused_by_name():
    (step,) = synthetic_steps(CONV, steps=1)
    wrong = StepTensors(step.input[:, :3], step.weights, step.bias)
    with pytest.raises(AccelsimError, match="input"):
        accelsim.simulate(CONV, "edge", "current", wrong)


def test_a_tile_that_cannot_fit_names_the_buffer():
    small = accelsim.load_hardware("edge", {"sram.weight_kib": 0.01})
    with pytest.raises(AccelsimError, match=r"sram\.weight_kib=0\.01.*must be at least"):
        accelsim.simulate(CONV, small)


def test_progress_is_told_after_every_step_of_every_scheme():
    told = []
    layer = accelsim.Linear("fc", 8, 4)
    accelsim.compare(layer, steps=3, progress=lambda done, total: told.append((done, total)))
    assert told == [(done, 6) for done in range(1, 7)]
