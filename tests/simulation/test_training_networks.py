"""A training step of a network: every gradient is stored by one operation and loaded by others."""

from dataclasses import replace

import pytest

from accelsim.errors import AccelsimError
from accelsim.hardware import load_hardware
from accelsim.lowering import TrainingOptions, lower_vector
from accelsim.lowering.training_plan import plan_training
from accelsim.network import load_network, range_normalized
from accelsim.network.graph_file import parse_network
from accelsim.program import Store
from accelsim.quant import Policy
from accelsim.result import NetworkResult
from accelsim.simulation import simulate
from tests.simulation.test_networks import ROOMY, TINY, written_and_read

WAYS = [
    TrainingOptions(),
    TrainingOptions(bifurcation=True, momentum=True),
    TrainingOptions(weight_gradient_bits=8),
]


@pytest.fixture(scope="module")
def tiny():
    return parse_network(TINY, "tiny")


def rows_of(result, phase):
    return {(row.node, row.kind): row for row in result.operations if row.phase == phase}


@pytest.mark.parametrize("scheme", ["in-hindsight", "current", "current/lazy"])
@pytest.mark.parametrize("options", WAYS)
def test_what_one_operation_stores_the_next_ones_load(tiny, scheme, options):
    hardware = load_hardware("edge", ROOMY | {"fusion": "chain"})
    result = simulate(tiny, hardware, scheme, batch=2, training=options, data=None)
    steady = {"conv1.weights", "conv2.weights", "fc.weights", "fc.bias"}
    steady |= {name for name in result.bytes_by("tensor") for name in name if ".master" in name}
    steady |= {name for name in result.bytes_by("tensor") for name in name if ".momentum" in name}
    steady |= {"bn1.parameters", "bn2.parameters"}
    stored, loaded = {}, {}
    for row in result.operations:
        for move in row.moves:
            if move.role == "accumulators" and row.realisation != "lazy":
                continue
            side = stored if move.direction == "store" else loaded
            side.setdefault(move.tensor, set()).add(move.bytes)
    for tensor, sizes in stored.items():
        if tensor.endswith(".parameters"):
            assert max(loaded[tensor]) == max(sizes)  # gradients need gamma alone
        elif tensor != "fc":
            assert loaded[tensor] == sizes, tensor
    assert set(loaded) - set(stored) == {"image", "fc.gradient"} | (
        {"fc.gradient.wide"} if options.bifurcation else set()
    )


def test_every_layer_is_multiplied_three_times_but_the_first_has_no_gradient_to_the_image(tiny):
    result = simulate(tiny, batch=2, training=TrainingOptions(), data=None)
    layers = {layer.name: layer.nest(2) for layer in tiny.layers}
    forward, back, weights = (
        {node: row.macs for (node, _), row in rows_of(result, phase).items() if row.macs}
        for phase in ("forward", "grad-input", "grad-weight")
    )
    assert forward == {name: nest.macs for name, nest in layers.items()}
    assert weights == forward
    assert back == {
        name: nest.input_gradient().macs for name, nest in layers.items() if name != "conv1"
    }
    updates = [row for row in result.operations if row.phase == "update"]
    assert result.phases == ("forward", "grad-input", "grad-weight", "update")
    assert len(updates) == 3 + 1 + 2  # weights, a bias, two norms


def test_update_bytes_are_float32_masters_read_and_written_and_integers_written(tiny):
    elements = sum(layer.nest().weight_elements for layer in tiny.layers)
    vectors = 5 + 2 * 8 * 2  # a bias, gamma and beta of two norms
    for options, each in (
        (TrainingOptions(), 4 + 4 + 4 + 1),
        (TrainingOptions(momentum=True), 4 + 4 + 4 + 4 + 4 + 1),
        (TrainingOptions(weight_gradient_bits=8), 1 + 4 + 4 + 1),
    ):
        result = simulate(tiny, batch=2, training=options, data=None)
        more = 8 if options.momentum else 0
        expected = each * elements + (12 + more) * vectors
        assert result.phase("update").total_bytes == expected


@pytest.mark.parametrize("fusion", ["none", "drain", "chain"])
@pytest.mark.parametrize("scheme", ["in-hindsight", "current", "current/lazy"])
@pytest.mark.parametrize("options", WAYS)
def test_what_the_update_writes_goes_to_dram_as_the_next_step_loads_it_from_there(
    tiny, fusion, scheme, options
):
    hardware = load_hardware("edge", ROOMY | {"fusion": fusion, "sram.chain_kib": 16384})
    result = simulate(tiny, hardware, scheme, batch=2, training=options, data=None)
    moved = {"store": {}, "load": {}}
    for row in result.operations:
        for move in row.moves:
            if move.memory == "dram":
                moved[move.direction].setdefault(move.tensor, []).append(move.bytes)
    stored, loaded = moved["store"], moved["load"]
    written = {
        m.tensor for r in rows_of(result, "update").values() for m in r.moves
        if m.direction == "store"
    }  # fmt: skip
    kinds = {name.rpartition(".")[2] for name in written}
    assert kinds == {"master", "weights", "bias", "parameters"} | (
        {"momentum"} if options.momentum else set()
    )
    for tensor in written:
        (size,) = stored[tensor]
        assert max(loaded[tensor]) == size, tensor
        if tensor.endswith((".master", ".momentum")):
            assert loaded[tensor] == stored[tensor]


