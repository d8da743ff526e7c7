"""Descriptions of a DRAM: presets, changes, files, mappings; every mistake is one line."""

import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.hardware.dram import CommandDram, device_names, pattern, read_trace
from accelsim.hardware.dram.mapping import FIELDS, make_mapping
from accelsim.hardware.text import read_yaml, write_yaml
from accelsim.kernels import dram

PEAKS_GB_PER_S = {
    "ddr4-2400": 19.2,
    "ddr4-3200": 25.6,
    "lpddr4-3200": 6.4,
    "lpddr5-6400": 12.8,
    "hbm2-2000": 16.0,
}


@pytest.mark.parametrize("name", device_names())
@pytest.mark.parametrize("mapping", ["RoBaRaCoCh", "MOP4CLXOR"])
def test_every_preset_stands_and_runs(name, mapping):
    description = CommandDram(preset=name, mapping=mapping, channels=2)
    machine = dram.create(description, [16])
    dram.submit(machine, 0, base=0, run_bytes=1 << 16, write=False)
    clock = dram.finish(machine, 0)
    counted = dram.statistics(machine, description)
    assert counted["bytes_read"] == 1 << 16
    assert 0 < counted["fraction_of_peak"] <= 1
    assert clock == counted["clocks"]


@pytest.mark.parametrize("name", PEAKS_GB_PER_S)
def test_peak_bandwidth_is_that_of_the_name(name):
    assert CommandDram(preset=name).peak_gb_per_s == pytest.approx(PEAKS_GB_PER_S[name], rel=1e-3)


def test_capacity_is_that_of_the_organisation():
    assert CommandDram(preset="ddr4-2400").capacity_bytes == 8 << 30
    assert CommandDram(preset="hbm2-2000", channels=16).capacity_bytes == 8 << 30


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"preset": "ddr4-2401"}, "dram.preset='ddr4-2401': must be a YAML file or one of"),
        ({"preset": "nowhere.yaml"}, "dram.preset='nowhere.yaml': cannot be read"),
        ({"timing": {"RC": 54}}, "dram.timing.RC=54: must be >= 55, which is RAS + RP"),
        ({"timing": {"RAS": 15, "RC": 60}}, "dram.timing.RAS=15: must be >= 16, which is RCD"),
        ({"timing": {"CCD_L": 3}}, "dram.timing.CCD_L=3: must be >= 4, which is CCD_S"),
        ({"timing": {"RRD_L": 3}}, "dram.timing.RRD_L=3: must be >= 4, which is RRD_S"),
        ({"timing": {"WTR_L": 2}}, "dram.timing.WTR_L=2: must be >= 3, which is WTR_S"),
        ({"timing": {"FAW": 3}}, "dram.timing.FAW=3: must be >= 4, which is RRD_S"),
        ({"timing": {"REFI": 400}}, "dram.timing.REFI=400: must be >= 505"),
        ({"timing": {"CWL": 22}}, "dram.timing.CWL=22: must be < 22, which is CL + BL + RTW_GAP"),
        ({"timing": {"AAD": 16}}, "dram.timing.AAD=16: must be < 16, which is RCD"),
        ({"timing": {"CL": 0}}, "timing.CL=0: must be null or >= 1"),
        ({"timing": {"tCL": 4}}, "timing.tCL: unknown field"),
        ({"refresh": "per-bank"}, "dram.refresh='per-bank': must be all-bank or none"),
        ({"organisation": {"rows": 1000}}, "dram.organisation.rows=1000: must be a power of two"),
        ({"organisation": {"columns": 4}}, "dram.organisation.columns=4: must be >= 8"),
        ({"channels": 3}, "dram.channels=3: must be a power of two"),
        ({"interleave_bytes": 32}, "dram.interleave_bytes=32: must be a power of two >= 64"),
        ({"write_low": 0.9}, "dram.write_low=0.9: must be <= 0.8, which is write_high"),
        ({"page_policy": "ajar"}, "page_policy='ajar': must be one of open, closed"),
        ({"mapping": "row bank column"}, "must be a bijection: bankgroup has 2 bits, 0 given"),
        ({"mapping": "row bank bankgroup:3 column"}, "bankgroup has 2 bits, 3 given"),
        ({"mapping": "row bank bank bankgroup column"}, "bank is without a number of bits"),
        ({"mapping": "row plank bankgroup column"}, "'plank' must be one of column, rank"),
        ({"mapping": "row bank^bank bankgroup column"}, "two lines share a place"),
        ({"mapping": "row bank bankgroup column:7^bank"}, "bank has 2 bits, too few"),
    ],
)
def test_mistake_is_one_line_that_names_it(values, message):
    with pytest.raises(AccelsimError) as caught:
        CommandDram(**values)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "Value error" not in str(caught.value)


