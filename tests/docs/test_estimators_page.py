"""docs/estimators.md names what there is, and its own estimator is one like any other."""

import json
import re
from pathlib import Path

import pytest

from accelsim.quant import Observation, Range, estimator_names, make_estimator
from accelsim.quant.estimators import registry
from tests.docs.blocks import blocks_of

TEXT = (Path(__file__).parents[2] / "docs" / "estimators.md").read_text(encoding="utf-8")
NAMES = re.findall(r"^\| `([a-z0-9-]+)` \|", TEXT, re.MULTILINE)
(CLASS,) = (block.text for block in blocks_of("", TEXT) if "@register" in block.text)


@pytest.fixture
def peak_hold():
    """The estimator of the page, registered for the time of one test."""
    before = dict(registry._REGISTRY)
    names = {}
    exec(CLASS, names)
    yield names["PeakHold"]
    registry._REGISTRY.clear()
    registry._REGISTRY.update(before)


def test_the_table_names_every_estimator():
    assert sorted(NAMES) == list(estimator_names())


@pytest.mark.usefixtures("peak_hold")
def test_the_estimator_of_the_page_is_one_like_any_other():
    estimator = make_estimator("peak-hold:decay=0.5")
    assert estimator.decision_for(0) is None
    observed = Observation(Range(-4.0, 1.0))
    assert estimator.decision_from(observed).limits.maximum == pytest.approx(4.4)
    estimator.observe(observed)
    estimator.observe(Observation(Range(0.0, 1.0)))
    restored = make_estimator("peak-hold:decay=0.5")
    restored.restore(json.loads(json.dumps(estimator.state())))
    assert restored.decision_for(2) == estimator.decision_for(2)
    assert estimator.decision_for(2).limits.maximum == pytest.approx(2.2)


def test_the_class_of_the_page_is_about_20_lines(peak_hold):
    body = CLASS[CLASS.index("@register") :]
    assert len([line for line in body.splitlines() if line.strip()]) <= 20
    assert peak_hold.name == "peak-hold"


def test_the_entry_point_group_is_the_one_that_is_looked_up():
    assert f'[project.entry-points."{registry.ENTRY_POINTS}"]' in TEXT
