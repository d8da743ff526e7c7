import math

import pytest

from accelsim.errors import AccelsimError
from accelsim.network import Drift
from accelsim.network.drift import Shift, Shrink, Spike, Walk


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        (0.05, (Walk(0.05),)),
        ("0.05", (Walk(0.05),)),
        (0, (Walk(0.0),)),
        ("walk:0.1", (Walk(0.1),)),
        ("walk", (Walk(0.05),)),
        ("walk:amount=0.2", (Walk(0.2),)),
        ("spike:at=50", (Spike(50, 10.0),)),
        ("spike:at=50,factor=3", (Spike(50, 3.0),)),
        ("shift:factor=2, at=7", (Shift(7, 2.0),)),
        ("shift:at=7,mean=-1.5", (Shift(7, 4.0, -1.5),)),
        ("shrink:0.9", (Shrink(0.9),)),
        (["0.1", "spike:at=3", "spike:at=9"], (Walk(0.1), Spike(3), Spike(9))),
        ([], ()),
    ],
)
def test_a_drift_is_read_and_its_label_reads_back(given, parts):
    drift = Drift.parse(given)
    assert drift.parts == parts
    if parts:
        assert Drift.parse(drift.label.split()) == drift
    assert Drift.parse(drift) is drift


def test_labels_are_short_and_lose_nothing():
    assert Drift.parse([0.05, "spike:at=100000"]).label == "walk:0.05 spike:at=100000,factor=10"
    assert Drift.parse("0.123456789").label == "walk:0.123456789"
    assert Drift.parse([]).label == "none"


def test_the_steps_of_disturbances_are_told_in_order():
    drift = Drift.parse(["spike:at=9", "shift:at=4", "0.1", "spike:at=4", "shrink:0.9"])
    assert drift.disturbances == (4, 9)
    assert drift.amount == 0.1
    assert drift.scale(4) == pytest.approx(0.9**4 * 10 * 4)
    assert Drift.parse("shrink:0.9").amount == 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("wlak:0.1", "drift = 'wlak:0.1': must be a number or one of walk:..., spike:..., shift"),
        ("", "must be a number or one of"),
        ("spike", "drift = 'spike': must say at which step, spike:at=..."),
        ("spike:5", "must say at which step"),
        ("spike:at=1.5", "drift spike: at = 1.5: must be a whole number from 0"),
        ("spike:at=-1", "drift spike: at = -1: must be a whole number"),
        ("spike:at=nan", "drift spike: at = nan: must be a whole number"),
        ("spike:at=1,factor=0", "drift spike: factor = 0.0: must be a number from 1e-06 to 1e"),
        ("spike:at=1,factor=inf", "drift spike: factor = inf"),
        ("spike:at=1,at=2", "'at=2' must be name=number, each name once; spike has at, factor"),
        ("spike:at=1,size=2", "'size=2' must be name=number"),
        ("shrink:1.1", "drift shrink: factor = 1.1: must be a number from 1e-06 to 1"),
        ("walk:x", "'x' must be name=number"),
        ("walk:", "'' must be name=number"),
        (["0.1", "walk:0.2"], "drift = walk:0.1 walk:0.2: walk must be given only once"),
        (["shrink:0.5", "shrink:0.5"], "shrink must be given only once"),
        (2, "drift walk: amount = 2: must be a number from 0 to 1"),
        (True, "drift walk: amount = True"),
        (None, "drift walk: amount = None"),
        ([math.nan], "drift walk: amount = nan"),
    ],
)
def test_mistakes_are_refused_in_one_line(given, message):
    with pytest.raises(AccelsimError) as refusal:
        Drift.parse(given)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)
