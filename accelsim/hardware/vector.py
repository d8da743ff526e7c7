"""The vector unit: what is done to tensors element by element, beside the products."""

from accelsim.hardware.part import Part, whole


class VectorUnit(Part):
    """Lanes that each do one operation a cycle: an addition, a product, a look-up, a move."""

    lanes: int | None = whole(
        None, 1, 4096, "operations per cycle; null is one per column of the array"
    )
    stages: int = whole(4, 0, 64, "pipeline stages: cycles from the last element to its result")
