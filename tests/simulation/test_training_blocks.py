"""Training steps in blocks that share a power of two: what is stored twice, along two axes."""

from collections import defaultdict
from dataclasses import replace
from math import ceil

import numpy as np
import pytest

from accelsim.errors import AccelsimError
from accelsim.hardware import load_hardware
from accelsim.lowering import TrainingOptions
from accelsim.lowering.plan import plan_inference
from accelsim.lowering.training_plan import plan_training
from accelsim.lowering.turned import BLOCKS, TURNED
from accelsim.network import MatMul, load_network, network_names, with_parameters
from accelsim.network.graph_file import parse_network
from accelsim.quant import Policy
from accelsim.report.kinds import bytes_by_kind
from accelsim.simulation import compare, simulate
from tests.naive.block_training import NaiveBlockTraining
from tests.naive.blocks import naive_blocks
from tests.simulation.test_networks import ROOMY, TINY
from tests.simulation.test_training_values import RESIDUAL, examples, follow, learner

MX = Policy.parse("mxint8")
PLAIN = TrainingOptions()
NETWORKS = [
    name for name in network_names()
    if not any(isinstance(node.work, MatMul) for node in load_network(name).nodes)
]  # fmt: skip

MIXED = {
    "name": "mixed",
    "inputs": {"image": [3, 6, 5]},
    "sequential": True,
    "layers": [
        {"name": "conv1", "kind": "conv2d", "out_channels": 40, "kernel": 3, "padding": 1},
        {"name": "relu1", "kind": "relu6"},
        {"name": "conv2", "kind": "conv2d", "out_channels": 40, "kernel": 3, "padding": 1,
         "groups": 40},
        {"name": "conv3", "kind": "conv2d", "out_channels": 64, "kernel": 3, "stride": 2},
        {"name": "bn3", "kind": "batch_norm"},
        {"name": "skip", "kind": "conv2d", "out_channels": 64, "kernel": 3, "stride": 2,
         "input": "relu1"},
        {"name": "add", "kind": "add", "inputs": ["bn3", "skip"]},
        {"name": "relu3", "kind": "relu"},
        {"name": "fc1", "kind": "linear", "out_features": 33},
        {"name": "fc2", "kind": "linear", "out_features": 10, "bias": True},
    ],
}  # fmt: skip


FLATTENED = {
    "name": "flattened",
    "inputs": {"image": [1, 3, 3]},
    "sequential": True,
    "layers": [
        {"name": "conv", "kind": "conv2d", "out_channels": 32, "kernel": 2},
        {"name": "fc1", "kind": "linear", "out_features": 8, "bias": True},
        {"name": "fc2", "kind": "linear", "out_features": 3},
    ],
}


def timed(document=MIXED, hardware="edge", batch=3, options=PLAIN, scheme=MX):
    network = parse_network(document, "test") if isinstance(document, dict) else document
    return simulate(network, hardware, scheme, None, batch=batch, training=options)


def jobs_of(document=MIXED, batch=3, options=PLAIN, fusion="drain"):
    network = parse_network(document, "test")
    return plan_training(network, batch, MX, load_hardware("edge", {"fusion": fusion}), options)


def moved(result):
    """Bytes of each tensor, by direction; each time that it moves."""
    found = defaultdict(list)
    for row in result.operations:
        for move in row.moves:
            found[move.tensor, move.direction].append(move.bytes)
    return found


@pytest.mark.parametrize("batch", [1, 3, 40])
@pytest.mark.parametrize("fusion", ["none", "drain", "chain"])
@pytest.mark.parametrize("document", [MIXED, TINY], ids=lambda d: d["name"])
def test_what_one_operation_stores_the_next_ones_load(document, fusion, batch):
    options = TrainingOptions(momentum=True, weight_gradient_bits=None if batch > 1 else 8)
    moves = moved(
        timed(document, load_hardware("edge", ROOMY | {"fusion": fusion}), batch, options)
    )
    stored = {tensor for tensor, direction in moves if direction == "store"}
    loaded = {tensor for tensor, direction in moves if direction == "load"}
    last = document["layers"][-1]["name"]
    for tensor in stored - {last, f"{last}.scales"}:
        if not tensor.endswith(".parameters"):  # gradients need gamma alone
            sizes = {*moves[tensor, "store"], *moves[tensor, "load"]}
            assert len(moves[tensor, "store"]) == len(sizes) == 1, tensor
    outside = [f"image{copy}" for copy in ("", TURNED)]
    outside += [f"{last}.gradient{copy}" for copy in ("", TURNED)]
    assert loaded - stored == {f"{name}{end}" for name in outside for end in ("", ".scales")}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("batch", [2, 48])
