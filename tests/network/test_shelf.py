import random
from pathlib import Path

import pytest

from accelsim.errors import AccelsimError
from accelsim.network import (
    Conv2d,
    Linear,
    MatMul,
    Network,
    load_layer,
    load_network,
    load_table5,
    network_names,
    workloads_folder,
)

GOOD = """\
name: mine
layers:
  - {name: a.conv1, kind: conv2d, in_channels: 3, out_channels: 8, kernel: 3, height: 8, width: 8, padding: 1}
  - {name: a.dw, kind: depthwise_conv2d, channels: 8, kernel: [3, 1], height: 8, width: 8, padding: same, input: a.conv1}
  - {name: fc, kind: linear, in_features: 512, out_features: 10, bias: true, input: a.dw}
  - {name: qk, kind: matmul, m: 4, k: 8, n: 4, copies: 2}
"""  # noqa: E501


@pytest.fixture
def write(tmp_path):
    def to_file(content):
        path = tmp_path / "net.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return to_file


def test_every_file_on_the_shelf_loads_under_its_own_name():
    assert {"resnet18", "mobilenetv2", "table5"} <= set(network_names())
    for name in network_names():
        assert load_network(name).name == name
        for layer in load_network(name):
            assert layer.nest().macs > 0


PUBLISHED = {
    # nodes, matrix layers, multiply-adds of one sample, parameters. The parameters, and the
    # multiply-adds of convolutions and linear layers, are those of torchvision's models.
    "alexnet": (18, 8, 714_188_480, 61_100_840),
    "mobilenetv2": (151, 53, 300_774_272, 3_504_872),
    "resnet18": (68, 21, 1_814_073_344, 11_689_512),
    "resnet50": (174, 54, 4_089_184_256, 25_557_032),
    "vgg16": (36, 16, 15_470_264_320, 138_357_544),
    # Twelve layers of transformers' BertModel: 7 087 872 each.
    "bert-base": (288, 96, 11_173_625_856, 12 * 7_087_872),
    # timm's model, but for its class token of 192.
    "vit-tiny": (295, 98, 1_253_683_200, 5_717_416 - 192),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_networks_have_the_published_size(name):
    network = load_network(name)
    size = (len(network.nodes), len(network), network.macs(), network.parameter_count)
    assert size == PUBLISHED[name]
    assert network.macs(3) == 3 * network.macs()


def weights(network):
    return {layer.name: layer.weight_shape() for layer in network}


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "mobilenetv2", "vgg16"])
def test_a_variant_for_small_images_differs_at_its_ends_only(name):
    large, small = weights(load_network(name)), weights(load_network(f"{name}-64"))
    differ = [layer for layer in large if large[layer] != small[layer]]
    ends = {
        "vgg16": ["classifier.0", "classifier.6"], "mobilenetv2": ["classifier.1"],
    }  # fmt: skip
    assert differ == ends.get(name, ["conv1", "fc"])
    assert load_network(f"{name}-64").inputs == {"image": (3, 64, 64)}
    assert load_network(f"{name}-64").shape_of(load_network(f"{name}-64").outputs[0]) == (200,)


def test_the_layers_of_resnet18_are_those_of_its_published_table():
    network = load_network("resnet18")
    assert sum(layer.nest().weight_elements for layer in network) == 11_689_512 - 9_600 - 1_000
    assert [network.shape_of(f"layer{n}.1.relu") for n in (1, 2, 3, 4)] == [
        (64, 56, 56), (128, 28, 28), (256, 14, 14), (512, 7, 7),
    ]  # fmt: skip


def test_attention_products_read_two_activations():
    network = load_network("bert-base")
    scores = network.node("layer.0.attention.scores")
    assert scores.work == MatMul(scores.name, 128, 64, 128, copies=12)
    assert scores.inputs == ("layer.0.attention.q.heads", "layer.0.attention.k.turned")
    assert network.layer("layer.0.attention.values").input_shape() == (12, 128, 128)


