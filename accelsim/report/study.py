"""What a sweep is going to do and what it did, in a few lines."""

from accelsim.result import SweepPlan, SweepSummary

REASONS_SHOWN = 5


def plan_text(plan: SweepPlan) -> str:
    """How much there is to do, and about how long it takes."""
    text = (
        f"{plan.study}: {plan.points:,} points, {plan.simulations:,} different simulations, "
        f"{plan.missing:,} of them still to be run\n"
    )
    if not plan.missing:
        return text
    processes = "1 process" if plan.workers == 1 else f"{plan.workers} processes"
    return f"{text}about {duration(plan.estimated_seconds)} on {processes}\n"


def summary_text(summary: SweepSummary, store: str) -> str:
    """What was run, what failed and why, and where the results are."""
    stored = summary.simulations - summary.computed
    lines = [
        f"{summary.study}: {summary.points:,} points, {summary.simulations:,} different "
        f"simulations; {summary.computed:,} run now, {stored:,} "
        + ("left or stored" if summary.interrupted else "were there")
    ]
    if summary.computed:
        rate = summary.computed / max(summary.seconds, 1e-9)
        lines.append(f"{duration(summary.seconds)}, {rate:.1f} simulations per second")
    if summary.failed_points:
        lines.append(f"{summary.failed_points:,} points cannot be run:")
        shown = list(summary.reasons.items())[:REASONS_SHOWN]
        lines += [f"  {count:,} x {reason}" for reason, count in shown]
        if len(summary.reasons) > len(shown):
            lines.append(f"  and {len(summary.reasons) - len(shown)} other reasons")
    if summary.interrupted:
        lines.append("Interrupted. What was computed is kept; the same command goes on from here.")
    lines.append(f"Results: accelsim results {store}")
    return "\n".join(lines) + "\n"


def duration(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 90:
        return f"{seconds:.1f} s"
    if seconds < 5400:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"
