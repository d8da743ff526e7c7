"""What estimators do to the gradients of a small training run, beside recorded figures."""

import csv
from itertools import pairwise
from pathlib import Path

import pytest

from tests.quant.digits_training import ESTIMATORS, Digits, train

pytest.importorskip("sklearn")

with (Path(__file__).parents[1] / "data" / "digits_training.csv").open(encoding="utf-8") as file:
    RECORDED = {row["estimator"]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def runs():
    """One run of each; the first without any quantization."""
    digits = Digits.load()
    return {specification: train(digits, specification) for specification in (None, *ESTIMATORS)}


def test_accuracy_does_not_separate_the_estimators_at_8_bits(runs):
    accuracies = [run.accuracy for run in runs.values()]
    assert min(accuracies) > 0.95
    assert max(accuracies) - min(accuracies) < 0.025


def test_gradients_keep_their_direction_as_well_as_recorded(runs):
    """How far the cosine is from 1, within a factor of 2.5; the run is not the same."""
    for specification, recorded in RECORDED.items():
        wanted = 1 - float(recorded["cosine"])
        assert wanted / 2.5 < 1 - runs[specification].cosine < wanted * 2.5, specification


def test_gradients_saturate_about_as_often_as_recorded(runs):
    """Within a factor of 3, and never under the range of the tensor itself."""
    assert runs["current"].saturated_share == 0
    for specification in ESTIMATORS[1:]:
        wanted = float(RECORDED[specification]["saturated_percent"]) / 100
        assert wanted / 3 < runs[specification].saturated_share < wanted * 3, specification


def test_the_fresher_the_range_the_better_the_direction(runs):
    cosines = [runs[name].cosine for name in ("current", "running", "in-hindsight", "dsgc")]
    assert all(better > worse for better, worse in pairwise(cosines))
    assert runs["saturation"].cosine < runs["in-hindsight"].cosine
