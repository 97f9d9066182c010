"""How far two answers are apart, or how nearly they agree, on scales whose labels stand in an order."""

from __future__ import annotations

from typing import Literal

import numpy as np

from hitl.errors import DataError
from hitl.types import Floats

Scale = Literal["nominal", "ordinal", "interval"]
"""How Krippendorff's alpha reads labels: as names, as ranks, or as numbers."""

Credit = Literal["identity", "ordinal", "linear", "quadratic"]
"""How much of an agreement two labels are by their places: none but for equal ones, or some for near ones."""


def differences(scale: Scale, margins: Floats, values: Floats | None = None) -> Floats:
    """(k, k) squared differences of labels, the greatest of them 1: Krippendorff's metrics.

    `ordinal` is the squared number of answers between two labels, half of their own included (`margins` (k,) count how
    often each was given): labels that nobody uses do not stretch it. `interval` takes `values` (k,), which are 0, 1,
    2, … when left out. Source: Krippendorff (2011), Computing Krippendorff's alpha-reliability. Raises `DataError` for
    values that are not one finite number a label. O(k²).

    >>> differences("ordinal", np.array([10.0, 0.0, 30.0, 20.0])).round(3)
    array([[0.   , 0.012, 0.198, 1.   ],
           [0.012, 0.   , 0.111, 0.79 ],
           [0.198, 0.111, 0.   , 0.309],
           [1.   , 0.79 , 0.309, 0.   ]])
    """
    k = len(margins)
    if scale == "nominal":
        return 1.0 - np.eye(k)
    if scale == "ordinal":
        places = margins.cumsum() - margins / 2
    else:
        places = np.arange(k, dtype=np.float64) if values is None else values
    if places.shape != (k,) or not np.isfinite(places).all():
        raise DataError(f"values must be one finite number for each of the {k} labels")
    apart = np.subtract.outer(places, places) ** 2
    return np.asarray(apart / apart.max() if apart.any() else apart)


def credits_of(credit: Credit, k: int) -> Floats:
    """(k, k) weights of agreement, 1 for equal labels and 0 for the furthest apart.

    Source: Gwet (2014), Handbook of Inter-Rater Reliability, 4th ed., ch. 3; `linear` and `quadratic` are those of
    Cohen's weighted kappa (1968). O(k²).

    >>> credits_of("ordinal", 3).round(3)
    array([[1.   , 0.667, 0.   ],
           [0.667, 1.   , 0.667],
           [0.   , 0.667, 1.   ]])
    """
    apart = np.abs(np.subtract.outer(np.arange(k), np.arange(k))).astype(np.float64)
    steps = {"identity": np.sign(apart), "ordinal": apart * (apart + 1) / 2, "linear": apart, "quadratic": apart**2}
    far = steps[credit]
    return np.asarray(1.0 - far / max(float(far.max(initial=0.0)), 1.0))
