"""The store keeps what it was given, whole, whatever happens."""

import os
import sqlite3
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from accelsim.errors import AccelsimError
from accelsim.study import Serial, Store, explore, front_of, sweep
from accelsim.study.work import BROKEN, DONE, Outcome


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "s.db") as opened:
        yield opened


def test_what_is_there_is_not_computed_again(store, tiny):
    first, second = sweep(tiny, store, Serial()), sweep(tiny, store, Serial())
    assert (first.points, first.simulations, first.computed) == (24, 16, 16)
    assert second.computed == 0
    assert (first.failed_points, second.failed_points) == (12, 12)


def test_only_what_is_new_is_computed_when_a_study_grows(store, tiny, make):
    sweep(tiny, store, Serial())
    grown = make(axes={**_axes(tiny), "layer.rows": [1, 4, 5]})
    assert sweep(grown, store, Serial()).computed == 8


def _axes(study):
    return {axis.names[0]: [row[0] for row in axis.rows] for axis in study.axes}


def test_another_study_shares_the_simulations(store, tiny, make):
    sweep(tiny, store, Serial())
    assert sweep(make(name="other"), store, Serial()).computed == 0
    assert list(store.studies()) == ["other", "tiny"]
    assert [r.record for r in store.rows("tiny")] == [r.record for r in store.rows("other")]


def test_a_failed_point_has_its_reason_and_the_others_their_record(store, tiny):
    summary = sweep(tiny, store, Serial())
    rows = list(store.rows("tiny"))
    failed = [row for row in rows if row.status == "failed"]
    assert len(failed) == 12 and all("too small for any tile" in row.reason for row in failed)
    assert all(row.coordinates["sram.weight_kib"] == 0.001 for row in failed)
    assert sum(summary.reasons.values()) == 12
    done = [row for row in rows if row.status == DONE]
    assert len(done) == 12 and all(row.record["total_cycles"] > 0 for row in done)


def test_a_study_that_shrinks_forgets_points_but_no_simulation(store, tiny, make):
    sweep(tiny, store, Serial())
    small = make(axes=_axes(tiny) | {"layer.rows": [1]})
    assert sweep(small, store, Serial()).computed == 0
    assert len(list(store.rows())) == 12
    assert sweep(tiny, store, Serial()).computed == 0


def test_points_that_were_not_run_yet_are_missing(store, tiny):
    from accelsim.study.points import points_of

    store.declare(tiny, points_of(tiny))
    assert {row.status for row in store.rows()} == {"missing"}


def test_a_mistake_of_the_program_is_tried_again_and_a_result_is_never_replaced(store):
    store.put([Outcome("k", BROKEN, "KeyError: 'x'")])
    assert store.known_keys() == set()
    store.put([Outcome("k", DONE, "{}")])
    store.put([Outcome("k", DONE, "[]")])
    assert store.known_keys() == {"k"}
    connection = sqlite3.connect(store.path)
    assert connection.execute("select text from simulations").fetchall() == [("{}",)]
    connection.close()


def test_which_study_must_be_clear(store, tiny, make):
    with pytest.raises(AccelsimError, match=r"s.db: holds no points yet; accelsim sweep"):
        store.study_named(None)
    sweep(tiny, store, Serial())
    sweep(make(name="other"), store, Serial())
    with pytest.raises(AccelsimError, match=r"has several studies; name one of: other, tiny"):
        list(store.rows())
    with pytest.raises(AccelsimError, match=r"has no study 'tinny'; name one of: other, tiny"):
        list(store.rows("tinny"))


def test_a_store_of_another_model_is_refused_and_says_what_to_do(store, monkeypatch):
    monkeypatch.setattr("accelsim.study.store.MODEL_VERSION", 999)
    with pytest.raises(
        AccelsimError, match=r"was made by model \d+ .* has model 999: .* give --store another file"
    ):
        Store(store.path)


def test_another_database_is_refused(tmp_path):
    connection = sqlite3.connect(tmp_path / "x.db")
    connection.execute("create table cats (name text)")
    connection.commit()
    connection.close()
    with pytest.raises(AccelsimError, match=r"x.db: is a database, but no store of studies"):
        Store(tmp_path / "x.db")


