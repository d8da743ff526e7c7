"""A recorder hears exactly what the accounts count, and nobody runs otherwise for it."""

from collections import Counter
from itertools import pairwise

import pytest

from accelsim.hardware import load_hardware
from accelsim.lowering import lower
from accelsim.machine import run
from accelsim.network import load_layer
from accelsim.program import ACCUMULATOR_BUFFER, OUTPUT_BUFFER
from accelsim.quant import Scheme
from accelsim.simulation import compare, record
from accelsim.simulation.step import operation_of

LAYERS = ("resnet18.layer4.0.downsample.0", "mobilenetv2.features.17.conv.1.0")
MACHINES = {
    "edge": [],
    "mcu": [],
    "banks": ["dram.preset=ddr4-2400"],
    "narrow": ["requantizer.lanes=2", "stat_unit.lanes=4", "sram.output_kib=2"],
}


def machine(name):
    return load_hardware(name if name in ("edge", "mcu") else "edge", MACHINES[name])


class Ear:
    """Keeps all it hears, and checks what the protocol promises."""

    def begin(self, name, clock_mhz, tracks, buffers):
        self.name, self.tracks, self.capacity = name, tracks, dict(buffers)
        self.states = {track: [(0, "idle", "")] for track in tracks}
        self.levels = {buffer: [(0, 0)] for buffer in buffers}
        self.settled_at = 0

    def state(self, track, cycle, state, label=""):
        assert cycle >= self.states[track][-1][0], "calls about a track come in order"
        assert cycle >= self.settled_at, "told after it was said that all had been told"
        self.states[track].append((cycle, state, label))

    def level(self, buffer, cycle, taken_bytes):
        assert 0 <= taken_bytes <= self.capacity[buffer]
        assert cycle >= self.levels[buffer][-1][0]
        self.levels[buffer].append((cycle, taken_bytes))

    def settled(self, cycle):
        assert cycle >= self.settled_at
        self.settled_at = cycle

    def end(self, cycle):
        self.end_cycle = cycle

    def cycles(self, track):
        """Cycles by state; the states follow one another without a gap."""
        spent = Counter()
        rows = [*self.states[track], (self.end_cycle, "", "")]
        for (start, state, _), (stop, _, _) in pairwise(rows):
            spent[state] += min(stop, self.end_cycle) - min(start, self.end_cycle)
        return spent


def heard(layer, name, scheme):
    layer, parsed = load_layer(layer), Scheme.parse(scheme)
    program = lower(operation_of(layer, 1, parsed), machine(name), parsed.realisation)
    ear = Ear()
    return ear, run(program, machine(name), recorder=ear), run(program, machine(name))


@pytest.fixture(
    scope="module",
    params=[
        (layer, name, scheme)
        for layer in LAYERS
        for name in MACHINES
        for scheme in ("in-hindsight", "current/spill", "current/recompute")
    ],
    ids=lambda param: "-".join(param),
)
def case(request):
    return heard(*request.param)


def test_who_listens_changes_nothing(case):
    _, recorded, alone = case
    assert recorded == alone


def test_the_states_of_a_unit_are_the_cycles_of_its_account(case):
    ear, recorded, _ = case
    for unit in recorded.units:
        spent = ear.cycles(unit.unit)
        assert sum(spent.values()) == recorded.total_cycles
        assert spent["blocked"] == unit.blocked_cycles
        moving = spent["busy"] + spent["in flight"] + spent["starved"]
        assert moving == unit.busy_cycles + unit.starved_cycles
        if not spent["in flight"]:
            assert spent["busy"] == unit.busy_cycles
        assert spent["idle"] == unit.idle_cycles


def test_buffers_fill_and_are_empty_at_the_end(case):
    ear, recorded, _ = case
    assert ear.levels[ACCUMULATOR_BUFFER][-1][1] == 0
    assert ear.levels[OUTPUT_BUFFER][-1][1] == 0
    assert all(max(level for _, level in levels) > 0 for levels in ear.levels.values())
    assert ear.end_cycle == recorded.total_cycles


def test_banks_do_what_the_dram_counted():
    ear, recorded, _ = heard(LAYERS[0], "banks", "current/spill")
    banks = [track for track in ear.tracks if track.startswith("channel")]
    assert len(banks) == 16
    did = Counter()
    for bank in banks:
        rows = [(cycle, state) for cycle, state, _ in ear.states[bank]]
        for (_, before), (_, state) in pairwise(rows):
            did[state] += 1
            if state == "open" and before not in ("read", "write"):
                did["activate"] += 1
            assert before not in ("closed", "idle") or state in ("open", "refresh", "closed")
    assert did["activate"] == recorded.dram.activates
    assert did["read"] + did["write"] == recorded.bus_bytes // 64
    assert did["refresh"] == 16 * recorded.dram.refreshes


def test_an_ideal_dram_has_no_banks():
    ear, _, _ = heard(LAYERS[0], "edge", "in-hindsight")
    assert ear.tracks == ["load", "array", "statistics", "requantizer", "store", "dram"]


def test_a_recorded_run_is_the_run_that_was_compared():
    ears = []

    class Many(Ear):
        def begin(self, *what):
            super().begin(*what)
            ears.append(what[0])

    schemes = ["in-hindsight:momentum=0.5", "current/lazy", "dsgc"]
    runs = record(LAYERS[0], "edge", schemes, Many(), batch=2)
    results = compare(LAYERS[0], "edge", schemes, None, batch=2).results
    assert [one.total_cycles for one in runs] == [one.total_cycles for one in results]
    assert ears == [f"layer4.0.downsample.0 {r.scheme} on edge" for r in results]
