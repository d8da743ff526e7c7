"""Programs keep the bytes: closed form, compulsory traffic, conservation."""

import re
from collections import Counter
from dataclasses import asdict
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from accelsim import machine
from accelsim.errors import AccelsimError
from accelsim.hardware import load_hardware
from accelsim.lowering import REALISATIONS, Operation, best_tiling, fit, lower, place
from accelsim.network import Nest
from accelsim.program import Barrier, Box, Drain, Load, Store, Tensor
from accelsim.quant.scheme import REALISATIONS as SCHEME_REALISATIONS
from tests.strategies import machines, nests, operations

ROOMY = load_hardware(
    "table5",
    {"sram.input_kib": 4096, "sram.weight_kib": 4096, "sram.accumulator_kib": 4096},
)


def lowered(operation, hardware, realisation):
    try:
        return lower(operation, hardware, realisation)
    except AccelsimError:
        assume(False)


def bytes_by(run, *keys):
    count = Counter()
    for row in run.traffic:
        count[tuple(getattr(row, key) for key in keys)] += row.bytes
    return count


@settings(max_examples=100)
@given(nests(), st.sampled_from([2, 3, 4, 8, 16]))
def test_bytes_of_every_realisation_equal_its_closed_form_where_buffers_hold_the_layer(nest, bits):
    operation = Operation(nest, input_bits=bits, weight_bits=bits, output_bits=bits)
    static, spill = nest.traffic_bytes(bits, bits, bits, 32)
    half = nest.traffic_bytes(bits, bits, bits, 16)[1]
    tensors = place(operation, 32)
    operands = tensors["input"].total_bytes + tensors["weights"].total_bytes
    expected = {
        "static": static,
        "spill": spill,
        "spill16": half,
        "lazy": operands + tensors["accumulators"].total_bytes,
        "recompute": static + operands,
        "resident": static,
    }
    assert set(expected) == set(REALISATIONS)
    for realisation, expected_bytes in expected.items():
        run = machine.run(lower(operation, ROOMY, realisation), ROOMY)
        assert sum(row.bytes for row in run.traffic) == expected_bytes, realisation


def test_recompute_of_an_expand_layer_moves_little_more_than_static_at_twice_the_macs():
    nest = Nest(1, 1, 1, 16, 96, 112, 112)
    hardware = load_hardware("table5")
    programs = {r: lower(Operation(nest), hardware, r) for r in ("static", "spill", "recompute")}
    moved = {
        r: round(sum(t.bytes for t in machine.run(p, hardware).traffic) / 1024)
        for r, p in programs.items()
    }
    assert moved == {"static": 1374, "spill": 10782, "recompute": 1571}
    assert programs["recompute"].macs == 2 * programs["static"].macs


@settings(max_examples=60)
@given(operations(), machines())
def test_resident_moves_no_more_than_spill_and_no_less_than_static(operation, hardware):
    moved = {}
    for realisation in ("static", "resident", "spill"):
        tiling = best_tiling(operation, hardware, 32) if fits(operation, hardware) else None
        assume(tiling)
        run = machine.run(lower(operation, hardware, realisation, tiling), hardware)
        moved[realisation] = sum(row.bytes for row in run.traffic)
    assert moved["static"] <= moved["resident"] <= moved["spill"]


def fits(operation, hardware):
    try:
        best_tiling(operation, hardware, 32)
    except AccelsimError:
        return False
    return True


@settings(max_examples=60)
@given(operations(), machines(), st.sampled_from(["static", "spill"]))
def test_traffic_is_never_below_the_compulsory(operation, hardware, realisation):
    run = machine.run(lowered(operation, hardware, realisation), hardware)
    tensors = place(operation, hardware.accumulator.bits if realisation == "spill" else None)
    moved = bytes_by(run, "tensor", "direction")
    for name in ("input", "weights"):
        assert moved[name, "load"] >= tensors[name].total_bytes
    assert moved["output", "store"] == tensors["output"].total_bytes
    if realisation == "spill":
        size = tensors["accumulators"].total_bytes
        assert moved["accumulators", "store"] == moved["accumulators", "load"] == size


