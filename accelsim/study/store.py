"""The store: one SQLite file with the points of studies and every simulation that was ever run.

A simulation is kept under the key of its task, so it is run once, whichever study or layer asks for
it. Each is written in a transaction of its own: a sweep that is killed has lost what it was
computing and nothing else. Several sweeps may write into one store at once; each claims what it is
about to run, so that another does something else meanwhile.
"""

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from accelsim.errors import AccelsimError
from accelsim.result import Points
from accelsim.simulation import MODEL_VERSION
from accelsim.study.database import Database
from accelsim.study.description import Study
from accelsim.study.points import Point
from accelsim.study.work import BROKEN, DONE, FAILED, Outcome

if TYPE_CHECKING:
    import pandas as pd

Design = Mapping[str, Any]
"""The values of a design on the axes that a search varies."""

_Stored = tuple[str, str | None, str]
"""A point as the store keeps it: its coordinates, the key of its task, else why it has none."""

LAYOUT = 2
"""Of the tables below."""

_TABLES = """
create table about (name text primary key, value text not null) without rowid;
create table simulations (
    key text primary key, status text not null, text text not null, crc integer not null
) without rowid;
create table claims (key text primary key, owner text not null) without rowid;
create table studies (
    name text primary key, question text not null, shown text not null
) without rowid;
create table points (
    study text not null, number integer not null, coordinates text not null,
    key text, reason text not null,
    primary key (study, number)
) without rowid;
create table trials (
    study text not null, number integer not null, design text not null, points text not null,
    front integer not null default 0,
    primary key (study, number)
) without rowid;
"""

