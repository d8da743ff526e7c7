"""Many runs: studies, the store of their results, sweeps on one core or a cluster, search."""

from accelsim.study.axes import Axis
from accelsim.study.description import Study, load_study, study_names
from accelsim.study.executors import Dask, Pool, Serial
from accelsim.study.explore import explore
from accelsim.study.expression import Expression
from accelsim.study.front import front_of
from accelsim.study.store import Store
from accelsim.study.sweeps import Plan, Runner, dry_sweep, sweep
from accelsim.study.table import FORMATS, designs_table, frame_of, table_of, written

__all__ = [
    "FORMATS",
    "Axis",
    "Dask",
    "Expression",
    "Plan",
    "Pool",
    "Runner",
    "Serial",
    "Store",
    "Study",
    "designs_table",
    "dry_sweep",
    "explore",
    "frame_of",
    "front_of",
    "load_study",
    "study_names",
    "sweep",
    "table_of",
    "written",
]
