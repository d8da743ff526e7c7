"""The number of the model is raised when its figures change, or stores would mix two models."""

import pytest

from accelsim import load_hardware, simulate
from accelsim.simulation import MODEL_VERSION

FIGURES = {
    ("edge", "", "in-hindsight"): (33224, 530304, 530304, 26467646),
    ("mcu", "", "current"): (1038386, 4142976, 4150144, 38742798),
    ("edge", "dram.preset=lpddr4-3200", "current/resident"): (617325, 4013952, 4030080, 35719742),
}


def test_the_figures_of_this_model():
    """Figures that differ here are another model: raise MODEL_VERSION, and then change them."""
    assert MODEL_VERSION == 14
    for (machine, override, scheme), expected in FIGURES.items():
        hardware = load_hardware(machine, [override] if override else [])
        result = simulate("mobilenetv2.features.3.conv.0.0", hardware, scheme, None)
        counts = sum(action.count for action in result.actions)
        found = result.total_cycles, result.total_bytes, result.bus_bytes, counts
        assert found == expected, "raise MODEL_VERSION"


def test_the_values_of_this_model():
    result = simulate("mobilenetv2.features.17.conv.2", "edge", "in-hindsight")
    assert result.numerics.sqnr_db == pytest.approx(37.39950298364005, abs=1e-9)
