"""Who waits is told how much is done, of how much, up to the end."""

import pytest

from accelsim.lowering import TrainingOptions
from accelsim.network.graph_file import parse_network
from accelsim.simulation import compare, drive_dram, mlp_statement, table5
from tests.simulation.test_networks import TINY

NETWORK = parse_network(TINY, "tiny")
RUNS = {
    "values": lambda tell: compare(NETWORK, steps=3, progress=tell),
    "no values": lambda tell: compare(NETWORK, data=None, progress=tell),
    "training": lambda tell: compare(NETWORK, data=None, training=TrainingOptions(), progress=tell),
    "table": lambda tell: table5(["edge"], progress=tell),
    "perceptron": lambda tell: mlp_statement(machines=["edge"], batches=[1], progress=tell),
}


@pytest.mark.parametrize("name", RUNS)
def test_every_piece_is_told_once_and_the_last_is_the_end(name):
    told = []
    RUNS[name](lambda done, total: told.append((done, total)))
    (total,) = {total for _, total in told}
    assert [done for done, _ in told] == list(range(total + 1))
    assert total >= 3


def test_a_dram_tells_the_lines_that_have_moved():
    told = []
    asked = {"requests": 20_000, "span_bytes": 1 << 24}
    run = drive_dram("ddr4-2400", "random", **asked, progress=lambda *both: told.append(both))
    assert len(told) > 2 and {total for _, total in told} == {20_000}
    done = [count for count, _ in told]
    assert done == sorted(set(done)) and done[0] == 0 and done[-1] < 20_000
    assert run.to_json() == drive_dram("ddr4-2400", "random", **asked).to_json()
