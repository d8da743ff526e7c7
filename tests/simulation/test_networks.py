"""Whole networks: what one operation stores the next one loads, and the sums are closed forms."""

import json
from collections import defaultdict

import pytest

from accelsim.errors import AccelsimError
from accelsim.hardware import load_hardware
from accelsim.lowering import TrainingOptions
from accelsim.lowering.plan import plan_inference
from accelsim.lowering.training_plan import plan_training
from accelsim.network import MatMul, load_network, network_names
from accelsim.network.graph_file import parse_network
from accelsim.quant import Policy, Scheme
from accelsim.result import NetworkComparison, NetworkResult
from accelsim.simulation import compare, simulate

ROOMY = {f"sram.{name}_kib": 65536 for name in ("input", "weight", "accumulator", "output")}

TINY = {
    "name": "tiny",
    "inputs": {"image": [3, 12, 12]},
    "sequential": True,
    "layers": [
        {"name": "conv1", "kind": "conv2d", "out_channels": 8, "kernel": 3, "padding": 1},
        {"name": "bn1", "kind": "batch_norm"},
        {"name": "relu1", "kind": "relu"},
        {"name": "pool", "kind": "max_pool", "kernel": 2, "stride": 2},
        {"name": "conv2", "kind": "conv2d", "out_channels": 8, "kernel": 3, "padding": 1},
        {"name": "bn2", "kind": "batch_norm"},
        {"name": "add", "kind": "add", "inputs": ["bn2", "pool"]},
        {"name": "relu2", "kind": "relu"},
        {"name": "gap", "kind": "global_average_pool"},
        {"name": "fc", "kind": "linear", "out_features": 5, "bias": True},
    ],
}


@pytest.fixture(scope="module")
def tiny():
    return parse_network(TINY, "tiny")


def written_and_read(result):
    """Bytes of each tensor of the network: stored, and loaded by each operation."""
    stored, loaded = {}, defaultdict(list)
    for row in result.operations:
        sizes = defaultdict(int)
        for move in row.moves:
            sizes[move.tensor, move.role, move.direction] += move.bytes
        for (tensor, role, direction), count in sizes.items():
            if role == "accumulators" and row.realisation != "lazy":
                continue  # the operation's own
            if direction == "store":
                assert tensor not in stored
                stored[tensor] = count
            else:
                loaded[tensor].append(count)
    return stored, loaded


@pytest.mark.parametrize("fusion", ["none", "drain", "chain"])
@pytest.mark.parametrize("scheme", ["in-hindsight", "current", "current/lazy", "current/recompute"])
def test_what_one_operation_stores_the_next_ones_load(tiny, fusion, scheme):
    hardware = load_hardware("edge", ROOMY | {"fusion": fusion})
    result = simulate(tiny, hardware, scheme, batch=2, data=None)
    stored, loaded = written_and_read(result)
    assert set(stored) - set(loaded) == {"fc"}
    # A product that is made twice reads its operands twice.
    products = 2 if scheme == "current/recompute" else 1
    for tensor, sizes in loaded.items():
        if tensor in stored:
            assert set(sizes) <= {stored[tensor], products * stored[tensor]}


@pytest.mark.parametrize("name", network_names())
@pytest.mark.parametrize("scheme", ["in-hindsight", "current/lazy"])
def test_every_network_of_the_shelf_reads_what_it_wrote_forward_backward_and_updating(name, scheme):
    network, hardware = load_network(name), load_hardware("edge")
    options = TrainingOptions(bifurcation=True, momentum=True)
    policy = Policy.parse(scheme)
    steps = (
        plan_inference(network, 4, policy.activations, hardware),
        plan_training(network, 4, policy, hardware, options),
    )
    cut = {source for n in network.nodes if n.kind == "slice" for source in n.inputs}
    for jobs in steps:
        written = defaultdict(set)
        for job in jobs:
            for use in job.writes:
                written[use.tensor].add(job.bytes_of(use.role, hardware))
        for job in jobs:
            for use in job.reads:
                # A slice is read alone; gradients need gamma without beta.
                if use.tensor not in cut and not use.tensor.endswith(".parameters"):
                    size = job.bytes_of(use.role, hardware)
                    assert not written[use.tensor] or written[use.tensor] == {size}, use.tensor


