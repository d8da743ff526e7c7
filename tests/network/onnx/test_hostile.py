"""Models that a stranger may have written: each ends in one line of error, and takes no room."""

import random
import resource
import sys

import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.network import load_network
from tests.network.onnx.models import Model, onnx


@pytest.fixture
def write(tmp_path):
    def to_file(content):
        path = tmp_path / "model.onnx"
        path.write_bytes(content if isinstance(content, bytes) else content.SerializeToString())
        return path

    return to_file


def small():
    model = Model(x=np.zeros((1, 3, 6, 6), np.float32))
    weights = np.arange(4 * 3 * 3 * 3, dtype=np.float32).reshape(4, 3, 3, 3)
    hidden = model.add("Relu", model.add("Conv", "x", weights, np.zeros(4, np.float32)))
    hidden = model.add("Reshape", hidden, np.array([1, -1]))
    return model.proto(model.add("Gemm", hidden, np.ones((64, 5), np.float32)))


def refusal_of(path):
    with pytest.raises(AccelsimError) as refusal:
        load_network(path)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 500
    return str(refusal.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it has no nodes or no outputs"),
        (b"\x00\x01\x02\x03", "not an ONNX model"),
        (b"name: yaml\nlayers: []\n", "not an ONNX model"),
        (b"\x0a" * 100_000, "not an ONNX model"),
        (bytes(range(256)) * 50, "not an ONNX model"),
        # A group inside a group, a hundred thousand deep.
        (b"\x3b" * 100_000, "not an ONNX model"),
        (b"\x3a\xff\xff\xff\xff\x0f" + b"\x00" * 50, "not an ONNX model"),
    ],
)
def test_bytes_that_are_no_model_are_refused(write, content, message):
    assert message in refusal_of(write(content))


def test_truncated_and_damaged_models_never_do_more_than_be_refused(write):
    draw = random.Random(2)
    whole = small().SerializeToString()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(250):
        content = bytearray(whole)
        for _ in range(draw.randint(0, 6)):
            content[draw.randrange(len(content))] = draw.randrange(256)
        cut = draw.randrange(len(content)) if draw.random() < 0.5 else len(content)
        try:
            load_network(write(bytes(content[:cut])))
        except AccelsimError as error:
            assert "\n" not in str(error)
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert kilobytes // (1024 if sys.platform == "darwin" else 1) < 300_000


def changed(change):
    proto = small()
    change(proto.graph)
    return proto


def absurd_input(graph):
    graph.input[0].type.tensor_type.shape.dim[2].dim_value = 2**60


def absurd_weights(graph):
    del graph.initializer[0].dims[:]
    graph.initializer[0].dims.extend([2**40, 3, 3, 3])


def negative_weights(graph):
    graph.initializer[0].dims[0] = -4


def short_weights(graph):
    graph.initializer[0].raw_data = graph.initializer[0].raw_data[:-4]


def texts(graph):
    graph.initializer[0].data_type = onnx.TensorProto.STRING


def unknown_type(graph):
    graph.initializer[0].data_type = 1000


def open_size(graph):
    graph.input[0].type.tensor_type.shape.dim[3].dim_param = "w"


def open_sizes(graph):
    sizes = graph.input[0].type.tensor_type.shape.dim
    sizes[2].dim_param = "height"
    sizes[3].ClearField("dim_value")


def no_shape(graph):
    graph.input[0].type.tensor_type.ClearField("shape")


def orphan(graph):
    graph.node[1].input[0] = "zz"


def lost_output(graph):
    graph.output.add().name = "lost"


def cycle(graph):
    graph.node[0].input[0] = graph.node[1].output[0]


def absurd_stride(graph):
    graph.node[0].attribute.append(onnx.helper.make_attribute("strides", [0, -5]))


def absurd_pads(graph):
    graph.node[0].attribute.append(onnx.helper.make_attribute("pads", [2**40] * 4))


def no_inputs(graph):
    del graph.node[0].input[:]


