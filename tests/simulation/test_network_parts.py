"""Samples and regions with ranges of their own on their way through a network."""

import numpy as np
import pytest

from accelsim import compare, simulate
from accelsim.errors import AccelsimError
from accelsim.hardware import load_hardware
from accelsim.lowering import TrainingOptions
from accelsim.lowering.plan import plan_inference
from accelsim.network import load_network
from accelsim.network.graph_file import parse_network
from accelsim.quant import Scheme
from accelsim.simulation.sample_flow import SampleFlow
from accelsim.simulation.weights import Weights
from tests.naive.network import NaiveNetwork
from tests.simulation.test_network_values import ATTENTION, RESIDUAL, complete
from tests.simulation.test_networks import ROOMY, TINY, written_and_read

BATCH = 3
RANGE_BYTES = 5
"""A float32 scale and a zero point."""


@pytest.fixture(scope="module")
def tiny():
    return parse_network(TINY, "tiny")


@pytest.mark.parametrize("document", [RESIDUAL, ATTENTION], ids=["residual", "attention"])
@pytest.mark.parametrize("fusion", ["none", "drain"])
def test_every_sample_has_the_bits_of_the_naive_twin_alone(document, fusion):
    network, steps = complete(document, batch=BATCH)
    hardware, scheme = load_hardware("edge", {"fusion": fusion}), Scheme.parse("per-sample")
    jobs = plan_inference(network, BATCH, scheme, hardware)
    flow = SampleFlow(network, BATCH, scheme, hardware, jobs, Weights(network))
    twin = NaiveNetwork(network, dynamic=True, fused=fusion == "drain", stored=True)
    for number, inputs in enumerate(steps):
        alone = [
            twin.step({name: array[i : i + 1] for name, array in inputs.items()})
            for i in range(BATCH)
        ]
        flow.begin(number, inputs)
        for node in network.nodes:
            flow.take(node)
            for expected, held in zip(alone, flow.held[node.name].samples, strict=True):
                integers, scale, zero_point = expected[node.name]
                assert (held.grid.scale, held.grid.zero_point) == (scale, zero_point), node.name
                np.testing.assert_array_equal(held.integers, integers, err_msg=node.name)


def test_samples_of_unlike_sizes_lose_less_than_under_one_range(tiny):
    rng = np.random.default_rng(3)
    image = rng.normal(size=(BATCH, 3, 12, 12)) * np.array([0.01, 1, 30]).reshape(-1, 1, 1, 1)
    one, own = compare(tiny, "edge", ["current", "per-sample"], {"image": image}).results
    first, last = ({row.node: row.numerics for row in r.operations} for r in (one, own))
    assert own.outputs[0].cosine > one.outputs[0].cosine
    assert last["conv1"].levels_used > 200
    assert last["conv1"].range_observed.maximum == pytest.approx(
        first["conv1"].range_observed.maximum, rel=0.02
    )
    assert last["conv1"].output_scale is None


@pytest.mark.parametrize("scheme", ["per-sample", "per-sample/lazy", "per-sample/resident",
    "per-sample:symmetric=1"])  # fmt: skip
@pytest.mark.parametrize("fusion", ["none", "chain"])
def test_time_and_bytes_are_the_same_with_values_and_without(tiny, scheme, fusion):
    hardware = load_hardware("edge", {"fusion": fusion})
    valued = simulate(tiny, hardware, scheme, batch=BATCH)
    timed = simulate(tiny, hardware, scheme, None, batch=BATCH)
    assert valued.total_cycles == timed.total_cycles
    assert [r.moves for r in valued.operations] == [r.moves for r in timed.operations]


@pytest.mark.parametrize("fusion", ["none", "drain", "chain"])
@pytest.mark.parametrize("scheme", ["per-sample", "per-sample/lazy", "per-sample/recompute",
    "per-tile", "per-tile:channels=4,rows=5,columns=3"])  # fmt: skip
def test_what_one_operation_stores_the_next_ones_load_ranges_included(tiny, fusion, scheme):
    hardware = load_hardware("edge", ROOMY | {"fusion": fusion})
    result = simulate(tiny, hardware, scheme, batch=BATCH, data=None)
    stored, loaded = written_and_read(result)
    assert set(stored) - set(loaded) == {"fc", "fc.scales"}
    products = 2 if scheme == "per-sample/recompute" else 1
    for tensor, sizes in loaded.items():
        if tensor in stored and not tensor.endswith(".scales"):
            assert set(sizes) <= {stored[tensor], products * stored[tensor]}
        elif tensor in stored:  # a range comes with every piece that meets its part
            assert all(size % stored[tensor] == 0 for size in sizes), tensor
    # 12 x 12 x 8, then 6 x 6 x 8.
    counts = {"per-tile": (4, 1), "per-tile:channels=4,rows=5,columns=3": (3 * 4 * 2, 2 * 2 * 2)}
    for tensor, count in zip(("relu1", "pool"), counts.get(scheme, (1, 1)), strict=True):
        if f"{tensor}.scales" in stored:
            assert stored[f"{tensor}.scales"] == BATCH * count * RANGE_BYTES


def actions(row):
    return {(a.component, a.action): a.count for a in row.actions}


