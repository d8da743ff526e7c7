"""Every code block of README and of docs/ runs, page by page, and prints what the page shows."""

import re
from pathlib import Path

import pytest

from accelsim.lowering import REALISATIONS
from accelsim.quant.estimators import registry
from tests.docs.blocks import Block, Reader, blocks_of

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
GENERATED = ("configuration.md", "validation.md")  # docs/generated/hook.py
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


@pytest.fixture(autouse=True)
def _nothing_stays_registered():
    """What a page registers is gone when its reader is."""
    tables = registry._REGISTRY, REALISATIONS
    before = [dict(table) for table in tables]
    yield
    for table, content in zip(tables, before, strict=True):
        table.clear()
        table.update(content)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_block_of_the_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    reader, untrue = Reader(), []
    for block in blocks_of(page.name, page.read_text(encoding="utf-8")):
        try:
            reader.run(block)
        except AssertionError as error:
            untrue.append(str(error))
    assert not untrue, "\n\n".join(untrue)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_file_that_the_page_links_to_is_there(page):
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
        stored = (page.parent / target).exists() or target in GENERATED
        assert stored or (ROOT / target).with_suffix(".ipynb").exists(), target


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_place_in_the_code_that_the_page_names_is_there(page):
    text = page.read_text(encoding="utf-8")
    for path in re.findall(r"`((?:accelsim|tests|workloads|benchmarks|docs)/[\w./-]*\w)`", text):
        assert (ROOT / path).exists(), path
    for name, path in re.findall(r"`(\w+)`\s+in\s+`(accelsim/[\w/]+\.py)`", text):
        assert re.search(rf"^{name}\b", (ROOT / path).read_text(), re.MULTILINE), (name, path)


def run(language, text, *, marker=""):
    (block,) = blocks_of("page.md", f"{marker}```{language}\n{text}```\n")
    Reader().run(block)


def test_a_command_that_fails_is_noticed():
    run("sh", "accelsim hardware edge\n")
    with pytest.raises(AssertionError, match=r"page.md:1: accelsim hardware egde: exit code 2"):
        run("sh", "accelsim hardware egde\n")


def test_an_answer_that_differs_in_a_digit_is_noticed(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    shown = "$ accelsim hardware edge --set clock_mhz=801\n...\nclock_mhz: 801\n...\n"
    run("console", shown)
    with pytest.raises(AssertionError, match="this is not what"):
        run("console", shown.replace("mhz: 801", "mhz: 802"))


def test_a_shown_refusal_must_be_the_whole_line():
    refusal = "accelsim: error: array.rows=0: must be >= 1 and <= 4096\n"
    run("console", f"$ accelsim hardware edge --set array.rows=0\n{refusal}")
    with pytest.raises(AssertionError, match="this is not what"):
        run("console", f"$ accelsim hardware edge --set array.rows=0\n{refusal.upper()}{refusal}")


def test_a_wrong_claim_behind_a_print_is_noticed():
    run("python", "print(1)  # 1\nprint(2)\nprint(3)  # 3\n")
    with pytest.raises(AssertionError, match="'4' is not what is printed"):
        run("python", "print(1)  # 1\nprint(3)  # 4\n")
    with pytest.raises(AssertionError, match="'1' is not what is printed"):
        run("python", "print(1)  # 1\nprint(1 + 1)  # 1\n")


def test_output_that_is_not_that_of_the_code_above_is_noticed():
    page = "```python\nprint(1)\nprint(2)\n```\n```output\n1\n{}\n```\n"
    reader = Reader()
    code, shown = blocks_of("page.md", page.format("2"))
    reader.run(code)
    reader.run(shown)
    _, shown = blocks_of("page.md", page.format("3"))
    with pytest.raises(AssertionError, match=r"page.md:5: this is not what the code above prints"):
        reader.run(shown)


def test_a_block_that_is_not_ours_needs_a_reason():
    with pytest.raises(AssertionError, match="say why"):
        run("sh", "pip install numpy\n")
    run("sh", "pip install numpy\n", marker="<!-- not run: needs the network -->\n")


@pytest.mark.parametrize("language", ["", "rust"])
def test_a_block_of_no_known_language_is_refused(language):
    with pytest.raises(AssertionError, match="no way to run"):
        Reader().run(Block("page.md", 1, language, "", None))


def test_the_blocks_of_a_page_share_names_and_files(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    page = "```python\na = 7\n```\n- a list\n\n    ```python\n    print(a)  # 7\n    ```\n"
    reader = Reader()
    for block in blocks_of("page.md", page):
        reader.run(block)
    run("yaml", "# my.yaml\nbase: mcu\n")
    run("console", "$ accelsim hardware my.yaml\n...\nname: my\n...\n")
