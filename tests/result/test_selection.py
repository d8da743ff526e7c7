"""Some schemes of a comparison, a network or a study."""

import pytest

from accelsim.errors import AccelsimError
from accelsim.network.graph_file import parse_network
from accelsim.result import Comparison, Points
from accelsim.simulation import compare
from tests.report.conftest import make_result
from tests.simulation.test_networks import TINY

NAMES = ("in-hindsight/static", "current/spill", "dsgc:period=9/spill", "current/lazy")


@pytest.fixture
def comparison():
    return Comparison(tuple(make_result(name) for name in NAMES))


def test_a_label_is_one_scheme_and_an_estimator_all_of_its_own(comparison):
    def found(*names):
        return [result.scheme for result in comparison.only(*names).results]

    assert found("current/lazy") == ["current/lazy"]
    assert found("current", "in-hindsight") == ["current/spill", "current/lazy", NAMES[0]]
    assert found("dsgc", "dsgc:period=9/spill") == ["dsgc:period=9/spill"]


def test_a_scheme_that_is_not_there_is_refused_with_those_that_are(comparison):
    with pytest.raises(AccelsimError, match="scheme=currant: must be one of in-hindsight/static, "):
        comparison.only("current", "currant")


def test_networks_and_studies_have_it_too():
    network = compare(parse_network(TINY, "tiny"), data=None)
    assert network.only("current").results == network.results[1:]
    points = Points(tuple({"point": n, "scheme": name} for n, name in enumerate(NAMES)))
    assert points.only("current").points == (points.points[1], points.points[3])
