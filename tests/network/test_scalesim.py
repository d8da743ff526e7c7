import random

import pytest

from accelsim.errors import AccelsimError
from accelsim.hardware import load_hardware
from accelsim.network import Conv2d, Linear, load_layer, load_network

HEADING = (
    "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter,\n"
)
TOPOLOGY = HEADING + (
    "Conv1, 32, 32, 7, 7, 3, 16, 2,\n"
    "Conv 2,14,14,3,3,16,24,1,\n"
    "\n"
    "Conv3_DP, 14, 14, 3, 3, 12, 1, 2,#dw\n"
    "Conv4,10,9,3,2,8,40,4, NPU\n"
    "Conv4,10,10,1,1,8,40,1,1:1,\n"
    "FC, 1, 1, 1, 1, 64, 100, 1\n"
)
PRODUCTS = "Layer,M,N,K,\nqkv,12,48,16,\nscores,12,12,16,1:1,\nlast,1,9,40\n"
CONFIGURATION = """\
[general]
run_name = my_run

[architecture_presets]
ArrayHeight:    12
ArrayWidth:     14
IfmapSramSzkB:    108
FilterSramSzkB:   64
OfmapSramSzkB:    32
IfmapOffset:    0
FilterOffset:   10000000
OfmapOffset:    20000000
Bandwidth : 10,5
Dataflow : os
MemoryBanks:   1

[sparsity]
SparsitySupport : false

[run_presets]
InterfaceBandwidth: CALC
"""


@pytest.fixture
def write(tmp_path):
    def to_file(content, name="net.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return to_file


def test_lines_of_a_topology_are_layers_of_their_own(write):
    network = load_network(write(TOPOLOGY, "My net.csv"))
    assert network.name == "My_net"
    assert network.layers == (
        Conv2d("Conv1", 3, 16, 7, 32, 32, stride=2, padding=(0, 0, 1, 1)),
        Conv2d("Conv_2", 16, 24, 3, 14, 14),
        Conv2d.depthwise("Conv3_DP", 12, 3, 14, 14, stride=2, padding=(0, 0, 1, 1)),
        Conv2d("Conv4", 8, 40, (3, 2), 10, 9, stride=4, padding=(0, 0, 1, 1)),
        Conv2d("Conv4_2", 8, 40, 1, 10, 10),
        Conv2d("FC", 64, 100, 1, 1, 1),
    )
    assert all(not network.consumers_of(layer.name) for layer in network)


def test_lines_of_products_are_linear_layers(write):
    path = write(PRODUCTS)
    assert load_network(path).layers == (
        Linear("qkv", 16, 48, rows=12),
        Linear("scores", 16, 12, rows=12),
        Linear("last", 40, 9),
    )
    assert load_layer(f"{path}:scores") == Linear("scores", 16, 12, rows=12)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("16, 2,", "16, x,", "line 2: stride = 'x': must be a whole number"),
        ("16, 2,", "16, -2,", "line 2: stride = '-2': must be a whole number"),
        ("16, 2,", "16, 0,", "line 2: stride = '0': must be a whole number from 1 to 999999999"),
        ("16, 2,", "99999999, 2,", "line 2: layer 'Conv1': out_channels = 99999999"),
        ("16, 2,", "9999999999, 2,", "number of filters = '9999999999': must be a whole"),
        ("16, 2,", "16", "line 2: 5 numbers: must be 7, IFMAP height, .* and a trailing comma"),
        ("Conv1, 32, 32, 7", "Conv1, 32, 32, 33", "line 2: a filter of 33x7 is larger than"),
        ("1:1", "2:4", "line 6: sparsity = '2:4': must be 1:1; sparse layers are not"),
        ("1:1", "2", "line 6: sparsity = '2': must be 1:1"),
        ("Conv1,", ",", "line 2: the layer name is empty"),
    ],
)
def test_a_wrong_line_is_refused_with_its_number(write, old, new, message):
    assert old in TOPOLOGY
    path = write(TOPOLOGY.replace(old, new, 1).replace("\n\n", "\n"))
    with pytest.raises(AccelsimError, match=message) as refusal:
        load_network(path)
    assert str(refusal.value).startswith(str(path))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("topology", [TOPOLOGY, PRODUCTS])
