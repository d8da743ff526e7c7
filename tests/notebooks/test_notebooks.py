"""The notebooks run, and print what is stored in them."""

import base64
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
LARGEST_PICTURE_BYTES = 300_000
LONGEST_CELL_LINES = 16
NEEDS = {"onnx": ("onnx", "onnxruntime")}
"""What a notebook imports that is not there on every platform."""

by_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@pytest.fixture
def executed(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    from execute import executed

    return executed


def printed(notebook):
    """The text of every output, and a word for every picture: how they look is the plots' test."""
    return [[_text(output) for output in cell.outputs] for cell in _code(notebook)]


def _text(output):
    if output.output_type == "stream":
        return output.text
    return "a picture" if "image/png" in output.data else output.data["text/plain"]


def _code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@by_notebook
@pytest.mark.filterwarnings("default")
def test_a_fresh_run_prints_what_is_stored(path, executed):
    for module in NEEDS.get(path.stem, ()):
        pytest.importorskip(module)
    stored = nbformat.read(path, as_version=4)
    again = f"run python notebooks/execute.py {path.stem}"
    assert printed(executed(path)) == printed(stored), again


@by_notebook
def test_cells_are_short_and_each_has_a_sentence_before_it(path):
    cells = nbformat.read(path, as_version=4).cells
    assert cells[0].cell_type == "markdown"
    for before, cell in pairwise(cells):
        if cell.cell_type == "code":
            assert before.cell_type == "markdown", cell.source
            assert len(cell.source.splitlines()) <= LONGEST_CELL_LINES, cell.source


@by_notebook
def test_results_are_visible_and_pictures_small(path):
    cells = _code(nbformat.read(path, as_version=4))
    assert sum(bool(cell.outputs) for cell in cells) > len(cells) / 2
    pictures = [
        o.data["image/png"] for c in cells for o in c.outputs if "image/png" in o.get("data", {})
    ]
    assert pictures
    assert all(len(base64.b64decode(picture)) < LARGEST_PICTURE_BYTES for picture in pictures)


def test_there_are_notebooks():
    names = {path.stem for path in NOTEBOOKS}
    assert names >= {"paper", "layer", "gradient", "study", "training", "onnx"}
