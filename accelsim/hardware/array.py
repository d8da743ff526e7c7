"""The MAC array: its shape, its registers, and what a matrix product costs on it in cycles.

Every cost is a closed form of the systolic array as SCALE-Sim states it (Samajdar et al., 2018 and
2020), with the registers of a real array as parameters of named effect.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from accelsim.errors import AccelsimError
from accelsim.hardware.part import Part, choice, show, whole


class Dataflow(StrEnum):
    """Which operand stays in the cells while the others stream past."""

    WEIGHT_STATIONARY = "weight-stationary"
    INPUT_STATIONARY = "input-stationary"
    OUTPUT_STATIONARY = "output-stationary"


class ShiftOut(StrEnum):
    """Who pays for moving finished sums out of an output-stationary array."""

    EXPOSED = "exposed"
    HIDDEN = "hidden"
    UNCOUNTED = "uncounted"


class BlockRescale(StrEnum):
    """Where the partial sums of blocks that share a power of two are brought to one scale."""

    IN_ARRAY = "in-array"
    VECTOR_UNIT = "vector-unit"


class TilesFor(StrEnum):
    """Whose cycles the tiles are chosen for, among those of least DRAM traffic."""

    LAYER = "layer"
    ARRAY = "array"


@dataclass(frozen=True, slots=True)
class FoldShape:
    """How a product is cut to fit the array: folds over rows and columns, depth streamed."""

    row_folds: int
    column_folds: int
    depth: int

    @property
    def folds(self) -> int:
        """Number of folds, each one filling of the array."""
        return self.row_folds * self.column_folds


@dataclass(frozen=True, slots=True)
class ArrayTiming:
    """Cycles of one product on the array, in the order in which they pass.

    `reload_cycles`: loading the first stationary operand; can hide behind the tile before.
    `stream_cycles`: from the first streamed vector to the last one entering the array.
    `drain_cycles`: from there until the last result has left.
    `period_cycles`: from one fold's first vector to the next fold's, in this product or at the
    start of the next one; 0 where folds do not overlap, so that a period means nothing.
    """

    folds: int
    reload_cycles: int
    stream_cycles: int
    drain_cycles: int
    period_cycles: int = 0

    @property
    def steady_cycles(self) -> int:
        """Cycles from the start of this product to the next one's, when the array never waits."""
        return self.folds * self.period_cycles or self.stream_cycles

    @property
    def total_cycles(self) -> int:
        """Cycles of the product when nothing before or after overlaps it."""
        return self.reload_cycles + self.stream_cycles + self.drain_cycles


