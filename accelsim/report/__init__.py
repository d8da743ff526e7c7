"""Tables and plots, made from results alone. Rich and matplotlib load when a submodule is used.

from accelsim.report.text import comparison_text     # a rich renderable
from accelsim.report.plot import traffic             # data and axes in, axes out
"""
