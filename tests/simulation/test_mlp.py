"""The paper's statement on perceptrons: the figures are those of the networks that were run."""

import json

from accelsim.cli.output import plain
from accelsim.report.mlp import mlp_text
from accelsim.result import MlpStatement
from accelsim.simulation import compare, mlp_statement


def test_points_are_the_networks_run_and_json_comes_back_equal():
    statement = mlp_statement(machines=["edge"], batches=[1, 16])
    assert [(p.dram_gb_per_s, p.batch) for p in statement.points] == [
        (3.2, 1), (3.2, 16), (12.8, 1), (12.8, 16), (51.2, 1), (51.2, 16),
    ]  # fmt: skip
    static, dynamic = compare("mlp", "edge", batch=16, data=None).results
    point = statement.points[3]
    assert (point.static_cycles, point.dynamic_cycles) == (
        static.total_cycles, dynamic.total_cycles,
    )  # fmt: skip
    assert point.bytes_percent > 0
    assert MlpStatement.from_json(statement.to_json()) == statement
    assert statement.reached == tuple(p for p in statement.points if p.latency_percent >= 20)


def test_the_verdict_counts_what_the_table_shows(tmp_path):
    statement = mlp_statement(machines=["edge"], batches=[16])
    text = plain(mlp_text(statement))
    assert max(map(len, text.splitlines())) <= 80
    for point in statement.points:
        assert f"{point.latency_percent:+.1f} %" in text
    assert f"{len(statement.reached)} of 3 points" in text
    assert json.loads(statement.to_json())["schema"] == "accelsim.mlp/1"