def test_a_window_over_regions_adds_scaled_sums_and_one_over_samples_does_not(tiny):
    hardware = load_hardware("edge", ROOMY)
    tiles, samples = (
        {row.node: actions(row) for row in simulate(tiny, hardware, s, None, batch=2).operations}
        for s in ("per-tile:rows=4", "per-sample")
    )
    # 9 taps of 8 channels in one region each; an output is 6 x 6 x 8.
    assert tiles["conv2"]["array", "add-float"] == 2 * 9 * 6 * 6 * 8
    assert tiles["fc"].get(("array", "add-float"), 0) == 0
    assert all(("array", "add-float") not in found for found in samples.values())


def test_a_flattened_image_is_rescaled_every_run_of_channels():
    document = {
        "name": "flat", "inputs": {"image": [40, 5, 5]}, "sequential": True,
        "layers": [{"name": "fc", "kind": "linear", "out_features": 6}],
    }  # fmt: skip
    network, scheme = parse_network(document, "flat"), Scheme.parse("per-tile:rows=3")
    (job,) = plan_inference(network, 2, scheme, load_hardware("edge"))
    # Two regions of rows, two of channels (32 and 8) for each image.
    assert job.bytes_of("input scales", load_hardware("edge")) == 2 * 2 * 2 * RANGE_BYTES
    result = simulate(network, "edge", scheme, None, batch=2)
    assert actions(result.operations[0])["array", "add-float"] == 2 * 6 * -(-25 * 40 // 32)


def test_vector_work_goes_sample_by_sample_where_each_has_a_range():
    """A sample's operands stay on chip for its second sweep, where those of all would not."""
    document = {
        "name": "sums", "inputs": {"a": [16, 20, 20], "b": [16, 20, 20]},
        "layers": [{"name": "sum", "kind": "add", "inputs": ["a", "b"]}],
    }  # fmt: skip
    network = parse_network(document, "sums")
    size = 16 * 20 * 20
    hardware = load_hardware("edge", {"sram.input_kib": 16})
    one, own = (
        simulate(network, hardware, scheme, None, batch=4) for scheme in ("current", "per-sample")
    )
    assert one.total_bytes == 4 * (2 * 2 + 1) * size
    assert own.total_bytes == 4 * 3 * size + 4 * 3 * RANGE_BYTES
    assert actions(own.operations[0])["vector unit", "operate"] == 2 * 4 * size


@pytest.mark.parametrize("scheme", ["per-sample", "activations=in-hindsight,gradients=per-sample",
    "activations=per-sample/lazy,gradients=per-sample/resident"])  # fmt: skip
@pytest.mark.parametrize("network", [TINY, ATTENTION], ids=["tiny", "attention"])
def test_training_with_ranges_of_samples_reads_what_it_wrote(network, scheme):
    hardware, training = load_hardware("edge", ROOMY), TrainingOptions()
    result = simulate(
        parse_network(network, "trained"), hardware, scheme, None, batch=BATCH, training=training
    )
    stored, loaded = written_and_read(result)
    gradients = [name for name in stored if ".gradient" in name and name.endswith(".scales")]
    assert gradients
    for tensor in gradients:
        assert stored[tensor] == BATCH * RANGE_BYTES
        assert all(size % stored[tensor] == 0 for size in loaded.get(tensor, [])), tensor


def test_gradients_to_weights_add_a_scaled_sum_for_every_sample(tiny):
    hardware, scheme = load_hardware("edge", ROOMY), "activations=in-hindsight,gradients=per-sample"
    rows = simulate(tiny, hardware, scheme, None, batch=BATCH, training=TrainingOptions())
    found = {(row.node, row.phase): actions(row) for row in rows.operations}
    sums = found["conv2", "grad-weight"]["array", "add-float"]
    assert sums % (8 * 9 * 8) == 0 and sums >= BATCH * 8 * 9 * 8
    assert ("array", "add-float") not in found["conv2", "grad-input"]


@pytest.mark.parametrize(("network", "arguments", "message"), [
    ("vit-tiny", {"schemes": ["per-tile"]}, "node 'patches' reads its operand in another shape"),
    (ATTENTION, {"schemes": ["per-tile"]}, "node .* (multiplies two tensors|in another shape)"),
    (TINY, {"schemes": ["per-tile"], "data": "synthetic"}, "with values, as its readers add"),
    (TINY, {"schemes": ["per-tile"], "training": TrainingOptions()}, "do not lie on one another"),
    (TINY, {"schemes": ["activations=current,gradients=per-sample"],
            "training": TrainingOptions(bifurcation=True)}, "one range with bifurcation"),
    (TINY, {"schemes": ["per-sample"], "data": "synthetic", "training": TrainingOptions()},
     "join samples whose ranges differ; allowed: data=None"),
    (TINY, {"schemes": ["per-tile"], "hardware": {"accumulator.bits": 24}},
     "accumulator.bits=24: must be 32 for scheme 'per-tile/static' in a network"),
])  # fmt: skip
def test_what_makes_no_sense_is_one_line(network, arguments, message):
    arguments = {"data": None, "batch": 2, **arguments}
    hardware = load_hardware("edge", arguments.pop("hardware", {}))
    if isinstance(network, dict):
        network = parse_network(network, "net")
    else:
        network = load_network(network)
    with pytest.raises(AccelsimError, match=message) as error:
        compare(network, hardware, **arguments)
    assert "\n" not in str(error.value)
