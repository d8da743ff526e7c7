"""What streams through the array, counted fold by fold and element by element."""

from collections import Counter

import numpy as np


def array_accesses(dataflow, rows, columns, m, k, n, first):
    """Reads of inputs and weights, writes and reads of sums, of one m x k by k x n product.

    Every fold names the elements it needs; an element of an operand is read once in a fold, and a
    sum is written by each fold that adds to it, after it was read where it had been begun.
    """
    count = Counter()
    begun = np.full((m, n), not first)
    for over_rows, over_columns in _folds(dataflow, rows, columns, m, k, n):
        ms, ks, ns = {
            "weight-stationary": (range(m), over_rows, over_columns),
            "input-stationary": (over_columns, over_rows, range(n)),
            "output-stationary": (over_rows, range(k), over_columns),
        }[dataflow]
        count["inputs"] += len({(i, j) for i in ms for j in ks})
        count["weights"] += len({(j, o) for j in ks for o in ns})
        for i in ms:
            for o in ns:
                count["reads"] += int(begun[i, o])
                count["writes"] += 1
                begun[i, o] = True
    return count


def _folds(dataflow, rows, columns, m, k, n):
    over_rows, over_columns = {
        "weight-stationary": (k, n),
        "input-stationary": (k, m),
        "output-stationary": (m, n),
    }[dataflow]
    for row in range(0, over_rows, rows):
        for column in range(0, over_columns, columns):
            yield (
                range(row, min(row + rows, over_rows)),
                range(column, min(column + columns, over_columns)),
            )
