"""Energy tables: the published figures, the rules between them, and files of one's own."""

import math

import pytest

from accelsim.errors import AccelsimError
from accelsim.hardware import EnergyTable, energy_table_names, load_energy_table
from accelsim.hardware.text import read_yaml

HOROWITZ = load_energy_table("horowitz-45nm")
ACCELERGY = load_energy_table("accelergy-45nm")
SMALL = load_energy_table("accelergy-22nm")


def test_the_published_figures_come_out_as_they_were_published():
    assert HOROWITZ.adder(8).pj == 0.03
    assert HOROWITZ.adder(32).pj == 0.1
    assert HOROWITZ.multiplier(8, 8).pj == 0.2
    assert HOROWITZ.multiplier(32, 32).pj == pytest.approx(3.1)
    assert HOROWITZ.float_multiplier().pj == 3.7
    assert [HOROWITZ.memory(k, 64, write=True).pj for k in (8, 32, 1024)] == pytest.approx(
        [10, 20, 100]
    )
    assert 64 * HOROWITZ.dram_bit("dram-low").pj == 1300
    assert 64 * HOROWITZ.dram_bit("dram-high").pj == 2600
    assert (ACCELERGY.multiplier(8, 8).pj, SMALL.multiplier(8, 8).pj) == (0.912, 0.268)
    assert (ACCELERGY.adder(32).pj, SMALL.adder(32).pj) == (0.242, 0.071)
    assert ACCELERGY.comparator(32)[:2] == (0.034, 104)
    assert SMALL.comparator(32)[:2] == (0.010, 26)
    reads = {8: 6.1, 32: 17.0, 256: 44.7, 1024: 93.5, 2048: 127.5}
    for kib, pj in reads.items():
        assert ACCELERGY.memory(kib, 64, write=False).pj == pytest.approx(pj)
    writes = {8: 1.8, 32: 3.1, 256: 8.8, 1024: 17.5, 2048: 25.6}
    for kib, pj in writes.items():
        assert SMALL.memory(kib, 64, write=True).pj == pytest.approx(pj)
    assert [ACCELERGY.dram_bit(n).pj for n in ("lpddr4", "hbm2", "lpddr", "ddr3")] == [
        8, 6.25, 40, 70,
    ]  # fmt: skip


def test_memories_have_the_areas_of_the_runs_that_gave_their_energies():
    areas = {8: 26_267, 32: 94_860, 256: 872_093, 1024: 3_262_830, 2048: 6_465_960}
    for kib, um2 in areas.items():
        assert ACCELERGY.memory(kib, 64, write=False).um2 == pytest.approx(um2)
    smaller = {8: 6_265, 32: 26_695, 256: 225_290, 1024: 778_459, 2048: 1_542_690}
    for kib, um2 in smaller.items():
        assert SMALL.memory(kib, 64, write=True).um2 == pytest.approx(um2)
    assert ACCELERGY.memory(64, 8, write=False).um2 == ACCELERGY.memory(64, 64, write=False).um2
    assert HOROWITZ.memory(8, 64, write=False).um2 is None


def test_the_multiplier_of_32_bits_is_that_of_the_source():
    # Aladdin's 12.68 pJ at 40 nm, scaled as its adder is (0.21 to 0.242 pJ).
    assert ACCELERGY.multiplier(32, 32).pj == pytest.approx(12.68 * 0.242 / 0.21, rel=0.005)


def test_a_multiplier_goes_with_the_product_of_its_widths_and_an_adder_with_its_width():
    assert ACCELERGY.multiplier(4, 8).pj == pytest.approx(0.912 / 2)
    assert ACCELERGY.multiplier(4, 4).um2 == pytest.approx(581 / 4)
    assert ACCELERGY.multiplier(8, 16) == ACCELERGY.multiplier(16, 8)
    assert ACCELERGY.adder(16).pj == pytest.approx(0.121)
    assert HOROWITZ.adder(64).pj == pytest.approx(0.2)
    assert HOROWITZ.adder(4).pj == pytest.approx(0.015)


