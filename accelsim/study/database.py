"""An SQLite file: opened, written whole or not at all, its refusals in words of what to do."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from accelsim.errors import AccelsimError

BUSY_SECONDS = 60.0
"""How long a writer waits for another one."""


class Database:
    """An open file. Write-ahead logging lets others read and write it at the same time."""

    def __init__(self, path: Path, read_only: bool) -> None:
        self.path = path
        with self.refusals():
            self._connection = self._to_read() if read_only else self._to_write()

    def _to_write(self) -> sqlite3.Connection:
        connection = _connected(str(self.path))
        try:
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma synchronous = normal")
        except BaseException:
            connection.close()
            raise
        return connection

    def _to_read(self) -> sqlite3.Connection:
        """Also where nothing may be written, not even the log's index: then as a fixed file."""
        connection = _connected(str(self.path))
        try:
            connection.execute("select count(*) from sqlite_master").fetchone()
            return connection
        except sqlite3.OperationalError:
            connection.close()
            log = Path(f"{self.path}-wal")
            if log.exists() and log.stat().st_size:
                raise AccelsimError(
                    f"{self.path}: cannot be read in a folder that may not be written, as a sweep "
                    f"was stopped in it: copy it and {log.name} to a folder of yours"
                ) from None
        fixed = f"{self.path.absolute().as_uri()}?mode=ro&immutable=1"
        return _connected(fixed, uri=True)

    def close(self) -> None:
        """Close the file; the log beside it goes into it."""
        self._connection.close()

    @contextmanager
    def refusals(self) -> Iterator[None]:
        """What SQLite says, as one line that says what to do."""
        try:
            yield
        except sqlite3.Error as error:
            raise AccelsimError(f"{self.path}: {_advice(str(error))}") from None
        except json.JSONDecodeError as error:
            raise self.damaged(f"a record: {error}") from None

    def damaged(self, what: str) -> AccelsimError:
        """The refusal of a file whose content is not as it was written."""
        return AccelsimError(f"{self.path}: {_damaged(what)}")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it or nothing."""
        with self.refusals():
            self._connection.execute("begin immediate")
            try:
                yield self._connection
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("rollback")
                raise
            self._connection.execute("commit")

    def read(self, statement: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of a query."""
        with self.refusals():
            # Not `yield from`, which closes the cursor, perhaps after its connection.
            for row in self._connection.execute(statement, values):  # noqa: UP028
                yield row

    def write(self, statement: str, values: Sequence[Any]) -> int:
        """Run one statement by itself; gives how many rows it changed."""
        with self.refusals():
            return self._connection.execute(statement, values).rowcount


def _connected(name: str, uri: bool = False) -> sqlite3.Connection:
    return sqlite3.connect(name, timeout=BUSY_SECONDS, isolation_level=None, uri=uri)


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
