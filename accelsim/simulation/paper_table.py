"""Table 5 of the in-hindsight paper: published, closed form, and simulated memory movement."""

from collections.abc import Sequence

from accelsim.hardware import Hardware, load_hardware
from accelsim.network import Conv2d, Nest, PublishedRow, load_table5
from accelsim.quant import Scheme
from accelsim.result import Movement, Table5, Table5Row
from accelsim.simulation.programs import Programs
from accelsim.simulation.progress import Count, Progress, untold
from accelsim.simulation.step import timed_step

SOURCE = "Fournarakis & Nagel 2021, In-Hindsight Quantization Range Estimation, Table 5"

STATIC, SPILL = Scheme.parse("in-hindsight"), Scheme.parse("current")
ACCUMULATOR_BITS = 32


def table5(
    machines: Sequence[Hardware | str] = ("table5", "edge"), progress: Progress = untold
) -> Table5:
    """Every row of the table, its closed form, and what the programs move on each machine."""
    hardware = [load_hardware(machine) for machine in machines]
    published = load_table5()
    count = Count(progress, 2 * len(published) * len(hardware))
    return Table5(
        source=SOURCE,
        weight_bits=STATIC.weight_bits,
        input_bits=STATIC.input_bits,
        output_bits=STATIC.output_bits,
        accumulator_bits=ACCUMULATOR_BITS,
        rows=tuple(_row(row, hardware, count) for row in published),
        faults=_faults(published),
    )


def _row(row: PublishedRow, machines: Sequence[Hardware], count: Count) -> Table5Row:
    closed = _closed_form(row.layer.nest())
    return Table5Row(
        layer=row.layer.name,
        description=_description(row.layer),
        published_static_kib=row.static_kib,
        published_dynamic_kib=row.dynamic_kib,
        published_delta_percent=row.delta_percent,
        movements=(Movement("closed form", *closed), *(_moved(row, m, count) for m in machines)),
    )


def _closed_form(nest: Nest) -> tuple[int, int]:
    return nest.traffic_bytes(
        STATIC.weight_bits, STATIC.input_bits, STATIC.output_bits, ACCUMULATOR_BITS
    )


def _moved(row: PublishedRow, hardware: Hardware, count: Count) -> Movement:
    programs = Programs(hardware)
    moved = []
    for scheme in (STATIC, SPILL):
        moved.append(sum(t.bytes for t in timed_step(row.layer, 1, scheme, programs).run.traffic))
        count.one()
    return Movement(hardware.name, *moved)


def _description(layer: object) -> str:
    assert isinstance(layer, Conv2d)
    kernel = f"{layer.kernel[0]}x{layer.kernel[1]}"
    size = f"{layer.height}x{layer.width}"
    if layer.groups == layer.in_channels > 1:
        return f"{kernel} depthwise {layer.in_channels} {size}"
    return f"{kernel} {layer.in_channels}->{layer.out_channels} {size}"


def _faults(published: Sequence[PublishedRow]) -> tuple[str, ...]:
    """What its reader must know of the source, with the figures computed here."""
    nest = published[0].layer.nest()
    static, dynamic = _closed_form(nest)
    output_bytes = nest.output_elements
    as_printed = static + output_bytes * (ACCUMULATOR_BITS + STATIC.output_bits) // 8
    first = (
        "The printed equation for the dynamic cost loads the accumulators at ba = 8 bits, but the "
        "printed figures follow bacc = 32 (write bacc, load bacc, store ba). For the first row the "
        f"equation would give {as_printed / 1024:.0f} KB; the table prints "
        f"{published[0].dynamic_kib} and bacc gives {dynamic / 1024:.0f}."
    )
    notes = [f"{_description(row.layer)}: {row.note}." for row in published if row.note]
    return (first, *notes)
