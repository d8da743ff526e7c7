"""docs/estimators.md does what it says."""

import json
import re
from pathlib import Path

import pytest

from accelsim.quant import Observation, Range, estimator_names, make_estimator
from accelsim.quant.estimators import registry

TEXT = (Path(__file__).parents[2] / "docs" / "estimators.md").read_text()
NAMES = re.findall(r"^\| `([a-z-]+)` \|", TEXT, re.MULTILINE)


@pytest.fixture
def names_after():
    """Run the page's Python from top to bottom."""
    before = dict(registry._REGISTRY)
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert len(blocks) == 3
    names = {}
    for block in blocks:
        exec(block, names)
    yield names
    registry._REGISTRY.clear()
    registry._REGISTRY.update(before)


def test_the_table_names_every_estimator():
    assert sorted(NAMES) == list(estimator_names())


@pytest.mark.usefixtures("names_after")
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


def test_the_class_of_the_page_is_about_20_lines(names_after):
    block = next(b for b in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL) if "@register" in b)
    body = block[block.index("@register") :]
    assert len([line for line in body.splitlines() if line.strip()]) <= 20
    assert names_after["PeakHold"].name == "peak-hold"


def test_the_entry_point_group_is_the_one_that_is_looked_up():
    assert f'[project.entry-points."{registry.ENTRY_POINTS}"]' in TEXT
