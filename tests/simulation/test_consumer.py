"""What the operation that reads an output pays beyond one of plain static integers."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import accelsim
from accelsim.hardware import Array, BlockProduct, block_timing, load_hardware
from accelsim.lowering import Operation, Ranges, lower
from accelsim.lowering.search import candidates
from accelsim.lowering.tiling import Candidates, output_footprints
from accelsim.machine import run
from accelsim.network import Conv2d, Nest
from accelsim.program import INPUT, INPUT_SCALES, Load
from accelsim.result import ARRAY, REQUANTIZER, VECTOR_UNIT, ConsumerPrice, Result
from accelsim.simulation.programs import Plan, Programs
from tests.lowering.tilings import some_tiling
from tests.naive.consumer import naive_rescaling

LAYER = Conv2d("conv", 8, 96, 3, 20, 18, padding=1)
POSITIONS, OUTPUTS = 2 * 20 * 18, 2 * 20 * 18 * 96
ROOMY = {
    "sram.input_kib": 4096, "sram.weight_kib": 4096, "sram.accumulator_kib": 4096,
    "sram.output_kib": 4096, "dram.bandwidth_gb_per_s": 1000, "array.tiles_for": "array",
}  # fmt: skip
"""A layer is one tile, and the array sets the pace."""


def consumer(scheme, changes=None, layer=LAYER, **options):
    hardware = load_hardware("edge", ROOMY | (changes or {}))
    return accelsim.simulate(layer, hardware, scheme, None, batch=2, **options).consumer


def count(cost, component, *actions):
    return sum(a.count for a in cost.actions if a.component == component and a.action in actions)


@pytest.mark.parametrize("scheme", ["in-hindsight", "current/spill", "current/spill16",
    "current/recompute", "current/resident", "fixed"])  # fmt: skip
def test_integers_of_one_range_cost_their_consumer_nothing_more(scheme):
    assert consumer(scheme) is None


def test_a_gradient_to_the_weights_is_read_by_the_update_whose_price_is_not_known():
    assert consumer("in-hindsight", operation="grad-weight") is None
    price = consumer("current/lazy", operation="grad-weight")
    assert price.refused.startswith("a gradient to the weights: ")
    assert consumer("current/lazy", operation="grad-input") is not None


@pytest.mark.parametrize(("scheme", "more"), [
    ("current/lazy", 3 * OUTPUTS),
    ("per-tile", 5 * 2 * 3 * 3 * 3),
    ("per-tile:symmetric=1", 4 * 2 * 3 * 3 * 3),
    ("per-tile:channels=48,rows=20,columns=18", 5 * 2 * 2),
    ("per-sample/resident", 5 * 2),
    ("per-sample/lazy", 3 * OUTPUTS + 5 * 2),
    ("mxint8", 3 * POSITIONS + 3 * 96 + 3 * POSITIONS),
])  # fmt: skip
def test_bytes_are_the_closed_form_where_buffers_hold_the_consumer(scheme, more):
    found = consumer(scheme)
    assert found.bytes_beyond_static == found.own.bytes - found.static[0].bytes == more
    assert found.static[0].bytes == 2 * OUTPUTS + 96 * 96


@given(
    st.integers(1, 40), st.integers(1, 90), st.integers(1, 50), st.integers(1, 100),
    st.integers(1, 40), st.integers(1, 20), st.sampled_from(["in-array", "vector-unit"]),
    st.integers(1, 50),
)  # fmt: skip
def test_real_scales_take_the_cycles_of_the_twin(
    m, channels, n, block, rows, columns, place, lanes
):
    array = Array(rows=rows, columns=columns, block_rescale=place)
    product = BlockProduct(m, 1, channels, n, block, real_scales=True)
    cycles, _ = naive_rescaling(m, channels, n, block, rows, columns, place, lanes)
    assert block_timing(array, product, lanes).steady_cycles == cycles


@pytest.mark.parametrize("block", [8, 16, 32, 40, 64])
@pytest.mark.parametrize(("place", "lanes"), [("in-array", 32), ("vector-unit", 32),
    ("vector-unit", 5)])  # fmt: skip
def test_a_reduction_that_crosses_ranges_is_rescaled_as_the_twin_says(block, place, lanes):
    changes = {"array.block_rescale": place, "vector_unit.lanes": lanes}
    found = consumer(f"per-tile:channels={block}", changes)
    cycles, actions = naive_rescaling(POSITIONS, 96, 96, block, 32, 32, place, lanes)
    where, other = (ARRAY, VECTOR_UNIT) if place == "in-array" else (VECTOR_UNIT, ARRAY)
    assert count(found.own, where, "multiply-float") == actions["multiply"] > 0
    assert count(found.own, where, "add-float") == actions["add"] > 0
    assert count(found.own, other, "multiply-float", "add-float") == 0
    # A static one streams ceil(96 / 32) folds over rows and as many over columns.
    on_the_way = max(1, 32 // block) if place == "in-array" else 4  # adders; stages of the unit
    fed = found.cycles_beyond_static - (cycles - 9 * POSITIONS) - on_the_way
    assert 0 <= fed <= 100  # the ranges' own bursts, before the first vector


@pytest.mark.parametrize("scheme", ["per-tile:channels=96", "per-tile:channels=96,rows=1,columns=1",
    "per-sample/resident"])  # fmt: skip
def test_ranges_of_other_positions_rescale_no_sum(scheme):
    for place in ("in-array", "vector-unit"):
        found = consumer(scheme, {"array.block_rescale": place, "vector_unit.lanes": 1})
        assert count(found.own, ARRAY, "add-float", "multiply-float") == 0
        assert count(found.own, VECTOR_UNIT, "add-float", "multiply-float") == 0
        assert found.bytes_beyond_static > 0


def test_accumulators_are_requantized_as_they_enter_the_array():
    found = consumer("current/lazy")
    inputs = POSITIONS * 96 * 3  # once for each of three folds over the columns
    more = count(found.own, REQUANTIZER, "multiply") - count(
        found.static[0], REQUANTIZER, "multiply"
    )
    assert more == inputs
    macs = {a.bits for a in found.own.actions
            if (a.component, a.action) == (ARRAY, "multiply")}  # fmt: skip
    assert macs == {(8, 8)}


def test_stages_of_the_requantizer_are_passed_before_the_array_too():
    shallow, deep = (consumer("current/lazy", {"requantizer.stages": s}) for s in (2, 12))
    assert deep.cycles_beyond_static == shallow.cycles_beyond_static + 10


def test_fewer_lanes_of_the_vector_unit_cost_cycles_only_where_it_rescales():
    cycles = {
        (place, lanes): consumer(
            "per-tile", {"array.block_rescale": place, "vector_unit.lanes": lanes}
        ).cycles_beyond_static
        for place in ("in-array", "vector-unit") for lanes in (8, 64)
    }  # fmt: skip
    assert cycles["in-array", 8] == cycles["in-array", 64]
    assert cycles["vector-unit", 8] > 4 * cycles["vector-unit", 64]


def test_energy_is_that_of_the_difference_of_all_actions():
    result = accelsim.simulate(LAYER, "edge", "current/lazy", None, batch=2)
    assert result.consumer_price_per_step().energy_pj > 0
    plain = accelsim.simulate(LAYER, "edge", "in-hindsight", None, batch=2)
    assert plain.consumer_price_per_step() == ConsumerPrice()


def test_what_cannot_be_run_says_why_and_stops_nothing():
    mixed = consumer("block-householder/spill")
    assert mixed.refused == "mixed samples: to undo their mixing is not modelled"
    narrow = consumer("per-tile", {"accumulator.bits": 24})
    assert narrow.refused.startswith("accumulator.bits=24: must be 32")
    assert consumer("per-tile:channels=96", {"accumulator.bits": 24}).refused == ""
    result = accelsim.simulate(LAYER, "edge", "block-householder/spill", None, batch=2)
    with pytest.raises(accelsim.AccelsimError, match="has no cost: mixed samples"):
        result.consumer_price_per_step()


def test_it_goes_to_json_and_an_older_document_has_none():
    result = accelsim.simulate(LAYER, "edge", "per-tile", None, batch=2)
    assert Result.from_json(result.to_json()) == result
    document = json.loads(result.to_json())
    assert document["consumer"]["bytes_beyond_static"] == result.consumer.bytes_beyond_static > 0
    del document["consumer"]
    assert Result.from_dict(document).consumer is None


def test_a_run_with_values_has_the_consumer_of_one_without():
    timed = accelsim.simulate(LAYER, "edge", "per-tile", None, batch=2)
    valued = accelsim.simulate(LAYER, "edge", "per-tile", batch=2, steps=1)
    assert valued.consumer == timed.consumer


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 3), st.integers(1, 40), st.integers(1, 9), st.integers(1, 9),
    st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 5), st.integers(1, 48)),
    st.sampled_from([0.25, 0.5, 4]), st.integers(0, 10_000),
)  # fmt: skip
def test_ranges_find_room_and_load_what_the_tiling_says(
    batch, channels, rows, columns, part, kib, pick
):
    nest = Nest(1, batch, 1, channels, 16, rows, columns)
    operation = Operation(nest, "reader", input_ranges=Ranges(part, 40))
    hardware = load_hardware("edge", {"sram.input_kib": kib, "sram.output_kib": 0.5})
    tiling = some_tiling(operation, hardware, pick, 8)
    needs = output_footprints(operation, Candidates.of(tiling), hardware, 8)
    finished = run(lower(operation, hardware, "static", tiling), hardware)  # a deadlock would raise
    loaded = sum(row.bytes for row in finished.traffic if row.tensor == "input scales")
    assert loaded == int(needs.range_load_bytes[0])


@pytest.mark.parametrize("part", [(1, 2, 3, 8), (1, 1, 2, 8), (2, 2, 3, 4), (1, 2, 2, 3)])
def test_in_every_order_of_tiles_a_range_is_loaded_when_the_one_before_was_another(part):
    operation = Operation(Nest(1, 2, 1, 8, 40, 2, 3), "reader", input_ranges=Ranges(part, 40))
    hardware = load_hardware("edge", {"array.rows": 4, "array.columns": 16})
    every = candidates(operation, hardware, 8)
    some = every.some(np.random.default_rng(0).choice(len(every), 80, replace=False))
    loads = output_footprints(operation, some, hardware, 8).range_load_bytes
    for tiling, closed_form in zip(some, loads, strict=True):
        program = lower(operation, hardware, "static", tiling)
        loaded = [c.region.total_bytes for c in program.of(Load) if c.tensor == INPUT_SCALES]
        assert sum(loaded) == closed_form, tiling


def test_a_range_is_not_loaded_again_for_a_tile_that_follows_one_with_the_same():
    small = {"sram.input_kib": 4, "sram.output_kib": 2, "sram.weight_kib": 16}
    found = consumer("per-sample/resident", ROOMY | small)
    assert found.own.bytes - found.static[0].bytes == 5 * 2
    programs = Programs(load_hardware("edge", ROOMY | small))
    reader = Operation(Nest(1, 2, 1, 96, 96, 20, 18), input_ranges=Ranges((1, 20, 18, 96), 40))
    loads = list(programs.program(Plan(reader, "static")).of(Load))
    of_input = sum(load.tensor == INPUT for load in loads)
    assert sum(load.tensor == INPUT_SCALES for load in loads) == 2 < of_input


@pytest.mark.parametrize("scheme", ["per-tile", "per-tile:channels=16", "per-sample/resident",
    "current/lazy"])  # fmt: skip
@pytest.mark.parametrize("layer", ["resnet18.layer1.0.conv1", "resnet18.layer4.0.downsample.0"])
def test_no_price_comes_of_a_tile(scheme, layer):
    result = accelsim.simulate(layer, "edge", scheme, None)
    own, (best, same_tile), price = (
        result.consumer.own, result.consumer.static, result.consumer_price_per_step()
    )  # fmt: skip
    assert price.cycles == own.cycles - min(best.cycles, same_tile.cycles)
    assert min(price.bytes, price.cycles, price.energy_pj) > 0
