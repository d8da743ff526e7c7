"""A run's counts times a table's figures."""

import pytest

from accelsim import Result, load_hardware, simulate
from accelsim.errors import AccelsimError
from accelsim.hardware import load_energy_table
from accelsim.network import Conv2d
from accelsim.result import Action, area_of, energy_of

LAYER = Conv2d("small", in_channels=16, out_channels=32, kernel=3, height=8, width=8, padding=1)
EDGE = load_hardware("edge")
TABLE = load_energy_table("horowitz-45nm")
ALL_STATISTICS = (2 + 2 + 2) * 137 + 2 * 137 + 3 * (3495 + 2 * 137)
"""A lane with comparators for the tensor, its samples and thresholds; a sum; squares and two more
products, each added up in 64 bits."""


def energy(*actions, hardware=EDGE, table=TABLE):
    return energy_of([Action(*action) for action in actions], hardware, table)


def test_each_action_costs_its_figure():
    assert energy(("array", "multiply", (8, 8), 10)).total_pj == pytest.approx(2.0)
    assert energy(("array", "add", (32,), 10)).pj_of("array") == pytest.approx(1.0)
    assert energy(("statistics", "compare", (32,), 10)).total_pj == pytest.approx(1.0)
    assert energy(("requantizer", "multiply-float", (32, 32), 10)).total_pj == pytest.approx(37)
    vector = energy(("vector unit", "operate", (32,), 10))
    assert vector.total_pj == pytest.approx(1.0)
    assert "no vector operation: its 32-bit adder stands in" in vector.notes[0]
    assert energy(("dram", "read", (8,), 8)).total_pj == 1300
    assert energy(("dram", "padding", (8,), 8)).total_pj == 1300
    machine = load_hardware("edge", {"sram.input_kib": 8})
    found = energy(("input buffer", "read", (8,), 8), hardware=machine)
    assert found.pj_of("input buffer") == pytest.approx(10)


def test_reads_and_writes_have_figures_of_their_own():
    table = load_energy_table("accelergy-45nm")
    machine = load_hardware("edge", {"sram.output_kib": 32})
    read = energy(("output buffer", "read", (8,), 8), hardware=machine, table=table)
    write = energy(("output buffer", "write", (8,), 8), hardware=machine, table=table)
    assert (read.total_pj, write.total_pj) == pytest.approx((17.0, 15.4))


def test_the_dram_is_the_machines_own_where_the_table_has_it():
    table = load_energy_table("accelergy-45nm")
    action = ("dram", "read", (8,), 1)
    for preset, pj, stands_in in (("lpddr4-3200", 64, ""), ("ddr4-2400", 64, "ddr4 is not in")):
        machine = load_hardware("edge", {"dram.preset": preset})
        found = energy(action, hardware=machine, table=table)
        assert found.total_pj == pj
        assert stands_in in " ".join(found.notes)
        assert bool(found.notes) == bool(stands_in)


def test_the_total_is_the_sum_of_the_components():
    result = simulate(LAYER, "edge", "current", data=None)
    found = result.energy("accelergy-22nm")
    assert found.total_pj == pytest.approx(sum(row.pj for row in found.components))
    assert found.scheme == "current/spill"
    assert [row.component for row in found.components if not row.pj] == ["vector unit"]


def test_a_spill_costs_more_dram_and_a_recompute_more_array():
    static, spill, again = (
        simulate(LAYER, "table5", scheme, data=None).energy("horowitz-45nm")
        for scheme in ("in-hindsight", "current", "current/recompute")
    )
    bytes_more = 2 * 4 * 32 * 64
    assert spill.pj_of("dram") - static.pj_of("dram") == pytest.approx(bytes_more * 8 * 20.3125)
    assert again.pj_of("array") == pytest.approx(2 * static.pj_of("array"))
    assert spill.pj_of("array") == static.pj_of("array")


def test_an_unknown_component_is_refused():
    with pytest.raises(AccelsimError, match=r"component='sram': must be one of array, input"):
        energy(("array", "add", (32,), 1)).pj_of("sram")


def test_area_grows_with_what_it_is_the_area_of():
    areas = {row.component: row.um2 for row in area_of(EDGE, TABLE)}
    assert areas["array"] == 1024 * (282 + 137)
    assert areas["statistics"] == 32 * ALL_STATISTICS
    assert areas["requantizer"] == 32 * (3495 + 137)
    assert areas["input buffer"] is None
    assert "dram" not in areas
    fewer = load_hardware("edge", {"stat_unit.lanes": 8, "requantizer.lanes": 1})
    fewer_areas = {row.component: row.um2 for row in area_of(fewer, TABLE)}
    assert fewer_areas["statistics"] == areas["statistics"] / 4
    assert fewer_areas["requantizer"] == 3495 + 137


@pytest.mark.parametrize(
    ("fields", "lane"),
    [
        (dict.fromkeys(("counts", "sum", "squares", "products", "per_sample"), False), 2 * 137),
        (dict.fromkeys(("sum", "squares", "products", "per_sample"), False), 4 * 137),
        (dict.fromkeys(("counts", "squares", "products", "per_sample"), False), 2 * 137 + 2 * 137),
        (dict.fromkeys(("counts", "sum", "products"), False), 4 * 137 + 3495 + 274),
        ({"products": False}, ALL_STATISTICS - 2 * (3495 + 274)),
        ({"at_once": 1}, 3495 + 274),
        ({"at_once": 4}, 3 * (3495 + 274) + 2 * 137),
        ({"compares": "magnitude"}, ALL_STATISTICS - 2 * 137),
        ({"compares": "none"}, ALL_STATISTICS - 4 * 137),
    ],
)  # fmt: skip
def test_the_area_of_the_statistics_unit_follows_what_it_keeps(fields, lane):
    machine = load_hardware("edge", {"stat_unit": fields})
    areas = {row.component: row.um2 for row in area_of(machine, TABLE)}
    assert areas["statistics"] == 32 * lane


def test_area_without_a_figure_is_a_named_gap():
    found = energy(("array", "multiply", (4, 4), 1))
    assert found.without_area == (
        "input buffer", "weight buffer", "accumulator buffer", "output buffer", "vector unit",
    )  # fmt: skip
    assert found.known_area_um2 == pytest.approx(
        1024 * (282 / 4 + 137) + 32 * ALL_STATISTICS + 32 * (3495 + 137)
    )


def test_a_table_with_memory_areas_leaves_no_gap():
    sram = [{"kib": kib, "read_pj": 1, "write_pj": 1, "um2": 100 * kib} for kib in (8, 32)]
    table = type(TABLE)(**(TABLE.model_dump(exclude_none=True) | {"sram": sram}))
    areas = {row.component: row.um2 for row in area_of(EDGE, table)}
    assert areas["input buffer"] == pytest.approx(6400)


def test_a_document_with_energy_beside_it_loads_back():
    result = simulate(LAYER, "edge", data=None)
    document = result.to_dict() | {"energy": [result.energy().to_dict()]}
    assert Result.from_dict(document) == result
    assert type(result.energy()).from_dict(document["energy"][0]) == result.energy()
