"""Studies of layers so small that a point takes a millisecond."""

import pytest

from accelsim.study import Study

TINY = {
    "name": "tiny",
    "question": "how small can a study be",
    "layer": {"kind": "linear", "in_features": 48, "out_features": 32},
    "axes": {
        "layer.rows": [1, 4],
        "array.rows": [4, 8],
        "scheme": ["in-hindsight", "current", "running"],
        "sram.weight_kib": [0.001, 16],
    },
}


@pytest.fixture
def tiny():
    return Study.from_mapping(TINY)


@pytest.fixture
def make():
    """A study like the tiny one with other fields."""
    return lambda **changes: Study.from_mapping(TINY | changes)