@pytest.mark.parametrize(
    "name", ["alexnet", "bert-base", "digits-cnn", "mlp", "mobilenetv2", "resnet18", "vit-tiny"]
)
def test_traffic_is_never_below_the_compulsory_and_weights_are_loaded_in_full(name):
    network = load_network(name)
    result = simulate(name, data=None)
    loaded = result.bytes_by("tensor", "direction")
    for layer in network.layers:
        if not isinstance(layer, MatMul):
            assert loaded[f"{layer.name}.weights", "load"] >= layer.nest().weight_elements
    stored, read = written_and_read(result)
    cut = {source for n in network.nodes if n.kind == "slice" for source in n.inputs}
    for tensor, size in stored.items():
        assert tensor in cut or all(count >= size for count in read[tensor])
    assert result.macs == sum(layer.nest().macs for layer in network.layers)


def test_static_and_spill_are_their_closed_forms_where_buffers_hold_the_layers():
    network = load_network("resnet18")
    hardware = load_hardware("edge", ROOMY)
    static, spill = compare("resnet18", hardware, data=None).results
    products = {"static": 0, "spill": 0}
    for layer in network.layers:
        nest = layer.nest()
        bias = 4 * nest.out_channels  # of the folded batch normalization, or its own
        for name, count in zip(products, nest.traffic_bytes(8, 8, 8, 32), strict=True):
            products[name] += count + bias
    for result, name in ((static, "static"), (spill, "spill")):
        assert sum(r.total_bytes for r in result.operations if r.macs) == products[name]
        vector = sum(r.total_bytes for r in result.operations if not r.macs)
        assert vector == sum(m.bytes for r in result.operations if not r.macs for m in r.moves)
    # Vector work reads its operands once: they fit the input buffer.
    by_role = static.bytes_by("role", "direction")
    assert by_role["input 2", "load"] == spill.bytes_by("role", "direction")["input 2", "load"]


def test_a_range_of_its_own_costs_a_dynamic_scheme_a_second_look_at_the_operands():
    small = load_hardware("edge", {"sram.input_kib": 128})
    static, spill = compare("resnet18", small, data=None).results
    adds = [[r for r in result.operations if r.kind == "add"] for result in (static, spill)]
    for one, other in zip(*adds, strict=True):
        fits = one.bytes_of(None, "load") <= 128 * 1024
        assert other.bytes_of(None, "load") == (1 if fits else 2) * one.bytes_of(None, "load")
    pools = [[r for r in result.operations if "pool" in r.kind] for result in (static, spill)]
    assert [r.total_bytes for r in pools[0]] == [r.total_bytes for r in pools[1]]


def test_activations_are_applied_on_the_way_and_their_traffic_is_gone(tiny):
    alone, drained = (
        simulate(tiny, load_hardware("edge", {"fusion": fusion}), data=None)
        for fusion in ("none", "drain")
    )
    assert [r.node for r in alone.operations] == [
        "conv1", "relu1", "pool", "conv2", "add", "relu2", "gap", "fc",
    ]  # fmt: skip
    assert [(r.node, r.applies) for r in drained.operations] == [
        ("conv1", ("relu1",)), ("pool", ()), ("conv2", ()), ("add", ("relu2",)), ("gap", ()),
        ("fc", ()),
    ]  # fmt: skip
    relus = sum(r.total_bytes for r in alone.operations if r.kind == "relu")
    assert alone.total_bytes - drained.total_bytes == relus == 2 * 8 * (12 * 12 + 6 * 6)


