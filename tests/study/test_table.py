"""Rows of results: the same figures in every format, energy by the tables of one's choice."""

import csv
import io
import json

import pytest

from accelsim import load_hardware, simulate
from accelsim.errors import AccelsimError
from accelsim.hardware import load_energy_table
from accelsim.lowering import TrainingOptions
from accelsim.network import Linear
from accelsim.result import Points, energy_of
from accelsim.study import Serial, Store, Study, sweep, table_of, written


def small_network(folder):
    """A file of a convolution, its activation and a linear layer."""
    path = folder / "small.yaml"
    path.write_text(
        "name: small\ninputs: {image: [3, 8, 8]}\nsequential: true\nlayers:\n"
        "  - {name: conv, kind: conv2d, out_channels: 4, kernel: 3, padding: 1}\n"
        "  - {name: act, kind: relu}\n"
        "  - {name: pool, kind: global_average_pool}\n"
        "  - {name: fc, kind: linear, out_features: 10}\n"
    )
    return str(path)


@pytest.fixture
def store(tmp_path, tiny):
    with Store(tmp_path / "s.db") as opened:
        sweep(tiny, opened, Serial())
        yield opened


def test_every_point_has_a_row_and_every_row_the_same_columns(store):
    rows = table_of(store)
    assert [row["point"] for row in rows] == list(range(24))
    assert len({tuple(row) for row in rows}) == 1
    assert {row["status"] for row in rows} == {"done", "failed"}


def test_a_row_has_the_figures_of_the_run(store):
    rows = table_of(store, energy=["horowitz-45nm"])
    row = next(r for r in rows if r["status"] == "done" and r["scheme"] == "current")
    machine = load_hardware("edge", {"array.rows": row["array.rows"], "sram.weight_kib": 16})
    result = simulate(Linear("fc", 48, 32, rows=row["layer.rows"]), machine, "current", None)
    energy = result.energy("horowitz-45nm")
    assert row["total_cycles"] == result.total_cycles
    assert row["total_bytes"] == result.total_bytes
    assert row["bytes.accumulators.store"] == result.bytes_of("accumulators", "store")
    assert row["array.busy_cycles"] == result.unit("array").busy_cycles
    assert row["energy_pj.horowitz-45nm"] == pytest.approx(energy.total_pj)
    assert row["energy_pj.horowitz-45nm.dram"] == pytest.approx(energy.pj_of("dram"))
    assert row["known_area_um2.horowitz-45nm"] == pytest.approx(energy.known_area_um2)


def test_values_have_columns(tmp_path, make):
    study = make(values=True, axes={"scheme": ["current"]})
    with Store(tmp_path / "v.db") as store:
        sweep(study, store, Serial())
        (row,) = table_of(store)
    assert row["sqnr_db"] > 20 and row["overflow_count"] == 0
    assert row["range_used.minimum"] < 0 < row["range_used.maximum"]


def test_csv_json_parquet_and_pandas_say_the_same(store):
    pandas = pytest.importorskip("pandas")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = table_of(store)
    from_json = json.loads(written(rows, "json"))["points"]
    assert from_json == rows
    from_csv = list(csv.DictReader(io.StringIO(written(rows, "csv").decode())))
    assert from_csv == [
        {name: "" if value is None else str(value) for name, value in row.items()} for row in rows
    ]
    from_parquet = parquet.read_table(io.BytesIO(written(rows, "parquet"))).to_pylist()
    assert from_parquet == rows
    frame = store.to_frame()
    assert isinstance(frame, pandas.DataFrame)
    in_frame = frame.astype(object).where(frame.notna(), None).to_dict("records")
    assert in_frame == rows and list(frame.columns) == list(rows[0])


def test_the_points_of_a_store_draw_themselves(store):
    points = store.to_points().only("current")
    assert {row["scheme"] for row in points.points} == {"current"}
    axes = points.plot.pareto(x="total_bytes", y="total_cycles")
    (cloud,) = axes.collections
    assert len(cloud.get_offsets()) == len(points.done) > 0
    assert len(points.plot.heatmap(x="array.rows", y="layer.rows").images) == 1


def test_a_column_of_several_kinds_is_text_in_parquet(tmp_path, make):
    parquet = pytest.importorskip("pyarrow.parquet")
    study = make(axes={"stat_unit.lanes": [None, 4]}, set={"dram.latency_ns": 7})
    with Store(tmp_path / "s.db") as store:
        sweep(study, store, Serial())
        rows = [
            row | {"mixed": value} for row, value in zip(table_of(store), (1, "a"), strict=True)
        ]
    table = parquet.read_table(io.BytesIO(written(rows, "parquet")))
    assert table["mixed"].to_pylist() == ["1", "a"]
    assert table["stat_unit.lanes"].to_pylist() == [None, 4]


def test_an_unknown_format_is_refused(store):
    with pytest.raises(AccelsimError, match="format=xml: must be one of csv, parquet, json"):
        written(table_of(store), "xml")


