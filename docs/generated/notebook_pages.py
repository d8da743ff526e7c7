"""Notebooks as pages: their text, their code, and the outputs that are stored in them."""

import base64
import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "notebooks"


def pages() -> dict[str, str | bytes]:
    """Every page and picture, by its place in the site."""
    files: dict[str, str | bytes] = {}
    for path in sorted(FOLDER.glob("*.ipynb")):
        files |= _page(path.stem, json.loads(path.read_text(encoding="utf-8"))["cells"])
    return files


def _page(name: str, cells: list[dict[str, Any]]) -> dict[str, str | bytes]:
    parts, pictures = [], {}
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(_fenced("python", _without_magic(source)))
        for output in cell["outputs"]:
            picture = output.get("data", {}).get("image/png")
            if picture:
                file = f"{name}-{len(pictures)}.png"
                pictures[f"notebooks/{file}"] = base64.b64decode("".join(picture))
                parts.append(f"![]({file})")
            else:
                parts.append(_fenced("text", _text(output)))
    parts.append(f"*This page is notebooks/{name}.ipynb, which the tests run.*")
    return {f"notebooks/{name}.md": "\n\n".join(parts), **pictures}


def _text(output: dict[str, Any]) -> str:
    return "".join(output["text"] if "text" in output else output["data"]["text/plain"])


def _without_magic(source: str) -> str:
    """Code without the lines that only a notebook understands."""
    return "\n".join(line for line in source.splitlines() if not line.startswith("%"))


def _fenced(language: str, text: str) -> str:
    return f"```{language}\n{text.rstrip()}\n```"
