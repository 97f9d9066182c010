"""Rows of one campaign, read and written in one transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Table, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

CHUNK = 5_000
"""Values that one query asks for; SQLite takes 32,766 of them."""


@dataclass(frozen=True)
class Access:
    """A campaign's rows on a connection."""

    connection: Connection
    campaign: str

    def mine(self, table: Table) -> ColumnElement[bool]:
        """The condition that a row is this campaign's."""
        return table.c.campaign == self.campaign

    def insert(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows, all in one call."""
        if rows:
            self.connection.execute(insert(table), [{"campaign": self.campaign, **row} for row in rows])

    def put(self, table: Table, rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> None:
        """Write rows; those whose key is there already get new values in `columns`, or stay as they are."""
        if not rows:
            return
        add = (postgresql if self.connection.dialect.name == "postgresql" else sqlite).insert(table)
        if columns:
            key = [column.name for column in table.primary_key]
            add = add.on_conflict_do_update(index_elements=key, set_={name: add.excluded[name] for name in columns})
        else:
            add = add.on_conflict_do_nothing()
        self.connection.execute(add, [{"campaign": self.campaign, **row} for row in rows])

    def change(self, table: Table, by: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
        """Change the row that has these values in the columns `by`, one for each of `rows`, all in one call."""
        if not rows:
            return
        found = [table.c[name] == bindparam(f"old_{name}") for name in by]
        changed = {name: bindparam(f"new_{name}", type_=table.c[name].type) for name in rows[0] if name not in by}
        self.connection.execute(
            update(table).where(self.mine(table), *found).values(changed),
            [{f"{'old' if name in by else 'new'}_{name}": value for name, value in row.items()} for row in rows],
        )

    def among(
        self, table: Table, column: str, values: Collection[str], *where: ColumnElement[bool]
    ) -> Iterator[RowMapping]:
        """The rows with one of the values in a column; O(rows found), `CHUNK` values a query."""
        wanted = sorted(values)
        for start in range(0, len(wanted), CHUNK):
            some = table.c[column].in_(wanted[start : start + CHUNK])
            yield from self.connection.execute(select(table).where(self.mine(table), some, *where)).mappings()
