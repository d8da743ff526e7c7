"""The collector of cycles rests while a program is written and timed, and is then as it was."""

import gc

import pytest

from accelsim.network import Linear
from accelsim.simulation import compare, programs, timings
from accelsim.simulation.collector import collector_paused


@pytest.fixture
def seen(monkeypatch):
    """Whether the collector was on, at every call of what writes and times programs."""
    found = []

    def watch(module, name):
        original = getattr(module, name)

        def watched(*given, **named):
            found.append((name, gc.isenabled()))
            return original(*given, **named)

        monkeypatch.setattr(module, name, watched)

    watch(programs, "lower")
    watch(programs, "run")
    for name in ("lower", "lower_vector", "run"):
        watch(timings, name)
    timings.forget()
    return found


def test_a_layer_without_values_is_written_and_timed_with_the_collector_at_rest(seen):
    compare(Linear("rests", 40, 30), data=None, schemes=["in-hindsight"])
    assert set(seen) == {("lower", False), ("run", False)}
    assert gc.isenabled()


def test_a_run_with_values_leaves_the_collector_on(seen):
    compare(Linear("works", 40, 30), schemes=["current"], steps=1)
    assert set(seen) == {("lower", False), ("run", True)}


def test_a_network_is_written_and_timed_with_the_collector_at_rest(seen):
    compare("mobilenetv2", data=None, schemes=["in-hindsight"])
    assert set(seen) == {("lower", False), ("lower_vector", False), ("run", False)}
    assert gc.isenabled()


def test_the_collector_is_on_again_after_an_error():
    with pytest.raises(ZeroDivisionError), collector_paused():
        _ = 1 / 0
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off():
    gc.disable()
    try:
        with collector_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_pauses_may_lie_in_one_another():
    with collector_paused():
        with collector_paused():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
