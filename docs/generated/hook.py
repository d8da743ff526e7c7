"""Beside what MkDocs does: pages written from the code; no page loads anything from elsewhere."""

import logging
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parents[2]))  # this checkout, not another one installed

import configuration_page
import notebook_pages
import validation_page

PAGES = {"configuration.md": configuration_page.page, "validation.md": validation_page.page}

_ELSEWHERE = re.compile(
    r"""<(?:script|img|iframe|source|link)\b[^>]*\b(?:src|href)=["']?((?:https?:)?//[^"'\s>]+)"""
)


def on_files(files: Files, config: Any) -> Files:
    """Add the generated pages to those that lie in docs/."""
    written = {name: page() for name, page in PAGES.items()} | notebook_pages.pages()
    for name, content in written.items():
        files.append(File.generated(config, name, content=content))
    return files


def on_post_page(output: str, page: Any, config: Any) -> str:
    """Warn, so that a strict build fails, where a page would load something from elsewhere."""
    for url in loaded_from_elsewhere(output):
        logging.getLogger("mkdocs.hooks").warning("%s loads %s", page.file.src_path, url)
    return output


def loaded_from_elsewhere(html: str) -> list[str]:
    """Scripts, styles and pictures that a browser would fetch from another host."""
    return _ELSEWHERE.findall(html)
