"""Slow, obvious twin of the array: every register of every cell, one cycle at a time."""

import numpy as np


def weight_stationary(folds, period_cycles):
    """Run `folds` of (x: depth x R, w: R x C) on two-set cells, a fold every `period_cycles`.

    Returns the products as they left the bottom row and the number of cycles. A swap reads the
    shadow set as it stands; if the period is too short, it reads the wrong weights.
    """
    rows, columns = folds[0][1].shape
    starts = [rows + index * period_cycles for index in range(len(folds))]
    products = [np.zeros((len(x), columns), dtype=np.int64) for x, _ in folds]
    shadow = np.zeros((rows, columns), dtype=np.int64)
    active = np.zeros_like(shadow)
    moving_right = np.zeros_like(shadow)
    moving_down = np.zeros_like(shadow)
    last_cycle = 0
    for cycle in range(starts[-1] + len(folds[-1][0]) + rows + columns):
        next_shadow, next_right, next_down = shadow.copy(), moving_right.copy(), moving_down.copy()
        for r in range(rows):
            for c in range(columns):
                since = [cycle - start - r - c for start in starts]
                for (_, w), start in zip(folds, starts, strict=True):
                    # The load of a fold takes the R cycles before its start, skewed by column;
                    # the weights of the bottom row enter first, row r starts to shift at r.
                    step = cycle - (start - rows) - c
                    if r <= step < rows:
                        above = w[rows - 1 - step, c] if r == 0 else shadow[r - 1, c]
                        next_shadow[r, c] = above
                if 0 in since:
                    active[r, c] = shadow[r, c]
                now = [i for i, age in enumerate(since) if 0 <= age < len(folds[i][0])]
                assert len(now) <= 1, "two folds stream through one cell in one cycle"
                edge = folds[now[0]][0][since[now[0]], r] if now else 0
                right = edge if c == 0 else moving_right[r, c - 1]
                down = 0 if r == 0 else moving_down[r - 1, c]
                next_right[r, c] = right
                next_down[r, c] = down + right * active[r, c]
                if r == rows - 1 and now:
                    products[now[0]][since[now[0]], c] = next_down[r, c]
                    last_cycle = cycle
        shadow, moving_right, moving_down = next_shadow, next_right, next_down
    return products, last_cycle + 1


def output_stationary(folds, period_cycles):
    """Run `folds` of (x: R x depth, w: depth x C) on two-set cells, a fold every `period_cycles`.

    Returns the products as they left the bottom row and the number of cycles. Raises
    AssertionError if two sums of a column leave in one cycle.
    """
    rows, columns = folds[0][0].shape[0], folds[0][1].shape[1]
    sets = np.zeros((2, rows, columns), dtype=np.int64)
    products = [np.zeros((rows, columns), dtype=np.int64) for _ in folds]
    depths = [w.shape[0] for _, w in folds]
    starts = [index * period_cycles for index in range(len(folds))]
    last_cycle = 0
    for cycle in range(starts[-1] + depths[-1] + 2 * rows + columns):
        after = sets.copy()
        for c in range(columns):
            leaving = 0
            for index, start in enumerate(starts):
                # A column shifts down once its bottom row has its last addend.
                step = cycle - (start + rows - 1 + c + depths[index])
                if 0 <= step < rows:
                    leaving += 1
                    products[index][rows - 1 - step, c] = sets[index % 2, rows - 1, c]
                    after[index % 2, step + 1 :, c] = sets[index % 2, step:-1, c]
                    last_cycle = cycle
            assert leaving <= 1, "two sums leave a column in one cycle"
        for index, (x, w) in enumerate(folds):
            for r in range(rows):
                for c in range(columns):
                    age = cycle - starts[index] - r - c
                    if 0 <= age < depths[index]:
                        before = 0 if age == 0 else sets[index % 2, r, c]
                        after[index % 2, r, c] = before + x[r, age] * w[age, c]
        sets = after
    return products, last_cycle + 1