def test_device_of_a_file(tmp_path):
    content = (
        "organisation: {bus_bits: 16, burst_length: 8, ranks: 1, bank_groups: 1,"
        " banks_per_group: 8, rows: 1024, columns: 512}\n"
        "timing: {clock_ps: 1000, BL: 4, CL: 10, CWL: 8, RCD: 10, RP: 10, RAS: 24, RC: 34,"
        " CCD_S: 4, CCD_L: 4, RRD_S: 4, RRD_L: 4, FAW: 20, WTR_S: 4, WTR_L: 4, RTP: 5, WR: 10,"
        " RFC: 100, REFI: 3000}\n"
    )
    file = tmp_path / "mine.yaml"
    file.write_text(content)
    description = CommandDram(preset=str(file), mapping="row bank column")
    assert description.line_bytes == 16
    assert description.capacity_bytes == 8 * 1024 * 64 * 16
    file.write_text(content.replace("CL: 10, ", ""))
    with pytest.raises(AccelsimError, match=r"timing\.CL: missing"):
        CommandDram(preset=str(file))
    file.write_text(content + "speed: 4\n")
    with pytest.raises(AccelsimError, match="speed: unknown field"):
        CommandDram(preset=str(file))


def test_description_written_as_yaml_reads_back():
    description = CommandDram(preset="hbm2-2000", channels=16, timing={"CL": 15}, row_hit_cap=4)
    assert CommandDram(**read_yaml(write_yaml(description), "here")) == description


def test_description_changes_by_copy():
    description = CommandDram()
    changed = CommandDram(**(description.model_dump() | {"page_policy": "closed"}))
    assert changed.page_policy == "closed"
    assert changed.distances == description.distances


BITS = st.fixed_dictionaries(
    {
        "column": st.integers(2, 4),
        "rank": st.integers(0, 1),
        "bankgroup": st.integers(0, 2),
        "bank": st.integers(0, 2),
        "row": st.integers(1, 4),
        "channel": st.integers(0, 2),
    }
)


@given(bits=BITS, text=st.sampled_from(["RoBaRaCoCh", "MOP4CLXOR"]), at=st.integers(0, 2))
def test_named_mappings_lose_no_line(bits, text, at):
    mapping = make_mapping(text, bits, at)
    places = {tuple(mapping.place(line).values()) for line in range(1 << mapping.line_bits)}
    assert len(places) == 1 << mapping.line_bits


@given(bits=BITS, order=st.permutations(FIELDS), split=st.integers(0, 2))
def test_bit_orders_put_every_field_where_they_say(bits, order, split):
    text = " ".join(order) + f" column:{split}"
    mapping = make_mapping(text, bits, 0)
    position = split
    for field in reversed(order):
        first = split if field == "column" else 0
        for i in range(first, bits[field]):
            assert mapping.masks[field][i] == 1 << position
            position += 1


def test_mop_is_the_formula_of_the_reference():
    """Two column bits, bank group, bank, column, row; the column XORed in, field after field."""
    description = CommandDram(preset="ddr4-2400", mapping="MOP4CLXOR")
    for line in np.random.default_rng(1).integers(0, 1 << 27, 200).tolist():
        low, group, bank = line & 3, line >> 2 & 3, line >> 4 & 3
        column = low | (line >> 6 & 31) << 2
        row = line >> 11
        place = description.address_mapping.place(line)
        assert place["column"] == column
        assert place["bankgroup"] == group ^ (column & 3)
        assert place["bank"] == bank ^ (column >> 2 & 3)
        assert place["row"] == row ^ (column >> 4)


