"""Figures and labels as the tables write them."""

KB = 1024

MOST_IN_A_CELL = 1_000_000
"""From this figure on a table takes the next larger unit: or a column would cut it."""

NOTHING = "-"

LONGEST_LABEL = 19
"""Characters of a scheme's label on one line of a table of many columns."""


def heading(label: str) -> str:
    """A scheme's label broken where it may be, for the head of a narrow column."""
    return label.replace(":", "\n").replace(",", "\n").replace("/", "\n")


def broken(label: str, longest: int = LONGEST_LABEL) -> str:
    """A scheme's label, broken where it may be when it is long."""
    if len(label) <= longest:
        return label
    return label.replace(":", ":\n").replace(",", ",\n").replace("/", "/\n")


def kib(count: float) -> str:
    """Bytes as KB of 1024 bytes, one decimal; less than one KB to three digits."""
    return f"{count / KB:,.1f}" if count == 0 or count >= KB else f"{count / KB:.3g}"


def in_megabytes(count: float) -> bool:
    """Whether a table whose largest figure is `count` bytes is in MB of 1024 KB, not in KB."""
    return count / KB >= MOST_IN_A_CELL


def in_milliseconds(microseconds: float) -> bool:
    """Whether a table whose longest time is this is in ms, not in us."""
    return microseconds >= MOST_IN_A_CELL


def percent(share: float) -> str:
    """A share as a percentage; what is not quite nothing does not look like nothing."""
    value = 100 * share
    return f"{value:.1f}%" if value == 0 or value >= 0.1 else f"{value:.2g}%"


def brief_percent(share: float) -> str:
    """The same in a few characters: what is less than a tenth of a percent is only said to be."""
    return "<0.1%" if 0 < share < 0.001 else percent(share)
