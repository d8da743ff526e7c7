import numpy as np
import pytest

from accelsim.numerics import IntegerRange
from accelsim.quant import Grid, Range, bins_of, counted
from accelsim.quant.histogram import OUTSIDE


@pytest.mark.parametrize("bits", range(2, 17))
@pytest.mark.parametrize("signed", [False, True])
def test_every_bin_of_the_grid_holds_as_many_points_or_one_in_its_middle(bits, signed):
    grid = Grid(IntegerRange(bits, signed=signed), 0.37, 1)
    bins = bins_of(grid)
    points = grid.dequantize(np.arange(grid.integers.minimum, grid.integers.maximum + 1))
    found, below, above = counted(points, bins)
    assert below == above == 0 and found.sum() == 2**bits
    assert found[:OUTSIDE].sum() == found[-OUTSIDE:].sum() == 0
    inside = found[OUTSIDE:-OUTSIDE]
    assert 32 <= len(inside) <= 96
    if bits >= 6:
        assert set(inside) == {2**bits // len(inside)}
    else:
        assert set(inside) == {0, 1}
        places = (points - bins.lowest) / bins.width
        assert np.allclose(places % 1, 0.5)


def test_every_value_is_counted_once():
    values = np.random.default_rng(0).normal(size=(3, 5, 700)) * 4
    bins = bins_of(Grid.affine(Range(-1.0, 2.0), 8))
    found, below, above = counted(values, bins)
    assert found.sum() + below + above == values.size
    edges = bins.lowest + bins.width * np.arange(bins.number + 1)
    assert np.array_equal(found, np.histogram(values, edges)[0])
    assert (below, above) == ((values < edges[0]).sum(), (values >= edges[-1]).sum())


def test_a_result_carries_the_values_of_its_measured_step():
    import accelsim

    result = accelsim.simulate("resnet18.layer4.0.downsample.0", steps=3)
    held, output = result.values, result.output
    assert sum(held.after) == output.size == sum(held.before) + held.below + held.above
    ends = [
        result.numerics.output_scale * (q - result.numerics.output_zero_point) for q in (0, 255)
    ]
    assert [held.grid.minimum, held.grid.maximum] == ends
    assert len(held.before) == len(held.after) == 96
    assert accelsim.Result.from_json(result.to_json()) == result
    assert accelsim.simulate("resnet18.layer4.0.downsample.0", data=None).values is None