def test_bifurcation_stores_every_gradient_twice_and_reads_the_wide_one_for_the_weights(tiny):
    plain, twice = (
        simulate(tiny, load_hardware("edge", ROOMY), batch=2, training=options, data=None)
        for options in WAYS[:2]
    )
    for key, row in rows_of(plain, "grad-weight").items():
        other = rows_of(twice, "grad-weight")[key]
        if row.macs:
            assert other.bytes_of("weights", "load") == 2 * row.bytes_of("weights", "load")
    stored = {
        m.tensor: m.bytes for r in twice.operations for m in r.moves if m.direction == "store"
    }
    wide = {name: size for name, size in stored.items() if name.endswith(".wide")}
    assert wide
    assert any(name.removesuffix(".wide") in stored for name in wide)
    for name, size in wide.items():
        narrow = stored.get(name.removesuffix(".wide"))  # none where only the weights need it
        assert narrow is None or size == 2 * narrow


def test_range_batch_norm_saves_the_pass_over_the_tensor_that_the_statistics_cost(tiny):
    small = load_hardware("edge", {"sram.input_kib": 1.5, "sram.output_kib": 1.5})
    batch, ranged = (
        simulate(net, small, batch=8, training=TrainingOptions(), data=None).phase("forward")
        for net in (tiny, range_normalized(tiny))
    )
    norms = [row for row in batch.operations if row.kind == "batch_norm"]
    ranges = [row for row in ranged.operations if row.kind == "range_batch_norm"]
    assert len(norms) == len(ranges) == 2
    for one, other in zip(norms, ranges, strict=True):
        assert one.bytes_of("input", "load") == 2 * other.bytes_of("input", "load")
        assert other.total_cycles < one.total_cycles
    saved = sum(row.bytes_of("input", "load") for row in ranges)
    assert saved == 8 * 8 * (12 * 12 + 6 * 6)
    parameters = sum(row.bytes_of("parameters", "load") for row in ranges)
    assert batch.total_bytes - ranged.total_bytes == saved + parameters


@pytest.mark.parametrize("scheme", ["in-hindsight", "current", "current/lazy"])
@pytest.mark.parametrize("fusion", ["none", "drain", "chain"])
def test_a_step_with_range_batch_norm_knows_what_batch_norm_would_take(tiny, scheme, fusion):
    hardware = load_hardware(
        "edge", {"sram.input_kib": 1.5, "sram.output_kib": 1.5, "fusion": fusion}
    )
    batch, ranged = (
        simulate(net, hardware, scheme, batch=8, training=TrainingOptions(), data=None)
        for net in (tiny, range_normalized(tiny))
    )
    norms = [row for row in batch.operations if row.kind == "batch_norm"]
    assert {row.phase for row in norms} == {"forward", "grad-input"}
    assert ranged.batch_norms.bytes == sum(row.total_bytes for row in norms)
    assert ranged.batch_norms.cycles == sum(row.total_cycles for row in norms)
    assert batch.total_bytes - ranged.total_bytes == (
        ranged.batch_norms.bytes - ranged.range_norms.bytes
    )
    assert batch.batch_norms is None and batch.range_norms.bytes == 0
    assert NetworkResult.from_json(ranged.to_json()) == ranged


def statistics_of(network, machine=(), scheme="in-hindsight"):
    hardware = load_hardware("edge", {f"stat_unit.{name}": value for name, value in machine})
    result = simulate(network, hardware, scheme, batch=8, training=TrainingOptions(), data=None)
    counts = {a.action: a.count for a in result.actions if a.component == "statistics"}
    return counts, result.statistics_held_cycles