def test_a_prefix_that_ends_at_a_dot_names_the_first_layer_of_a_block():
    layer = load_layer("resnet18.layer1")
    assert layer == Conv2d("layer1.0.conv1", 64, 64, 3, 56, 56, padding=1)
    assert load_layer("resnet18.layer1.0.conv1") == layer
    assert load_layer("resnet18.layer2.0.downsample").name == "layer2.0.downsample.0"
    assert load_layer("resnet18.fc").has_bias
    with pytest.raises(AccelsimError, match="has no layer 'layer'; "):
        load_layer("resnet18.layer")


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("resnet81.conv1", "no network 'resnet81' on the shelf; did you mean 'resnet18'"),
        ("resnet18.conv9", "'resnet18' has no layer 'conv9'; did you mean 'conv1'"),
        ("resnet18", "layer 'resnet18': must be NETWORK.LAYER; known: conv1"),
        ("resnet18.", "must be NETWORK.LAYER"),
        ("", "no network ''"),
        ("folder/net.yaml", "must be PATH.yaml:LAYER"),
        ("folder/net.yaml:conv1", "folder/net.yaml: no such file"),
        (None, "layer = None: must be a string"),
    ],
)
def test_an_unknown_layer_is_refused_with_what_is_known(reference, message):
    with pytest.raises(AccelsimError, match=message) as refusal:
        load_layer(reference)
    assert "\n" not in str(refusal.value)


def test_a_file_is_read_by_path_with_all_kinds_of_layers(write):
    path = write(GOOD)
    assert load_layer(f"{path}:a") == Conv2d("a.conv1", 3, 8, 3, 8, 8, padding=1)
    network = load_network(path)
    assert network == load_network(str(path))
    assert network.layer("a.dw") == Conv2d.depthwise("a.dw", 8, (3, 1), 8, 8, padding="same")
    assert network.layer("fc") == Linear("fc", 512, 10, bias=True)
    assert network.layer("qk") == MatMul("qk", 4, 8, 4, 2)
    assert [node.inputs for node in network.nodes] == [
        ("a.conv1.input",), ("a.conv1",), ("a.dw",), ("qk.input", "qk.weights"),
    ]  # fmt: skip
    assert network.inputs == {
        "a.conv1.input": (3, 8, 8), "qk.input": (2, 4, 8), "qk.weights": (2, 8, 4),
    }  # fmt: skip


def test_sequential_links_each_layer_to_the_one_before(write):
    text = """
name: s
sequential: true
layers:
  - {name: a, kind: linear, in_features: 4, out_features: 8}
  - {name: b, kind: linear, in_features: %d, out_features: 2}
"""
    assert load_network(write(text % 8)).node("b").inputs == ("a",)
    with pytest.raises(AccelsimError, match=r"'b': input = 'a': it gives \(8,\), \(9,\) is"):
        load_network(write(text % 9))


GRAPH = """\
name: graph
inputs: {image: [3, 8, 8]}
sequential: true
layers:
  - {name: conv, kind: conv2d, out_channels: 6, kernel: 3, padding: 1}
  - {name: norm, kind: batch_norm, epsilon: 0.001}
  - {name: dw, kind: depthwise_conv2d, kernel: 3, padding: 1}
  - {name: sum, kind: add, inputs: [dw, norm]}
  - {name: tokens, kind: reshape, shape: [6, -1]}
  - {name: q, kind: linear, out_features: 10}
  - {name: k, kind: linear, out_features: 10, input: tokens}
  - {name: heads.q, kind: reshape, shape: [2, 3, 10], input: q}
  - {name: heads.k, kind: reshape, shape: [2, 10, 3], input: k}
  - {name: qk, kind: matmul, inputs: [heads.q, heads.k]}
  - {name: fc, kind: linear, out_features: 4}
"""


