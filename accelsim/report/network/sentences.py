"""What is said of a network below its tables: how it ran, what its ranges clip."""

from collections.abc import Sequence

from accelsim.report.format import KB, in_megabytes, kib, percent
from accelsim.report.network.lines import side_by_side
from accelsim.result import NetworkComparison, NetworkResult, NormCost

CLIPPED_SHARE, CLIPPED_DECIBELS = 0.005, 3.0
"""From so much clipping, and so much worse than under another scheme, the report says so."""

MOST_NAMES = 6
"""Nodes that a sentence names."""


def remarks(comparison: NetworkComparison) -> list[str]:
    """Which kind of step was measured, what holds for all schemes, and what to beware of."""
    first = comparison.baseline
    found = [*_measured_steps(comparison), *_norms(comparison.results), *conditions(first)]
    if first.data != "none":
        found += _clipped(comparison.results)
    return found + [f"Left out: {reason}." for reason in comparison.left_out]


def conditions(first: NetworkResult) -> list[str]:
    """What holds for all schemes alike."""
    fusion = first.machine["fusion"]
    kept = {
        "none": "every operation loads and stores its tensors",
        "drain": "activations are applied by the operation before them (+)",
        "chain": "activations are applied by the operation before them (+), tensors that fit "
        f"{first.machine['sram']['chain_kib']:g} KiB stay on chip until they were read last",
    }
    found = [_options(first)] if first.training else []
    found.append(f"Fusion {fusion}: {kept[fusion]}. Operations do not overlap.")
    if first.data == "none":
        timing = "Timing only: bytes and cycles of a step in the steady state, without values."
        return [*found, timing, *_unknown(first.opaque)]
    what = (
        "a step in float64 from the same weights" if first.training
        else "the float network on the same inputs"
    )  # fmt: skip
    return [
        *found,
        _tensors(first),
        f"SQNR: what each operation stores against {what}, so the errors of all operations "
        "before it are in it.",
    ]


def _unknown(nodes: Sequence[str]) -> list[str]:
    """Why a network has no values, where some of its nodes have none."""
    if not nodes:
        return []
    more = f" and {len(nodes) - MOST_NAMES} more" if len(nodes) > MOST_NAMES else ""
    return [
        f"The network has no values, as only the bytes are known of {', '.join(nodes[:MOST_NAMES])}"
        f"{more}."
    ]


def _options(result: NetworkResult) -> str:
    """How the training step was done."""
    chosen = result.options
    bits = chosen["weight_gradient_bits"]
    return (
        f"Gradients in {chosen['gradient_bits']} bits"
        + (", and in 16 for the way to the weights" if chosen["bifurcation"] else "")
        + f"; weight gradients in {f'{bits} bits' if bits else 'float32'}; update of float32 "
        + f"weights {'with' if chosen['momentum'] else 'without'} momentum"
        + (f" at a rate of {chosen['learning_rate']:g}" if result.steps else "")
        + ", then requantized."
    )


def _measured_steps(comparison: NetworkComparison) -> list[str]:
    """Whether a step with updates was measured, or a plain one."""
    sentences = []
    for result in comparison.results:
        if result.update_step:
            differ = [row.differs_from_plain for row in result.operations if row.amortised]
            kind = f"an update for {sum(differ)} of the {len(differ)} operations that have such"
            sentences.append(
                f"Under {result.scheme} the measured step is {kind if any(differ) else 'plain'}."
            )
    return sentences


def _norms(results: Sequence[NetworkResult]) -> list[str]:
    """What range batch norms take, and what BatchNorm would; schemes of equal figures together."""
    large = in_megabytes(max(result.bus_bytes for result in results))
    alike: dict[tuple[NormCost, NormCost], list[str]] = {}
    for result in results:
        if result.batch_norms is not None:
            alike.setdefault((result.range_norms, result.batch_norms), []).append(result.scheme)
    return [
        f"Range BatchNorm moves {_moved(own, large)} in {own.cycles:,} cycles under "
        f"{', '.join(schemes)}; BatchNorm, with a pass of its own for its statistics, "
        f"{_moved(other, large)} in {other.cycles:,}."
        for (own, other), schemes in alike.items()
    ]


def _moved(cost: NormCost, large: bool) -> str:
    """Its bytes, in the unit of the tables."""
    return f"{kib(cost.bytes / KB if large else cost.bytes)} {'MB' if large else 'KB'}"


def _clipped(results: Sequence[NetworkResult]) -> list[str]:
    """For each scheme the operation whose range clipped most, where another scheme's did not."""
    sentences = []
    operations = side_by_side(results)
    for place, result in enumerate(results):
        found = []
        for rows in operations:
            best = max((r.numerics.sqnr_db for r in rows if r and r.numerics), default=0.0)
            row = rows[place]
            if row and row.numerics and row.numerics.saturated_share >= CLIPPED_SHARE:
                share = row.numerics.saturated_share
                found.append((best - row.numerics.sqnr_db, share, row.node))
        lost, share, node = max(found, default=(0.0, 0.0, ""))
        if lost >= CLIPPED_DECIBELS:
            sentences.append(
                f"{result.scheme} clips {percent(share)} of what {node} stores, {lost:.1f} dB "
                "below the best scheme here: its range does not fit this step. A larger --batch "
                "or batches to --calibrate with make ranges steadier."
            )
    return sentences


def _tensors(result: NetworkResult) -> str:
    """Where inputs and weights come from, and which step was measured."""
    inputs = result.data
    if result.data == "synthetic":
        inputs += f" (seed {result.seed}, drift {result.drift})"
    before = f"{result.step} steps" if result.step != 1 else "1 step"
    if result.calibration_batches:
        before += f" and {result.calibration_batches} calibration batches"
    return f"Inputs: {inputs}; weights: {result.weights}. Measured after {before}."
