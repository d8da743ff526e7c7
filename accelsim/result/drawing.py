"""`result.plot`: the way from a result to its plots."""

from importlib import import_module
from typing import Any


class Drawing:
    """An attribute that draws what it belongs to.

    Plots are made in `report`, a floor above. It is looked up by name when the attribute is read,
    so a result knows nothing of plots, and loads nothing for them.
    """

    def __get__(self, data: object, owner: type | None = None) -> Any:
        """The plots of the result; of the class, this attribute."""
        if data is None:
            return self
        return import_module("accelsim.report.plot").Plots(data)
