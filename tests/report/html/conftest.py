from pathlib import Path

import pytest

from accelsim.report.html import report_html
from accelsim.report.saved import Saved
from accelsim.result import Comparison, Points
from tests.report.conftest import SPILL, make_result
from tests.report.plot.test_kinds import MOVED, SPANS

HOSTILE = "<img src=x onerror=alert(1)>\"'&</script><script>alert(2)</script>"


def saved(record, *command):
    return Saved(record, command, Path("x.json"))


def comparison(**fields):
    more = {"spans": SPANS, "bandwidth": MOVED, "machine": {"array": {"rows": 32}}} | fields
    return Comparison((make_result(**more), make_result("current/spill", SPILL, 179_968, **more)))


def study():
    """Two schemes on arrays of three sizes; the larger, the faster and the more bytes."""
    points = []
    for scheme, more in (("in-hindsight/static", 1), ("current/spill", 3)):
        for rows in (8, 16, 32):
            point = {"point": len(points), "scheme": scheme, "array.rows": rows, "status": "done"}
            point |= {"reason": "", "total_bytes": more * rows * 1024, "sqnr_db": 40 - rows / 8}
            points.append(point | {"latency_us": more * 3200 / rows, "energy_pj.45nm": 7.5 * rows})
    points.append(points[0] | {"array.rows": 64, "status": "failed", "reason": "too large"})
    points[-1] |= {"total_bytes": None, "latency_us": None}
    return Points(tuple(points))


@pytest.fixture
def page():
    return report_html([saved(comparison(), "accelsim", "compare", "resnet18.layer1")], "9.9")


@pytest.fixture
def study_page():
    return report_html([saved(study(), "accelsim", "results", "lanes.db")], "9.9")
