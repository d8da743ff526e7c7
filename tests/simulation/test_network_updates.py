"""Networks whose ranges are searched now and then: update steps, and the cost per step."""

from dataclasses import replace

import numpy as np
import pytest

import accelsim
from accelsim.errors import AccelsimError
from accelsim.hardware import load_hardware
from accelsim.lowering import TrainingOptions
from accelsim.network import StepTensors, load_network
from accelsim.network.graph_file import parse_network
from accelsim.network.synthetic_network import SyntheticInputs, with_parameters
from accelsim.quant import Policy
from accelsim.result import NetworkComparison
from accelsim.simulation import compare, simulate
from accelsim.simulation.network_steps import planned_steps
from tests.simulation.test_networks import ROOMY, TINY, written_and_read

REALISATIONS = ("spill", "spill16", "lazy", "recompute", "resident")
DSGC = "dsgc:period=3,iterations=4"
READS = 7
"""Of an update of DSGC: six clips are tried, one read quantizes."""

ALONE = {
    "name": "alone",
    "inputs": {"image": [6, 9, 8]},
    "sequential": True,
    "layers": [
        {"name": "conv", "kind": "conv2d", "out_channels": 10, "kernel": 3, "padding": 1,
         "bias": True},
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def tiny():
    return parse_network(TINY, "tiny")


def alone(steps=1):
    """A network of one layer with its parameters, and the inputs of some steps."""
    network = parse_network(ALONE, "alone")
    inputs = list(SyntheticInputs(network, 2, 5, "walk:0.3").steps(steps))
    return with_parameters(network, inputs[0], 5), inputs


def same_cost(row, result):
    """Whether an operation costs what the layer alone does."""
    assert (row.realisation, row.run_phases) == (result.realisation, result.phases)
    assert (row.total_bytes, row.total_cycles) == (result.total_bytes, result.total_cycles)
    assert row.actions == result.actions
    assert row.amortised == alone_amortised(result.amortised)


def alone_amortised(cost):
    """Without a stated consumer: in a network it is the next operation."""
    if cost is None:
        return None
    update, plain = (replace(step, consumer=None) for step in (cost.update, cost.plain))
    return replace(cost, update=update, plain=plain)


@pytest.mark.parametrize("machine", ["edge", "mcu"])
@pytest.mark.parametrize("realisation", REALISATIONS)
@pytest.mark.parametrize("estimator", [DSGC, "bit-adaptive"])
def test_a_network_of_one_layer_costs_what_the_layer_does(machine, realisation, estimator):
    network, scheme = parse_network(ALONE, "alone"), f"{estimator}/{realisation}"
    (layer,) = network.layers
    (row,) = simulate(network, machine, scheme, None, batch=2).operations
    same_cost(row, accelsim.simulate(layer, machine, scheme, None, batch=2))
    assert row.amortised.update.realisation == realisation


@pytest.mark.parametrize("scheme", [DSGC, f"{DSGC}/resident", "bit-adaptive:longest=2"])
@pytest.mark.parametrize("steps", [1, 2, 4])
def test_with_values_it_is_the_layer_step_by_step(scheme, steps):
    network, inputs = alone(steps)
    (layer,) = network.layers
    weights = {name.rpartition(".")[2]: array for name, array in network.parameters.items()}
    tensors = [StepTensors(x["image"], weights["weights"], weights["bias"]) for x in inputs]
    (row,) = simulate(network, "edge", scheme, inputs).operations
    result = accelsim.simulate(layer, "edge", scheme, tensors)
    same_cost(row, result)
    assert row.numerics.range_used == result.numerics.range_used
    assert row.numerics.levels_used == result.numerics.levels_used
    assert row.differs_from_plain == (result.realisation != "static")


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_a_period_is_one_update_and_static_steps(tiny, steps):
    static, searched = compare(tiny, "edge", ["in-hindsight", DSGC], data=None).results
    found = simulate(tiny, "edge", DSGC, steps=steps)
    step = searched.update_step
    assert (step.shortest_period_steps, step.longest_period_steps) == (3, 3)
    assert searched.total_bytes == static.total_bytes
    assert searched.total_cycles == static.total_cycles
    update = steps in (1, 4)
    assert found.total_bytes == (step.bytes if update else static.total_bytes)
    assert found.total_cycles == (step.cycles if update else static.total_cycles)
    assert found.update_step == step
    for result in (searched, found):
        assert result.bytes_per_step == pytest.approx((step.bytes + 2 * static.total_bytes) / 3)
        assert result.cycles_per_step == pytest.approx((step.cycles + 2 * static.total_cycles) / 3)


def test_energy_per_step_is_that_of_one_update_and_plain_steps(tiny):
    plain, update = simulate(tiny, "edge", DSGC, data=None), simulate(tiny, "edge", DSGC, steps=1)
    energies = [result.energy("horowitz-45nm").total_pj for result in (update, plain)]
    assert energies[0] > energies[1]
    expected = (energies[0] + 2 * energies[1]) / 3
    for result in (plain, update):
        assert result.energy_pj_per_step("horowitz-45nm") == pytest.approx(expected, rel=1e-12)
    static = simulate(tiny, "edge", "current", data=None)
    assert static.energy_pj_per_step() == pytest.approx(static.energy().total_pj, rel=1e-12)


@pytest.mark.parametrize("fusion", ["none", "drain", "chain"])
@pytest.mark.parametrize("realisation", REALISATIONS)
def test_what_an_update_stores_the_next_operations_load(tiny, fusion, realisation):
    hardware = load_hardware("edge", ROOMY | {"fusion": fusion})
    result = simulate(tiny, hardware, f"{DSGC}/{realisation}", steps=1)
    assert all(row.differs_from_plain for row in result.operations if row.amortised)
    stored, loaded = written_and_read(result)
    # Accumulators that are left to the readers were loaded for the searches before.
    searched = realisation == "lazy"
    assert set(stored) - set(loaded) == (set() if searched else {"fc"})
    assert not searched or loaded["fc"] == [(READS - 1) * stored["fc"]]
    # A product that is made for every read, and the first time, loads its operands as often.
    times = {"recompute": 1 + READS, "lazy": READS - 1}.get(realisation, 1)
    for tensor, sizes in loaded.items():
        if tensor in stored:
            assert set(sizes) <= {stored[tensor], times * stored[tensor]}
    for row in result.operations:
        assert sum(phase.cycles for phase in row.run_phases) == row.total_cycles
        assert sum(phase.bytes for phase in row.run_phases) == row.total_bytes


def test_the_searches_of_an_update_are_their_closed_form(tiny):
    result = simulate(tiny, load_hardware("edge", ROOMY), DSGC, data=None)
    outputs = sum(layer.nest().output_elements for layer in tiny.layers)
    vector = [row for row in result.operations if row.amortised and not row.macs]
    assert [row.node for row in vector] == ["add"]
    # The vector unit keeps what it reads, so its searches take time and no bytes.
    (looked,) = [phase for phase in vector[0].amortised.update.phases if phase.phase == "search"]
    assert looked.bytes == 0 < looked.cycles
    assert result.update_step.search_bytes == (READS - 1) * 4 * outputs


def test_vector_work_reads_its_operands_once_and_for_every_read_of_an_update(tiny):
    small = load_hardware("edge", {"sram.input_kib": 0.25})
    result = simulate(tiny, small, DSGC, data=None)
    (add,) = [row for row in result.operations if row.node == "add"]
    stored = add.bytes_of(direction="store")
    loads = add.bytes_of(direction="load")
    phases = {phase.phase: phase.bytes for phase in add.amortised.update.phases}
    assert phases == {"gather": loads, "search": (READS - 1) * loads, "apply": loads + stored}


def test_a_width_that_values_ask_for_is_loaded_by_the_readers():
    document = {
        "name": "pair", "inputs": {"rows": [600, 1]}, "sequential": True,
        "layers": [
            {"name": "one", "kind": "linear", "out_features": 8},
            {"name": "two", "kind": "linear", "out_features": 8},
        ],
    }  # fmt: skip
    network = parse_network(document, "pair")
    rows = np.full((1, 600, 1), 0.4)
    rows[0, 7] = 128.0
    wide, narrow = (
        accelsim.quant.Scheme.parse(name, input_bits=16)
        for name in ("bit-adaptive", "bit-adaptive:threshold=1.0")
    )
    adapted, kept = compare(network, "edge", [wide, narrow], {"rows": rows}).results
    moved = [
        {row.node: row.bytes_of("input", "load") for row in result.operations}
        for result in (adapted, kept)
    ]
    assert moved[0]["two"] == 2 * moved[1]["two"]
    assert adapted.operations[0].amortised.passes == 2
    assert kept.operations[0].amortised.passes == 1


@pytest.mark.parametrize("realisation", ["recompute", "resident", "lazy"])
def test_what_an_update_does_about_its_range_changes_no_value(tiny, realisation):
    one, other = (
        simulate(tiny, "edge", scheme, steps=4) for scheme in (DSGC, f"{DSGC}/{realisation}")
    )
    assert [row.numerics for row in one.operations] == [row.numerics for row in other.operations]
    assert one.update_step != other.update_step


@pytest.mark.parametrize("name", ["mobilenetv2", "resnet18", "vit-tiny"])
@pytest.mark.parametrize("training", [None, TrainingOptions(bifurcation=True)])
@pytest.mark.parametrize("realisation", ["spill", "lazy"])
def test_an_update_of_a_network_of_the_shelf_reads_what_it_wrote(name, training, realisation):
    network, hardware = load_network(name), load_hardware("edge")
    policy = Policy.parse(f"dsgc/{realisation}")
    plans = planned_steps(network, 4, policy, hardware, training)
    assert [job.node for job in plans.update] == [job.node for job in plans.plain]
    written = {
        use.tensor: job.bytes_of(use.role, hardware) for job in plans.update for use in job.writes
    }
    cut = {source for n in network.nodes if n.kind == "slice" for source in n.inputs}
    for job, steps in zip(plans.update, plans.periods, strict=True):
        assert (steps == 100) == (job != plans.plain[plans.update.index(job)])
        for use in job.reads:
            if use.tensor not in cut and not use.tensor.endswith(".parameters"):
                size = job.bytes_of(use.role, hardware)
                assert written.get(use.tensor, size) == size, use.tensor


def gradients(name):
    return f"activations=in-hindsight,gradients={name}"


@pytest.mark.parametrize("realisation", ["spill", "resident", "recompute"])
def test_searched_gradients_change_what_makes_gradients_alone(tiny, realisation):
    scheme = gradients(f"{DSGC}/{realisation}")
    options = TrainingOptions()
    static, searched = compare(
        tiny, "edge", ["in-hindsight", scheme], data=None, batch=2, training=options
    ).results
    assert {row.phase for row in searched.operations if row.amortised} == {"grad-input"}
    same = [replace(row, amortised=None) for row in searched.operations]
    assert same == list(static.operations)
    for row in searched.operations:
        if row.amortised and row.macs:
            layer = next(layer for layer in tiny.layers if layer.name == row.node)
            alone = accelsim.simulate(
                layer, "edge", f"{DSGC}/{realisation}", None, batch=2, operation="grad-input"
            )
            assert row.amortised == alone.amortised


def test_lazy_updates_are_paid_by_their_readers_too(tiny):
    scheme = f"activations={DSGC}/lazy,gradients=in-hindsight"
    result = simulate(tiny, "edge", scheme, None, training=TrainingOptions())
    changed = {(row.node, row.phase) for row in result.operations if row.amortised}
    assert ("fc", "grad-input") not in changed
    assert {("conv1", "forward"), ("bn1", "forward"), ("bn1", "grad-input")} <= changed
    (norm,) = [r for r in result.operations if (r.node, r.phase) == ("bn1", "grad-input")]
    assert norm.amortised.update.bytes > norm.amortised.plain.bytes == norm.total_bytes


def test_a_training_with_values_costs_what_it_does_without():
    arguments = {"hardware": "edge", "scheme": DSGC, "training": TrainingOptions(), "batch": 2}
    timed = simulate("digits-cnn", data=None, **arguments)
    valued = simulate("digits-cnn", steps=2, **arguments)
    assert [replace(row, numerics=None) for row in valued.operations] == list(timed.operations)
    assert len(valued.steps) == 2 and valued.update_step == timed.update_step


def test_widths_that_follow_from_values_train_no_network(tiny):
    with pytest.raises(AccelsimError, match="widths follow from them; allowed: data=None"):
        simulate(tiny, "edge", gradients("bit-adaptive"), steps=2, training=TrainingOptions())
    timed = simulate(tiny, "edge", gradients("bit-adaptive"), None, training=TrainingOptions())
    assert timed.update_step.longest_period_steps == 100


def test_ratios_have_update_steps_and_json_comes_back_equal(tiny):
    comparison = compare(tiny, "edge", ["in-hindsight", DSGC, "current"], data=None)
    searched, current = comparison.ratios
    assert searched.bytes_ratio == 1 < searched.bytes_per_step_ratio
    assert current.bytes_per_step_ratio == current.bytes_ratio
    assert comparison.baseline.update_step is None
    assert NetworkComparison.from_json(comparison.to_json()) == comparison
    totals = comparison.results[1].to_dict()["totals"]
    assert totals["update_step"] == comparison.results[1].update_step.to_dict()
    assert totals["bytes_per_step"] == comparison.results[1].bytes_per_step
