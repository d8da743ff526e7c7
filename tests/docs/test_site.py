"""The site needs nothing from elsewhere; `mkdocs build --strict` is a step of .ci/run."""

import pytest

pytest.importorskip("mkdocs", reason="needs the extra [docs]")

from hook import PAGES, loaded_from_elsewhere

from tests.docs.test_pages import GENERATED


def test_the_generated_pages_are_those_that_may_be_linked_to():
    assert sorted(PAGES) == sorted(GENERATED)


@pytest.mark.parametrize(
    "tag",
    [
        '<script src="https://unpkg.com/shim"></script>',
        '<link rel="stylesheet" href="//fonts.example/css">',
        "<img alt='' src='http://example.org/a.png'>",
    ],
)
def test_what_a_browser_would_fetch_from_elsewhere_is_found(tag):
    assert len(loaded_from_elsewhere(f"<p>{tag}</p>")) == 1


def test_a_link_that_a_reader_may_follow_is_none():
    assert not loaded_from_elsewhere('<a href="https://example.org">x</a><img src="a.png">')