def test_every_network_of_the_shelf_reads_what_it_wrote(name, batch):
    network, hardware = load_network(name), load_hardware("edge")
    options = TrainingOptions(momentum=True)
    for jobs in (
        plan_inference(network, batch, MX.activations, hardware),
        plan_training(network, batch, MX, hardware, options),
    ):
        written = defaultdict(list)
        for job in jobs:
            for use in job.writes:
                written[use.tensor].append(job.bytes_of(use.role, hardware))
        assert all(len(sizes) == 1 for sizes in written.values())
        for job in jobs:
            for use in job.reads:
                if use.tensor in written and not use.tensor.endswith(".parameters"):
                    assert written[use.tensor] == [job.bytes_of(use.role, hardware)], use.tensor


@pytest.mark.parametrize("batch", [3, 40])
def test_a_turned_tensor_is_its_elements_and_a_byte_for_32_samples_of_each(batch):
    moves = moved(timed(batch=batch))
    for tensor, elements in {
        "relu1": 30 * 40, "conv2": 30 * 40, "relu3": 4 * 64, "fc1": 33, "image": 90,
        "fc2.gradient-input": 33, "conv3.gradient-input": 30 * 40,
    }.items():  # fmt: skip
        assert set(moves[f"{tensor}.turned", "load"]) == {batch * elements}, tensor
        assert set(moves[f"{tensor}.turned.scales", "load"]) == {ceil(batch / 32) * elements}


@pytest.mark.parametrize("momentum", [False, True])
def test_the_update_stores_weights_in_blocks_of_input_channels_and_of_filters(momentum):
    result = timed(options=TrainingOptions(momentum=momentum))
    weights = {row.node: row for row in result.operations if row.phase == "update"
               and any(move.tensor.endswith(".weights") for move in row.moves)}  # fmt: skip
    floats = 3 + 2 * momentum
    for node, filters, channels, area, groups in (
        ("conv2", 40, 1, 9, 40), ("conv3", 64, 40, 9, 1), ("fc1", 33, 256, 1, 1),
    ):  # fmt: skip
        elements, of_group = filters * channels * area, filters // groups
        scales = filters * area * ceil(channels / 32)
        turned_scales = groups * ceil(of_group / 32) * area * channels
        expected = (4 * floats + 2) * elements + scales + turned_scales
        assert weights[node].total_bytes == expected, node
    first = {move.tensor for move in weights["conv1"].moves}
    assert "conv1.weights" in first and "conv1.weights.turned" not in first


def test_weights_of_both_layouts_wait_in_dram_for_the_next_step():
    result = timed(hardware=load_hardware("edge", ROOMY | {"fusion": "chain"}))
    on_chip = {m.tensor for row in result.operations for m in row.moves if m.memory == "chip"}
    assert "relu1.turned.scales" in on_chip and "bn3.gradient-input.turned" in on_chip
    assert not any(".weights" in tensor and "gradient" not in tensor for tensor in on_chip)


def test_vector_work_writes_both_copies_and_what_a_product_leaves_is_loaded_for_its_own():
    for fusion, turning in (
        ("none", ["conv2", "fc1"]),
        ("drain", ["conv1", "conv2", "fc1"]),
    ):
        jobs = jobs_of(fusion=fusion)
        alone = [(job.node, job.phase) for job in jobs if job.kind == BLOCKS]
        back = [("fc2", "grad-input"), ("conv3", "grad-input")]
        assert alone == [*((node, "forward") for node in turning), *back]
    writers = {use.tensor: job for job in jobs for use in job.writes}
    assert writers["relu1"].node == "conv1" and writers["relu1"].is_product
    assert writers["relu1.turned"].node == "conv1" and writers["relu1.turned"].kind == BLOCKS
    assert writers["relu3"] is writers["relu3.turned"]
    both = writers["bn3.gradient-input"], writers["bn3.gradient-input.turned"]
    assert both[0] is both[1] and both[0].kind == "batch_norm"


