"""What is said of a network below its tables: ratios, how it ran, what its ranges clip."""

from collections.abc import Sequence

from accelsim.report.format import percent
from accelsim.report.network.lines import side_by_side
from accelsim.result import NetworkComparison, NetworkResult

CLIPPED_SHARE, CLIPPED_DECIBELS = 0.005, 3.0
"""From so much clipping, and so much worse than under another scheme, the report says so."""


def sentences(comparison: NetworkComparison) -> list[str]:
    """Every other scheme against the first, and what holds for all of them."""
    first = comparison.baseline
    sentences = [
        f"{ratio.scheme} moves {ratio.bytes_ratio:.2f} times the bytes and takes "
        f"{ratio.cycles_ratio:.2f} times the cycles of {ratio.baseline}."
        for ratio in comparison.ratios
    ]
    sentences += _amortised(comparison)
    sentences += conditions(first)
    if first.data != "none":
        sentences += _clipped(comparison.results)
    return sentences


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
        return [
            *found, "Timing only: bytes and cycles of a step in the steady state, without values."
        ]  # fmt: skip
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


def _amortised(comparison: NetworkComparison) -> list[str]:
    """The same with update steps, and which kind of step was measured."""
    sentences = []
    pairs = zip(comparison.results[1:], comparison.ratios, strict=True)
    for result, ratio in pairs:
        if result.update_step or comparison.baseline.update_step:
            sentences.append(
                f"Update steps included, {ratio.scheme} moves {ratio.bytes_per_step_ratio:.2f} "
                f"times the bytes and takes {ratio.cycles_per_step_ratio:.2f} times the cycles of "
                f"{ratio.baseline} per step."
            )
    for result in comparison.results:
        if result.update_step:
            differ = [row.differs_from_plain for row in result.operations if row.amortised]
            kind = f"an update for {sum(differ)} of the {len(differ)} operations that have such"
            sentences.append(
                f"Under {result.scheme} the measured step is {kind if any(differ) else 'plain'}."
            )
    return sentences


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