def test_between_two_figures_lies_the_power_law_through_both():
    assert HOROWITZ.memory(16, 64, write=False).pj == pytest.approx(math.sqrt(10 * 20))
    assert HOROWITZ.adder(16).pj == pytest.approx(math.sqrt(0.03 * 0.1))
    assert HOROWITZ.multiplier(16, 16).pj == pytest.approx(math.sqrt(0.2 * 3.1))


def test_beyond_the_ends_the_last_power_law_goes_on_and_is_named():
    quarter = HOROWITZ.memory(2, 64, write=False)
    assert quarter.pj == pytest.approx(5)
    assert "8 to 1024 KiB: 2 KiB is extrapolated" in quarter.note
    assert HOROWITZ.memory(32 * 1024, 64, write=False).pj == pytest.approx(500)
    assert not HOROWITZ.memory(8, 64, write=False).note


def test_narrow_accesses_share_a_word():
    assert HOROWITZ.memory(8, 8, write=False).pj == pytest.approx(10 / 8)


def test_what_a_table_lacks_is_stood_in_for_by_name():
    assert "its adder stands in" in HOROWITZ.comparator(32).note
    assert "integer one stands in" in ACCELERGY.float_multiplier().note
    assert ACCELERGY.dram_bit("ddr4")[::2] == (8, "ddr4 is not in accelergy-45nm: lpddr4 stands in")
    assert "ideal: lpddr4" in ACCELERGY.dram_bit("").note


def test_the_dram_that_stands_in_can_be_chosen():
    assert load_energy_table("accelergy-45nm:dram=hbm2").dram_bit("").pj == 6.25
    with pytest.raises(AccelsimError, match="dram_default='hbm3': must be one of lpddr4, hbm2"):
        load_energy_table("accelergy-45nm:dram=hbm3")


@pytest.mark.parametrize("name", energy_table_names())
def test_each_table_explains_itself_and_loads_back(name, tmp_path):
    table = load_energy_table(name)
    text = table.to_yaml()
    assert EnergyTable(**read_yaml(text, name)) == table
    for field in ("read_pj: energy of reading", "um2: its area", "pj_per_bit: energy of one bit"):
        assert field in " ".join(text.replace("# ", "").split())
    (tmp_path / "mine.yaml").write_text(text.replace(name, "mine"))
    assert load_energy_table(tmp_path / "mine.yaml").name == "mine"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"multiply": []}, r"multiply=\[\]: must be a list of mappings with fields of bits, pj"),
        ({"sram": [{"kib": 8, "read_pj": 1, "write_pj": 1}]}, r"sram="),
        ({"add": [{"bits": 8}]}, r"add.0.pj: missing, must be >= 0"),
        ({"add": [{"bits": 8, "pj": -1}]}, r"add.0.pj=-1: must be >= 0"),
        ({"add": [{"bits": 9, "pj": 1}, {"bits": 8, "pj": 1}]}, r"add: must be in ascending order"),
        ({"multyply": []}, r"multyply: unknown field, did you mean multiply\?"),
        ({"dram_default": "x"}, r"dram_default='x': must be one of"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused(change, message):
    with pytest.raises(AccelsimError, match=message):
        EnergyTable(**(HOROWITZ.model_dump(exclude_none=True) | change))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("cacti", r"unknown table \(known: accelergy-22nm"),
        ("accelergy-45", r"did you mean accelergy-45nm\?"),
        ("no/such.yaml", "no/such.yaml: no such file"),
        (7, "energy=7: must be a table's name or a path"),
    ],
)
def test_a_table_that_is_not_there_is_refused(source, message):
    with pytest.raises(AccelsimError, match=message):
        load_energy_table(source)


def test_a_file_that_is_no_table_is_refused_with_its_name(tmp_path):
    path = tmp_path / "t.yaml"
    path.write_text("- 1\n")
    with pytest.raises(AccelsimError, match=r"t.yaml: must be a mapping of fields"):
        load_energy_table(path)
    path.write_text("name: x\n")
    with pytest.raises(AccelsimError, match=r"t.yaml: source: missing"):
        load_energy_table(path)
