import math

import pytest

import accelsim
from accelsim.network import Conv2d
from accelsim.result import Overview, overview_of, pareto_front

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
        of_consumer = result.consumer_load_bytes_per_step + result.consumer_range_bytes
        assert one.consumer_load_bytes_per_step == of_consumer
        assert one.cycles_per_step == result.cycles_per_step
        assert one.energy_pj_per_step == result.energy_pj_per_step("horowitz-45nm")
        assert one.sqnr_db == pytest.approx(math.fsum(n.sqnr_db for n in after) / 3)
        assert one.saturated_share == pytest.approx(sum(n.saturated_share for n in after) / 3)
    costs = [
        (one.moved_bytes, one.cycles_per_step, one.energy_pj_per_step, -one.sqnr_db)
        for one in overview.candidates
    ]
    assert tuple(one.on_front for one in overview.candidates) == pareto_front(costs)
    assert overview.front
    assert len(overview.objectives) == 4


def test_the_front_comes_first_and_the_cheaper_before_the_dearer(comparison):
    candidates = overview_of(comparison).candidates
    front = [one.on_front for one in candidates]
    assert front == sorted(front, reverse=True)
    for side in (True, False):
        moved = [one.moved_bytes for one in candidates if one.on_front is side]
        assert moved == sorted(moved)


def test_without_values_accuracy_is_no_objective():
    timed = accelsim.compare(LAYER, "mcu", ["all"], None)
    overview = overview_of(timed)
    assert len(overview.objectives) == 3
    assert all(one.sqnr_db is None and one.cosine is None for one in overview.candidates)
    cheapest = min(overview.candidates, key=lambda one: one.moved_bytes)
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
    assert overview.objectives[0] == "least DRAM bytes" and len(overview.objectives) == 3
    assert "in-hindsight/static" in overview.front
    dsgc = next(one for one in overview.candidates if one.scheme == "dsgc/spill")
    run = next(result for result in found.results if result.scheme == "dsgc/spill")
    assert dsgc.energy_pj_per_step == run.energy_pj_per_step() > run.energy().total_pj
    training = accelsim.TrainingOptions()
    trained = accelsim.compare("digits-cnn", "edge", ["all"], None, batch=2, training=training)
    assert ["mxint8" in trained.left_out[1], "per-tile" in trained.left_out[2]] == [True, True]
    small = accelsim.load_hardware("edge", {"sram.accumulator_kib": 4})
    reasons = accelsim.compare("digits-cnn", small, ["all"], None).left_out
    assert any(r.startswith("per-tile/static: sram.accumulator_kib=4: too small") for r in reasons)


def test_json_comes_back_equal(comparison):
    overview = overview_of(comparison)
    assert Overview.from_json(overview.to_json()) == overview


def test_the_consumer_of_lazy_updates_loads_accumulators_once_a_period():
    lazy = accelsim.simulate(LAYER, "mcu", "current/lazy", None)
    plain = accelsim.simulate(LAYER, "mcu", "in-hindsight", None)
    for data in (None, "synthetic"):
        updating = accelsim.simulate(LAYER, "mcu", "dsgc:period=4/lazy", data, calibrate=0)
        assert updating.consumer_load_bytes == plain.consumer_load_bytes, "a plain step"
        mean = (lazy.consumer_load_bytes + 3 * plain.consumer_load_bytes) / 4
        assert updating.consumer_load_bytes_per_step == mean
    (candidate,) = overview_of(accelsim.compare(LAYER, "mcu", ["dsgc:period=4/lazy"])).candidates
    assert candidate.moved_bytes == updating.bytes_per_step + mean


def test_energy_per_step_counts_what_updates_cost():
    static, dsgc = accelsim.compare(LAYER, "mcu", ["in-hindsight", "dsgc:period=10"], None).results
    plain = static.energy_pj_per_step()
    assert plain == static.energy().total_pj
    spill = accelsim.simulate(LAYER, "mcu", "current", None).energy().total_pj
    update = 10 * dsgc.energy_pj_per_step() - 9 * plain
    assert update > 3 * spill, "23 reads of the tensor"
    often = accelsim.simulate(LAYER, "mcu", "dsgc:period=1", None)
    assert often.energy_pj_per_step() == pytest.approx(update)
