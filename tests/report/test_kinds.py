"""Bytes of a network by what their tensors are."""

import pytest

from accelsim.lowering import TrainingOptions
from accelsim.network.graph_file import parse_network
from accelsim.report.kinds import bytes_by_kind
from accelsim.report.plot import draw
from accelsim.simulation import compare, simulate
from tests.simulation.test_network_values import ATTENTION
from tests.simulation.test_networks import TINY

SCHEMES = ["in-hindsight", "current"]


def test_the_second_tensor_of_a_product_of_two_is_no_weight():
    result = simulate(parse_network(ATTENTION, "attention"), data=None, batch=2)
    counts, rows = bytes_by_kind(result), {row.node: row for row in result.operations}
    linear = sum(row.bytes_of("weights", "load") for row in rows.values() if row.kind == "linear")
    products = sum(row.bytes_of("weights", "load") for row in rows.values() if row.kind == "matmul")
    assert counts["weights", "load"] == linear > 0
    assert counts["input 2", "load"] >= products > 0


@pytest.mark.parametrize("options", [TrainingOptions(), TrainingOptions(momentum=True)])
def test_a_picture_of_a_training_shows_what_is_learned_as_weights_and_no_gradient(options):
    step = compare(parse_network(TINY, "tiny"), schemes=SCHEMES, data=None, training=options)
    (axes,) = draw("traffic", step).axes
    drawn = {}
    for container in axes.containers:
        for bar in container:
            _, scheme, part = bar.get_label().split(", ")
            drawn[scheme, part] = drawn.get((scheme, part), 0) + bar.get_width() * 1024
    learned = ("weights", "bias", "parameters", "master", "momentum")
    for result in step.results:
        counts = bytes_by_kind(result)
        loads = {kind: count for (kind, way), count in counts.items() if way == "load"}
        expected = sum(count for kind, count in loads.items() if kind in learned)
        assert drawn[result.scheme, "weights"] == pytest.approx(expected)
        rest = sum(loads.values()) - expected - loads.get("accumulators", 0)
        assert drawn[result.scheme, "operands"] == pytest.approx(rest)
        assert {"output-gradient", "weight-gradient"} <= set(loads)
