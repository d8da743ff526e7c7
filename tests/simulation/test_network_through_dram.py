"""A whole network through a DRAM of banks and rows keeps what a layer keeps on an ideal one."""

import pytest

import accelsim
from accelsim.hardware import load_hardware
from accelsim.network import load_network

IDEAL = load_hardware("edge")
MEMORIES = {
    "lpddr4": ["dram.preset=lpddr4-3200", "dram.channels=2"],
    "ddr4": ["dram.preset=ddr4-2400", "dram.write_response=accepted"],
}


@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("scheme", ["in-hindsight", "current"])
def test_resnet18_moves_the_bytes_of_the_ideal_memory_in_no_less_than_their_time(memory, scheme):
    hardware = load_hardware("edge", MEMORIES[memory])
    for layer in load_network("resnet18"):
        result = accelsim.simulate(layer, hardware, scheme, None)
        ideal = accelsim.simulate(layer, IDEAL, scheme, None)
        # Tiles may differ: bursts of another size change which of equal traffic is the fastest.
        assert result.total_bytes == ideal.total_bytes, layer.name
        assert result.bus_bytes >= result.total_bytes
        assert result.total_cycles >= result.roofline.memory_bound_cycles
        assert result.total_cycles >= result.roofline.compute_bound_cycles
        moved = sum(engine.bytes_read + engine.bytes_written for engine in result.dram.engines)
        # Lines that meet in the write queue were asked for twice and reach the bus once.
        assert moved >= result.bus_bytes
        for unit in result.units:
            assert min(unit.busy_cycles, unit.starved_cycles, unit.blocked_cycles) >= 0
            parts = unit.busy_cycles + unit.starved_cycles + unit.blocked_cycles
            assert parts + unit.idle_cycles == result.total_cycles


def test_banks_and_rows_come_out_the_same_twice_and_survive_json():
    hardware = load_hardware("edge", MEMORIES["lpddr4"])
    one, other = (accelsim.simulate("resnet18.layer1", hardware) for _ in range(2))
    assert one == other
    assert one.dram.activates > 0
    assert accelsim.Result.from_json(one.to_json()) == one
