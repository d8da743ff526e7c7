import pytest

from accelsim.errors import AccelsimError
from accelsim.network.vector import (
    NOTHING,
    Add,
    AveragePool,
    BatchNorm,
    Bias,
    Clip,
    Concat,
    Elu,
    Gain,
    Gelu,
    GlobalAveragePool,
    HardSigmoid,
    LayerNorm,
    LeakyRelu,
    MaxPool,
    Mul,
    Opaque,
    RangeBatchNorm,
    Relu,
    Relu6,
    Reshape,
    Scale,
    Sigmoid,
    Slice,
    Softmax,
    Tanh,
    Tokens,
    Transpose,
    VectorWork,
)

IMAGE = (4, 6, 6)  # 144 elements, 288 in a batch of two
N = 288


@pytest.mark.parametrize(
    ("operation", "forward", "backward"),
    [
        (Add((IMAGE,) * 3), VectorWork(N, 1, (N,) * 3, N, (2 * N,)), NOTHING),
        (
            Mul((IMAGE,) * 3),
            VectorWork(N, 1, (N,) * 3, N, (2 * N,)),
            VectorWork(3 * N, 1, (N,) * 4, 3 * N, (6 * N,)),
        ),
        (
            Scale((IMAGE,), 2.0),
            VectorWork(N, 1, (N,), N, (N,)),
            VectorWork(N, 1, (N,), N, (N,)),
        ),
        (Relu((IMAGE,)), VectorWork(N, 1, (N,), N, (N,)), VectorWork(N, 1, (N, N), N, (N,))),
        (
            Relu6((IMAGE,)),
            VectorWork(N, 1, (N,), N, (2 * N,)),
            VectorWork(N, 1, (N, N), N, (2 * N,)),
        ),
        (
            Gelu((IMAGE,)),
            VectorWork(N, 1, (N,), N, (2 * N,)),
            VectorWork(N, 1, (N, N), N, (5 * N,)),
        ),
        (
            Clip((IMAGE,), 1.0),
            VectorWork(N, 1, (N,), N, (1 * N,)),
            VectorWork(N, 1, (N, N), N, (1 * N,)),
        ),
        (
            Clip((IMAGE,), 0, 4),
            VectorWork(N, 1, (N,), N, (2 * N,)),
            VectorWork(N, 1, (N, N), N, (2 * N,)),
        ),
        (
            LeakyRelu((IMAGE,)),
            VectorWork(N, 1, (N,), N, (2 * N,)),
            VectorWork(N, 1, (N, N), N, (2 * N,)),
        ),
        (
            Elu((IMAGE,)),
            VectorWork(N, 1, (N,), N, (4 * N,)),
            VectorWork(N, 1, (N, N), N, (4 * N,)),
        ),
        (
            Tanh((IMAGE,)),
            VectorWork(N, 1, (N,), N, (1 * N,)),
            VectorWork(N, 1, (N, N), N, (4 * N,)),
        ),
        (
            Sigmoid((IMAGE,)),
            VectorWork(N, 1, (N,), N, (1 * N,)),
            VectorWork(N, 1, (N, N), N, (4 * N,)),
        ),
        (
            Sigmoid((IMAGE,), gates=True),
            VectorWork(N, 1, (N,), N, (2 * N,)),
            VectorWork(N, 1, (N, N), N, (6 * N,)),
        ),
        (
            HardSigmoid((IMAGE,)),
            VectorWork(N, 1, (N,), N, (4 * N,)),
            VectorWork(N, 1, (N, N), N, (3 * N,)),
        ),
        (
            HardSigmoid((IMAGE,), gates=True),
            VectorWork(N, 1, (N,), N, (5 * N,)),
            VectorWork(N, 1, (N, N), N, (7 * N,)),
        ),
        (
            Mul((IMAGE, (4, 1, 1))),
            VectorWork(N, 1, (N, 8), N, (N,)),
            VectorWork(N + 8, 1, (N, N, 8), N + 8, (3 * N,)),
        ),
        (
            MaxPool((IMAGE,), 2),
            VectorWork(72, 4, (N,), 72, (288,)),
            VectorWork(72, 4, (72, N), N, (360,)),
        ),
        (
            AveragePool((IMAGE,), 2),
            VectorWork(72, 4, (N,), 72, (288,)),
            VectorWork(72, 4, (72,), N, (360,)),
        ),
        (
            GlobalAveragePool((IMAGE,)),
            VectorWork(8, 36, (N,), 8, (N + 8,)),
            VectorWork(N, 1, (8,), N, (N + 8,)),
        ),
        (
            LayerNorm(((3, 48),)),
            VectorWork(6, 48, (N,), N, (3 * N, 4 * N), 96),
            VectorWork(6, 48, (N, N), N, (7 * N, 4 * N), 48),
        ),
        (
            Softmax(((3, 48),)),
            VectorWork(6, 48, (N,), N, (N, 3 * N, 3 * N)),
            VectorWork(6, 48, (N, N), N, (2 * N, 2 * N)),
        ),
        (
            Concat(((4, 6), (2, 6))),
            VectorWork(72, 1, (48, 24), 72, (72,)),
            VectorWork(72, 1, (72,), 72, (72,)),
        ),
        (Reshape((IMAGE,), -1), NOTHING, NOTHING),
        (Tokens((IMAGE,)), NOTHING, NOTHING),
        (Slice((IMAGE,), 1, 2, 5), NOTHING, VectorWork(N, 1, (144,), N, (N,))),
        (Scale((IMAGE,), 2.0, folds=True), NOTHING, NOTHING),
        (
            Bias((IMAGE,), (4, 1, 1)),
            VectorWork(N, 1, (N,), N, (N,), 4),
            VectorWork(4, 72, (N,), 4, (N,)),
        ),
        (
            Gain((IMAGE,)),
            VectorWork(N, 1, (N, N), N, (N,)),
            VectorWork(144, 2, (N, N, N), N + 144, (3 * N,)),
        ),
        (
            Gain((IMAGE,), (6,)),
            VectorWork(N, 1, (N,), N, (N,), 6),
            VectorWork(6, 48, (N, N), N + 6, (3 * N,), 6),
        ),
        (
            Opaque((IMAGE, (8,)), (5,)),
            VectorWork(10, 1, (N, 16), 10, (10,)),
            VectorWork(N + 16, 1, (10, N, 16), N + 16, (N + 16,)),
        ),
        (
            Opaque((IMAGE,), (5,), parameter_bytes=401),
            VectorWork(10, 1, (N,), 10, (10,), 101),
            VectorWork(N, 1, (10, N), N, (N,), 101),
        ),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_the_work_of_a_batch_of_two(operation, forward, backward):
    assert operation.work(2) == operation.work(2, training=True) == forward
    assert operation.backward_work(2) == backward


def test_a_batch_norm_is_nothing_at_inference_and_two_passes_in_training():
    assert BatchNorm((IMAGE,)).work(2).is_nothing
    assert BatchNorm((IMAGE,), folds=False).work(2) == VectorWork(N, 1, (N,), N, (2 * N,), 8)
    trained = BatchNorm((IMAGE,)).work(2, training=True)
    assert trained == VectorWork(4, 72, (N,), N, (3 * N, 2 * N), 8)
    assert BatchNorm((IMAGE,)).backward_work(2) == VectorWork(4, 72, (N, N), N, (3 * N, 4 * N), 4)


def test_the_statistics_unit_saves_range_batch_norm_its_first_pass():
    fed = RangeBatchNorm((IMAGE,)).work(2, training=True)
    alone = RangeBatchNorm((IMAGE,), from_drain=False).work(2, training=True)
    assert fed == VectorWork(4, 72, (N,), N, (2 * N,), 8)
    assert alone == VectorWork(4, 72, (N,), N, (3 * N, 2 * N), 8)
    assert RangeBatchNorm((IMAGE,)).work(2).is_nothing


@pytest.mark.parametrize(
    ("order", "folds", "view"),
    [
        ((1, 0, 2), False, True),
        ((0, 2, 1), False, False),
        ((0, 2, 1), True, True),
        ((1, 2, 0), True, True),
        ((2, 1, 0), False, False),
        ((0, 1, 2), False, True),
    ],
)
def test_a_transpose_is_a_copy_unless_whole_vectors_change_places(order, folds, view):
    operation = Transpose((IMAGE,), order, folds)
    assert operation.is_view == view
    assert operation.work(2) == (NOTHING if view else VectorWork(N, 1, (N,), N, (N,)))
    assert operation.backward_work(2) == operation.work(2)


@pytest.mark.parametrize("sizes", [(1, 6, 1), (4, 1, 1), (1, 1, 6)])
def test_a_transpose_that_moves_axes_of_one_element_is_a_view(sizes):
    assert Transpose((sizes,), (2, 1, 0)).is_view


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Add((IMAGE,)), "add reads 2 to 1000 tensors, 1 are given"),
        (lambda: Relu((IMAGE, IMAGE)), "relu reads 1 tensors, 2 are given"),
        (lambda: Add((IMAGE, (4, 6, 5))), r"one shape, not \(4, 6, 6\) and \(4, 6, 5\)"),
        (lambda: Relu(((4, 0),)), "shape = 0: must be a whole number"),
        (lambda: Relu(7), "shapes = 7: must be shapes"),
        (lambda: Relu(((2**20, 2**12),)), "more than 2147483647 elements"),
        (lambda: Relu(((1,) * 9,)), "must have 1 to 8 axes"),
        (lambda: Relu(((),)), "must have 1 to 8 axes"),
        (lambda: Scale((IMAGE,), float("nan")), "factor = nan: must be a finite number"),
        (lambda: MaxPool(((4, 6),), 2), r"max_pool needs \(channels, height, width\)"),
        (lambda: MaxPool((IMAGE,), 7), r"kernel = \(7, 7\): the padded height is only 6"),
        (lambda: MaxPool((IMAGE,), 0), "kernel = 0: must be a whole number"),
        (lambda: MaxPool((IMAGE,), 2, padding=2), r"padding = .*: must be below kernel"),
        (lambda: MaxPool((IMAGE,), 2, padding=(1, 1, 1)), "padding = .*: must be a whole"),
        (lambda: MaxPool((IMAGE,), (2, 2, 2)), r"kernel = \(2, 2, 2\): must be a whole number or"),
        (lambda: MaxPool((IMAGE,), 2, ceil_mode=1), "ceil_mode = 1: must be true or false"),
        (lambda: AveragePool((IMAGE,), 2, count_padding=1), "count_padding = 1: must be true"),
        (lambda: BatchNorm((IMAGE,), epsilon=0), "epsilon = 0: must be a number above 0"),
        (lambda: BatchNorm((IMAGE,), folds=1), "folds = 1: must be true or false"),
        (lambda: RangeBatchNorm((IMAGE,), constant="1"), "constant = '1': must be a number"),
        (lambda: RangeBatchNorm(((4,),)).range_factor(1), "needs 2 or more elements"),
        (lambda: LayerNorm((IMAGE,), axes=4), "axes = 4: must be a whole number from 1 to 3"),
        (lambda: Concat((IMAGE, IMAGE), axis=3), "axis = 3: must be a whole number from 0 to 2"),
        (lambda: Concat((IMAGE, (4, 6))), "that agree in the other axes"),
        (lambda: Reshape((IMAGE,), (5, -1)), r"shape = \(5, -1\): must hold the 144 elements"),
        (lambda: Reshape((IMAGE,), (-1, -1)), "must hold the 144 elements"),
        (lambda: Reshape((IMAGE,), (0, -1)), "must hold the 144 elements"),
        (lambda: Transpose((IMAGE,), (0, 1)), "order = .*: must be the axes 0 to 2, each once"),
        (
            lambda: Transpose((IMAGE,), (1, 0, 2), True),
            "the last axis, 2, must become the last but one",
        ),
        (lambda: Slice((IMAGE,), 3), "axis = 3: must be a whole number from 0 to 2"),
        (lambda: Slice((IMAGE,), 1, 6), "start = 6: must be a whole number from 0 to 5"),
        (lambda: Slice((IMAGE,), 1, 3, 3), "stop = 3: must be a whole number from 4 to 6"),
        (lambda: Tokens(((4, 6),)), r"tokens needs \(channels, height, width\), not \(4, 6\)"),
        (lambda: Bias((IMAGE,), (4, 6)), r"shape = \(4, 6\): cannot be broadcast to"),
        (lambda: Gain(((6,),), (1, 6)), r"shape = \(1, 6\): cannot be broadcast to"),
        (lambda: Clip((IMAGE,)), "low and high are missing: clip needs one of them"),
        (lambda: Clip((IMAGE,), 2, 1), "low = 2: must be below high = 1"),
        (lambda: Clip((IMAGE,), "0"), "low = '0': must be a finite number"),
        (lambda: LeakyRelu((IMAGE,), -0.1), "leak = -0.1: must be a finite number above 0"),
        (lambda: Elu((IMAGE,), float("inf")), "alpha = inf: must be a finite number above 0"),
        (lambda: HardSigmoid((IMAGE,), factor=0), "factor = 0: must be a finite number above 0"),
        (lambda: Sigmoid((IMAGE,), gates=1), "gates = 1: must be true or false"),
        (lambda: Mul((IMAGE, (4, 1, 2))), r"mul needs tensors of one shape, or of size 1 along"),
        (lambda: Mul((IMAGE, (6, 6))), r"mul needs tensors of one shape, or of size 1 along an"),
        (lambda: Opaque((IMAGE,), (0,)), "shape = 0: must be a whole number"),
        (lambda: Opaque((IMAGE,), 5, "", -1), "parameter_bytes = -1: must be a whole number"),
        (lambda: Opaque((IMAGE,), (5,), "Foo").forward([]), "Foo: has bytes but no values"),
        (lambda: Opaque((IMAGE,), (5,)).backward(None, [], None), "an opaque operation: has"),
    ],
)
def test_a_wrong_operation_is_refused_in_one_line(build, message):
    with pytest.raises(AccelsimError, match=message) as refusal:
        build()
    assert "\n" not in str(refusal.value)