def test_sizes_that_follow_from_the_input_are_filled_in(write):
    network = load_network(write(GRAPH))
    assert network.layers == (
        Conv2d("conv", 3, 6, 3, 8, 8, padding=1),
        Conv2d.depthwise("dw", 6, 3, 8, 8, padding=1),
        Linear("q", 64, 10, rows=6),
        Linear("k", 64, 10, rows=6),
        MatMul("qk", 3, 10, 3, copies=2),
        Linear("fc", 18, 4),
    )
    assert network.node("sum").inputs == ("dw", "norm")
    assert network.node("norm").work.epsilon == 0.001
    assert network.inputs == {"image": (3, 8, 8)}
    flat = GRAPH.replace("input: tokens}", "in_features: 384, input: tokens}").split("  - {name: h")
    assert load_network(write(flat[0])).layer("k") == Linear("k", 384, 10)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[3, 8, 8]", "8", r"inputs: 'image' = 8: must be a list of sizes"),
        ("[3, 8, 8]", "[3, 8]", r"'conv'\): its input is \(3, 8\), must be \(channels, height"),
        ("image: [3", "conv: [3", r"layers\[0\] \('conv'\): 'conv' is given twice"),
        ("epsilon: 0.001", "epsilon: 0", r"'norm'\): epsilon = 0: must be a number above 0"),
        ("epsilon: 0.001", "eps: 0.001", r"unknown field 'eps'; .*epsilon"),
        ("shape: [6, -1]", "shape: [7, -1]", r"'tokens'\): shape = .*must hold the 384 elements"),
        ("shape: [6, -1]", "", r"'tokens'\): the field 'shape' is missing"),
        ("[dw, norm]", "[dw, image]", r"add needs tensors of one shape, not \(6, 8, 8\) and"),
        ("[dw, norm]", "dw", r"inputs = 'dw': must be a list of names"),
        ("inputs: [dw, norm]", "inputs: [dw, norm], input: dw", "both input and inputs are given"),
        ("[dw, norm]", "[dw, fc]", r"input = 'fc': must be an earlier layer or an input"),
        ("[heads.q, heads.k]", "[heads.q]", r"'qk'\): it reads 2 tensors, inputs names 1"),
        ("[heads.q, heads.k]", "[q, k]", r"'qk'\): its inputs are \(6, 10\) and \(6, 10\), must"),
        ("input: tokens}", "in_features: 63, input: tokens}", r"\(6, 64\), \(63,\) is needed"),
        ("sequential: true\n", "", r"'conv'\): the field 'in_channels' is missing"),
        ("kind: batch_norm", "kind: batchnorm", r"kind = 'batchnorm': must be one of conv2d, "),
    ],
)
def test_a_graph_that_does_not_fit_is_refused_at_its_place(write, old, new, message):
    assert old in GRAPH
    with pytest.raises(AccelsimError, match=message) as refusal:
        load_network(write(GRAPH.replace(old, new, 1)))
    assert "\n" not in str(refusal.value)


def test_damaged_graphs_never_do_more_than_be_refused(write):
    draw = random.Random(4)
    words = [b"-1", b"99999999999", b"[]", b"null", b"conv", b"sum", b"1e300", b"[[1]]", b"true"]
    for _ in range(400):
        content = bytearray(GRAPH.encode())
        for _ in range(draw.randint(0, 3)):
            content[draw.randrange(len(content))] = draw.randrange(256)
        if draw.random() < 0.7:
            place = draw.choice([i for i in range(len(content)) if content[i] in b"0123456789"])
            content[place : place + 1] = draw.choice(words)
        if draw.random() < 0.2:
            del content[draw.randrange(len(content)) :]
        try:
            load_network(write(bytes(content)))
        except AccelsimError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ("{name: a, kind: relu, input: b}, {name: b, kind: relu, input: a}", "input = 'b': must"),
        ("{name: a, kind: relu, input: a}", "input = 'a': must be an earlier layer"),
        (
            "{name: a, kind: max_pool, kernel: 1048576, input: x}",
            "'a'\\): kernel = .*: the padded height is only 4",
        ),
        ("{name: a, kind: max_pool, kernel: 4, padding: 3, stride: 1048577, input: x}", "stride"),
        ("{name: a, kind: reshape, shape: [1048576, 1048576, -1], input: x}", "must hold the 64"),
        ("{name: a, kind: opaque, shape: [1048576, 1048576], input: x}", "more than 2147483647"),
        ("{name: a, kind: conv2d, out_channels: 1048576, kernel: 4, padding: 1048576, input: x}",
         "a tensor may hold at most"),
        ("{name: a, kind: slice, stop: 1048576, input: x}", "stop = 1048576: must be a whole"),
    ],
)  # fmt: skip
def test_cycles_and_absurd_sizes_in_a_graph_are_refused(write, layers, message):
    text = f"name: n\ninputs: {{x: [4, 4, 4]}}\nlayers: [{layers}]\n"
    with pytest.raises(AccelsimError, match=message) as refusal:
        load_network(write(text))
    assert "\n" not in str(refusal.value)


