"""Other people's implementations, each called on the same integers.

A package that is not installed skips its tests, with a message.
"""

import importlib
import warnings

import pytest


def oracle(*names):
    """The modules of these names, or a skip of the whole test file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return [importlib.import_module(name) for name in names]
        except ImportError as error:
            pytest.skip(f"no oracle here: {error}", allow_module_level=True)
