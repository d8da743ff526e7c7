"""`accelsim compare` and `simulate` where a whole network is named."""

import json

import numpy as np
import pytest
import yaml

from accelsim.result import NetworkComparison, NetworkResult
from tests.simulation.test_networks import TINY


def test_a_network_is_compared_by_its_file_and_its_bytes_are_those_of_the_document(
    answer, tmp_path
):
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(TINY))
    text = answer("compare", path, "--batch", 2)
    document = json.loads(answer("compare", path, "--batch", 2, "--json"))
    comparison = NetworkComparison.from_dict(document)
    assert f"{comparison.baseline.total_cycles:,}" in text
    assert "tiny on edge at 800 MHz, batch 2" in text
    assert comparison.baseline.batch == 2
    assert [row["scheme"] for row in document["energy"]] == ["in-hindsight/static", "current/spill"]


def test_one_scheme_alone_and_pictures_into_a_folder(answer, tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(TINY))
    folder = tmp_path / "plots"
    document = answer(
        "simulate", path, "--scheme", "current/lazy", "--json", "--plot", folder,
        "--set", "fusion=none",
    )  # fmt: skip
    result = NetworkResult.from_dict(json.loads(document))
    assert result.scheme == "current/lazy"
    assert result.machine["fusion"] == "none"
    assert (folder / "traffic.png").stat().st_size > 1000


def test_a_training_has_values_and_the_losses_of_its_steps(answer, tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(TINY))
    how = ["--training", "--batch", 4, "--steps", 3, "--momentum", "--learning-rate", "0.1"]
    text = answer("compare", path, *how)
    comparison = NetworkComparison.from_dict(json.loads(answer("compare", path, *how, "--json")))
    for result in comparison.results:
        assert [step.step for step in result.steps] == [0, 1, 2]
        assert result.options["learning_rate"] == 0.1
        assert all(row.numerics for row in result.operations)
    losses = [result.steps[2].loss for result in comparison.results]
    beside = comparison.baseline.steps[2].float_loss
    shown = next(line for line in text.splitlines() if "step 2," in line).split()
    assert shown[:3] == ["step", "2,", "float64"]
    assert shown[3:] == [f"{loss:.4f}" for loss in (beside, *losses)]
    how = ["--training", "--batch", 4, "--momentum", "--timing-only", "--json"]
    timed = json.loads(answer("compare", path, *how))
    for result, other in zip(comparison.results, timed["results"], strict=True):
        assert other["data"] == "none" and not other["steps"]
        assert result.total_bytes == other["totals"]["total_bytes"]
        assert result.total_cycles == other["totals"]["total_cycles"]


def test_gradients_of_fewer_bits_move_fewer_bytes(answer, tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(TINY))
    totals = [
        json.loads(
            answer("simulate", path, "--training", "--timing-only", "--json", *more)
        )["totals"]["total_bytes"]
        for more in ([], ["--gradient-bits", 4], ["--weight-gradient-bits", 8])
    ]  # fmt: skip
    assert totals[1] < totals[0] > totals[2]


def test_a_training_takes_inputs_and_labels_from_a_file(answer, tmp_path):
    path, tensors = tmp_path / "tiny.yaml", tmp_path / "steps.npz"
    path.write_text(yaml.safe_dump(TINY))
    draws = np.random.default_rng(0)
    image, labels = draws.normal(size=(3, 4, 3, 12, 12)), draws.integers(5, size=(3, 4))
    np.savez(tensors, **{"image": image, "fc.labels": labels})
    how = ["simulate", path, "--training", "--tensors", tensors, "--json"]
    result = NetworkResult.from_dict(json.loads(answer(*how)))
    assert (result.data, result.batch, len(result.steps)) == ("given", 4, 3)
    np.savez(tensors, **{"image": image, "fc.gradient": np.ones((3, 4, 5))})
    other = NetworkResult.from_dict(json.loads(answer(*how)))
    assert other.steps[0].loss != result.steps[0].loss


def test_ranges_without_a_batch_norm_to_replace_are_refused(refusal):
    message = refusal("compare", "mlp", "--training", "--range-norm", "--timing-only")
    assert "network 'mlp': has no batch_norm" in message


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--learning-rate", "0.1"], ["--learning-rate=0.1", "only --training has gradients"]),
        (["--gradient-bits", "4"], ["--gradient-bits=4", "only --training has gradients"]),
        (["--range-norm"], ["--range-norm", "only --training has statistics of a batch"]),
        (["--training", "--learning-rate", "fast"], ["--learning-rate", "fast", "a number"]),
        (["--training", "--learning-rate", "-1"], ["learning_rate=-1.0", "from 0 to 100"]),
        (["--training", "--gradient-bits", "0"], ["gradient_bits", "from 1 to 16"]),
        (["--training", "--tensors", "FILE"], ["neither of fc.labels and fc.gradient"]),
    ],
)
def test_what_a_training_cannot_do_is_one_line(refusal, tmp_path, arguments, parts):
    path, tensors = tmp_path / "tiny.yaml", tmp_path / "steps.npz"
    path.write_text(yaml.safe_dump(TINY))
    np.savez(tensors, image=np.zeros((2, 1, 3, 12, 12)))
    given = [tensors if word == "FILE" else word for word in arguments]
    message = refusal("compare", path, *given)
    assert all(part in message for part in parts)
