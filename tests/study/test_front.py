"""The designs of a sweep or a search, held against each other when the store is read."""

import pytest

from accelsim.errors import AccelsimError
from accelsim.study import Serial, Store, Study, designs_table, explore, front_of, sweep

AXES = {
    "layer.rows": [4, 8],
    "array.rows": [4, 8, 16],
    "array.columns": [4, 8, 16],
    "scheme": ["in-hindsight", "current"],
}
LAYER = {"kind": "linear", "in_features": 48, "out_features": 32}
GOAL = {"objectives": ["latency", "energy", "area"], "constraints": ["array.rows <= 8"]}


def study(**changes):
    return Study.from_mapping({"name": "s", "layer": LAYER, "axes": AXES} | changes)


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "s.db") as opened:
        yield opened


def told(found):
    return {
        tuple(sorted(trial.coordinates.items())): (
            dict(trial.objectives),
            trial.reason,
            trial.front,
        )
        for trial in found.trials
    }


def test_a_sweep_has_the_front_of_a_search_of_all_its_designs(store, tmp_path):
    sweep(study(), store, Serial())
    found = front_of(store, **GOAL)
    with Store(tmp_path / "searched.db") as other:
        searched = explore(study(), other, Serial(), trials=99, **GOAL)
        read = front_of(other, **GOAL)
    assert len(found.trials) == 18 and 1 < len(found.front) < 12
    assert told(found) == told(searched) == told(read)
    assert found.computed == 0 and found.designs == 18


def test_rows_have_the_front_first_in_the_order_of_the_first_objective(store):
    sweep(study(), store, Serial())
    found = front_of(store, **GOAL)
    rows = designs_table(found)
    best = [row for row in rows if row["front"]]
    assert rows[: len(best)] == best and len(rows) == 18
    assert [row["latency_us"] for row in best] == sorted(row["latency_us"] for row in best)
    assert list(rows[0])[:4] == ["point", "array.rows", "array.columns", "scheme"]
    broken = [row for row in rows if row["reason"]]
    assert {row["array.rows"] for row in broken} == {16}
    assert all(row["status"] == "done" and row["latency_us"] > 0 for row in broken)


def test_a_design_that_lacks_a_point_is_not_held_against_the_others(store):
    few = study(where="array.rows < 16 or layer.output_elements > 200")
    sweep(few, store, Serial())
    lacking = [trial for trial in front_of(store).trials if trial.coordinates["array.rows"] == 16]
    assert len(lacking) == 6 and not any(trial.front for trial in lacking)
    assert {trial.reason for trial in lacking} == {"runs 1 of the 2 points that others run"}


def test_a_design_that_failed_or_was_not_run_has_a_reason(store):
    axes = AXES | {"sram.weight_kib": [0.001, 16]}

    def interrupt(done, total):
        if done == 40:
            raise KeyboardInterrupt

    sweep(study(axes=axes), store, Serial(), interrupt)
    reasons = {trial.reason.partition(":")[0] for trial in front_of(store).trials}
    assert reasons == {"", "sram.weight_kib=0.001", "not run"}


def test_what_cannot_be_priced_at_its_reader_is_not_on_a_front(store):
    conv = {"kind": "conv2d", "in_channels": 4, "out_channels": 4, "kernel": 1, "height": 4,
            "width": 4}  # fmt: skip
    schemes = ["in-hindsight", "block-householder/spill"]
    sweep(study(layer=conv, axes={"scheme": schemes}, set={"batch": 4}), store, Serial())
    static, mixed = front_of(store).trials
    assert static.front and not mixed.front
    assert mixed.reason.startswith("what reads its output cannot be priced: mixed samples")


def test_the_accuracy_is_the_worst_of_the_workload_and_goes_up(store):
    axes = {"layer.rows": [4, 8], "accumulator.bits": [16, 18, 32], "scheme": ["in-hindsight"]}
    valued = study(axes=axes, values=True, layer=LAYER | {"in_features": 2000})
    sweep(valued, store, Serial())
    found = front_of(store, objectives=["accuracy", "area"])
    worst = {
        bits: min(
            row.record["numerics"]["sqnr_db"]
            for row in store.rows()
            if row.coordinates["accumulator.bits"] == bits
        )
        for bits in (16, 18, 32)
    }
    assert {
        t.coordinates["accumulator.bits"]: t.objectives["sqnr_db"] for t in found.trials
    } == worst
    best_first = [trial.objectives["sqnr_db"] for trial in found.front]
    assert len(best_first) > 1 and best_first == sorted(best_first, reverse=True)
    needed = front_of(store, objectives=["area"], constraints=[f"sqnr_db >= {worst[32] - 1}"])
    assert needed.front[0].objectives["sqnr_db"] >= worst[32] - 1 > worst[16]
    searched = explore(valued, store, Serial(), objectives=["accuracy", "area"], trials=9)
    assert told(searched) == told(found)


def test_the_accuracy_of_a_study_without_values_is_refused(store):
    for look in (
        lambda: front_of(store, objectives=["accuracy"]),
        lambda: explore(study(), store, Serial(), objectives=["accuracy"], trials=99),
    ):
        sweep(study(), store, Serial())
        with pytest.raises(AccelsimError, match="'accuracy' needs a study with values: true"):
            look()


def test_a_study_of_which_nothing_was_run_says_so(store):
    with pytest.raises(AccelsimError, match="holds no points yet"):
        front_of(store)