def test_a_result_that_somebody_else_reads_too_is_not_replaced_by_its_activation():
    layers = [
        {"name": "conv", "kind": "conv2d", "out_channels": 8, "kernel": 1},
        {"name": "relu", "kind": "relu"},
        {"name": "add", "kind": "add", "inputs": ["relu", "conv"]},
    ]
    network = parse_network({**TINY, "layers": layers}, "branch")
    result = simulate(network, data=None)
    assert [(r.node, r.applies) for r in result.operations] == [
        ("conv", ()), ("relu", ()), ("add", ()),
    ]  # fmt: skip


def test_a_chained_tensor_moves_no_dram_byte_and_what_does_not_fit_does(tiny):
    drained = simulate(tiny, load_hardware("edge"), data=None)
    moved = drained.bytes_by("tensor")
    for kib in (0.001, 0.5, 1.2, 8):
        hardware = load_hardware("edge", {"fusion": "chain", "sram.chain_kib": kib})
        chained = simulate(tiny, hardware, data=None)
        dram, chip = (chained.bytes_by("tensor", memory=m) for m in ("dram", "chip"))
        assert not set(dram) & set(chip)
        assert dram | chip == moved
        outside = {"image", "conv1.weights", "conv1.bias", "conv2.weights", "conv2.bias"}
        outside |= {"fc.weights", "fc.bias", "fc"}
        names = {name for (name,) in dram}
        assert outside <= names
        if kib == 8:
            assert names == outside
        if kib == 0.001:
            assert not chip
    assert chained.total_cycles < drained.total_cycles


def test_room_on_chip_is_given_back_when_a_tensor_was_read_last(tiny):
    # pool (288 bytes) is held until the addition has read it; relu1 (1152) only until the pool.
    hardware = load_hardware("edge", {"fusion": "chain", "sram.chain_kib": 1.41})
    chip = {
        name for (name,) in simulate(tiny, hardware, data=None).bytes_by("tensor", memory="chip")
    }
    assert chip == {"relu1", "pool", "conv2", "relu2", "gap"}
    hardware = load_hardware("edge", {"fusion": "chain", "sram.chain_kib": 1.40})
    chip = {
        name for (name,) in simulate(tiny, hardware, data=None).bytes_by("tensor", memory="chip")
    }
    assert chip == {"relu1", "conv2", "relu2", "gap"}


def test_lazy_consumers_load_accumulators(tiny):
    hardware = load_hardware("edge", ROOMY)
    lazy = simulate(tiny, hardware, "current/lazy", data=None)
    static = simulate(tiny, hardware, "in-hindsight", data=None)
    for row, other in zip(lazy.operations, static.operations, strict=True):
        for move, same in zip(row.moves, other.moves, strict=True):
            makers = {"relu1": 4, "conv2": 4, "fc": 4}
            assert move.bytes == makers.get(move.tensor, 1) * same.bytes, move


def multiplied(row):
    """The widths of what the array multiplies, and accumulators requantized by the operation."""
    widths = {a.bits for a in row.actions if (a.component, a.action) == ("array", "multiply")}
    ways = [a for a in row.actions if (a.component, a.action) == ("requantizer", "multiply")]
    return widths, sum(a.count for a in ways)


CHAIN = {
    "name": "chain",
    "inputs": {"image": [3, 9, 9]},
    "sequential": True,
    "layers": [
        {"name": "first", "kind": "conv2d", "out_channels": 8, "kernel": 3},
        {"name": "second", "kind": "conv2d", "out_channels": 40, "kernel": 3},
        {"name": "third", "kind": "conv2d", "out_channels": 6, "kernel": 1},
    ],
}


def test_lazy_accumulators_are_requantized_as_the_next_product_reads_them():
    hardware = load_hardware("edge", ROOMY)
    first, second, third = (
        multiplied(row)
        for row in simulate(parse_network(CHAIN, "chain"), hardware, "current/lazy", data=None)
        .operations
    )  # fmt: skip
    assert first == ({(8, 8)}, 0)
    # 5 x 5 positions, 9 taps of 8 channels, for each of two folds over 32 columns.
    assert second == ({(8, 8)}, 2 * 25 * 9 * 8)
    assert third == ({(8, 8)}, 25 * 40)


