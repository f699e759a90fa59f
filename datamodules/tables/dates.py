"""Dates in the cells of a table, as numbers."""

from collections.abc import Sequence
from reprlib import repr as in_short
from warnings import catch_warnings, simplefilter

import numpy as np

from datamodules.files.errors import CorpusError
from datamodules.tables.reading import MISSING, Cells


def date_format(cells: Sequence[str]) -> str | None:
    """Returns the format in which all cells are dates; none if there is no such format.

    Where days and months could be either, the month comes first.

    Args:
        cells: Cells of a column that are not missing; at least one.

    Source: https://pandas.pydata.org/docs/reference/api/pandas.to_datetime.html
    """
    from pandas.tseries.api import guess_datetime_format

    with catch_warnings():
        simplefilter("ignore")  # of a word that is no date
        guesses = [guess_datetime_format(cells[0], dayfirst=first) for first in (False, True)]
    with_year = (form for form in guesses if form and "%y" in form.lower())
    forms = ("ISO8601", *with_year)
    return next((form for form in forms if not np.isnan(_days(cells, form)).any()), None)


def date_parts(table: Cells, column: str, form: str) -> dict[str, np.ndarray]:
    """Returns the numbers of a column of dates, float64 (rows) each, missing ones as nan.

    Args:
        table: The table.
        column: Name of the column.
        form: Format of its dates, of `date_format`.

    Returns:
        Days since 1970, and month, day of the month, weekday (0 is Monday) and hour.

    Raises:
        CorpusError: A cell is neither missing nor a date; names line and column.
    """
    from pandas import to_datetime

    cells = [None if cell in MISSING else cell for cell in table.columns[column]]
    days = _days(cells, form)
    for row in np.isnan(days).nonzero()[0]:
        if cells[row] is not None:
            raise CorpusError(
                f"{table.at(row, column)}: {in_short(cells[row])} is not a date as those that were "
                f"trained on ({form})"
            )
    dates = to_datetime(cells, format=form, errors="coerce", utc=True)
    parts = {"month": dates.month, "day": dates.day, "weekday": dates.weekday, "hour": dates.hour}
    return {"days": days, **{name: np.asarray(part, dtype=float) for name, part in parts.items()}}


def _days(cells: Sequence[str | None], form: str) -> np.ndarray:
    """Returns the days since 1970, float64 (rows); nan where a cell is no date of this format."""
    from pandas import Timedelta, Timestamp, to_datetime

    dates = to_datetime(cells, format=form, errors="coerce", utc=True)
    return np.asarray((dates - Timestamp(0, tz="UTC")) / Timedelta(days=1), dtype=float)
