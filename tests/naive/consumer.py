"""A product whose reduction crosses from scale to scale, walked block by block and sum by sum."""

from collections import Counter


def naive_pieces(rows, channels, block, place):
    """Folds over the rows: each a list of blocks, or of pieces of one that the rows cannot hold."""
    folds, room = [], 0
    for start in range(0, channels, block):
        left = min(block, channels - start)
        if place == "in-array" and rows >= block:
            if not room:
                folds.append([])
                room = rows // block
            folds[-1].append(left)
            room -= 1
            continue
        while left:
            folds.append([min(rows, left)])
            left -= folds[-1][0]
    return folds


def naive_rescaling(m, channels, n, block, rows, columns, place, lanes):
    """(cycles in which the array streams, actions) of a weight-stationary product of real scales.

    A word is the sums of one position over the columns; all take what the widest takes. In the
    array every block of a sum costs a product and an addition; in the vector unit all that leaves
    does, each an operation of a lane.
    """
    cycles, actions = 0, Counter()
    word = 1 if place == "in-array" else -(-2 * min(columns, n) // lanes)
    for first in range(0, n, columns):
        width = min(columns, n - first)
        for _ in naive_pieces(rows, channels, block, place):
            cycles += max(rows, sum(word for _ in range(m)))
            if place == "vector-unit":
                actions["multiply"] += m * width
                actions["add"] += m * width
    if place == "in-array":
        for _ in range(0, channels, block):
            actions["multiply"] += m * n
            actions["add"] += m * n
    return cycles, actions
