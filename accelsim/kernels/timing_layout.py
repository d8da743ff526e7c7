"""Where each number of a machine at work lies: the columns of the arrays that `timing` goes over.

A program is a table, a row for each command; beside it the state of the units, the buffers and the
memory. All are int64. A command waits for others, takes room in a buffer, works, gives room back,
and is complete some cycles later.
"""

from typing import NamedTuple

import numpy as np


class Ideal(NamedTuple):
    """The arrays of a memory of constant bandwidth: see `ideal_memory.new_memory`."""

    transfers: np.ndarray
    engines: np.ndarray
    bus: np.ndarray
    queue: np.ndarray


class Clockwork(NamedTuple):
    """A machine with its program and its clock; the arrays of its memory stand apart."""

    command: np.ndarray
    """(commands, COMMAND) what each command waits for, takes, does and gives; never written."""
    after: np.ndarray
    """Commands that others wait for, those of one command in a row; never written."""
    give: np.ndarray
    """(gifts, 2) buffer and bytes that become free, those of one command in a row; never written"""
    queue: np.ndarray
    """The commands of each unit, in order, unit after unit; never written."""
    unit: np.ndarray
    """(UNITS, UNIT) where each unit stands, what it waits for, and its cycles by state."""
    buffer: np.ndarray
    """(buffers, BUFFER) capacity and bytes taken."""
    done: np.ndarray
    """(commands, DONE) when each command began and was complete, and its turn at the DRAM."""
    event: np.ndarray
    """(room, EVENT) what is to happen: a heap, the soonest and of these the oldest first."""
    span: np.ndarray
    """(room, SPAN) who worked on what from when to when; may be empty."""
    reading: np.ndarray
    """(READINGS, 3) cycle, bytes loaded and stored until then."""
    untold: np.ndarray
    """(ring, 3) cycle, command and whether complete: news that the machine has not heard."""
    holder: np.ndarray
    """The command of the transfer in each place of the memory."""
    clock: np.ndarray
    """(CLOCK,) what there is once."""


# Units that are accounted for, in the order in which data passes them. The statistics unit takes
# the commands of the drain, the requantizer works beside it, and the DRAM takes no commands.
LOAD, ARRAY, STATISTICS, REQUANTIZER, VECTOR, STORE, DRAM, UNITS = range(8)

# command: of every kind
KIND, AFTER_START, AFTER_STOP, TAKE_BUFFER, TAKE_BYTES, GIVE_START, GIVE_STOP, LATER = range(8)
"""LATER: cycles from the end of its work until a command is complete."""
NEVER = 1 << 62
"""A cycle that does not come."""
NOTHING = -1
"""In the place of a buffer, of a command that is waited for, of a state that is counted."""

# command: of a transfer, the first count innermost; PORT_CYCLES where it passes the on-chip port
PORT_CYCLES, ADDRESS, RUN_BYTES, COUNTS, STRIDES = 8, 9, 10, 11, 14

# command: of a compute
(
    FOLDS, RELOAD_CYCLES, STREAM_CYCLES, PERIOD_CYCLES, HINDERED_CYCLES, STATIONARY, RESCALE_CYCLES
) = range(8, 15)  # fmt: skip

# command: of a drain
(
    DURATION, OBSERVING, REQUANTIZING, REQUANTIZED_FROM, STATISTICS_WAIT, OBSERVES, REQUANTIZES
) = range(8, 15)  # fmt: skip

# command: of a barrier and of vector work
CYCLES = 8
COMMAND = 17

LOADS, COMPUTES, DRAINS, REDUCES, MAPS, STORES = range(6)
"""KIND: reduces is a barrier's; maps is all vector work's."""

# unit: cycles by state, and of the time in which something was under way whatever it waited for
BUSY, STARVED, BLOCKED, IN_HAND, IN_HAND_SINCE, IN_HAND_CYCLES = range(6)
# unit: its commands, and how far it is with the one it is at
NEXT, LAST, STAGE, NEXT_AFTER, LEFT = range(6, 11)
"""LEFT: drains for the statistics unit, and for the requantizer, that are still to come."""
# unit: what it waits for, as what, since when, and before whom
AWAITED, STATE, SINCE, COVERED, TURN, ROOM_BYTES, LAST_ARRIVAL, UNIT = range(11, 19)

READY, BEGINS, WORKS, ENDS = range(4)
"""STAGE: waits for commands; has its room; works; is done, or was held up by a slower unit."""

CAPACITY, TAKEN, BUFFER = range(3)

STARTED_AT, DONE_AT, SUBMITTED, DONE = range(4)

AT, TURN_OF, WHAT, WHICH, EVENT = range(5)
RESUMES, COMPLETES, ARRIVES, STOPS = range(4)
"""WHAT: unit WHICH goes on; command WHICH is complete; its data has moved; all are complete."""

SPAN_UNIT, SPAN_COMMAND, SPAN_START, SPAN_STOP, SPAN = range(5)

READINGS = 2048
"""Most readings of the memory's counters; when there are so many, every second one goes."""

# clock
(
    NOW, TURNS, N_EVENTS, TICK_AT, REMAINING, STATUS, LAST_CYCLE,
    N_SPANS, N_READINGS, APART_CYCLES, SUBMISSIONS, ASKED, OUTSTANDING,
    FOLDS_DONE, LAST_FOLD_START, LAST_PERIOD,
    PORT_FREE_AT, PORT_LOAD_CYCLES, PORT_STORE_CYCLES,
    DRAM_CLOCKS, MACHINE_CYCLES, UNTOLD_HEAD, UNTOLD_COUNT,
    CLOCK,
) = range(24)  # fmt: skip
"""ASKED: the transfer that the memory is yet to begin, in this very cycle. A DRAM of commands
has DRAM_CLOCKS in MACHINE_CYCLES."""

RUNS, FINISHED, STUCK = range(3)
"""STATUS. Stuck: something is asked for that will never be."""
