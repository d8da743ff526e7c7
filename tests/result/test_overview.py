import math
from dataclasses import replace

import pytest

import accelsim
from accelsim.network import Conv2d
from accelsim.report.overview import overview_text
from accelsim.result import (
    DRAM,
    READ,
    Action,
    Comparison,
    Consumer,
    Overview,
    StepCost,
    overview_of,
    pareto_front,
)
from tests.report.conftest import make_result
from tests.report.test_text import printed

LAYER = Conv2d("conv", 6, 10, 3, 9, 8, padding=1)


@pytest.fixture(scope="module")
def comparison():
    return accelsim.compare(LAYER, "mcu", ["all"], steps=4, drift=0.2)


def test_each_scheme_has_its_figures_and_the_front_is_that_of_the_objectives(comparison):
    overview = overview_of(comparison, "horowitz-45nm")
    results = {result.scheme: result for result in comparison.results}
    assert sorted(one.scheme for one in overview.candidates) == sorted(results)
    for one in overview.candidates:
        result = results[one.scheme]
        after = [row.numerics for row in result.trace.steps[1:]]
        assert one.bytes_per_step == result.bytes_per_step
        if one.scheme.startswith("block-householder"):
            assert one.consumer is None and not one.on_front
            assert one.refused.startswith("mixed samples: ")
        else:
            assert one.consumer == result.consumer_price_per_step("horowitz-45nm")
        assert one.cycles_per_step == result.cycles_per_step
        assert one.energy_pj_per_step == result.energy_pj_per_step("horowitz-45nm")
        assert one.sqnr_db == pytest.approx(math.fsum(n.sqnr_db for n in after) / 3)
        assert one.saturated_share == pytest.approx(sum(n.saturated_share for n in after) / 3)
    known = [one for one in overview.candidates if one.consumer is not None]
    costs = [
        (
            one.bytes_per_step + one.consumer.bytes,
            one.cycles_per_step + one.consumer.cycles,
            one.energy_pj_per_step + one.consumer.energy_pj,
            -one.sqnr_db,
        )
        for one in known
    ]
    assert tuple(one.on_front for one in known) == pareto_front(costs)
    assert overview.front
    assert len(overview.objectives) == 4


def test_the_front_comes_first_and_the_cheaper_before_the_dearer(comparison):
    candidates = overview_of(comparison).candidates
    front = [one.on_front for one in candidates]
    assert front == sorted(front, reverse=True)
    for side in (True, False):
        moved = [one.total[0] for one in candidates if one.on_front is side and one.consumer]
        assert moved == sorted(moved)
    unknown = [one.consumer is None for one in candidates]
    assert unknown == sorted(unknown) and any(unknown)


def priced(scheme, moved, price):
    """A result that reads so many bytes, and whose consumer reads so many more."""

    def reads(count):
        return (Action(DRAM, READ, (8,), count),)

    own = StepCost("static", 500 + price, 90, (), reads(500 + price))
    consumer = Consumer.of("1x1", own, (StepCost("static", 500, 90, (), reads(500)),))
    return make_result(
        scheme, (("input", "load", "product", moved),), actions=reads(moved),
        consumer=consumer if price else None,
    )  # fmt: skip


def test_what_its_consumer_pays_may_take_a_scheme_off_the_front():
    plain, lazy = priced("in-hindsight/static", 1000, 0), priced("current/lazy", 400, 700)
    cheap = priced("per-tile/static", 400, 500)
    assert overview_of(Comparison((plain, cheap))).front == ("per-tile/static",)
    overview = overview_of(Comparison((plain, lazy)))
    assert [one.total[0] for one in overview.candidates] == [1000, 1100]
    assert overview.front == ("in-hindsight/static",), "by itself lazy moves the least"
    (one,) = overview_of(Comparison((lazy,)), "horowitz-45nm").candidates
    assert one.total[2] - one.energy_pj_per_step == one.consumer.energy_pj > 0


def test_a_scheme_whose_consumer_cannot_be_priced_is_not_compared():
    plain, unknown = priced("in-hindsight/static", 1000, 0), priced("current/lazy", 400, 0)
    unknown = replace(unknown, consumer=Consumer("1x1", None, (), 0, 0, refused="because"))
    for order in ((plain, unknown), (unknown, plain)):
        overview = overview_of(Comparison(order))
        assert overview.front == ("in-hindsight/static",)
        assert overview.candidates[1].refused == "because"
    text = " ".join(printed(overview_text(overview, "title")).split())
    assert "its consumer unknown" in text
    assert "Not compared, as the price of their consumer is not known: current/lazy (because)." in (
        text
    )


def test_the_table_shows_what_the_consumer_pays_and_the_front_goes_by_the_sums():
    comparison = accelsim.compare(LAYER, "edge", ["in-hindsight", "current/lazy"], None)
    overview = overview_of(comparison)
    assert overview.front == ("in-hindsight/static",)
    lazy = overview.candidates[1].consumer
    lines = printed(overview_text(overview, "title")).splitlines()
    (at,) = (n for n, line in enumerate(lines) if "current/lazy" in line)
    assert lines[at + 1].split() == [
        "its", "consumer", f"+{lazy.bytes / 1024:,.1f}", f"+{lazy.cycles:,}",
        f"+{lazy.energy_pj / 1e6:,.1f}",
    ]  # fmt: skip
    assert sum("its consumer" in line for line in lines) == 1


