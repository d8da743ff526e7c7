"""The picture of a search: every feasible design, those of the front told apart."""

import dataclasses

import pytest

from accelsim.errors import AccelsimError
from accelsim.report.plot.search import search_plot
from accelsim.result import SearchResult, Trial

COSTS = [(1.0, 9.0, 5.0, "a"), (2.0, 5.0, 6.0, "a"), (3.0, 6.0, 1.0, "b"), (4.0, 9.0, 9.0, "b")]


def search(objectives=("latency_us", "energy_uj", "traffic_bytes"), reason="", front=(0, 1, 2)):
    names = "latency_us", "energy_uj", "traffic_bytes"
    trials = tuple(
        Trial(n, {"scheme": scheme}, dict(zip(names, cost, strict=True)), reason, n in front)
        for n, (*cost, scheme) in enumerate(COSTS)
    )
    return SearchResult("s", objectives, ("x <= 1",), "t", (), 9, 0, trials, False)


def dots(ax):
    """Places by whether they are large."""
    found = {True: set(), False: set()}
    for collection in ax.collections:
        for place in collection.get_offsets().tolist():
            found[collection.get_sizes()[0] > 10].add(tuple(place))
    return found


def test_a_panel_for_each_further_objective_shows_all_designs_and_the_front_large():
    energy, traffic = search_plot(search()).axes
    assert dots(energy) == {True: {(9, 1), (5, 2), (6, 3)}, False: {(9, 4)}}
    assert dots(traffic)[True] == {(5 / 1024, 1), (6 / 1024, 2), (1 / 1024, 3)}
    assert (energy.get_xlabel(), energy.get_ylabel()) == ("energy (uJ)", "latency (us)")


def test_the_line_leads_along_what_is_not_beaten_in_the_two_drawn():
    energy, _ = search_plot(search()).axes
    assert sorted(energy.lines[0].get_xydata().tolist()) == [[5, 2], [9, 1]]


def test_one_objective_is_drawn_against_the_traffic():
    (ax,) = search_plot(search(("latency_us",), front=(0,))).axes
    assert ax.get_xlabel().startswith("DRAM traffic")


def test_the_title_says_how_many_and_under_which_constraints():
    title = " ".join(search_plot(search()).get_suptitle().split())
    assert "3 designs not beaten in latency, energy, DRAM traffic (large)" in title
    assert "of 4 feasible and 4 tried, with x <= 1" in title


def test_the_line_goes_where_more_is_better():
    found = search(("latency_us", "sqnr_db"), front=(0, 1, 2))
    trials = [
        dataclasses.replace(trial, objectives=trial.objectives | {"sqnr_db": 10.0 * number})
        for number, trial in enumerate(found.trials)
    ]
    (ax,) = search_plot(dataclasses.replace(found, trials=tuple(trials))).axes
    assert len(ax.lines[0].get_xydata()) == 4 and ax.get_xscale() == "linear"


def test_nothing_feasible_is_nothing_to_draw():
    with pytest.raises(AccelsimError, match="no trial is feasible, nothing to draw"):
        search_plot(search(reason="breaks x <= 1"))