def test_both_operands_of_a_product_may_be_lazy_accumulators():
    network = load_network("vit-tiny")
    jobs = plan_inference(network, 1, Scheme.parse("current/lazy"), load_hardware("edge"))
    products = [job.work for job in jobs if job.kind == "matmul"]
    assert products and {(w.edge_bits, w.weight_edge_bits) for w in products} == {(8, 8), (None, 8)}


def test_a_lazy_gradient_is_read_at_the_width_of_each_of_its_ways():
    options = TrainingOptions(bifurcation=True)
    network, hardware = parse_network(CHAIN, "chain"), load_hardware("edge", ROOMY)
    result = simulate(network, hardware, "current/lazy", data=None, training=options)
    found = {(row.node, row.phase): multiplied(row) for row in result.operations if row.macs}
    # 7 x 7 positions, 9 taps of the 40 channels of third's gradient to its input.
    assert found["second", "grad-input"] == ({(8, 8)}, 49 * 9 * 40)
    # The activations that second left; what leaves, 40 x 6 in float32, is scaled as well.
    assert found["third", "grad-weight"] == ({(8, 16)}, 25 * 40 + 40 * 6)
    assert found["second", "grad-weight"][0] == {(8, 16)}


def test_units_add_up_and_energy_is_that_of_the_phases(tiny):
    result = simulate(tiny, "edge", "current", data=None)
    for unit in result.units:
        parts = unit.busy_cycles, unit.starved_cycles, unit.blocked_cycles, unit.idle_cycles
        assert min(parts) >= 0 and sum(parts) == result.total_cycles
    assert "vector unit" in [unit.unit for unit in result.units]
    assert result.unit("array").busy_cycles > 0
    assert result.phase("forward").energy().total_pj == result.energy().total_pj > 0
    assert result.energy().pj_of("vector unit") > 0
    with pytest.raises(AccelsimError, match="unit='tpu': must be one of load, array"):
        result.unit("tpu")


def test_the_memory_on_chip_costs_energy_and_area_where_it_is_used(tiny):
    away = simulate(tiny, data=None).energy()
    near = simulate(tiny, load_hardware("edge", {"fusion": "chain"}), data=None).energy()
    assert "on-chip memory" not in [row.component for row in (*away.components, *away.area)]
    assert near.pj_of("on-chip memory") > 0
    assert near.pj_of("dram") < away.pj_of("dram")
    assert "on-chip memory" in [row.component for row in near.area]


def test_the_same_again_and_json_comes_back_equal(tiny):
    one, other = (compare(tiny, batch=2, data=None) for _ in range(2))
    assert one.to_json() == other.to_json()
    assert NetworkComparison.from_json(one.to_json()) == one
    result = one.results[1]
    assert NetworkResult.from_json(result.to_json()) == result
    document = json.loads(one.to_json())
    assert document["ratios"][0]["bytes_ratio"] == result.total_bytes / one.baseline.total_bytes
    assert document["results"][1]["totals"]["total_cycles"] == result.total_cycles


def test_a_frame_has_a_row_per_operation_tensor_and_direction(tiny):
    comparison = compare(tiny, data=None)
    frame = comparison.to_frame()
    assert frame["bytes"].sum() == sum(r.total_bytes for r in comparison.results)
    assert set(frame["scheme"]) == {"in-hindsight/static", "current/spill"}


def test_networks_of_unconnected_layers_run_too():
    result = simulate("table5", data=None)
    assert [r.node for r in result.operations] == list(load_network("table5").layer_names)


@pytest.mark.parametrize(
    ("scheme", "message"),
    [
        ("block-householder", "mixes samples, and to undo that in the next operation"),
        ("activations=current,gradients=block-householder", "mixes samples"),
        ("curent", "curent"),
    ],
)
def test_a_scheme_that_no_plan_covers_is_refused_in_one_line(tiny, scheme, message):
    with pytest.raises(AccelsimError, match=message) as error:
        simulate(tiny, scheme=scheme, data=None)
    assert "\n" not in str(error.value)
