from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from accelsim.hardware.dram.clocks import ClockRatio

RATIOS = st.builds(
    ClockRatio.of, st.floats(0.001, 100_000, allow_nan=False), st.integers(1, 1_000_000)
)


def test_equal_clocks_count_alike():
    ratio = ClockRatio.of(1000, 1000)
    assert [ratio.clock_at(n) for n in (0, 1, 7)] == [0, 1, 7]


def test_ratio_is_read_as_decimals():
    assert ClockRatio.of(800, 833) == ClockRatio(1250, 833)


@given(ratio=RATIOS, count=st.integers(0, 1 << 40))
def test_neither_side_sees_the_other_early_nor_a_whole_tick_late(ratio, count):
    exact = Fraction(ratio.clocks, ratio.cycles)
    assert 0 <= ratio.clock_at(count) - count * exact < 1
    assert 0 <= ratio.cycle_at(count) - count / exact < 1
    assert ratio.cycle_at(ratio.clock_at(count)) >= count
