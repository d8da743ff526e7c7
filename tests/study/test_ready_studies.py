"""The studies that ship: each asks a question, can be run and has a plot that answers it."""

from dataclasses import replace

import pytest

from accelsim.report.plot.study import study_plot
from accelsim.study import Axis, Plan, Serial, Store, load_study, study_names, sweep, table_of
from accelsim.study.points import points_of

SMALL = {
    "accumulators": {"layer.height": 14, "sram.accumulator_kib": 64},
    "bandwidth": {"array.rows": 64, "dram.bandwidth_gb_per_s": 51.2, "layer": "fc"},
    "lanes": {"layer": "fc", "workload": "resnet18"},
    "overflow": {"layer": "features.2.conv.2"},
    "statistics": {"layer": "fc"},
    "training": {"batch": 1},
}
"""Of each study, a corner that is quickly run."""

QUICK_NETWORK = "digits-cnn"
"""In place of the networks of a study whose points are whole ones."""


@pytest.mark.parametrize("name", study_names())
def test_a_ready_study_asks_a_question_and_every_point_of_it_can_be_described(name):
    study = load_study(name)
    assert study.name == name and "?" in study.question and study.plot
    plan = Plan.of(study)
    assert all(point.task is not None for point in plan.points)


def corner(name):
    """The study, cut down to some of its points."""
    study, wanted = load_study(name), SMALL[name]
    if study.takes_networks:
        axes = [axis for axis in study.axes if axis.names != ("workload",)]
        study = replace(study, axes=(Axis(("workload",), ((QUICK_NETWORK,),)), *axes))
    points = [
        point for point in points_of(study)
        if all(point.coordinates.get(field) == value for field, value in wanted.items())
    ]  # fmt: skip
    return study, points


@pytest.mark.parametrize("name", sorted(SMALL))
def test_the_plot_of_a_ready_study_can_be_drawn(name, tmp_path, monkeypatch):
    study, points = corner(name)
    assert 1 < len(points) < len(list(points_of(study)))
    monkeypatch.setattr("accelsim.study.sweeps.points_of", lambda _: iter(points))
    with Store(tmp_path / "s.db") as store:
        summary = sweep(study, store, Serial())
        rows = table_of(store)
    assert summary.failed_points == 0
    plots = [
        {key: value for key, value in plot.items() if key != "only" or name != "accumulators"}
        for plot in study.plot
    ]
    figure = study_plot(rows, plots, study.question)
    assert len(figure.axes) >= len(study.plot)


def test_every_ready_study_is_tried_in_a_corner():
    assert set(SMALL) == set(study_names())