def test_a_vector_operation_needs_an_input(write):
    text = "name: n\nlayers:\n  - {name: r, kind: relu}\n"
    with pytest.raises(AccelsimError, match="the field 'input' is missing"):
        load_network(write(text))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: mine\n", "", r"the field 'name' is missing"),
        ("name: mine", "name: 7", r"network name = 7: must be a string"),
        ("name: mine", "name: mine\ncolour: red", r"unknown field 'colour'; .*known: name, layers"),
        ("kind: linear", "kind: linaer", r"layers\[2\] \('fc'\): kind = 'linaer': must be one of"),
        (
            "kernel: 3,",
            "kernal: 3,",
            r"layers\[0\] \('a.conv1'\): unknown field 'kernal'; did you mean",
        ),
        ("bias: true", "biass: true", r"unknown field 'biass'; did you mean 'bias'"),
        ("bias: true", "bias: 'yes'", r"bias = 'yes': must be true or false"),
        ("height: 8", "height: 99999999999", r"height = 99999999999: must be a whole number"),
        ("height: 8", "height: 8.5", r"height = 8.5: must be a whole number"),
        ("height: 8", "height: []", r"height = \[\]: must be a whole number"),
        ("m: 4", "m: 1048576, copies: 3", r"'copies' is given twice"),
        (
            "input: a.dw",
            "input: a.dv",
            r"input = 'a.dv': must be an earlier layer or an input of the network; did",
        ),
        ("input: a.conv1", "input: qk", r"input = 'qk': must be an earlier layer"),
        ("input: a.conv1", "input: [1]", r"input = \[1\]: must be a string"),
        ("in_features: 512", "in_features: 9", r"'a.dw': it gives \(8, 8, 8\), \(9,\) is needed"),
        ("channels: 8, kernel: [3", "channels: 4, kernel: [3", r"it gives \(8, 8, 8\), \(4, 8"),
        ("copies: 2", "copies: 2, input: fc", r"it reads 2 tensors, inputs names 1"),
        ("name: fc", "name: a.dw", r"'a.dw' is given twice"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line_that_names_the_place(write, old, new, message):
    assert old in GOOD
    path = write(GOOD.replace(old, new, 1))
    with pytest.raises(AccelsimError, match=message) as refusal:
        load_network(path)
    assert str(refusal.value).startswith(str(path))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x00\x01\xff\xfe", "not UTF-8 text"),
        (b"PK\x03\x04 zip", "not "),
        (b"", "must be a mapping, found None"),
        (b"- 1\n- 2", "must be a mapping"),
        (b"name: a\nlayers: 3", "layers = 3: must be a list of 1 to 10000 layers"),
        (b"name: a\nlayers: []", "must be a list of 1 to 10000"),
        (b"name: a\nlayers: [3]", r"layers\[0\]: must be a mapping, found 3"),
        (b"a: &x [1, 2]\nb: *x", "aliases are refused"),
        (b"a: !!python/object/apply:os.system [ls]", "refused"),
        (b"name: [" * 3000, "not "),
        (b"a: " + b"9" * 5000, "too long"),
        (b"#" * 1_000_001, "larger than 1000000 bytes"),
        (b"1: 2", "text"),
    ],
)
def test_a_hostile_file_is_refused_in_one_line(write, content, message):
    with pytest.raises(AccelsimError, match=message) as refusal:
        load_network(write(content))
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 400


def test_a_missing_file_a_folder_and_a_wrong_type_are_refused(tmp_path):
    with pytest.raises(AccelsimError, match="no such file"):
        load_network(tmp_path / "none.yaml")
    with pytest.raises(AccelsimError, match="cannot be read"):
        load_network(tmp_path)
    with pytest.raises(AccelsimError, match="cannot be read"):
        load_network(Path("a\0b"))
    with pytest.raises(AccelsimError, match="network = 7: must be a name or a path"):
        load_network(7)


def test_a_network_has_nodes():
    with pytest.raises(AccelsimError, match="nodes is empty"):
        Network("none", ())


def test_table_5_is_reproduced_but_for_its_row_four():
    rows = load_table5()
    assert [(r.static_kib, r.dynamic_kib, r.delta_percent) for r in rows] == [
        (428, 1996, 366), (674, 1066, 58), (1374, 10782, 685), (882, 4410, 400), (100, 468, 366),
    ]  # fmt: skip
    for position, row in enumerate(rows):
        static, spill = row.layer.nest().traffic_bytes()
        assert abs(100 * (spill / static - 1) - row.delta_percent) < 0.5
        close = abs(static / 1024 - row.static_kib) <= 0.5
        assert close == (abs(spill / 1024 - row.dynamic_kib) <= 0.5) == (position != 3)
        assert bool(row.note) == (position == 3)


def test_row_four_of_table_5_is_another_layer_without_its_weights():
    nest = load_table5()[3].layer.nest()
    static, spill = nest.traffic_bytes()
    assert (round(static / 1024), round(spill / 1024)) == (2353, 11761)
    other = Conv2d.depthwise("other", 144, 3, 56, 56, padding="same").nest()
    static, spill = (bytes_ - other.weight_elements for bytes_ in other.traffic_bytes())
    assert (static / 1024, spill / 1024) == (882, 4410)


def test_the_shelf_of_a_checkout_is_beside_the_package():
    assert (workloads_folder() / "resnet18.yaml").is_file()