class Array(Part):
    """A systolic array of rows x columns cells, one multiply-accumulate each per cycle."""

    rows: int = whole(32, 1, 4096, "cells per column; one cell does one multiply-add per cycle")
    columns: int = whole(32, 1, 4096, "cells per row; the drain delivers one sum per column")
    dataflow: Dataflow = choice(
        Dataflow.WEIGHT_STATIONARY,
        "operand that stays in the cells: weight-stationary, input-stationary or output-stationary",
    )
    stationary_sets: int = whole(
        2,
        1,
        2,
        "register sets per cell for the stationary operand; with 2, a reload (or the shift-out of "
        "an output-stationary array) hides behind streaming, with 1 folds do not overlap",
    )
    extra_horizontal_registers: int = whole(
        0, 0, 64, "registers per hop along a row beyond one; each adds `columns` cycles per drain"
    )
    extra_vertical_registers: int = whole(
        0, 0, 64, "registers per hop along a column beyond one; each adds `rows` cycles per drain"
    )
    issue_gap_cycles: int = whole(
        0, 0, 1_000_000, "cycles between the commands of two folds in which nothing streams"
    )
    pipeline_latency_cycles: int = whole(
        0, 0, 1_000_000, "constant cycles a result needs beyond its way through the cells"
    )
    shift_out: ShiftOut = choice(
        ShiftOut.EXPOSED,
        "output-stationary only: moving the sums out costs `rows` cycles in every fold (exposed), "
        "once per tile as the next fold hides it (hidden), or nothing, as SCALE-Sim 3.0.0 counts "
        "(uncounted); with 2 stationary sets exposed is the same as hidden",
    )
    depthwise_packing: int = whole(
        1, 1, 4096, "groups of a grouped layer, at most, placed block-diagonally in one fold"
    )

    block_rescale: BlockRescale = choice(
        BlockRescale.IN_ARRAY,
        "operands in blocks that share a power of two: partial sums of a block are shifted and "
        "added by an adder in each column behind every block of rows, or in each cell of an "
        "output-stationary array (in-array), or each passes the vector unit's lanes (vector-unit)",
    )
    tiles_for: TilesFor = choice(
        TilesFor.LAYER,
        "among the tiles of least DRAM traffic take those of fewest cycles of the whole layer "
        "(layer), or of the array alone (array): then a layer that fits is one tile, as SCALE-Sim "
        "counts, and nothing drains while the array works",
    )

    def model_post_init(self, context: Any, /) -> None:
        """Refuse sums that pass the vector unit in no time."""
        uncounted = self.shift_out is ShiftOut.UNCOUNTED
        output_stationary = self.dataflow is Dataflow.OUTPUT_STATIONARY
        if self.block_rescale is BlockRescale.VECTOR_UNIT and uncounted and output_stationary:
            raise AccelsimError(
                "block_rescale=vector-unit: must be in-array where shift_out is uncounted, as "
                "partial sums would reach the vector unit in no time"
            )

    def fold_shape(self, m: int, k: int, n: int) -> FoldShape:
        """Cut the product of an m x k and a k x n matrix into folds.

        weight-stationary: k over rows, n over columns, m streamed;
        input-stationary: k over rows, m over columns, n streamed;
        output-stationary: m over rows, n over columns, k streamed.
        """
        over_rows, over_columns, depth = self._placed(m, k, n)
        return FoldShape(-(-over_rows // self.rows), -(-over_columns // self.columns), depth)

    def fold_cycles(self, depth: int) -> int:
        """Cycles of one fold that overlaps nothing, `depth` vectors streamed.

        Weight- and input-stationary: `2R + C + depth - 2` (R to load the stationary operand, depth
        to stream, R + C - 2 until the last sum leaves). Output-stationary: `R + C + depth - 2`, up
        to the last accumulation and without the shift-out. Source: SCALE-Sim, equations of the
        non-overlapped fold. On top: extra registers, pipeline latency and issue gap.
        """
        _refuse_nonpositive(depth=depth)
        return self._load_cycles + depth + self.issue_gap_cycles + self._traversal_cycles

    def packed_groups(self, m: int, k: int, n: int, groups: int) -> int:
        """How many groups of a grouped product share one fold.

        Blocks go on the diagonal: each group has rows and columns of its own, the cells off the
        diagonal idle. A group that needs more than one fold is not packed.
        """
        _refuse_nonpositive(groups=groups)
        over_rows, over_columns, _ = self._placed(m, k, n)
        room = min(self.rows // over_rows, self.columns // over_columns)
        return max(1, min(self.depthwise_packing, groups, room))

    def timing(
        self, m: int, k: int, n: int, groups: int = 1, latency_cycles: int = 0
    ) -> ArrayTiming:
        """Cycles of `groups` products of an m x k and a k x n matrix, one fold after another.

        With one stationary set folds do not overlap: `folds * fold_cycles(depth)`, plus the
        shift-out of an output-stationary array.

        With two sets a fold starts P = max(depth + gap, R) cycles after the one before.

        Weight- and input-stationary: the swap travels as a wavefront with the fold's first vector,
        through cell (r, c) after r + c cycles. Right behind it the next operand shifts in, and is
        in place R cycles later. So the first load is exposed, every later one hides, and P cannot
        be below R. Output-stationary: sums leave a column in R cycles while the next fold
        accumulates into the other set, so again P >= R; a set is free again R + depth cycles after
        its fold began, and needed after 2P, which is never sooner. The stream never pauses between
        folds, so the way through the array (R + C - 2, extra registers, latency) is paid once.

        One fold alone costs the same with one set and with two. An uncounted shift-out bounds
        nothing: P = depth + gap. Extra registers lengthen the way through, never the reload, and so
        do `latency_cycles`, those of what the streamed input passes first.
        """
        shape = self.fold_shape(m, k, n)
        folds = shape.folds * -(-groups // self.packed_groups(m, k, n, groups))
        return self.folded(folds, shape.depth, latency_cycles=latency_cycles)

    def folded(
        self, folds: int, depth: int, word_cycles: int = 1, latency_cycles: int = 0
    ) -> ArrayTiming:
        """Cycles of so many folds in a row, `depth` vectors streamed in each: see `timing`.

        Each word of sums that leaves the array takes `word_cycles`, more than one where what takes
        it has fewer lanes than the word. `latency_cycles` come on top of the way through.
        """
        shift_cycles = self._shift_cycles(1) * word_cycles
        if self.dataflow is not Dataflow.OUTPUT_STATIONARY:
            depth *= word_cycles  # a word leaves for each vector that enters
        if self.stationary_sets == 1:
            # No fold can be shorter than what hides behind it, the shift-out of the one before.
            fold_cycles = max(self.fold_cycles(depth) + latency_cycles, shift_cycles)
            shifts_cycles = self._shift_cycles(folds) * word_cycles
            return ArrayTiming(folds, 0, folds * fold_cycles + shifts_cycles, 0)
        busy_cycles = depth + self.issue_gap_cycles
        period_cycles = max(busy_cycles, self._load_cycles or shift_cycles)
        return ArrayTiming(
            folds=folds,
            reload_cycles=self._load_cycles,
            stream_cycles=(folds - 1) * period_cycles + busy_cycles,
            drain_cycles=self._traversal_cycles + shift_cycles + latency_cycles,
            period_cycles=period_cycles,
        )

    def steady_cycles(
        self, m: np.ndarray, k: np.ndarray, n: np.ndarray, groups: np.ndarray
    ) -> np.ndarray:
        """`timing(...).steady_cycles` of many products at once, element by element."""
        over_rows, over_columns, depth = self._order(m, k, n)
        room = np.minimum(self.rows // over_rows, self.columns // over_columns)
        packed = np.maximum(1, np.minimum(np.minimum(self.depthwise_packing, groups), room))
        folds = -(-over_rows // self.rows) * -(-over_columns // self.columns) * -(-groups // packed)
        busy_cycles = depth + self.issue_gap_cycles
        if self.stationary_sets == 1:
            fold_cycles = self._load_cycles + busy_cycles + self._traversal_cycles
            shifts = folds if self.shift_out is ShiftOut.EXPOSED else 1
            return np.asarray(folds * fold_cycles + shifts * self._shift_cycles(1))
        hidden_cycles = self._load_cycles or self._shift_cycles(1)
        return np.asarray(folds * np.maximum(busy_cycles, hidden_cycles))

    @property
    def _load_cycles(self) -> int:
        """Cycles to shift the stationary operand in: one row per cycle."""
        return 0 if self.dataflow is Dataflow.OUTPUT_STATIONARY else self.rows

    @property
    def _traversal_cycles(self) -> int:
        """Cycles from the last vector entering at one corner to its result at the other."""
        return (
            (1 + self.extra_vertical_registers) * self.rows
            + (1 + self.extra_horizontal_registers) * self.columns
            - 2
            + self.pipeline_latency_cycles
        )

    def _shift_cycles(self, folds: int) -> int:
        """Cycles that `folds` folds in a row pay to shift their sums out: one row per cycle."""
        if self.dataflow is not Dataflow.OUTPUT_STATIONARY:
            return 0
        paid = {ShiftOut.EXPOSED: folds, ShiftOut.HIDDEN: 1, ShiftOut.UNCOUNTED: 0}
        return paid[self.shift_out] * self.rows

    def _placed(self, m: int, k: int, n: int) -> tuple[int, int, int]:
        """Order the dimensions as: over rows, over columns, streamed."""
        _refuse_nonpositive(m=m, k=k, n=n)
        return self._order(m, k, n)

    def _order(self, m: Any, k: Any, n: Any) -> tuple[Any, Any, Any]:
        if self.dataflow is Dataflow.WEIGHT_STATIONARY:
            return k, n, m
        if self.dataflow is Dataflow.INPUT_STATIONARY:
            return k, m, n
        return m, n, k


def _refuse_nonpositive(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise AccelsimError(f"{name}={show(size)}: must be >= 1")