def test_a_row_of_a_network_has_the_sums_of_its_run(tmp_path):
    study = Study.from_mapping(
        {
            "name": "whole",
            "set": {"workload": small_network(tmp_path), "momentum": True},
            "axes": {"operation": ["training", "inference"], "scheme": ["in-hindsight", "current"]},
        }
    )
    with Store(tmp_path / "w.db") as store:
        assert sweep(study, store, Serial()).failed_points == 0
        rows = table_of(store, energy=["horowitz-45nm"])
    for row, training in zip(rows, [TrainingOptions(momentum=True)] * 2 + [None] * 2, strict=True):
        result = simulate(row["workload"], "edge", row["scheme"], None, training=training)
        assert row["total_cycles"] == result.total_cycles
        assert row["total_bytes"] == row["bytes_with_consumer"] == result.total_bytes
        assert row["vector unit.busy_cycles"] == result.unit("vector unit").busy_cycles
        for phase in result.phases:
            assert row[f"total_bytes.{phase}"] == result.phase(phase).total_bytes
        assert row["energy_pj.horowitz-45nm"] == pytest.approx(
            result.energy("horowitz-45nm").total_pj
        )


def test_an_inference_with_values_has_the_accuracy_of_its_output(tmp_path):
    study = Study.from_mapping(
        {
            "name": "valued",
            "values": True,
            "set": {"workload": small_network(tmp_path), "operation": "inference", "steps": 3},
            "axes": {"scheme": ["in-hindsight", "current"], "seed": [0, 7]},
        }
    )
    with Store(tmp_path / "v.db") as store:
        assert sweep(study, store, Serial()).failed_points == 0
        rows = table_of(store)
    for row in rows:
        result = simulate(
            row["workload"], "edge", row["scheme"], "synthetic", steps=3, seed=row["seed"]
        )
        assert row["sqnr_db"] == result.outputs[0].sqnr_db
    assert len({row["sqnr_db"] for row in rows}) == 4


def test_update_steps_and_the_reader_of_the_output_have_columns(tmp_path, make):
    schemes = ["in-hindsight", "dsgc:period=100", "dsgc:period=10", "current/lazy", "dsgc/lazy"]
    study = make(axes={"scheme": schemes}, set={"sram.accumulator_kib": 1, "layer.rows": 64})
    with Store(tmp_path / "u.db") as store:
        assert sweep(study, store, Serial()).computed == 5
        rows = table_of(store, energy=["horowitz-45nm"])
    machine = load_hardware("edge", {"sram.accumulator_kib": 1})
    for row in rows:
        result = simulate(Linear("fc", 48, 32, rows=64), machine, row["scheme"], None)
        assert row["total_cycles"] == result.total_cycles
        assert row["cycles_per_step"] == result.cycles_per_step
        assert row["latency_us_per_step"] == result.cycles_per_step / 800
        assert row["bytes_per_step"] == result.bytes_per_step
        assert row["energy_pj_per_step.horowitz-45nm"] == pytest.approx(
            result.energy_pj_per_step("horowitz-45nm")
        )
        update = result.amortised
        assert row["update.period_steps"] == (update.period_steps if update else None)
        assert row["update.bytes"] == (update.update.bytes if update else None)
        beyond = result.consumer_price_per_step("horowitz-45nm")
        assert row["consumer.bytes_beyond_static"] == beyond.bytes
        assert row["consumer.cycles_beyond_static"] == beyond.cycles
        assert row["consumer.energy_pj_beyond_static.horowitz-45nm"] == pytest.approx(
            beyond.energy_pj
        )
    done = Points(tuple(rows))
    assert done.plot.pareto().get_xlabel().startswith("DRAM traffic per step")
    per_step = [row["bytes_per_step"] for row in rows]
    assert per_step[0] < per_step[1] < per_step[2]
    prices = [row["consumer.bytes_beyond_static"] for row in rows]
    assert prices[:3] == [0, 0, 0] and prices[3] > prices[4] > 0


def test_update_steps_of_a_network_have_columns(tmp_path):
    study = Study.from_mapping(
        {
            "name": "whole",
            "set": {"workload": small_network(tmp_path), "operation": "training"},
            "axes": {"scheme": ["in-hindsight", "activations=dsgc:period=5,gradients=dsgc"]},
        }
    )
    with Store(tmp_path / "w.db") as store:
        assert sweep(study, store, Serial()).failed_points == 0
        static, searched = table_of(store)
    result = simulate(
        searched["workload"], "edge", searched["scheme"], None, training=TrainingOptions()
    )
    assert searched["bytes_per_step"] == result.bytes_per_step > searched["total_bytes"]
    assert searched["cycles_per_step"] == result.cycles_per_step
    assert searched["update.period_steps"] == 5 and searched["update.bytes"] > 0
    assert searched["statistics_held_cycles"] == result.statistics_held_cycles
    energy_pj = sum(per_step_pj(row, result) for row in result.operations)
    assert searched["energy_pj_per_step.accelergy-45nm"] == pytest.approx(energy_pj)
    assert static["bytes_per_step"] == static["total_bytes"]
    assert static["cycles_per_step"] == static["total_cycles"]


def per_step_pj(row, result):
    """An operation's energy on average over its period."""
    machine, table = load_hardware(result.machine), load_energy_table()

    def energy_pj(actions):
        return energy_of(actions, machine, table).total_pj

    if row.amortised is None:
        return energy_pj(row.actions)
    period = row.amortised.period_steps
    plain = (period - 1) * energy_pj(row.amortised.plain.actions)
    return (energy_pj(row.amortised.update.actions) + plain) / period