@pytest.mark.parametrize("scheme", ["in-hindsight", "current", "fixed"])
def test_the_sums_of_range_batch_norm_are_additions_of_the_statistics_unit(tiny, scheme):
    ranged = range_normalized(tiny)
    (plain, free), (fed, held) = (
        statistics_of(network, [("at_once", 1)], scheme) for network in (tiny, ranged)
    )
    elements = 8 * 8 * (12 * 12 + 6 * 6)
    assert fed == plain | {"add": elements}
    assert (free, held) == (0, elements // 8)  # a word has the 8 channels of a position
    assert statistics_of(ranged, scheme=scheme) == (fed, 0)


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("sum", False, "sum: stat_unit.sum=false must be true"),
        ("compares", "magnitude", "extremes: stat_unit.compares=magnitude must be extremes"),
        ("per_channel", False, "channels: stat_unit.per_channel=false must be true"),
    ],
)
def test_range_batch_norm_is_refused_what_the_unit_does_not_keep(tiny, field, value, why):
    ranged = range_normalized(tiny)
    with pytest.raises(AccelsimError, match=f"node 'bn1': needs {why}, or from_drain: false"):
        statistics_of(ranged, [(field, value)], "fixed")
    statistics_of(tiny, [(field, value)], "fixed")
    nodes = (
        replace(node, work=replace(node.work, from_drain=False))
        if node.kind == "range_batch_norm" else node
        for node in ranged.nodes
    )  # fmt: skip
    statistics_of(replace(ranged, nodes=tuple(nodes)), [(field, value)], "fixed")


def test_a_scheme_for_gradients_of_its_own(tiny):
    policy = "activations=in-hindsight,gradients=current"
    mixed, static, dynamic = (
        simulate(tiny, scheme=scheme, batch=2, training=TrainingOptions(), data=None)
        for scheme in (policy, "in-hindsight", "current")
    )
    assert mixed.phase("forward").total_bytes == static.phase("forward").total_bytes
    assert mixed.phase("grad-input").total_bytes == dynamic.phase("grad-input").total_bytes
    assert mixed.scheme == "activations=in-hindsight/static,gradients=current/spill"


def test_products_of_two_activations_have_a_gradient_to_each():
    layers = [
        {"name": "ql", "kind": "linear", "out_features": 8},
        {"name": "q", "kind": "reshape", "shape": [1, 6, 8]},
        {"name": "kl", "kind": "linear", "out_features": 8, "input": "tokens"},
        {"name": "k", "kind": "reshape", "shape": [1, 6, 8]},
        {"name": "kt", "kind": "transpose", "order": [0, 2, 1], "folds": True},
        {"name": "scores", "kind": "matmul", "inputs": ["q", "kt"]},
        {"name": "softmax", "kind": "softmax"},
    ]
    document = {"name": "t", "inputs": {"tokens": [6, 8]}, "sequential": True, "layers": layers}
    result = simulate(
        parse_network(document, "t"), load_hardware("edge", ROOMY), "current", batch=2,
        training=TrainingOptions(bifurcation=True), data=None,
    )  # fmt: skip
    both = [row.phase for row in result.operations if row.node == "scores"]
    assert both == ["forward", "grad-input", "grad-weight"]
    stored, loaded = written_and_read(result)
    assert "scores.gradient-second.wide" in stored and "scores.gradient-second.wide" in loaded


def test_the_same_again_and_json_comes_back_equal(tiny):
    one, other = (simulate(tiny, batch=2, training=WAYS[1], data=None) for _ in range(2))
    assert one.to_json() == other.to_json()
    assert NetworkResult.from_json(one.to_json()) == one
    assert sum(one.phase(p).total_cycles for p in one.phases) == one.total_cycles
    parts = [one.phase(p).energy().total_pj for p in one.phases]
    assert sum(parts) == pytest.approx(one.energy().total_pj)


def test_options_that_contradict_each_other_are_refused():
    with pytest.raises(AccelsimError, match="gradient_bits=16: must be below 16"):
        TrainingOptions(gradient_bits=16, bifurcation=True)
    with pytest.raises(AccelsimError, match="weight_gradient_bits"):
        TrainingOptions(weight_gradient_bits=40)


@pytest.mark.parametrize("name", ["vit-tiny", "resnet50", "bert-base"])
def test_vector_work_of_a_training_step_fits_the_edge_machine(name):
    hardware, policy = load_hardware("edge"), Policy.parse("in-hindsight")
    jobs = plan_training(load_network(name), 1, policy, hardware)
    tasks = {job.work for job in jobs if not job.is_product}
    assert {job.phase for job in jobs} == {"forward", "grad-input", "grad-weight", "update"}
    for work in tasks:
        assert any(lower_vector(work, hardware).of(Store))


def test_the_three_products_of_a_layer_have_the_same_useful_multiplications():
    step = simulate("resnet18-64", data=None, training=TrainingOptions())
    useful, walked = {}, {}
    for row in step.operations:
        if row.macs:
            useful.setdefault(row.node, set()).add(row.useful_macs)
            walked[row.node, row.phase] = row.macs
    assert {len(counts) for counts in useful.values()} == {1} and len(useful) == 21
    strided = "layer2.0.conv1"  # of stride 2: three of four elements of its gradient are zeros
    assert walked[strided, "grad-input"] == 4 * walked[strided, "forward"]
    assert step.useful_macs < step.macs
    assert step.useful_macs == sum(row.useful_macs for row in step.operations)