@pytest.mark.parametrize(
    "mapping",
    ["RoBaRaCoCh", "MOP4CLXOR", "row bank^row bankgroup^row rank column:5 channel column"],
)
def test_kernel_finds_the_place_that_the_mapping_says(mapping):
    description = CommandDram(channels=4, mapping=mapping, organisation={"ranks": 2})
    machine = dram.create(description)
    shape = description.shape
    lines = description.capacity_bytes // description.line_bytes
    for line in np.random.default_rng(2).integers(0, lines, 100).tolist():
        place = description.address_mapping.place(line)
        bank = place["rank"] * shape.banks_per_rank + place["bankgroup"] * shape.banks_per_group
        assert dram.locate(machine, line) == (
            place["channel"],
            bank + place["bank"],
            place["row"],
        )


def test_channels_take_turns_by_the_interleave():
    for interleave, channels in itertools.product((64, 256, 4096), (2, 4)):
        description = CommandDram(channels=channels, interleave_bytes=interleave)
        for address in range(0, 8 * interleave * channels, 64):
            place = description.address_mapping.place(address // 64)
            assert place["channel"] == address // interleave % channels


def test_patterns_are_what_their_names_say():
    assert pattern("seq", 4, write=True).addresses.tolist() == [0, 64, 128, 192]
    assert pattern("stride:4096", 3).addresses.tolist() == [0, 4096, 8192]
    drawn = np.random.Generator(np.random.PCG64(1)).permutation(2**20)[:100] * 64
    assert pattern("random", 100).addresses.tolist() == drawn.tolist()
    assert 300 < pattern("mix:0.4", 1000).writes.sum() < 500


@pytest.mark.parametrize("text", ["zigzag", "stride", "stride:x", "mix:2", "random:3", "seq:1"])
def test_unknown_pattern_is_refused(text):
    with pytest.raises(AccelsimError, match="pattern="):
        pattern(text, 10)


def test_trace_file_is_read(tmp_path):
    file = tmp_path / "trace.csv"
    file.write_text("op,address\nR,0x40\n# nothing\nw, 130  # a write\n")
    traffic = read_trace(file)
    assert traffic.addresses.tolist() == [0x40, 128]
    assert traffic.writes.tolist() == [False, True]
    assert traffic.lines(32, 1 << 20).tolist() == [4, 6, 9, 11]


@pytest.mark.parametrize("line", ["X,0", "R", "R,zero", "R,-64", "R,1,2", "R,1.5"])
def test_malformed_trace_line_is_named_by_its_number(tmp_path, line):
    file = tmp_path / "trace.csv"
    file.write_text(f"R,0\nW,64\n{line}\n")
    with pytest.raises(AccelsimError, match="line 3"):
        read_trace(file)


def test_address_beyond_the_capacity_is_refused():
    description = CommandDram()
    with pytest.raises(AccelsimError, match="0x200000000: must be >= 0 and < 0x200000000"):
        pattern("stride:8589934592", 2, span_bytes=1 << 40).lines(64, description.capacity_bytes)
    machine = dram.create(description, [8])
    for base, stride in ((description.capacity_bytes - 64, 0), (0, -64), (0, 1 << 33)):
        with pytest.raises(AccelsimError, match=r"must be >= 0 and < 0x200000000, the capacity"):
            dram.submit(
                machine, 0, base=base, run_bytes=65, write=False, counts=[2], strides=[stride]
            )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"write_low": 0}, "dram.write_low=0: must be above 0"),
        (
            {"preset": "hbm2-2400", "refresh": "per-bank", "timing": {"REFI_BANK": 12}},
            "dram.timing.REFI_BANK=12: must be >= ",
        ),
        (
            {"preset": "hbm2-2400", "timing": {"WCKPST": 1}},
            "dram.timing.WCKPST=1: must be null for a device of two command buses",
        ),
    ],
)
def test_a_controller_that_could_never_finish_is_refused(fields, message):
    with pytest.raises(AccelsimError, match=re.escape(message)) as error:
        CommandDram(**fields)
    assert "\n" not in str(error.value)
