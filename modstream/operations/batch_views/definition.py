"""The definition of a batch view, and the three queries that it consists of.

A view groups the rows of the inference log, and keeps a state for each group from which two parts
can be merged: a count, a sum, both for a mean, the least or greatest value, or the newest one. The
same query makes the states of the history and of the newest records; a second one merges states,
and a third one makes the values that are shown.
"""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from modstream.errors import InvalidValue

Function = Literal["count", "sum", "mean", "min", "max", "newest"]
ColumnName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]
MEASURE = re.compile(r"\s*(\w+)\s*=\s*(count|sum|mean|min|max|newest)\s*\((.*)\)\s*", re.DOTALL)
GROUP = re.compile(r"\s*(?:(\w+)|(\w+)\s*=\s*(.+?))\s*", re.DOTALL)
ORDER = "'at': answered, 'partition': log_partition, 'offset': log_offset, 'answer': answer"
"""What the newest value is determined by; the log has each answer once."""


class _Queries(NamedTuple):
    """The SQL of a function: the state of rows, that of two states, and the value of a state."""

    of_rows: str
    of_states: str
    value: str


QUERIES: Mapping[Function, _Queries] = MappingProxyType(
    {
        "count": _Queries("count({0})", "sum({1})::BIGINT", "{1}"),
        "sum": _Queries("sum(({0})::DOUBLE)", "sum({1})", "{1}"),
        "mean": _Queries(
            "{{'sum': sum(({0})::DOUBLE), 'count': count({0})}}",
            "{{'sum': sum({1}.sum), 'count': sum({1}.count)::BIGINT}}",
            "{1}.sum / nullif({1}.count, 0)",
        ),
        "min": _Queries("min({0})", "min({1})", "{1}"),
        "max": _Queries("max({0})", "max({1})", "{1}"),
        "newest": _Queries(f"max({{{{{ORDER}, 'value': {{0}}}}}})", "max({1})", "{1}.value"),
    }
)


class Group(BaseModel):
    """A column that rows are grouped by: its name, and an expression of SQL."""

    model_config = ConfigDict(frozen=True)

    name: ColumnName
    expression: str = Field(min_length=1)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the group of `column` or `name = expression`.

        Raises:
            InvalidValue: it is neither.
        """
        found = GROUP.fullmatch(text)
        if found is None:
            raise InvalidValue(f"{text!r} is no group: write model, or carrier = EXPRESSION")
        column, name, expression = found.groups()
        return cls(name=column or name, expression=expression or column)


class Measure(BaseModel):
    """A figure of each group: its name, its function, and the expression that it is computed of."""

    model_config = ConfigDict(frozen=True)

    name: ColumnName
    function: Function
    expression: str = "*"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the measure of `name = function(expression)`.

        Raises:
            InvalidValue: it is none.
        """
        found = MEASURE.fullmatch(text)
        if found is None:
            raise InvalidValue(
                f"{text!r} is no measure: write requests = count(), or"
                " probability = mean(EXPRESSION), with count, sum, mean, min, max or newest"
            )
        name, function, expression = (part.strip() for part in found.groups())
        if function != "count" and not expression:
            raise InvalidValue(f"{text!r}: {function} needs an expression of SQL")
        return cls(name=name, function=function, expression=expression or "*")

    def fill(self, part: str) -> str:
        """Return a query of this function, with its expression and its column."""
        return part.format(self.expression, _quoted(self.name))


class ViewDefinition(BaseModel):
    """What a view groups by, what it computes of each group, and which rows it leaves out."""

    model_config = ConfigDict(frozen=True)

    groups: tuple[Group, ...] = ()
    measures: tuple[Measure, ...] = Field(min_length=1)
    where: str | None = None

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        names = [*(one.name for one in self.groups), *(one.name for one in self.measures)]
        if len({name.lower() for name in names}) < len(names):
            raise ValueError("two columns have the same name")
        return self

    def states_of_rows(self, source: str) -> str:
        """Return the query of the states of the rows of a table of the log."""
        groups = [f"({one.expression}) AS {_quoted(one.name)}" for one in self.groups]
        where = f" WHERE ({self.where})" if self.where else ""
        return f"{self._select(groups, 0)} FROM {source}{where}{self._grouped()}"

    def merged_states(self, *sources: str) -> str:
        """Return the query of the states of several tables of states."""
        union = " UNION ALL BY NAME ".join(f"SELECT * FROM {one}" for one in sources)  # noqa: S608
        return f"{self._select(self._names(), 1)} FROM ({union}){self._grouped()}"

    def values(self, source: str) -> str:
        """Return the query of the figures of a table of states, in the order of the groups."""
        order = " ORDER BY ALL" if self.groups else ""
        return f"{self._select(self._names(), 2)} FROM {source}{order}"

    def _select(self, groups: Sequence[str], part: int) -> str:
        figures = [
            f"{one.fill(QUERIES[one.function][part])} AS {_quoted(one.name)}"
            for one in self.measures
        ]
        return f"SELECT {', '.join([*groups, *figures])}"

    def _names(self) -> list[str]:
        return [_quoted(one.name) for one in self.groups]

    def _grouped(self) -> str:
        # By position: a group may have the name of a column that its expression reads.
        numbers = ", ".join(str(at) for at in range(1, len(self.groups) + 1))
        return f" GROUP BY {numbers}" if numbers else ""


def _quoted(name: str) -> str:
    return f'"{name}"'
