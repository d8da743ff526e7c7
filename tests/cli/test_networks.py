"""`accelsim compare` and `simulate` where a whole network is named."""

import json

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
