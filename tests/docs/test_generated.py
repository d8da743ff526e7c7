"""The page that docs/generated writes holds every field, with the bounds that are checked."""

import re

import configuration_page
import pytest

from accelsim.hardware import Hardware, load_hardware, preset_names
from accelsim.hardware.part import section_of
from tests.docs.blocks import Reader, blocks_of

PAGE = configuration_page.page()
SECTIONS = list(configuration_page.sections(Hardware))


def test_every_field_of_every_section_is_on_the_page():
    assert len(SECTIONS) > 8
    fields = sum(len(section.model_fields) for _, section in SECTIONS)
    rows = re.findall(r"^\| \[?`\w+`", PAGE.split("## DRAM devices")[0], re.MULTILINE)
    assert len(rows) >= fields
    for _, section in SECTIONS:
        for name in section.model_fields:
            assert re.search(rf"^\| \[?`{name}`", PAGE, re.MULTILINE), name


@pytest.mark.parametrize(
    "row",
    [
        "| `rows` |  | 32 | a whole number >= 1 and <= 4096 |",
        "| `clock_mhz` | MHz | 800 | >= 0.001 and <= 100000 |",
        "| `lanes` |  | null | null or a whole number >= 1 and <= 4096 |",
        "| `RCD` | clocks | null | null or a whole number >= 1 and <= 1000000 |",
        "| `overflow` |  | saturate | one of wrap, saturate |",
    ],
)
def test_a_row_has_unit_default_and_bounds(row):
    assert row in PAGE


def test_what_a_preset_changes_is_in_its_column():
    head = "| field | edge | mcu | scalesim | server | table5 |"
    assert head in PAGE
    values = [str(load_hardware(name).array.rows) for name in preset_names()]
    assert f"| `rows` | {' | '.join(values)} |" in PAGE


def test_every_section_that_is_linked_to_has_a_heading():
    for path, section in SECTIONS:
        for name, field in section.model_fields.items():
            if section_of(field) is not None:
                target = f"{path}.{name}".lstrip(".")
                assert f"(#{target})" in PAGE
                assert f"{{ #{target} }}" in PAGE


def test_the_blocks_of_the_page_run():
    for block in blocks_of("configuration.md", PAGE):
        Reader().run(block)
