"""Consecutive steps: each as if it were run alone after its past, whatever is made only once."""

from dataclasses import replace

import numpy as np
import pytest

import accelsim
from accelsim import machine
from accelsim.errors import AccelsimError
from accelsim.network import Conv2d, Linear, MatMul, synthetic_steps
from accelsim.quant import Scheme, estimator_names
from accelsim.quant.scheme import REALISATIONS
from accelsim.result import Comparison
from accelsim.simulation import programs, track
from accelsim.simulation.blocks import check_blocks, step_under

LAYERS = [
    Conv2d("conv", 6, 10, 3, 9, 8, stride=2, padding=(1, 0, 2, 1), bias=True),
    Conv2d("grouped", 8, 12, 3, 7, 7, padding=1, groups=4),
    Conv2d.depthwise("depthwise", 16, 3, 10, 9, padding="same"),
    Linear("linear", 50, 20, bias=True, rows=3),
    MatMul("product", 12, 16, 9, copies=3),
]


def every_scheme():
    """All combinations that a scheme accepts, but for the grids of a whole network's file."""
    for name in estimator_names():
        for realisation in REALISATIONS:
            try:
                scheme = Scheme(name, realisation)
            except AccelsimError:
                continue
            if not scheme.from_file:
                yield scheme


def schemes_of(layer, hardware):
    """Those of them that run on this layer and this machine."""
    for scheme in every_scheme():
        try:
            check_blocks(scheme, hardware)
        except AccelsimError:
            continue
        yield scheme


class Runs:
    """Counts the programs that went through the machine."""

    def __init__(self, monkeypatch):
        self.count = 0
        monkeypatch.setattr(programs, "run", self)

    def __call__(self, *arguments):
        self.count += 1
        return machine.run(*arguments)


def run_everything(monkeypatch):
    """Without the fast path: every step through the machine."""

    def through_the_machine(self, plan, operands=None, product=None):
        return machine.run(self.program(plan), self.hardware, operands)

    monkeypatch.setattr(programs.Programs, "run", through_the_machine)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
@pytest.mark.parametrize("mode", ["nearest-even", "stochastic"])
def test_replayed_steps_are_those_of_the_machine_step_by_step(layer, mode, monkeypatch):
    hardware = accelsim.load_hardware("mcu", {"requantizer.mode": mode, "accumulator.bits": 17})
    assert_replayed(layer, hardware, monkeypatch)


@pytest.mark.parametrize("layer", [LAYERS[0], LAYERS[3]], ids=lambda layer: layer.name)
def test_steps_in_blocks_are_replayed_as_well(layer, monkeypatch):
    hardware = accelsim.load_hardware("mcu")
    assert "mxint8/static" in [scheme.label for scheme in schemes_of(layer, hardware)]
    assert_replayed(layer, hardware, monkeypatch)


def assert_replayed(layer, hardware, monkeypatch):
    schemes = list(schemes_of(layer, hardware))
    arguments = {"batch": 2, "steps": 4, "drift": 0.3}
    quick = accelsim.compare(layer, hardware, schemes, **arguments)
    run_everything(monkeypatch)
    for scheme, one in zip(schemes, quick.results, strict=True):
        other = accelsim.simulate(layer, hardware, scheme, **arguments)
        assert one.to_json() == other.to_json()
        np.testing.assert_array_equal(one.output, other.output)


def test_a_program_goes_through_the_machine_once(monkeypatch):
    runs = Runs(monkeypatch)
    accelsim.compare(LAYERS[0], "mcu", ["in-hindsight", "delayed", "current"], steps=6)
    assert runs.count == 2, "static and spill"
    accelsim.compare(LAYERS[0], "mcu", [Scheme("current", "spill", output_bits=4)], steps=6)
    assert runs.count == 3


def test_realisations_of_one_estimator_share_its_values(monkeypatch):
    valued = []

    def counted(operands, scheme, *rest):
        valued.append(scheme.label)
        return step_under(operands, scheme, *rest)

    monkeypatch.setattr(track, "step_under", counted)
    names = ["current", "running", "current/lazy", "current/spill16", "current/resident"]
    results = accelsim.compare(LAYERS[0], "mcu", names, steps=2).results
    assert valued == ["current/spill", "running/spill", "current/spill16"] * 2
    assert [result.realisation for result in results] == [
        "spill", "spill", "lazy", "spill16", "resident",
    ]  # fmt: skip


