"""What estimators do to the gradients of a small training run, beside recorded figures."""

import csv
from itertools import pairwise
from pathlib import Path

import pytest

from tests.quant.digits_training import ESTIMATORS, Digits, train

pytest.importorskip("sklearn")

with (Path(__file__).parents[1] / "data" / "digits_training.csv").open(encoding="utf-8") as file:
    RECORDED = {row["estimator"]: row for row in csv.DictReader(file)}


def test_gradients_of_a_training_run_keep_what_was_recorded():
    """One run of each, as the claims share them. Another run, so met in size and order."""
    digits = Digits.load()
    runs = {name: train(digits, name) for name in (None, *ESTIMATORS)}

    accuracies = [run.accuracy for run in runs.values()]
    assert min(accuracies) > 0.95
    assert max(accuracies) - min(accuracies) < 0.025, "accuracy separates no estimator at 8 bits"

    for name, recorded in RECORDED.items():
        lost, saturated = 1 - float(recorded["cosine"]), float(recorded["saturated_percent"]) / 100
        assert lost / 2.5 < 1 - runs[name].cosine < lost * 2.5, name
        assert saturated / 3 <= runs[name].saturated_share <= saturated * 3, name

    cosines = [runs[name].cosine for name in ("current", "running", "in-hindsight", "dsgc")]
    assert all(fresher > staler for fresher, staler in pairwise(cosines))
    assert runs["saturation"].cosine < runs["in-hindsight"].cosine