@settings(max_examples=60)
@given(operations(), machines(), st.sampled_from(list(REALISATIONS)))
def test_every_output_is_observed_and_stored_once(operation, hardware, realisation):
    program = lowered(operation, hardware, realisation)
    shape = program.tensors["output"].shape
    stored = {name: np.zeros(shape, int) for name in ("output", "accumulators")}
    drains = {drain.id: drain for drain in program.of(Drain)}
    observed = np.zeros(shape, int)
    for drain in drains.values():
        observed[drain.box.slices] += drain.observe
    for store in program.of(Store):
        stored[store.tensor][store.box.slices] += 1
        assert drains[store.source].box == store.box
        assert drains[store.source].output_bytes == store.region.total_bytes
    assert (stored["output"] == (realisation != "lazy")).all()
    assert (observed == 1).all()
    if realisation == "resident":
        assert stored["accumulators"].max() <= 1
    else:
        assert (stored["accumulators"] == REALISATIONS[realisation].stores_accumulators).all()


@settings(max_examples=40)
@given(operations(), machines())
def test_a_spill_reloads_after_the_barrier_what_it_stored(operation, hardware):
    program = lowered(operation, hardware, "spill")
    reloads = [c for c in program.of(Load) if c.tensor == "accumulators"]
    stores = [c for c in program.of(Store) if c.tensor == "accumulators"]
    (barrier,) = program.of(Barrier)
    for reload in reloads:
        written = np.zeros(program.tensors["accumulators"].shape, bool)
        for store in stores:
            if store.id in reload.after:
                written[store.box.slices] = True
        assert written[reload.box.slices].all()
        assert barrier.id in reload.after
    seen = np.zeros(program.tensors["accumulators"].shape, int)
    for reload in reloads:
        seen[reload.box.slices] += 1
    assert (seen == 1).all()


@st.composite
def boxes(draw):
    shape = tuple(draw(st.integers(1, 5)) for _ in range(4))
    starts = tuple(draw(st.integers(0, size - 1)) for size in shape)
    stops = tuple(draw(st.integers(a + 1, b)) for a, b in zip(starts, shape, strict=True))
    bits, packed_axes = draw(st.sampled_from([3, 4, 8, 12, 32])), draw(st.sampled_from([1, 3]))
    return Tensor("t", shape, bits, 4096, packed_axes), Box(starts, stops)


@settings(max_examples=300)
@given(boxes())
def test_a_region_is_the_bytes_of_its_box_or_refused_where_it_cuts_through_a_byte(case):
    tensor, box = case
    packed = 4 - tensor.packed_axes
    vector_bytes = -(-int(np.prod(tensor.shape[packed:])) * tensor.bits // 8)
    needed = set()
    for index in np.ndindex(box.shape):
        at = tuple(i + s for i, s in zip(index, box.starts, strict=True))
        outer = np.ravel_multi_index(at[:packed], tensor.shape[:packed])
        inner = np.ravel_multi_index(at[packed:], tensor.shape[packed:])
        first_bit = (4096 + int(outer) * vector_bytes) * 8 + int(inner) * tensor.bits
        needed |= set(range(first_bit // 8, (first_bit + tensor.bits - 1) // 8 + 1))
    try:
        region = tensor.region(box)
    except AccelsimError:
        assert tensor.bits % 8
        return
    covered = Counter()
    for count in np.ndindex(region.counts):
        start = region.address + int(np.dot(count, region.strides_bytes))
        covered.update(range(start, start + region.run_bytes))
    assert set(covered) == needed
    assert region.total_bytes >= len(needed)
    if tensor.bits % 8 == 0:
        assert set(covered.values()) == {1}


def test_tensors_do_not_overlap_in_memory():
    nest = Nest(1, 1, 1, 3, 5, 9, 9, 3, 3)
    tensors = sorted(place(Operation(nest, bias=True), 32).values(), key=lambda t: t.address)
    assert len(tensors) == 5
    for one, other in pairwise(tensors):
        assert one.address + one.total_bytes <= other.address


@settings(max_examples=100)
@given(operations(), machines(), st.sampled_from(list(REALISATIONS)), st.integers(1, 3))
def test_what_fits_has_a_program_of_that_tiling_and_nothing_else_has(
    operation, hardware, realisation, passes
):
    try:
        fitting = fit(operation, hardware, realisation, passes=passes)
    except AccelsimError as error:
        with pytest.raises(AccelsimError, match=f"^{re.escape(str(error))}$"):
            lower(operation, hardware, realisation, passes=passes)
    else:
        program = lower(operation, hardware, realisation, passes=passes)
        assert program.notes == asdict(fitting)


def test_an_unknown_realisation_is_refused_with_the_known_ones():
    with pytest.raises(AccelsimError, match="realisation='eager': must be one of static, spill"):
        lower(Operation(Nest(1, 1, 1, 1, 1, 1, 1)), ROOMY, "eager")


def test_a_scheme_names_exactly_the_realisations_that_have_a_program():
    assert tuple(REALISATIONS) == SCHEME_REALISATIONS