def test_schemes_that_share_ranges_go_on_from_one_state():
    names = ["in-hindsight/static", "in-hindsight/lazy"]
    past = accelsim.compare(LAYERS[0], "mcu", names, steps=2)
    other = accelsim.compare(LAYERS[0], "mcu", names, steps=2, seed=1).results[1]
    mixed = Comparison((past.results[0], replace(past.results[1], state=other.state)))
    with pytest.raises(AccelsimError, match="lazy: must have the state of in-hindsight/static"):
        accelsim.compare(LAYERS[0], "mcu", names, steps=1, resume=mixed)


@pytest.mark.parametrize("scheme", ["in-hindsight", "current/recompute", "saturation:ratio=0.02"])
def test_every_step_of_the_trace_is_the_last_of_a_shorter_run(scheme):
    layer = LAYERS[0]
    steps = synthetic_steps(layer, steps=5, seed=3, drift=0.2)
    whole = accelsim.simulate(layer, "mcu", scheme, steps)
    assert [row.step for row in whole.trace.steps] == [0, 1, 2, 3, 4]
    for count in range(2, 6):
        shorter = accelsim.simulate(layer, "mcu", scheme, steps[:count])
        assert shorter.trace.steps == whole.trace.steps[:count]
        last = shorter.trace.steps[-1]
        assert (last.numerics, last.step) == (shorter.numerics, shorter.step)
        assert last.total_bytes == shorter.total_bytes
        assert last.total_cycles == shorter.total_cycles
        assert last.realisation == shorter.realisation


def test_the_trace_shows_the_spill_of_the_bootstrap_and_what_it_moves():
    static = accelsim.simulate(LAYERS[0], "mcu", "in-hindsight", steps=4)
    spill = accelsim.simulate(LAYERS[0], "mcu", "current", steps=4)
    assert [row.realisation for row in static.trace.steps] == ["spill"] + 3 * ["static"]
    assert static.trace.steps[0].total_bytes == spill.total_bytes
    assert static.trace.summary.total_bytes == spill.total_bytes + 3 * static.total_bytes


def test_one_scheme_beside_others_is_as_it_is_alone():
    names = ["in-hindsight", "current/lazy", "current/spill16", "sigma-ema"]
    together = accelsim.compare(LAYERS[1], "mcu", names, steps=4)
    for name, result in zip(names, together.results, strict=True):
        assert accelsim.simulate(LAYERS[1], "mcu", name, steps=4).to_json() == result.to_json()


def test_schemes_of_other_operand_grids_do_not_share_a_product():
    schemes = [
        Scheme("current", "spill"),
        Scheme("current", "spill", weight_bits=4),
        Scheme("current", "spill", inputs="symmetric", weight_scales="per-tensor"),
    ]
    together = accelsim.compare(LAYERS[1], "mcu", schemes, steps=3)
    for scheme, result in zip(schemes, together.results, strict=True):
        alone = accelsim.simulate(LAYERS[1], "mcu", scheme, steps=3)
        assert alone.to_json() == result.to_json()
    assert len({result.numerics.sqnr_db for result in together.results}) == 3


def test_the_metrics_of_a_step_are_those_of_its_output():
    steps = synthetic_steps(LAYERS[3], steps=2, drift=0.3, seed=5)
    scheme = Scheme.parse("in-hindsight", output_bits=3)
    result = accelsim.simulate(LAYERS[3], "edge", scheme, steps)
    found = result.numerics
    exact = steps[1].input @ steps[1].weights.T + steps[1].bias
    real = found.output_scale * (result.output - found.output_zero_point)
    assert found.levels_used == len(np.unique(result.output)) <= 8
    assert found.underflow_share == pytest.approx(np.mean(real[exact != 0] == 0))
    assert found.mean_squared_error == pytest.approx(np.mean((real - exact) ** 2))
    used, seen = found.range_used, found.range_observed
    assert found.range_staleness == pytest.approx(
        (used.maximum - used.minimum) / (seen.maximum - seen.minimum)
    )