def test_a_corrupt_file_is_one_line(tmp_path, tiny):
    (tmp_path / "bad.db").write_bytes(b"not a database, but long enough to be looked at" * 20)
    with pytest.raises(AccelsimError, match=r"bad.db: cannot be read \(file is not a database\)"):
        Store(tmp_path / "bad.db")
    with Store(tmp_path / "good.db") as store:
        sweep(tiny, store, Serial())
    content = bytearray((tmp_path / "good.db").read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    (tmp_path / "good.db").write_bytes(content)
    with pytest.raises(AccelsimError, match=r"good.db: cannot be read .*move it away"):
        Store(tmp_path / "good.db").known_keys()


@pytest.mark.parametrize("record", ["{broken", '{"total_cycles":1}', b"busy \xa5\xa5", None])
def test_a_damaged_record_or_table_is_one_line_about_damage(store, tiny, record):
    sweep(tiny, store, Serial())
    explore(tiny, store, Serial(), trials=9)
    if record is None:
        store._database._connection.execute("drop table simulations")
    else:
        store._database._connection.execute(
            "update simulations set text = cast(? as text)", (record,)
        )
    for read in (
        lambda: list(store.rows()),
        lambda: front_of(store),
        lambda: explore(tiny, store, Serial(), trials=9),
    ):
        with pytest.raises(AccelsimError, match=r"cannot be read \(.*move it away and run again"):
            read()


def test_a_full_disk_is_one_line_and_keeps_what_was_there(store, tiny):
    pages = store._database._connection.execute("pragma page_count").fetchone()[0]
    store._database._connection.execute(f"pragma max_page_count = {pages + 4}")
    with pytest.raises(AccelsimError, match=r"the disk is full: make room and run again"):
        sweep(tiny, store, Serial())
    kept = len(store.known_keys())
    store._database._connection.execute("pragma max_page_count = 1000000")
    summary = sweep(tiny, store, Serial())
    assert summary.computed == summary.simulations - kept
    assert store._database._connection.execute("pragma integrity_check").fetchone() == ("ok",)


def test_a_store_in_no_folder_or_that_is_one_is_refused(tmp_path):
    with pytest.raises(AccelsimError, match=r"cannot be written \(unable to open"):
        Store(tmp_path / "no" / "s.db")
    with pytest.raises(AccelsimError, match="is a folder, must be the file of a store"):
        Store(tmp_path)
    with pytest.raises(AccelsimError, match=r"s.db: no such store; accelsim sweep STUDY.yaml"):
        Store(tmp_path / "s.db", read_only=True)


@contextmanager
def nobody():
    """As a user to whom permissions apply."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def guarded(tiny):
    """A folder with a store, neither of which may be written."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Store(folder / "a # b.db") as store:
            sweep(tiny, store, Serial())
        (folder / "a # b.db").chmod(0o444)
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)


def test_a_store_that_may_not_be_written_can_be_read(guarded, tiny):
    with nobody():
        with Store(guarded / "a # b.db", read_only=True) as store:
            assert len([row for row in store.rows() if row.record]) == 12
            with pytest.raises(AccelsimError, match=r"cannot be written \(attempt to write a read"):
                sweep(tiny, store, Serial())
        with pytest.raises(AccelsimError, match="cannot be written"):
            Store(guarded / "a # b.db")
    assert [path.name for path in guarded.iterdir()] == ["a # b.db"]


def test_what_a_stopped_sweep_left_in_its_log_is_not_passed_over(guarded):
    guarded.chmod(0o755)
    (guarded / "a # b.db-wal").write_bytes(b"log")
    guarded.chmod(0o555)
    with (
        nobody(),
        pytest.raises(AccelsimError, match=r"cannot be read in a folder that may not be written"),
    ):
        Store(guarded / "a # b.db", read_only=True)


def test_a_reader_leaves_a_writer_alone(store, tiny):
    sweep(tiny, store, Serial())
    with Store(store.path, read_only=True) as reader:
        assert len(list(reader.rows())) == 24
        sweep(tiny, store, Serial())


def test_a_claim_is_one_owners_until_it_is_run_or_given_up(store):
    assert store.claim("k", "a") and not store.claim("k", "b") and not store.claim("k", "a")
    store.release("b")
    assert not store.claim("k", "b")
    store.release("a")
    assert store.claim("k", "b")
    store.put([Outcome("k", BROKEN, "KeyError: 'x'")])
    assert store.claim("k", "a")
    store.put([Outcome("k", DONE, "{}")])
    assert not store.claim("k", "a")
