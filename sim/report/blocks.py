"""What a study's page is made of: a verdict and blocks, in both languages, as plain values that a file can keep.

A study says what is to be seen; the page knows how to draw it. Blocks are checked when they are made and when they are
read back. NaN is not a value here: what is not known is None.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator

from router_core.errors import BadInputError


class Form(StrEnum):
    """How a value is written, and so its unit."""

    TEXT = "text"
    COUNT = "count"  # a whole number
    NUMBER = "number"  # three significant figures
    NS = "ns"  # nanoseconds, written as ms, s, min...
    SHARE = "share"  # 0.25 is written 25 %
    CHANGE = "change"  # signed share: -0.25 is written -25 %
    BYTES = "bytes"
    HOURS = "hours"  # of servers
    MBPS = "mbps"
    COST = "cost"  # units of cost
    DATE = "date"  # ISO date or date-time of local time, as text


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Words(NamedTuple):
    """A text in both languages; in files a list of the two."""

    en: str
    zh: str


Cell = None | int | float | str | Words
Number = int | float


class Verdict(_Part):
    """The answer in one sentence.

    Attributes
    ----------
    text : Words
    confidence : float or None
        Share of confidence behind it, 0..1; None where no statistics stand behind it (then the text says so).
    good : bool or None
        Whether it is what one hoped for; None: it cannot be said.
    """

    text: Words
    confidence: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    good: bool | None = None


class Column(_Part):
    """A column of a table."""

    title: Words
    form: Form = Form.TEXT


class TableBlock(_Part):
    """A table that readers can sort; `rows` in the order to show first."""

    kind: Literal["table"] = "table"
    title: Words
    note: Words | None = None
    columns: Annotated[list[Column], Field(min_length=1)]
    rows: list[list[Cell]]

    @model_validator(mode="after")
    def _check(self) -> TableBlock:
        for place, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise BadInputError(f"rows[{place}]", f"must have {len(self.columns)} cells", len(row))
        return self


class Interval(_Part):
    """An estimate and its confidence interval; `tone`: what it means to the reader."""

    label: Words
    value: Number
    low: Number
    high: Number
    tone: Literal["better", "worse", "open"] = "open"
    note: Words | None = None

    @model_validator(mode="after")
    def _check(self) -> Interval:
        if not self.low <= self.value <= self.high:
            raise BadInputError("interval", "must hold its value", [self.low, self.value, self.high])
        return self


class IntervalsBlock(_Part):
    """Estimates with intervals beside a reference, one a row."""

    kind: Literal["intervals"] = "intervals"
    title: Words
    note: Words | None = None
    form: Form = Form.CHANGE
    reference: Number = 0.0
    rows: list[Interval]


class Axis(_Part):
    """An axis of a picture."""

    title: Words
    form: Form = Form.NUMBER
    log: bool = False


class ScatterGroup(_Part):
    """Points of one look: `front` is joined by a line, `chosen` stands out, `faint` stays behind."""

    label: Words
    look: Literal["plain", "front", "chosen", "faint"] = "plain"
    points: list[tuple[Number, Number]]
    names: list[str] | None = None

    @model_validator(mode="after")
    def _check(self) -> ScatterGroup:
        if self.names is not None and len(self.names) != len(self.points):
            raise BadInputError("names", f"must be as many as points, {len(self.points)}", len(self.names))
        return self


class ScatterBlock(_Part):
    """Points in a plane, such as trials by two objectives."""

    kind: Literal["scatter"] = "scatter"
    title: Words
    note: Words | None = None
    x: Axis
    y: Axis
    groups: list[ScatterGroup]


class SeriesLine(_Part):
    """A curve over the block's x, with a band where `low` and `high` are given."""

    label: Words
    y: list[Number | None]
    low: list[Number | None] | None = None
    high: list[Number | None] | None = None


class Mark(_Part):
    """An instant or place on the x axis that has a name."""

    at: Number | str
    label: Words


class SeriesBlock(_Part):
    """Curves: over numbers, or over local dates if `x.form` is DATE (then `at` holds ISO texts)."""

    kind: Literal["series"] = "series"
    title: Words
    note: Words | None = None
    x: Axis
    y: Axis
    at: list[Number] | list[str]
    lines: list[SeriesLine]
    limits: list[tuple[Words, Number]] = []
    marks: list[Mark] = []

    @model_validator(mode="after")
    def _check(self) -> SeriesBlock:
        for line in self.lines:
            for column in (line.y, line.low, line.high):
                if column is not None and len(column) != len(self.at):
                    raise BadInputError("series", f"must have {len(self.at)} values", len(column))
        return self


class BarsBlock(_Part):
    """Ranked values, one bar a row, with an optional second value beside it (such as before and after)."""

    kind: Literal["bars"] = "bars"
    title: Words
    note: Words | None = None
    form: Form = Form.NUMBER
    names: tuple[Words, Words] | None = None
    rows: list[tuple[Words, Number, Number | None]]


class MapSite(_Part):
    """A place on the map; `value` None: nothing to say of it."""

    name: str
    label_zh: str
    lon: float
    lat: float
    level: str
    value: Number | None = None
    note: Words | None = None


class MapLine(_Part):
    """A line between two sites, by their places in `sites`."""

    a: int
    b: int
    carrier: str | None = None
    value: Number | None = None
    note: Words | None = None


class MapBlock(_Part):
    """Values of sites and lines on the map, such as what their failure costs; more is worse."""

    kind: Literal["map"] = "map"
    title: Words
    note: Words | None = None
    form: Form = Form.NUMBER
    sites: list[MapSite]
    lines: list[MapLine]

    @model_validator(mode="after")
    def _check(self) -> MapBlock:
        for place, line in enumerate(self.lines):
            if not (0 <= line.a < len(self.sites) and 0 <= line.b < len(self.sites)):
                raise BadInputError(f"lines[{place}]", f"must join two of {len(self.sites)} sites", [line.a, line.b])
        return self


class FactsBlock(_Part):
    """Names and values, such as settings and seeds."""

    kind: Literal["facts"] = "facts"
    title: Words
    note: Words | None = None
    rows: list[tuple[Words, str | Words]]


class TextBlock(_Part):
    """A paragraph, such as how the numbers were got and what they do not say."""

    kind: Literal["text"] = "text"
    title: Words
    text: Words


Block = Annotated[
    TableBlock | IntervalsBlock | ScatterBlock | SeriesBlock | BarsBlock | MapBlock | FactsBlock | TextBlock,
    Field(discriminator="kind"),
]


class Page(_Part):
    """A whole page.

    Attributes
    ----------
    title : Words
        Of the study, e.g. "Comparison of two brains".
    scenario : Words
    verdict : Verdict
    blocks : list of Block
        In order.
    """

    title: Words
    scenario: Words
    verdict: Verdict
    blocks: list[Block]