def test_a_file_without_a_heading_does_not_lose_its_first_layer_in_silence(write, topology):
    path = write(topology.partition("\n")[2])
    with pytest.raises(
        AccelsimError, match=r"line 1 = '.*': must be a heading, as SCALE-Sim skips"
    ):
        load_network(path)
    path = write(topology.splitlines()[1])
    with pytest.raises(AccelsimError, match="must be a heading"):
        load_network(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "0 layers below the heading: must be 1 to 10000"),
        (b"name,M,N,K,\n", "0 layers below the heading"),
        (b"h\n" + b"a,1,1,1,\n" * 10_001, "10001 layers below the heading"),
        (b"\xff\xfe\x00", "not UTF-8 text at byte 0"),
        (b"h\n" + b"," * 100_000, "line 2: the layer name is empty"),
        (b"#" * 1_000_001, "too large"),
    ],
)
def test_a_hostile_topology_is_refused_in_one_line(write, content, message):
    with pytest.raises(AccelsimError, match=message) as refusal:
        load_network(write(content))
    assert "\n" not in str(refusal.value) and len(str(refusal.value)) < 400


def test_random_bytes_never_do_more_than_be_refused(write):
    draw = random.Random(11)
    for _ in range(150):
        text = bytearray(TOPOLOGY.encode())
        for _ in range(draw.randint(1, 12)):
            text[draw.randrange(len(text))] = draw.randrange(256)
        for content, name in (
            (bytes(text), "n.csv"),
            (bytes(text[: draw.randrange(400)]), "m.csv"),
        ):
            try:
                load_network(write(content, name))
            except AccelsimError as error:
                assert "\n" not in str(error)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(AccelsimError, match=r"none\.csv: no such file"):
        load_network(tmp_path / "none.csv")
    with pytest.raises(AccelsimError, match=r"none\.csv: no such file"):
        load_layer(f"{tmp_path}/none.csv:a")


def test_a_configuration_becomes_a_machine(write):
    machine = load_hardware(write(CONFIGURATION, "scale.cfg"))
    assert machine == load_hardware(
        "scalesim",
        {
            "name": "scale",
            "array": {"rows": 12, "columns": 14, "dataflow": "output-stationary"},
            "sram": {
                "input_kib": 108, "weight_kib": 64, "accumulator_kib": 128, "output_kib": 32,
            },
        },
    )  # fmt: skip
    assert machine.array.shift_out == "uncounted"
    user = CONFIGURATION.replace("CALC", "USER")
    assert load_hardware(write(user, "scale.cfg")).dram.bandwidth_gb_per_s == 30
    assert load_hardware(write(user, "scale.cfg"), ["array.rows=4"]).array.rows == 4


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ArrayHeight:    12\n", "", "ArrayHeight is missing"),
        ("ArrayHeight:    12", "ArrayHeight: 9999", "array.rows=9999: must be >= 1 and <= 4096"),
        ("ArrayHeight:    12", "ArrayHeight: 0", "ArrayHeight = '0': must be a whole number above"),
        ("ArrayHeight:    12", "ArrayHeight: -1", "ArrayHeight = '-1': must be a whole number"),
        ("Dataflow : os", "Dataflow : rs", "Dataflow = 'rs': must be one of ws, is, os"),
        ("Dataflow : os", "Dataflow : os\nSpeed: 3", "unknown option 'speed'; known: ArrayHeight"),
        ("Dataflow : os", "Dataflow : os\nDataflow : ws", "not a SCALE-Sim configuration"),
        ("SparsitySupport : false", "SparsitySupport : True", "sparse layers are not simulated"),
        ("Bandwidth: CALC", "Bandwidth: FAST", "InterfaceBandwidth = 'FAST': must be one of USER"),
        ("Bandwidth : 10,5", "Bandwidth: ten", None),
        ("[architecture_presets]", "[presets]", r"no \[architecture_presets\]"),
        ("[general]", "general", "not a SCALE-Sim configuration"),
    ],
)
def test_a_wrong_configuration_is_refused(write, old, new, message):
    assert old in CONFIGURATION
    text = CONFIGURATION.replace(old, new, 1)
    if message is None:  # without effect, unless the bandwidth is asked for
        load_hardware(write(text, "scale.cfg"))
        text, message = text.replace("CALC", "USER"), "Bandwidth = 'ten': must be a whole number"
    with pytest.raises(AccelsimError, match=message) as refusal:
        load_hardware(write(text, "scale.cfg"))
    assert "\n" not in str(refusal.value)
    assert "scale.cfg" in str(refusal.value)