def test_without_values_accuracy_is_no_objective():
    timed = accelsim.compare(LAYER, "mcu", ["all"], None)
    overview = overview_of(timed)
    assert len(overview.objectives) == 3
    assert all(one.sqnr_db is None and one.cosine is None for one in overview.candidates)
    cheapest = min(overview.candidates, key=lambda one: one.total)
    assert cheapest.scheme.endswith("/static") and cheapest.on_front


def test_what_a_layer_or_a_machine_cannot_have_is_left_out_of_all_and_named():
    timed = accelsim.compare(LAYER, "mcu", ["all"], None, operation="grad-weight")
    (reason,) = timed.left_out
    assert "per-sample/spill, " in reason and reason.endswith("which sums over the samples")
    assert not any(result.scheme.startswith("per-") for result in timed.results)
    assert type(timed).from_json(timed.to_json()) == timed
    wide = Conv2d("wide", 3, 64, 3, 32, 32, padding=1)
    found = accelsim.compare(wide, "mcu", ["all"], None)
    assert found.left_out == (
        "per-tile/static: sram.accumulator_kib=8: too small for any tile of wide; "
        "must be at least 16",
    )
    with pytest.raises(accelsim.AccelsimError, match="too small for any tile of wide"):
        accelsim.compare(wide, "mcu", ["all", "per-tile"], None)


def test_all_of_a_network_leaves_out_what_it_cannot_have_and_says_why():
    found = accelsim.compare("digits-cnn", "edge", ["all"], None, batch=2)
    (reason,) = found.left_out
    assert reason.startswith("block-householder/spill, block-householder/spill16, ")
    schemes = {result.scheme for result in found.results}
    assert {"per-tile/static", "per-sample/resident", "mxint8/static", "dsgc/lazy"} <= schemes
    assert type(found).from_json(found.to_json()) == found
    overview = overview_of(found)
    assert {one.scheme for one in overview.candidates} == schemes
    assert len(overview.objectives) == 3
    assert "in-hindsight/static" in overview.front
    dsgc = next(one for one in overview.candidates if one.scheme == "dsgc/spill")
    run = next(result for result in found.results if result.scheme == "dsgc/spill")
    assert dsgc.energy_pj_per_step == run.energy_pj_per_step() > run.energy().total_pj
    training = accelsim.TrainingOptions()
    trained = accelsim.compare("digits-cnn", "edge", ["all"], None, batch=2, training=training)
    assert [reason.partition("/")[0] for reason in trained.left_out] == [
        "block-householder", "per-tile"
    ]  # fmt: skip
    assert "mxint8/static" in {result.scheme for result in trained.results}
    small = accelsim.load_hardware("edge", {"sram.accumulator_kib": 4})
    reasons = accelsim.compare("digits-cnn", small, ["all"], None).left_out
    assert any(r.startswith("per-tile/static: sram.accumulator_kib=4: too small") for r in reasons)


def test_json_comes_back_equal(comparison):
    overview = overview_of(comparison)
    assert Overview.from_json(overview.to_json()) == overview


def test_the_consumer_of_lazy_updates_pays_once_a_period():
    lazy = accelsim.simulate(LAYER, "mcu", "current/lazy", None).consumer_price_per_step()
    assert lazy.bytes > 0
    for data in (None, "synthetic"):
        updating = accelsim.simulate(LAYER, "mcu", "dsgc:period=4/lazy", data, calibrate=0)
        assert updating.consumer is None, "a plain step"
        price = updating.consumer_price_per_step()
        assert (price.bytes, price.cycles) == (lazy.bytes / 4, lazy.cycles / 4)
        assert price.energy_pj == pytest.approx(lazy.energy_pj / 4)
    (candidate,) = overview_of(accelsim.compare(LAYER, "mcu", ["dsgc:period=4/lazy"])).candidates
    assert candidate.consumer == price


def test_wider_outputs_cost_their_consumer_in_every_step():
    wide = accelsim.simulate(
        LAYER, "mcu", "bit-adaptive:threshold=0.0,longest=3/lazy", steps=3, drift=0.2
    )
    assert wide.output_bits == 16
    update, plain = wide.consumers
    assert plain.own.bytes - plain.static[0].bytes >= 10 * 9 * 8  # a byte more of each output
    assert update.bytes_beyond_static > plain.bytes_beyond_static


def test_energy_per_step_counts_what_updates_cost():
    static, dsgc = accelsim.compare(LAYER, "mcu", ["in-hindsight", "dsgc:period=10"], None).results
    plain = static.energy_pj_per_step()
    assert plain == static.energy().total_pj
    spill = accelsim.simulate(LAYER, "mcu", "current", None).energy().total_pj
    update = 10 * dsgc.energy_pj_per_step() - 9 * plain
    assert update > 3 * spill, "23 reads of the tensor"
    often = accelsim.simulate(LAYER, "mcu", "dsgc:period=1", None)
    assert often.energy_pj_per_step() == pytest.approx(update)
