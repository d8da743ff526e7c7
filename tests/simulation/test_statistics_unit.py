"""Schemes on machines whose statistics unit keeps less, or keeps it at a price."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

import accelsim
from accelsim.errors import AccelsimError
from accelsim.hardware import Statistic, load_hardware
from accelsim.lowering.training_plan import TrainingOptions
from accelsim.network import Conv2d, MatMul
from accelsim.quant import Observation, Range, Scheme, estimator_names, make_estimator
from accelsim.report.text import comparison_text
from tests.quant.test_estimators import sequences

CONV = Conv2d("conv", 6, 10, 3, 9, 8, stride=2, padding=(1, 0, 2, 1), bias=True)
LEAST = {
    "counts": False, "sum": False, "squares": False, "products": False, "per_sample": False,
    "per_tile": False,
}  # fmt: skip
"""All that in-hindsight, current and running need is left."""


def unit(**fields):
    return load_hardware("edge", {"stat_unit": fields})


@pytest.mark.parametrize(
    ("scheme", "fields", "why"),
    [
        ("in-hindsight", {"compares": "magnitude"}, "extremes: stat_unit.compares=magnitude"),
        ("delayed", {"compares": "none"}, "magnitude: stat_unit.compares=none"),
        ("saturation", {"counts": False}, "exceedances: stat_unit.counts=false"),
        ("sigma-ema", {"squares": False}, "moments: stat_unit.squares=false"),
        ("bit-adaptive", {"sum": False}, "absolute-sum: stat_unit.sum=false"),
        ("dsgc", {"products": False}, "products: stat_unit.products=false"),
        ("chunked", {"per_sample": False}, "chunks: stat_unit.per_sample=false"),
        ("per-sample", {"per_sample": False}, "samples: stat_unit.per_sample=false"),
        ("per-tile/static", {"per_tile": False}, "tiles: stat_unit.per_tile=false"),
        ("in-hindsight", {"per_channel": False}, "channels: stat_unit.per_channel=false"),
    ],
)
@pytest.mark.parametrize("data", ["synthetic", None])
def test_a_scheme_that_needs_what_the_unit_has_not_is_refused_by_name(scheme, fields, why, data):
    label = Scheme.parse(scheme).label
    with pytest.raises(AccelsimError, match=f"scheme '{label}': needs {re.escape(why)} must be"):
        accelsim.simulate(CONV, unit(**fields), scheme, data)
    accelsim.simulate(CONV, unit(), scheme, None)


@pytest.mark.parametrize(
    ("scheme", "fields"),
    [
        ("fixed", {"compares": "none", "per_channel": False}),
        ("delayed", {"compares": "magnitude"}),
        ("power-of-two", {"compares": "magnitude"}),
        ("sigma-ema", {"compares": "none"}),
        ("saturation", {"compares": "magnitude"}),
        ("dsgc", {"compares": "magnitude", "squares": False}),
        ("per-tile:symmetric=1/static", {"compares": "magnitude"}),
    ],
)
def test_what_a_scheme_does_not_need_changes_no_value(scheme, fields):
    least = accelsim.simulate(CONV, unit(**fields), scheme, steps=3)
    most = accelsim.simulate(CONV, "edge", scheme, steps=3)
    np.testing.assert_array_equal(least.output, most.output)
    assert least.numerics == most.numerics


def test_a_unit_without_channels_takes_weights_of_one_scale():
    scheme = Scheme.parse("in-hindsight", weight_scales="per-tensor")
    accelsim.simulate(CONV, unit(per_channel=False), scheme, None)
    product = MatMul("product", 5, 6, 7)  # of two activations, with one scale each
    accelsim.simulate(product, unit(per_channel=False), "in-hindsight", None)
    for gradient in ("grad-input", "grad-weight"):  # sums over the channels, or over none
        accelsim.simulate(CONV, unit(per_channel=False), "in-hindsight", None, operation=gradient)


def test_all_schemes_leave_out_what_the_unit_cannot_keep():
    found = accelsim.compare(CONV, unit(**LEAST), ["all"], None)
    names = {Scheme.parse(result.scheme).new_estimator().name for result in found.results}
    assert names == {
        "in-hindsight", "fixed", "fixed-point", "current", "running", "delayed", "power-of-two",
    }  # fmt: skip
    moments = "needs moments: stat_unit.sum=false must be true"
    (line,) = [line for line in found.left_out if moments in line]
    assert line.startswith("sigma-ema/static: needs")
    assert sum(line.count("/") for line in found.left_out) == len(Scheme.every()) - len(
        found.results
    )


def test_no_scheme_left_is_an_error_with_its_reason():
    # A fixed range needs nothing, so something is always left of all.
    found = accelsim.compare(CONV, unit(compares="none", **LEAST), ["all"], None)
    assert [r.scheme for r in found.results] == ["fixed/static", "fixed-point/static"]


def test_a_network_is_refused_what_the_unit_cannot_keep():
    with pytest.raises(
        AccelsimError, match=r"'sigma-ema/static': needs moments: stat_unit\.squares"
    ):
        accelsim.simulate("digits-cnn", unit(squares=False), "sigma-ema", None)
    policy = "activations=in-hindsight,gradients=sigma-ema"
    accelsim.simulate("digits-cnn", unit(squares=False), policy, None)  # has no gradient
    with pytest.raises(AccelsimError, match="'sigma-ema/static': needs moments"):
        accelsim.simulate(
            "digits-cnn", unit(squares=False), policy, None, training=TrainingOptions()
        )
    with pytest.raises(AccelsimError, match="'in-hindsight/static': needs channels"):
        accelsim.simulate("digits-cnn", unit(per_channel=False), "in-hindsight", None)


def test_shared_lanes_cost_a_network_cycles_that_its_result_names():
    free = accelsim.simulate("digits-cnn", "edge", "sigma-ema", None)
    shared = accelsim.simulate("digits-cnn", unit(at_once=1), "sigma-ema", None)
    assert free.statistics_held_cycles == 0
    assert shared.statistics_held_cycles > 0
    assert shared.total_cycles > free.total_cycles
    assert shared.to_dict()["totals"]["statistics_held_cycles"] == shared.statistics_held_cycles


def test_the_share_of_the_unit_stands_in_result_report_and_json():
    import io

    from rich.console import Console

    found = accelsim.compare(CONV, unit(at_once=1), ["in-hindsight", "sigma-ema"])
    one, three = (result.statistics_held_cycles for result in found.results)
    assert one == 0
    assert three == 2 * 5 * 4  # a word for each position, two cycles longer
    assert found.results[1].to_dict()["statistics_held_cycles"] == three
    console = Console(file=io.StringIO(), width=80)
    console.print(comparison_text(found))
    assert re.search(r"drain held by statistics +0 +40", console.file.getvalue())


def test_amortised_energy_counts_what_the_scheme_keeps_in_each_kind_of_step():
    result = accelsim.simulate(CONV, "edge", "bit-adaptive:longest=10", None)
    n = CONV.nest(1).output_elements
    adds = [
        sum(a.count for a in cost.actions if (a.component, a.action) == ("statistics", "add"))
        for cost in (result.amortised.update, result.amortised.plain)
    ]
    assert adds == [n, 0]
    for cost in (result.amortised.update, result.amortised.plain):
        assert any(a.component == "statistics" and a.action == "compare" for a in cost.actions)


def test_a_search_multiplies_where_it_compares_by_products_alone():
    n = CONV.nest(1).output_elements
    for scheme, multiplies, adds in (
        ("dsgc:iterations=2", 4 * 2 * n, 4 * 2 * n), ("bit-adaptive:threshold=0.0", 0, 2 * n),
    ):  # fmt: skip
        step = accelsim.simulate(CONV, "edge", scheme, steps=1)
        counts = {a.action: a.count for a in step.actions if a.component == "statistics"}
        assert (counts.get("multiply", 0), counts["add"]) == (multiplies, adds)


def test_cycles_do_not_depend_on_which_statistics_are_free():
    for first, second in (("in-hindsight", "sigma-ema"), ("current", "chunked/spill")):
        one, other = (accelsim.simulate(CONV, "edge", s, None) for s in (first, second))
        assert (one.total_cycles, one.units) == (other.total_cycles, other.units)
        assert one.actions != other.actions


def blind(observed, needs):
    """The observation without what the comparators of a smaller unit would not keep."""
    reach = observed.range.magnitude
    if Statistic.EXTREMES in needs or observed.samples or observed.chunks:
        return observed
    shown = Range(-reach, reach) if Statistic.MAGNITUDE in needs else Range(-12.5, 99.0)
    return replace(observed, range=shown)


@pytest.mark.parametrize("name", estimator_names())
@settings(max_examples=8)
@given(tensors=sequences(most=4))
def test_an_estimator_looks_at_nothing_that_it_does_not_need(name, tensors):
    told, untold = make_estimator(name), make_estimator(name)
    for step, values in enumerate(tensors):
        observed = Observation.of(values, told.request(step))
        less = blind(observed, untold.needs)
        decisions = []
        for estimator, seen in ((told, observed), (untold, less)):
            decision = estimator.decision_for(step) or estimator.decision_from(seen)
            estimator.observe(seen)
            decisions.append(decision)
        if not told.local:  # of a tensor by itself these give the range of all regions
            assert decisions[0] == decisions[1]
            assert told.state() == untold.state()