def bomb(graph):
    """A constant of 2^40 elements, from a shape."""
    shape = onnx.numpy_helper.from_array(np.array([2**20, 2**20]), "shape")
    graph.initializer.append(shape)
    graph.node.insert(0, onnx.helper.make_node("ConstantOfShape", ["shape"], ["big"], name="bomb"))


def range_bomb(graph):
    for name, value in (("start", 0), ("stop", 2**60), ("step", 1)):
        graph.initializer.append(onnx.numpy_helper.from_array(np.array(value), name))
    graph.node.insert(
        0, onnx.helper.make_node("Range", ["start", "stop", "step"], ["big"], name="bomb")
    )


def no_dependence(graph):
    graph.output[0].name = "c0"


def sparse(graph):
    graph.sparse_initializer.add()


def branch(graph):
    inner = onnx.helper.make_graph([], "inner", [], [])
    node = onnx.helper.make_node("If", ["x"], ["y"], name="branch", then_branch=inner)
    graph.node.insert(0, node)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (absurd_input, None),
        (absurd_weights, None),
        (negative_weights, None),
        (short_weights, None),
        (texts, None),
        (unknown_type, None),
        (open_size, "input 'x' has the shape (1, 3, 6, w): must be a batch and one or more fix"),
        (
            cycle,
            "the nodes must be in order of execution, without cycles",
        ),
        (absurd_stride, None),
        (absurd_pads, None),
        (no_inputs, None),
        (bomb, "node 'bomb': makes a constant of 1.09951e+12 elements; at most 10000000"),
        (range_bomb, "node 'bomb': makes a constant of 1.15292e+18 elements"),
        (no_dependence, None),
        (orphan, "node 'n1': its input 'zz' is made by nobody: it must be the result of a node"),
        (lost_output, "its output 'lost' is made by nobody"),
        (open_sizes, "the shape (1, 3, height, ?): must be a batch and one or more fixed sizes"),
        (no_shape, "input 'x' has the shape unknown: must be a batch"),
        (sparse, None),
        (branch, None),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_model_that_makes_no_sense_is_refused(write, change, message):
    found = refusal_of(write(changed(change)))
    assert message is None or message in found


def external(location, **more):
    """The small model with its first weights in a file."""
    proto = small()
    tensor = proto.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in {"location": location, **more}.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return proto


def test_weights_beside_the_model_are_read(write, tmp_path):
    values = np.arange(108, dtype="<f4")
    (tmp_path / "weights.bin").write_bytes(b"pad." + values.tobytes())
    network = load_network(write(external("weights.bin", offset="4", length="432")))
    np.testing.assert_array_equal(network.parameters["n0.weights"].ravel(), values)


@pytest.mark.parametrize(
    ("location", "more", "message"),
    [
        (
            "../secret.bin",
            {},
            "its data is in '../secret.bin': must be a file in",
        ),
        ("/etc/passwd", {}, "must be a file in the model's folder"),
        ("", {}, "must be a file in the model's folder"),
        ("none.bin", {}, "must be a file in the model's folder"),
        ("link.bin", {}, "must be a file in the model's folder"),
        ("short.bin", {}, "its data is truncated: 432 bytes are needed"),
        ("model.onnx", {"offset": "-4"}, "offset = '-4': must be a whole number"),
        ("model.onnx", {"offset": "99999999"}, "its data is truncated"),
        ("a\0b", {}, None),
    ],
)
def test_weights_elsewhere_are_refused(write, tmp_path, location, more, message):
    (tmp_path.parent / "secret.bin").write_bytes(b"\0" * 1000)
    (tmp_path / "short.bin").write_bytes(b"\0" * 431)
    (tmp_path / "link.bin").symlink_to("/etc/passwd")
    found = refusal_of(write(external(location, **more)))
    assert message is None or message in found


def test_without_the_package_the_error_names_the_extra(write, monkeypatch):
    path = write(small())
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert "pip install 'accelsim[onnx]'" in refusal_of(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    assert refusal_of(tmp_path / "none.onnx").endswith("none.onnx: no such file")
    (tmp_path / "folder.onnx").mkdir()
    assert "cannot be read" in refusal_of(tmp_path / "folder.onnx")
