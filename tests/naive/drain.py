"""The drain of a block of accumulators, lane by lane and cycle by cycle."""


def drain_cycles(positions, channels, columns, statistics_lanes, requantizer_lanes, kept, at_once):
    """Cycles that reading, observing and requantizing each take for all words of the block.

    A word is up to `columns` sums of one position. A lane has room for `at_once` of the `kept`
    statistics of a sum, and keeps the sum until it has done with all of them.
    """
    reading = observing = requantizing = 0
    for _ in range(positions):
        left = channels
        while left:
            word = min(left, columns)
            left -= word
            reading += 1
            for _ in range(0, word, statistics_lanes):
                to_keep = kept
                while to_keep > 0:
                    to_keep -= at_once
                    observing += 1
            for _ in range(0, word, requantizer_lanes):
                requantizing += 1
    return reading, observing, requantizing