def test_a_run_for_time_alone_has_no_trace():
    assert accelsim.simulate(LAYERS[0], "mcu", "current", None).trace is None


def traced(result):
    return result.trace.steps


def test_calibrated_ranges_need_no_bootstrap():
    conv = LAYERS[0]
    plain = accelsim.simulate(conv, "mcu", "in-hindsight", steps=3)
    calibrated = accelsim.simulate(conv, "mcu", "in-hindsight", steps=3, calibrate=4)
    assert [row.realisation for row in traced(plain)] == ["spill", "static", "static"]
    assert [row.realisation for row in traced(calibrated)] == 3 * ["static"]
    assert calibrated.trace.summary.total_bytes == 3 * calibrated.total_bytes
    assert calibrated.calibration_batches == 4
    assert accelsim.simulate(conv, "mcu", "in-hindsight", steps=1, calibrate=1).step == 0


def test_calibration_is_the_estimator_shown_these_batches():
    steps = synthetic_steps(LAYERS[3], steps=6, drift=0.3)
    result = accelsim.simulate(LAYERS[3], "mcu", "in-hindsight", steps, calibrate=4)
    ranges = [
        accelsim.simulate(LAYERS[3], "mcu", "current", [step]).numerics.range_observed
        for step in steps
    ]
    low, high = ranges[0].minimum, ranges[0].maximum
    for seen in ranges[1:4]:
        low, high = 0.1 * seen.minimum + 0.9 * low, 0.1 * seen.maximum + 0.9 * high
    first, second = traced(result)
    used = first.numerics.range_used
    assert (used.minimum, used.maximum) == pytest.approx((low, high))
    assert first.numerics.range_observed == ranges[4]
    assert (first.step, second.step) == (0, 1)


def test_calibration_takes_part_of_what_is_given_and_leaves_a_step():
    steps = synthetic_steps(LAYERS[3], steps=3)
    with pytest.raises(AccelsimError, match="calibrate = 3: must be a whole number from 0 to 2"):
        accelsim.simulate(LAYERS[3], "mcu", "current", steps, calibrate=3)


@pytest.mark.parametrize("scheme", list(every_scheme()), ids=lambda scheme: scheme.label)
def test_a_sequence_goes_on_from_a_saved_state_as_if_never_stopped(scheme):
    layer = LAYERS[1] if scheme.block is None else LAYERS[0]  # no blocks in groups
    drift = ["0.3", "spike:at=1,factor=5"]
    arguments = {"batch": 2, "drift": drift, "kind": "gradient", "seed": 0}
    whole = accelsim.simulate(layer, "mcu", scheme, steps=7, **arguments)
    first = accelsim.simulate(layer, "mcu", scheme, steps=3, **arguments)
    saved = accelsim.Result.from_json(first.to_json())
    rest = accelsim.simulate(layer, "mcu", scheme, steps=4, resume=saved, **arguments)
    assert traced(first) + traced(rest) == traced(whole)
    assert [row.step for row in traced(rest)] == [3, 4, 5, 6]
    assert rest.state == whole.state
    np.testing.assert_array_equal(rest.output, whole.output)


def test_given_steps_go_on_as_well():
    steps = synthetic_steps(LAYERS[0], steps=6, drift=0.2)
    whole = accelsim.compare(LAYERS[0], "mcu", data=steps)
    past = accelsim.compare(LAYERS[0], "mcu", data=steps[:4])
    rest = accelsim.compare(LAYERS[0], "mcu", data=steps[4:], resume=past)
    for one, other in zip(rest.results, whole.results, strict=True):
        assert traced(one) == traced(other)[4:]


