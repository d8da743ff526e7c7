"""Programs of a network's operations: equal ones are lowered once."""

from functools import lru_cache

from accelsim.hardware import Hardware
from accelsim.lowering import Operation, VectorTask, lower, lower_vector
from accelsim.program import Program


@lru_cache(maxsize=256)
def lowered(
    work: Operation | VectorTask, realisation: str, hardware: Hardware, passes: int = 1
) -> Program:
    """The program of a product that reads its output in so many passes, or of vector work."""
    if isinstance(work, VectorTask):
        return lower_vector(work, hardware)
    return lower(work, hardware, realisation, passes=passes)