_NEW_TRIAL = "insert into trials (study, number, design, points) values (?, ?, ?, ?)"


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

    def __init__(self, path: str | Path, *, read_only: bool = False) -> None:
        self.path = Path(path)
        if read_only and not self.path.is_file():
            raise AccelsimError(f"{self.path}: no such store; accelsim sweep STUDY.yaml makes one")
        if self.path.is_dir():
            raise AccelsimError(f"{self.path}: is a folder, must be the file of a store")
        self._database = Database(self.path, read_only)
        try:
            if not read_only:
                self._make_tables()
            self._check()
        except BaseException:
            self.close()
            raise

    def _make_tables(self) -> None:
        with self._database.writing() as connection:
            if self._tables():
                return
            for statement in _TABLES.split(";"):
                connection.execute(statement)
            about = {"what": "accelsim study store", "layout": LAYOUT, "model": MODEL_VERSION}
            connection.executemany(
                "insert into about values (?, ?)", [(k, str(v)) for k, v in about.items()]
            )

    def _tables(self) -> set[str]:
        found = self._database.read("select name from sqlite_master where type = 'table'")
        return {name for (name,) in found}

    def _check(self) -> None:
        if "about" not in self._tables():
            raise AccelsimError(f"{self.path}: is a database, but no store of studies")
        about = dict(self._database.read("select name, value from about"))
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
        self._database.close()

    # Studies ---------------------------------------------------------------------------------

    def studies(self) -> dict[str, str]:
        """The studies in the store, with their questions."""
        return dict(self._database.read("select name, question from studies order by name"))

    def shown(self, study: str) -> dict[str, Any]:
        """The axes of a study, and the energy tables and the plots that its file asks for."""
        found = self._database.read("select shown from studies where name = ?", (study,))
        ((text,),) = found
        with self._database.refusals():
            return dict(json.loads(text))

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
                "study, accelsim explore STUDY.yaml searches it"
            )
        listed = ", ".join(known)
        given = "has several studies" if name is None else f"has no study {name!r}"
        raise AccelsimError(f"{self.path}: {given}; name one of: {listed}")

    # Points and simulations ------------------------------------------------------------------

    def declare(self, study: Study, points: Iterable[Point]) -> None:
        """These are the points of the study; those it had before are forgotten, results are not."""
        rows = ((study.name, number, *_stored(point)) for number, point in enumerate(points))
        with self._database.writing() as connection:
            connection.execute(*_named(study))
            connection.execute("delete from points where study = ?", (study.name,))
            connection.executemany("insert into points values (?, ?, ?, ?, ?)", rows)

    def known_keys(self) -> set[str]:
        """The simulations that need not be run again."""
        found = self._database.read(
            "select key from simulations where status in (?, ?)", (DONE, FAILED)
        )
        return {key for (key,) in found}

    def has(self, key: str) -> bool:
        """Whether one of them need not be run again."""
        found = self._database.read(
            "select 1 from simulations where key = ? and status in (?, ?)", (key, DONE, FAILED)
        )
        return next(found, None) is not None

    def claim(self, key: str, owner: str) -> bool:
        """Whether a task is this owner's to run: it was not run yet, and nobody else is at it."""
        changed = self._database.write(
            "insert into claims select ?, ? where not exists "
            "(select 1 from simulations where key = ? and status in (?, ?)) "
            "on conflict (key) do nothing",
            (key, owner, key, DONE, FAILED),
        )
        return changed == 1

    def release(self, owner: str) -> None:
        """Give up what an owner has claimed and not run."""
        self._database.write("delete from claims where owner = ?", (owner,))

    def put(self, outcomes: Sequence[Outcome]) -> None:
        """Keep these; one that another sweep has kept meanwhile stays as it is."""
        rows = [(o.key, o.status, o.text, zlib.crc32(o.text.encode())) for o in outcomes]
        with self._database.writing() as connection:
            connection.executemany(
                "insert into simulations values (?, ?, ?, ?) on conflict (key) do update set "
                "status = excluded.status, text = excluded.text, crc = excluded.crc "
                f"where status = '{BROKEN}'",
                rows,
            )
            connection.executemany("delete from claims where key = ?", [row[:1] for row in rows])

    def rows(self, study: str | None = None) -> Iterator[Row]:
        """The points of a study in order, each with what became of it."""
        name = self.study_named(study)
        found = self._database.read(
            "select number, coordinates, points.key, reason, status, text, crc from points "
            "left join simulations using (key) where study = ? order by number",
            (name,),
        )
        for number, *stored in found:
            yield self._row(name, number, *stored)

    def _row(
        self,
        study: str,
        number: int,
        place: str,
        key: str | None,
        reason: str,
        status: str | None,
        text: str | None,
        crc: int | None,
    ) -> Row:
        with self._database.refusals():
            coordinates = json.loads(place)
        if key is None:
            return Row(study, number, coordinates, FAILED, reason, None)
        if status is None or text is None:
            return Row(study, number, coordinates, MISSING, "", None)
        if zlib.crc32(text.encode()) != crc:
            raise self._database.damaged("a record does not have the checksum it was kept with")
        if status != DONE:
            return Row(study, number, coordinates, status, text, None)
        return Row(study, number, coordinates, status, "", json.loads(text))

    def reasons(self, study: str) -> dict[str, int]:
        """Why points of a study cannot be run, and how many, the most frequent reason first."""
        found = self._database.read(
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
        for row in self._database.read(
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

    # Trials of a search ----------------------------------------------------------------------

    def trials(self, study: str) -> list[Design]:
        """The designs that searches over a study have tried, in order."""
        return [design for design, _ in self._trials(study)]

    def trial_rows(self, study: str) -> Iterator[tuple[Design, list[Row]]]:
        """These designs, each with what it runs and what became of that."""
        for number, (design, points) in enumerate(self._trials(study)):
            yield design, [self._looked_up(study, number, *point) for point in points]

    def _trials(self, study: str) -> list[tuple[Design, list[_Stored]]]:
        found = self._database.read(
            "select design, points from trials where study = ? order by number", (study,)
        )
        with self._database.refusals():
            return [
                (json.loads(design), [(p[0], p[1], p[2]) for p in json.loads(points)])
                for design, points in found
            ]

    def rows_of(self, study: str, points: Iterable[Point]) -> list[Row]:
        """What became of these points, of which the store need not know."""
        return [
            self._looked_up(study, number, *_stored(point)) for number, point in enumerate(points)
        ]

    def _looked_up(self, study: str, number: int, place: str, key: str | None, reason: str) -> Row:
        found = self._database.read(
            "select status, text, crc from simulations where key = ?", (key,)
        )
        became = next(found, (None, None, None))
        return self._row(study, number, place, key, reason, *became)

    def begin_trials(self, study: Study, tried: Sequence[tuple[Design, Sequence[Point]]]) -> None:
        """These, and no others, were tried so far; what a changed study has no place for goes."""
        if self._trials(study.name) == [(d, [_stored(p) for p in points]) for d, points in tried]:
            return
        with self._database.writing() as connection:
            connection.execute("delete from trials where study = ?", (study.name,))
            connection.executemany(_NEW_TRIAL, _trial_rows(study, 0, tried))

    def put_trials(
        self, study: Study, first: int, tried: Sequence[tuple[Design, Sequence[Point]]]
    ) -> None:
        """Keep designs and what they run, under numbers that no other search may have taken."""
        with self._database.writing() as connection:
            connection.execute(*_named(study))
            connection.executemany(_NEW_TRIAL, _trial_rows(study, first, tried))

    def mark_front(self, study: str, numbers: Sequence[int]) -> None:
        """These trials, and no others of the study, are its Pareto front."""
        with self._database.writing() as connection:
            connection.execute("update trials set front = 0 where study = ?", (study,))
            connection.executemany(
                "update trials set front = 1 where study = ? and number = ?",
                [(study, number) for number in numbers],
            )

    def front(self, study: str) -> list[int]:
        """The numbers of the trials on the Pareto front of the last search."""
        found = self._database.read(
            "select number from trials where study = ? and front order by number", (study,)
        )
        return [number for (number,) in found]


def _named(study: Study) -> tuple[str, tuple[str, ...]]:
    """The statement that keeps what the results of a study are shown by."""
    shown = {"axes": study.axis_names, "energy": study.energy, "plot": study.plot}
    values = study.name, study.question, json.dumps(shown)
    return "insert or replace into studies values (?, ?, ?)", values


def _trial_rows(
    study: Study, first: int, tried: Sequence[tuple[Design, Sequence[Point]]]
) -> Iterator[tuple[str, int, str, str]]:
    for number, (design, points) in enumerate(tried, first):
        listed = json.dumps([_stored(point) for point in points])
        yield study.name, number, json.dumps(design), listed


def _stored(point: Point) -> _Stored:
    coordinates = json.dumps(point.coordinates, separators=(",", ":"))
    return coordinates, point.task.key if point.task else None, point.reason