def test_a_disturbance_may_come_after_the_cut():
    calm, spike = ["walk:0.1"], ["walk:0.1", "spike:at=4"]
    whole = accelsim.simulate(LAYERS[0], "mcu", steps=6, drift=spike)
    past = accelsim.simulate(LAYERS[0], "mcu", steps=3, drift=calm)
    rest = accelsim.simulate(LAYERS[0], "mcu", steps=3, drift=spike, resume=past)
    assert past.trace.steps + rest.trace.steps == whole.trace.steps
    assert rest.trace.disturbances == (4,)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scheme": "delayed"}, "resume: holds no state of delayed/static, but of in-hindsight/st"),
        ({"seed": 1}, "resume: seed=1: must be as it was, 0"),
        ({"drift": 0.1}, "resume: drift=walk:0.1: must be as it was, walk:0.05"),
        ({"kind": "gradient"}, "resume: kind=gradient: must be as it was, activation"),
        ({"batch": 2}, "resume: batch=2: must be as it was, 1"),
        ({"drift": ["walk:0.05", "spike:at=1"]}, "resume: drift=walk:0.05 spike:at=1,factor=10: m"),
        ({"calibrate": 2}, "resume: calibration_batches=2: must be as it was, 0"),
        ({"work": LAYERS[1]}, "resume: layer=grouped: must be as it was, conv"),
    ],
)
def test_a_sequence_does_not_go_on_as_another(changes, message):
    past = accelsim.simulate(LAYERS[0], "mcu")
    arguments = {"work": LAYERS[0], "hardware": "mcu", "scheme": "in-hindsight"} | changes
    with pytest.raises(AccelsimError, match=message):
        accelsim.simulate(**arguments, resume=past)
    timed = accelsim.simulate(LAYERS[0], "mcu", data=None)
    with pytest.raises(AccelsimError, match="resume: must hold results of one sequence"):
        accelsim.simulate(LAYERS[0], "mcu", resume=timed)


def test_a_spike_shows_in_the_trace_and_the_static_range_comes_back_later():
    layer = Conv2d("conv", 8, 16, 3, 16, 16, padding=1)
    drift = "spike:at=10,factor=10"
    static, dynamic = accelsim.compare(layer, "edge", steps=60, drift=drift).results
    assert static.trace.disturbances == (10,)
    assert static.drift == "spike:at=10,factor=10"
    (lagging,), (prompt,) = static.trace.recoveries(), dynamic.trace.recoveries()
    assert (prompt.recovery_steps, prompt.range_lag_steps) == (0, 0)
    assert traced(static)[10].numerics.range_staleness == pytest.approx(0.1, rel=0.2)
    assert traced(static)[10].numerics.saturated_share > 0.3
    # One spike of ten leaves 1.9 times the range, which decays by 0.9 a step.
    assert traced(static)[11].numerics.range_staleness == pytest.approx(1.9, rel=0.2)
    assert 10 < lagging.recovery_steps < 30
    assert 15 < lagging.range_lag_steps < 30
    assert lagging.worst_sqnr_db < prompt.worst_sqnr_db - 10


def test_a_shrinking_gradient_leaves_a_static_range_too_wide_for_good():
    layer = Conv2d("conv", 8, 16, 3, 16, 16, padding=1)
    result = accelsim.simulate(layer, "edge", steps=80, drift="shrink:0.9", kind="gradient")
    ratios = [row.numerics.range_staleness for row in traced(result)[40:]]
    # 0.1 * sum over k of 0.9**k * 0.9**-(k+1) grows without bound where the rates are equal.
    assert np.mean(ratios[-10:]) > np.mean(ratios[:10]) > 3
    assert (result.kind, result.drift) == ("gradient", "shrink:0.9")
    assert traced(result)[-1].numerics.range_observed.maximum < 1e-3
    assert traced(result)[-1].numerics.sqnr_db > 0


def test_a_disturbance_that_never_comes_is_refused():
    with pytest.raises(AccelsimError, match=r"spike:at=6.*must be below the number of steps, 6"):
        accelsim.simulate(LAYERS[0], "mcu", steps=6, drift=["0.1", "spike:at=6"])


def test_other_kinds_of_tensors_are_refused():
    steps = synthetic_steps(LAYERS[0])
    for data in ("synthetic", steps):
        with pytest.raises(AccelsimError, match="kind = 'weight': must be one of activation"):
            accelsim.simulate(LAYERS[0], "mcu", data=data, kind="weight")
