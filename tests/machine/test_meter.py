import pytest

from accelsim import compare
from accelsim.machine.meter import READINGS, STEPS, Meter


class Counting:
    """A memory that has moved three bytes in and one out for each cycle asked about."""

    def __init__(self):
        self.now = 0

    @property
    def moved_bytes(self):
        return 3 * self.now, self.now


def reading(cycles):
    memory = Counting()
    meter = Meter(memory)
    for memory.now in cycles:
        meter.read(memory.now)
    return meter


@pytest.mark.parametrize("total", [1, 5, 127, 128, 129, 1000, 12_345])
def test_steps_are_equal_and_the_last_ends_with_the_run(total):
    found = reading(range(total + 1)).bandwidth(total)
    assert len(found.load_bytes) == -(-total // found.step_cycles) <= STEPS
    lengths = [found.step_cycles] * (total // found.step_cycles)
    lengths += [total % found.step_cycles] * bool(total % found.step_cycles)
    assert found.load_bytes == tuple(3 * length for length in lengths)
    assert found.store_bytes == tuple(lengths)


def test_between_readings_bytes_count_as_moved_evenly():
    found = reading([100, 200]).bandwidth(200)
    assert found.step_cycles == 2 and set(found.load_bytes) == {6}


def test_readings_stay_few_however_long_the_run():
    meter = reading(range(100_000))
    assert len(meter._readings) < READINGS
    assert sum(meter.bandwidth(100_000).store_bytes) == 99_999


@pytest.mark.parametrize("dram", [None, ["dram.preset=ddr4-2400"]])
def test_the_steps_of_a_run_add_up_to_its_bytes(dram):
    from accelsim.hardware import load_hardware

    machine = load_hardware("edge", dram or ())
    for result in compare("resnet18.layer4.0.downsample.0", machine, data=None).results:
        loads, stores = result.bandwidth.load_bytes, result.bandwidth.store_bytes
        assert sum(loads) + sum(stores) == result.bus_bytes
        assert sum(stores) >= result.bytes_of(direction="store")
        peak = result.roofline.peak_bytes_per_cycle * result.bandwidth.step_cycles
        burst = 128
        assert max(a + b for a, b in zip(loads, stores, strict=True)) <= peak + burst