def test_nothing_is_turned_that_no_weight_gradient_reads():
    jobs = jobs_of(MIXED, fusion="none")
    turned = {use.tensor for job in jobs for use in job.writes if use.tensor.endswith(TURNED)}
    read = {use.tensor for job in jobs for use in job.reads if use.tensor.endswith(TURNED)}
    assert turned == read - {"image.turned", "fc2.gradient.turned"}
    assert "add.turned" not in turned and "fc1.gradient-input.turned" not in turned


def test_a_gradient_that_only_weights_need_is_stored_turned_alone():
    layers = [{"name": f"conv{i}", "kind": "conv2d", "out_channels": 8, "kernel": 1}
              for i in range(2)]  # fmt: skip
    layers.insert(1, {"name": "relu", "kind": "relu"})
    document = {"name": "two", "inputs": {"x": [3, 4, 4]}, "sequential": True, "layers": layers}
    moves = moved(timed(document, load_hardware("edge", {"fusion": "none"})))
    gradients = {name for name, direction in moves if name.startswith("relu.grad")}
    assert gradients == {"relu.gradient-input.turned", "relu.gradient-input.turned.scales"}
    layers[0]["bias"] = True  # which needs the sums of its channels
    moves = moved(timed(document, load_hardware("edge", {"fusion": "none"})))
    assert ("relu.gradient-input.scales", "store") in moves


def test_a_linear_layer_of_rows_sums_over_all_rows_of_all_samples():
    layers = [
        {"name": "gelu", "kind": "gelu"},
        {"name": "fc1", "kind": "linear", "out_features": 8},
        {"name": "norm", "kind": "layer_norm"},
        {"name": "fc2", "kind": "linear", "out_features": 8},
    ]
    document = {"name": "rows", "inputs": {"x": [20, 16]}, "sequential": True, "layers": layers}
    moves = moved(timed(document, batch=3))
    assert set(moves["gelu.turned.scales", "load"]) == {ceil(60 / 32) * 16}
    jobs = jobs_of(document)
    assert [(job.node, job.phase) for job in jobs if job.kind == BLOCKS] == [
        ("gelu", "forward"), ("norm", "forward"), ("norm", "grad-input"),
    ]  # fmt: skip
    layers.append({"name": "all", "kind": "linear", "out_features": 4, "in_features": 640,
                   "input": "gelu"})  # fmt: skip
    document["inputs"]["x"] = [20, 32]
    with pytest.raises(AccelsimError, match=r"node 'fc1' sums over 60 vectors of 'gelu'"):
        jobs_of(document)


def test_the_tables_name_every_second_copy():
    count = bytes_by_kind(timed(batch=40))
    for kind, direction in (
        ("turned output", "store"), ("turned output scales", "store"), ("turned input", "load"),
        ("turned output-gradient", "load"), ("turned input-gradient", "store"),
        ("turned input-gradient scales", "store"), ("turned weights", "store"),
        ("turned weights", "load"), ("turned weights scales", "load"),
    ):  # fmt: skip
        assert count[kind, direction] > 0
    result = timed(batch=40)
    assert sum(count.values()) == result.total_bytes
    assert count["turned weights", "load"] == count["turned weights", "store"]


