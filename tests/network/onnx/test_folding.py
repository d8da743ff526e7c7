"""What depends on constants alone is computed as the model is read, within limits."""

import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.network import evaluate, load_network
from tests.network.onnx import models
from tests.network.onnx.models import Model, onnx

RANDOM = np.random.default_rng(8)


@pytest.fixture
def load(tmp_path):
    def from_proto(proto):
        path = tmp_path / "model.onnx"
        path.write_bytes(proto.SerializeToString())
        return load_network(path)

    return from_proto


def normal(*shape):
    return RANDOM.normal(size=shape).astype(np.float32)


def integers(*values):
    return np.array(values, np.int64)


FOLDED = {
    "Mod": lambda m: m.add("Mod", np.arange(24, dtype=np.int64).reshape(4, 6), integers(5)),
    "Mod of reals": lambda m: m.add("Mod", normal(4, 6), np.float32(0.7), fmod=1),
    "Tile": lambda m: m.add("Tile", normal(2, 3), integers(2, 2)),
    "Einsum": lambda m: m.add("Einsum", normal(4, 3), normal(3, 6), equation="ij,jk->ik"),
    "MatMul": lambda m: m.add("MatMul", normal(4, 3), normal(3, 6)),
    "GatherND": lambda m: m.add("GatherND", normal(2, 4, 6), integers(1)),
    "ScatterND": lambda m: m.add("ScatterND", normal(4, 6), integers([2]), normal(1, 6)),
    "Softmax": lambda m: m.add("Softmax", normal(4, 6)),
    "Resize": lambda m: m.add("Resize", normal(1, 1, 2, 3), "", "", integers(1, 1, 4, 6)),
    "Trilu": lambda m: m.add("Trilu", normal(4, 6)),
    "ReduceProd": lambda m: m.add("ReduceProd", normal(6, 4), axes=[1]),
    "CumSum": lambda m: m.add("CumSum", normal(4, 6), np.int64(1)),
    "NonZero": lambda m: m.add("NonZero", np.arange(1, 7, dtype=np.float32)),
    "Max": lambda m: m.add("Max", normal(4, 6), normal(6), normal(4, 1)),
    "Not": lambda m: m.add("Not", m.add("Greater", normal(4, 6), normal(6))),
    "Erf": lambda m: m.add("Pow", m.add("Erf", normal(6)), np.float32(2)),
}


@pytest.mark.parametrize("name", FOLDED)
def test_what_depends_on_constants_alone_is_one(load, name):
    model = Model(x=normal(1, 4, 6))
    value = FOLDED[name](model)
    value = model.add("Cast", value, to=onnx.TensorProto.FLOAT)
    value = model.add("Reshape", value, integers(-1))
    value = model.add("Slice", value, integers(0), integers(6))
    proto = model.proto(model.add("Add", "x", value))
    (theirs,) = models.run(proto, model.inputs)
    network = load(proto)
    assert [node.kind for node in network.nodes] == ["bias"]
    (ours,) = network.outputs
    np.testing.assert_allclose(evaluate(network, model.inputs)[ours], theirs, atol=1e-6)


def test_a_node_is_computed_by_the_version_that_the_model_is_written_in(load):
    model = Model(x=normal(1, 6))
    squeezed = model.add("Squeeze", normal(1, 6, 1), axes=[2])  # an input since version 13
    proto = model.proto(model.add("Add", "x", squeezed), opset=11)
    (theirs,) = models.run(proto, model.inputs)
    np.testing.assert_allclose(evaluate(load(proto), model.inputs)["n1"], theirs, atol=1e-6)


def zeros(*shape):
    return np.zeros(shape, np.float32)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda m: m.add("Add", zeros(10**5, 1), zeros(1, 10**5)), "makes a constant of 1e+10"),
        (lambda m: m.add("Tile", zeros(1), integers(2**40)), "makes a constant of 1.09951e+12"),
        (lambda m: m.add("Pad", zeros(1), integers(0, 2**40)), "makes a constant of 1.09951e+12"),
        (lambda m: m.add("OneHot", integers(1), integers(2**30), zeros(2)), "1.07374e+09 elements"),
        (lambda m: m.add("Resize", zeros(1, 1), "", "", integers(2**20, 2**20)), "1.09951e+12"),
        (
            lambda m: m.add("Einsum", zeros(3000), zeros(3000), zeros(3000), equation="i,j,k->"),
            "Einsum'): there is no such operation here",
        ),
        (lambda m: m.add("Einsum", zeros(200_000), equation="i->"), "there is no such operation"),
        (lambda m: m.add("RandomNormalLike", zeros(6)), "there is no such operation here"),
        (lambda m: m.add("RandomNormal", shape=[2**40]), "there is no such operation here"),
        (
            lambda m: m.add("Reshape", zeros(6), integers(5)),
            "cannot be computed from its constants",
        ),
    ],
)
def test_constants_that_are_only_there_to_take_room_or_time_are_refused(load, build, message):
    model = Model(x=normal(1, 6))
    proto = model.proto(model.add("Add", "x", build(model)))
    with pytest.raises(AccelsimError) as refusal:
        load(proto)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_loop_over_constants_is_not_run(load):
    model = Model(x=normal(1, 6))
    body = onnx.helper.make_graph([], "body", [], [])
    value = model.add("Loop", integers(2**60), np.array(True), zeros(6), body=body)
    with pytest.raises(AccelsimError, match=r"'Loop'\): there is no such operation here"):
        load(model.proto(model.add("Add", "x", value)))


def test_the_computed_constants_of_a_model_are_bounded_together(load, monkeypatch):
    monkeypatch.setattr("accelsim.network.onnx.folding.MAXIMUM_BYTES", 9_000)
    model = Model(x=normal(1, 1000))
    value = model.add("Tile", zeros(100), integers(10))
    value = model.add("Neg", value)
    assert load(model.proto(model.add("Add", "x", value))).parameters
    value = model.add("Neg", value)
    with pytest.raises(AccelsimError, match="12000 bytes of constants are computed; at most 9000"):
        load(model.proto(model.add("Add", "x", value)))
