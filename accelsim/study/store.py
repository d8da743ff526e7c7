"""The store: one SQLite file with the points of studies and every simulation that was ever run.

A simulation is kept under the key of its task, so it is run once, whichever study or layer asks for
it. Each is written in a transaction of its own: a sweep that is killed has lost what it was
computing and nothing else. Write-ahead logging lets several sweeps write into one store at once.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from accelsim.errors import AccelsimError
from accelsim.result import Points
from accelsim.simulation import MODEL_VERSION
from accelsim.study.description import Study
from accelsim.study.points import Point
from accelsim.study.work import BROKEN, DONE, FAILED, Outcome

if TYPE_CHECKING:
    import pandas as pd

LAYOUT = 1
"""Of the tables below."""

BUSY_SECONDS = 60.0
"""How long a writer waits for another one."""

_TABLES = """
create table about (name text primary key, value text not null) without rowid;
create table simulations (
    key text primary key, status text not null, text text not null
) without rowid;
create table studies (
    name text primary key, question text not null, shown text not null
) without rowid;
create table points (
    study text not null, number integer not null, coordinates text not null,
    key text, reason text not null,
    primary key (study, number)
) without rowid;
create table trials (
    study text not null, number integer not null, places text not null,
    front integer not null default 0,
    primary key (study, number)
) without rowid;
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A point with what became of it; `record` is there where it is done."""

    study: str
    number: int
    coordinates: dict[str, Any]
    status: str
    reason: str
    record: dict[str, Any] | None


MISSING = "missing"
"""The status of a point that was not run yet."""


class Store:
    """An open store; a context manager that closes it."""

    def __init__(self, path: str | Path, *, create: bool = True) -> None:
        self.path = Path(path)
        if not create and not self.path.is_file():
            raise AccelsimError(f"{self.path}: no such store; accelsim sweep STUDY.yaml makes one")
        if self.path.is_dir():
            raise AccelsimError(f"{self.path}: is a folder, must be the file of a store")
        with self._refusals():
            self._connection = sqlite3.connect(
                self.path, timeout=BUSY_SECONDS, isolation_level=None
            )
            try:
                self._open()
            except BaseException:
                self._connection.close()
                raise

    def _open(self) -> None:
        self._connection.execute("pragma journal_mode = wal")
        self._connection.execute("pragma synchronous = normal")
        with self._writing():
            if not self._tables():
                for statement in _TABLES.split(";"):
                    self._connection.execute(statement)
                about = {"what": "accelsim study store", "layout": LAYOUT, "model": MODEL_VERSION}
                self._connection.executemany(
                    "insert into about values (?, ?)", [(k, str(v)) for k, v in about.items()]
                )
        self._check()

    def _tables(self) -> set[str]:
        return {
            name for (name,) in self._connection.execute(
                "select name from sqlite_master where type = 'table'"
            )
        }  # fmt: skip

    def _check(self) -> None:
        if "about" not in self._tables():
            raise AccelsimError(f"{self.path}: is a database, but no store of studies")
        about = dict(self._connection.execute("select name, value from about"))
        for name, ours in (("layout", LAYOUT), ("model", MODEL_VERSION)):
            if about.get(name) != str(ours):
                raise AccelsimError(
                    f"{self.path}: was made by {name} {about.get(name)} of accelsim, this one has "
                    f"{name} {ours}: its results may differ, so give --store another file, or "
                    "delete this one"
                )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the log beside it goes into it."""
        self._connection.close()

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """What SQLite says, as one line that says what to do."""
        try:
            yield
        except sqlite3.Error as error:
            raise AccelsimError(f"{self.path}: {_advice(str(error))}") from None
        except json.JSONDecodeError as error:
            raise AccelsimError(f"{self.path}: {_damaged(f'a record: {error}')}") from None

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction: all of it or nothing."""
        with self._refusals():
            self._connection.execute("begin immediate")
            try:
                yield
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("rollback")
                raise
            self._connection.execute("commit")

    # Points and simulations ------------------------------------------------------------------

    def declare(self, study: Study, points: Iterable[Point]) -> None:
        """These are the points of the study; those it had before are forgotten, results are not."""
        shown = json.dumps({"energy": study.energy, "plot": study.plot})
        rows = (
            (
                study.name, number, json.dumps(point.coordinates, separators=(",", ":")),
                point.task.key if point.task else None, point.reason,
            )
            for number, point in enumerate(points)
        )  # fmt: skip
        with self._writing():
            self._connection.execute(
                "insert or replace into studies values (?, ?, ?)",
                (study.name, study.question, shown),
            )
            self._connection.execute("delete from points where study = ?", (study.name,))
            self._connection.executemany("insert into points values (?, ?, ?, ?, ?)", rows)

    def known_keys(self) -> set[str]:
        """The simulations that need not be run again."""
        with self._refusals():
            found = self._connection.execute(
                "select key from simulations where status in (?, ?)", (DONE, FAILED)
            )
            return {key for (key,) in found}

    def put(self, outcomes: Sequence[Outcome]) -> None:
        """Keep these; one that another sweep has kept meanwhile stays as it is."""
        rows = [(o.key, o.status, o.text) for o in outcomes]
        with self._writing():
            self._connection.executemany(
                f"insert into simulations values (?, ?, ?) on conflict (key) do update set "
                f"status = excluded.status, text = excluded.text where status = '{BROKEN}'",
                rows,
            )

    def studies(self) -> dict[str, str]:
        """The studies in the store, with their questions."""
        with self._refusals():
            return dict(
                self._connection.execute("select name, question from studies order by name")
            )

    def shown(self, study: str) -> dict[str, Any]:
        """The energy tables and the plots that the study's file asks for."""
        with self._refusals():
            found = self._connection.execute("select shown from studies where name = ?", (study,))
            return dict(json.loads(found.fetchone()[0]))

    def study_named(self, name: str | None) -> str:
        """The study of this name, or the only one there is."""
        known = list(self.studies())
        if name is None and len(known) == 1:
            return known[0]
        if name in known:
            return str(name)
        if not known:
            raise AccelsimError(
                f"{self.path}: holds no points yet; accelsim sweep STUDY.yaml runs those of a "
                "study, accelsim explore STUDY.yaml shows what a search has tried"
            )
        listed = ", ".join(known)
        given = "has several studies" if name is None else f"has no study {name!r}"
        raise AccelsimError(f"{self.path}: {given}; name one of: {listed}")

    def rows(self, study: str | None = None) -> Iterator[Row]:
        """The points of a study in order, each with what became of it."""
        name = self.study_named(study)
        with self._refusals():
            found = self._connection.execute(
                "select number, coordinates, points.key, reason, status, text from points "
                "left join simulations using (key) where study = ? order by number",
                (name,),
            )
            for number, coordinates, key, reason, status, text in found:
                if key is None:
                    status = FAILED
                done = status == DONE
                yield Row(
                    name, number, json.loads(coordinates), status or MISSING,
                    reason if key is None else ("" if done else text or ""),
                    json.loads(text) if done else None,
                )  # fmt: skip

    def reasons(self, study: str) -> dict[str, int]:
        """Why points of a study cannot be run, and how many, the most frequent reason first."""
        with self._refusals():
            found = self._connection.execute(
                "select coalesce(text, reason) as why, count(*) as times from points "
                "left join simulations using (key) "
                "where study = ? and (points.key is null or status in (?, ?)) "
                "group by why order by times desc, why",
                (study, FAILED, BROKEN),
            )
            return dict(found)

    def dump(self, study: str | None = None) -> Iterator[str]:
        """Every point of a study as one line of text, to hold two stores against each other."""
        name = self.study_named(study)
        with self._refusals():
            for row in self._connection.execute(
                "select number, coordinates, points.key, reason, status, text from points "
                "left join simulations using (key) where study = ? order by number",
                (name,),
            ):
                yield json.dumps(row)

    def to_frame(self, study: str | None = None, energy: Sequence[str] = ()) -> "pd.DataFrame":
        """A pandas frame, one row per point; see `table_of`."""
        from accelsim.study.table import frame_of, table_of  # table builds on this module

        return frame_of(table_of(self, study, energy))

    def to_points(self, study: str | None = None, energy: Sequence[str] = ()) -> Points:
        """The rows as a result that draws itself; see `table_of`."""
        from accelsim.study.table import table_of  # table builds on this module

        return Points(tuple(table_of(self, study, energy)))

    def outcome(self, key: str) -> Outcome | None:
        """What became of one task, if it was run."""
        with self._refusals():
            found = self._connection.execute(
                "select key, status, text from simulations where key = ?", (key,)
            ).fetchone()
        return None if found is None else Outcome(*found)

    # Trials of a search ----------------------------------------------------------------------

    def trials(self, study: str) -> list[tuple[int, ...]]:
        """The designs that searches over a study have tried, in order."""
        with self._refusals():
            found = self._connection.execute(
                "select places from trials where study = ? order by number", (study,)
            )
            return [tuple(json.loads(places)) for (places,) in found]

    def put_trials(self, study: str, first: int, designs: Sequence[tuple[int, ...]]) -> None:
        """Keep designs under consecutive numbers; a number that is taken is another search."""
        rows = [(study, first + i, json.dumps(places)) for i, places in enumerate(designs)]
        with self._writing():
            self._connection.executemany(
                "insert into trials (study, number, places) values (?, ?, ?)", rows
            )

    def mark_front(self, study: str, numbers: Sequence[int]) -> None:
        """These trials, and no others of the study, are its Pareto front."""
        with self._writing():
            self._connection.execute("update trials set front = 0 where study = ?", (study,))
            self._connection.executemany(
                "update trials set front = 1 where study = ? and number = ?",
                [(study, number) for number in numbers],
            )

    def front(self, study: str) -> list[int]:
        """The numbers of the trials on the Pareto front of the last search."""
        with self._refusals():
            found = self._connection.execute(
                "select number from trials where study = ? and front order by number", (study,)
            )
            return [number for (number,) in found]


def _damaged(what: str) -> str:
    return (
        f"cannot be read ({what}): move it away and run again, or bring back a copy; its "
        "results can be computed anew"
    )


def _advice(message: str) -> str:
    if "Could not decode" in message:
        # Then the message holds what was read, with any words in it.
        return _damaged("a record is no text")
    if "disk is full" in message:
        return "the disk is full: make room and run again, what was computed is kept"
    if "disk I/O error" in message:
        return f"the disk refuses ({message}): it may be full, at a quota or failing"
    if any(word in message for word in ("not a database", "malformed", "corrupt", "no such table")):
        return _damaged(message)
    if "locked" in message or "busy" in message:
        return f"another program has held it for {BUSY_SECONDS:g} seconds: try again later"
    if "readonly" in message or "unable to open" in message:
        return f"cannot be written ({message}): check that the folder is there and may be written"
    if "UNIQUE constraint failed: trials" in message:
        return "another search writes into this study: let it end, or use another store"
    return f"SQLite says: {message}"
