"""Long tables: which part of them a page shows, and in which order."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

PAGE_ROWS = 50
SHORT_ROWS = 20
"""Rows of a table that stands beside another one."""

T = TypeVar("T")
Query = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Address:
    """The address of a page with its query; links change single parameters of it."""

    path: str
    query: Query

    def __str__(self) -> str:
        return self.with_()

    def with_(self, **changes: str | int | None) -> str:
        """Return the address with other parameters; None removes one."""
        query = {**self.query, **{name: str(one) for name, one in changes.items()}}
        kept = [(name, one) for name, one in query.items() if changes.get(name, "") is not None]
        return f"{self.path}?{urlencode(kept)}" if kept else self.path


@dataclass(frozen=True, slots=True)
class Rows(Generic[T]):
    """The rows of one page of a table.

    `first` and `last` are the numbers of the first and last row, from 1, and 0 without rows;
    `page` counts from 1, too.
    """

    rows: Sequence[T]
    first: int
    last: int
    total: int
    page: int
    pages: int
    parameter: str


def page_of(
    rows: Sequence[T], query: Query, parameter: str = "page", size: int = PAGE_ROWS
) -> Rows[T]:
    """Return the page of a table that a query asks for; the nearest one if there is no such.

    Args:
        rows: all rows.
        query: the parameters of the page's address.
        parameter: the one that has the number of the table's page.
        size: the rows of a page.
    """
    pages = max(1, -(-len(rows) // size))
    text = query.get(parameter, "1")
    asked = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 1
    page = min(max(1, asked), pages)
    before = (page - 1) * size
    part = rows[before : before + size]
    first = before + 1 if part else 0
    return Rows(part, first, before + len(part), len(rows), page, pages, parameter)


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a table: the key of its column, and whether it falls."""

    column: str
    falls: bool

    def heading(self, column: str) -> str:
        """Return the value of `aria-sort` for a column's heading."""
        if column != self.column:
            return "none"
        return "descending" if self.falls else "ascending"

    def next_(self, column: str) -> str:
        """Return the parameter that sorts by a column; by the present one the other way round."""
        falls = not self.falls if column == self.column else True
        return f"-{column}" if falls else column


def order_of(query: Query, columns: Sequence[str], default: str) -> Order:
    """Return the order that a query asks for, such as `-lag`; by default that of `default`."""
    asked = query.get("sort", default)
    if asked.removeprefix("-") not in columns:
        asked = default
    return Order(asked.removeprefix("-"), asked.startswith("-"))


def sort_rows(
    rows: Sequence[T], order: Order, keys: Mapping[str, Callable[[T], Any]]
) -> Sequence[T]:
    """Return the rows in an order; equal ones stay as they are."""
    return sorted(rows, key=keys[order.column], reverse=order.falls)