def conv(groups, out_channels):
    return [
        {"name": "first", "kind": "conv2d", "out_channels": 64, "kernel": 1},
        {"name": "odd", "kind": "conv2d", "out_channels": out_channels, "kernel": 1,
         "groups": groups},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("layers", "scheme", "options", "message"),
    [
        (conv(2, 48), "mxint8", {}, "node 'odd' has groups of 24 output channels, which must"),
        (conv(1, 8), "activations=mxint8,gradients=current", {},
         "must be in blocks for activations and gradients, or for neither"),
        (conv(1, 8), "activations=in-hindsight,gradients=mxint8", {}, "or for neither"),
        (conv(1, 8), "mxint8", {"bifurcation": True}, "one range with bifurcation"),
        (conv(1, 8), "mxint8", {"gradient_bits": 4}, "gradient_bits=4: must be 8"),
        (conv(1, 8), "mxint8", {"weight_gradient_bits": 16}, "weight_gradient_bits=16: must be 8"),
        ([*conv(1, 8), {"name": "norm", "kind": "range_batch_norm"}], "mxint8", {},
         "node 'norm' takes its statistics from the drain"),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_in_blocks_is_refused_in_one_line(layers, scheme, options, message):
    document = {"name": "odd", "inputs": {"image": [3, 2, 2]}, "sequential": True, "layers": layers}
    with pytest.raises(AccelsimError, match=message) as error:
        timed(document, options=TrainingOptions(**options), scheme=scheme)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("document", "batch"), [(RESIDUAL, 4), (FLATTENED, 34)], ids=["a", "b"])
def test_every_gradient_and_every_weight_has_the_bits_of_the_naive_twin(document, batch):
    network = parse_network(document, "test")
    steps = examples(network, batch=batch, steps=2)
    network = with_parameters(network, steps[0], 2, training=True)
    ours = learner(network, MX, TrainingOptions(learning_rate=0.5), batch=batch)
    follow(ours, NaiveBlockTraining(network, 0.5), steps)


@pytest.mark.parametrize("fusion", ["none", "drain", "chain"])
@pytest.mark.parametrize("options", [PLAIN, TrainingOptions(momentum=True, weight_gradient_bits=8)])
def test_time_and_bytes_are_the_same_with_values_and_without(fusion, options):
    network, hardware = parse_network(MIXED, "test"), load_hardware("edge", {"fusion": fusion})
    valued = simulate(network, hardware, MX, batch=3, steps=1, training=options)
    without = simulate(network, hardware, MX, None, batch=3, training=options)
    for row, other in zip(valued.operations, without.operations, strict=True):
        assert row.numerics is not None, (row.node, row.kind, row.phase)
        assert row == replace(other, numerics=row.numerics)
        assert row.numerics.sqnr_db > 5, (row.node, row.kind, row.phase)
    assert valued.steps[0].loss == pytest.approx(valued.steps[0].float_loss, rel=0.02)


def test_machines_that_cut_otherwise_leave_the_same_bits():
    small = {"array.rows": 8, "array.columns": 16, "sram.input_kib": 16, "sram.weight_kib": 32,
             "sram.accumulator_kib": 8, "sram.output_kib": 8}  # fmt: skip
    network = parse_network(MIXED, "test")
    one, other = (
        simulate(network, load_hardware("edge", sram), MX, batch=3, steps=2, training=PLAIN)
        for sram in ({}, small)
    )
    assert one.steps == other.steps and one.total_cycles < other.total_cycles
    assert [r.numerics for r in one.operations] == [r.numerics for r in other.operations]


def test_a_product_s_copy_is_rounded_twice_and_vector_work_s_once():
    network, hardware = parse_network(MIXED, "test"), load_hardware("edge", {"fusion": "drain"})
    steps = examples(network, steps=1)
    own = learner(with_parameters(network, steps[0], 2, training=True), MX, hardware=hardware)
    own.take(0, steps[0])
    for name, of_stored in (("relu1", True), ("relu3", False)):
        held = own.forward.held[name]
        elements, scales, _ = naive_blocks(held.reals, 0)
        again = np.ldexp(elements * 1.0, scales - 127 - 6)
        assert np.array_equal(held.turned.reals, again) == of_stored, name


def test_a_training_in_blocks_learns_beside_one_of_integers():
    both = compare("digits-cnn", schemes=["in-hindsight", "mxint8"], batch=12, steps=12,
                   training=TrainingOptions(momentum=True, learning_rate=0.05))  # fmt: skip
    for result in both.results:
        assert result.steps[-1].loss < result.steps[0].loss
    alone = simulate("digits-cnn", "edge", "mxint8", batch=12, steps=12,
                     training=TrainingOptions(momentum=True, learning_rate=0.05))  # fmt: skip
    assert alone == both.results[1]
