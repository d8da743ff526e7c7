"""Rows of results: the same figures in every format, energy by the tables of one's choice."""

import csv
import io
import json

import pytest

from accelsim import load_hardware, simulate
from accelsim.errors import AccelsimError
from accelsim.network import Linear
from accelsim.study import Serial, Store, sweep, table_of, written


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
    assert [r["total_cycles"] for r in from_csv] == [str(r["total_cycles"] or "") for r in rows]
    from_parquet = parquet.read_table(io.BytesIO(written(rows, "parquet"))).to_pylist()
    assert from_parquet == rows
    frame = store.to_frame()
    assert list(frame.columns) == list(rows[0]) and len(frame) == 24
    assert isinstance(frame, pandas.DataFrame)


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
