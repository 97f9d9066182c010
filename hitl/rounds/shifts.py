"""A table of shifts as a file: CSV with the columns `worker`, `start` and `end`."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from hitl.errors import DataError
from hitl.metrics.ops import Shifts
from hitl.types.times import seconds_since_1970

COLUMNS = ("worker", "start", "end")

MOST_SHIFTS = 1_000_000


def read_shifts(path: Path) -> Shifts:
    """The shifts of a CSV file: a worker's pseudonym, and ISO 8601 times, UTC where they name no zone.

    Other columns are passed over. Raises `DataError` with the first row that cannot be read, or that contradicts
    another. O(rows).
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise DataError(f"{path}: no column {', '.join(missing)}; a table of shifts has {', '.join(COLUMNS)}")
            rows = [[(row[name] or "").strip() for name in COLUMNS] for row, _ in zip(reader, range(MOST_SHIFTS + 1))]  # noqa: B905
    except (OSError, UnicodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as CSV ({error})") from None
    if len(rows) > MOST_SHIFTS:
        raise DataError(f"{path}: over {MOST_SHIFTS:,} shifts; split the file by time")
    times = np.array(
        [[seconds_since_1970(start), seconds_since_1970(end)] for _, start, end in rows], dtype=np.float64
    ).reshape(-1, 2)
    unnamed = np.array([not worker for worker, _, _ in rows], dtype=np.bool_)
    wrong = np.flatnonzero(np.isnan(times).any(axis=1) | unnamed)
    if len(wrong):
        raise DataError(f"{path}, shift {wrong[0] + 1}: give a worker and two times as 2026-03-02T09:00:00Z")
    names = tuple(sorted({worker for worker, _, _ in rows}))
    place = {name: code for code, name in enumerate(names)}
    try:
        return Shifts(names, np.array([place[one] for one, _, _ in rows], dtype=np.int64), times[:, 0], times[:, 1])
    except DataError as error:
        raise DataError(f"{path}, {error}") from None
