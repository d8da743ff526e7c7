"""The array takes the cycles that SCALE-Sim 3.0.0 counts, on the machine of that name."""

import random
from math import ceil

import pytest

from accelsim import simulate
from accelsim.hardware import load_hardware
from accelsim.network import Conv2d, Linear, load_network

TOPOLOGY = (
    "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, S,\n"
    "Conv1, 32, 32, 7, 7, 3, 16, 2,\n"
    "Conv2,14,14,3,3,16,24,1,\n"
    "Conv3_DP, 14, 14, 3, 3, 12, 1, 2,#dw\n"
    "Conv4,10,9,3,2,8,40,4, NPU\n"
    "Conv5,10,10,1,1,8,40,1,1:1,\n"
    "FC, 1, 1, 1, 1, 64, 100, 1\n"
)
FLOWS = {"ws": "weight-stationary", "is": "input-stationary", "os": "output-stationary"}


def closed_form(flow, rows, columns, m, k, n):
    """Folds times fold, as SCALE-Sim 3.0.0 defines both."""
    if flow == "ws":
        return ceil(k / rows) * ceil(n / columns) * (m + 2 * rows + columns - 2)
    if flow == "is":
        return ceil(k / rows) * ceil(m / columns) * (n + 2 * rows + columns - 2)
    return ceil(m / rows) * ceil(n / columns) * (k + rows + columns - 2)


def machine(flow, rows, columns):
    array = {"rows": rows, "columns": columns, "dataflow": FLOWS[flow]}
    return load_hardware("scalesim", {"array": array})


def array_cycles(layer, hardware):
    return simulate(layer, hardware, data=None).unit("array").busy_cycles


def random_layer(draw):
    if draw.random() < 0.3:
        return Linear("l", draw.randint(1, 300), draw.randint(1, 300), rows=draw.randint(1, 200))
    kernel = (draw.randint(1, 5), draw.randint(1, 5))
    channels = draw.randint(1, 40)
    groups = channels if draw.random() < 0.2 else 1
    filters = channels * draw.randint(1, 3) if groups > 1 else draw.randint(1, 90)
    size = (draw.randint(kernel[0], 20), draw.randint(kernel[1], 20))
    return Conv2d(
        "l", channels, filters, kernel, *size, stride=draw.randint(1, 3), groups=groups
    )  # fmt: skip


@pytest.mark.parametrize("flow", FLOWS)
def test_the_array_takes_scale_sims_cycles_on_random_layers(flow):
    draw = random.Random(5)
    for _ in range(25):
        layer = random_layer(draw)
        rows, columns = draw.choice([3, 4, 8, 16, 32]), draw.choice([3, 4, 8, 16, 32])
        nest = layer.nest()
        m = nest.batch * nest.out_height * nest.out_width
        form = closed_form(flow, rows, columns, m, nest.reduction, nest.out_channels)
        cycles = array_cycles(layer, machine(flow, rows, columns))
        assert cycles == nest.groups * form, (layer, rows, columns)


@pytest.mark.parametrize("flow", FLOWS)
def test_the_array_takes_scale_sims_cycles_on_a_topology_file(tmp_path, flow):
    path = tmp_path / "net.csv"
    path.write_text(TOPOLOGY)
    # (ofmap pixels, window, filters, times) of each line, as SCALE-Sim reads it.
    wanted = [
        (14 * 14, 7 * 7 * 3, 16, 1),  # ceil((32 - 7 + 2) / 2) = 14: the last filter stands out
        (12 * 12, 3 * 3 * 16, 24, 1),
        (7 * 7, 3 * 3, 1, 12),
        (3 * 3, 3 * 2 * 8, 40, 1),
        (10 * 10, 8, 40, 1),
        (1, 64, 100, 1),
    ]
    network = load_network(path)
    for layer, (m, k, n, times) in zip(network, wanted, strict=True):
        cycles = array_cycles(layer, machine(flow, 12, 14))
        assert cycles == times * closed_form(flow, 12, 14, m, k, n)


def test_a_machine_from_a_configuration_takes_them_where_a_layer_fits_its_buffers(tmp_path):
    path = tmp_path / "scale.cfg"
    path.write_text(
        "[architecture_presets]\nArrayHeight: 12\nArrayWidth: 14\nIfmapSramSzkB: 8\n"
        "FilterSramSzkB: 8\nOfmapSramSzkB: 8\nDataflow: os\n"
    )
    layer = Linear("l", 40, 30, rows=20)
    assert array_cycles(layer, load_hardware(path)) == closed_form("os", 12, 14, 20, 40, 30)


def test_tiles_are_chosen_for_the_array_alone_where_that_is_asked_for():
    layer, machine_alone = Linear("l", 1, 3, rows=54), machine("ws", 4, 4)
    alone = simulate(layer, machine_alone, data=None)
    whole = simulate(layer, load_hardware(machine_alone, {"array.tiles_for": "layer"}), data=None)
    assert alone.tiling["batch"] == 54 and whole.tiling["batch"] < 54
    assert whole.unit("array").busy_cycles > alone.unit("array").busy_cycles
    assert whole.total_cycles < alone.total_cycles
