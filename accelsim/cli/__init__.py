"""The doorbell: parse, call, print. Nothing is computed here.

`accelsim.cli:main` is the console script. Importing it loads neither Numba nor matplotlib.
"""

from accelsim.cli.entry import main

__all__ = ["main"]
