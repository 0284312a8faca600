"""What is stored, as plain data: a document and arrays by name; and the difference between two of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from router_core.errors import BadInputError

Document = dict[str, Any]
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Difference:
    """What turns one set of parts into another.

    Attributes
    ----------
    document : dict or None
        The new document, None if it stays.
    whole : dict of arrays
        Arrays that are new, or have another shape or type.
    gone : tuple of str
        Names of arrays that are left out.
    place, value : dict of arrays
        For the others that change: positions in the flattened array, int64 ascending, and what is there now.
    """

    document: Document | None
    whole: Arrays
    gone: tuple[str, ...]
    place: Mapping[str, NDArray[np.int64]]
    value: Arrays

    @property
    def empty(self) -> bool:
        """Whether nothing changes."""
        return self.document is None and not (self.whole or self.gone or self.place)

    @property
    def changed(self) -> int:
        """How many single values change, whole arrays counted in full."""
        return sum(len(place) for place in self.place.values()) + sum(array.size for array in self.whole.values())


def diff(before: tuple[Document, Arrays], after: tuple[Document, Arrays]) -> Difference:
    """Return what turns `before` into `after`; NaN equals NaN."""
    whole: Arrays = {}
    place: dict[str, NDArray[np.int64]] = {}
    value: Arrays = {}
    for name, array in after[1].items():
        old = before[1].get(name)
        if old is None or old.shape != array.shape or old.dtype != array.dtype:
            whole[name] = array
            continue
        # By bytes: what is equal to the bit is equal, NaN and -0.0 included.
        width = array.dtype.itemsize
        pair = (np.ascontiguousarray(one).reshape(-1).view(np.uint8).reshape(-1, width) for one in (old, array))
        changed = np.flatnonzero(np.not_equal(*pair).any(axis=1)) if array.size else np.empty(0, dtype=np.intp)
        if len(changed):
            place[name] = changed.astype(np.int64)
            value[name] = array.reshape(-1)[changed]
    return Difference(
        document=None if before[0] == after[0] else after[0],
        whole=whole,
        gone=tuple(sorted(before[1].keys() - after[1].keys())),
        place=place,
        value=value,
    )


def apply(difference: Difference, before: tuple[Document, Arrays]) -> tuple[Document, Arrays]:
    """Return what `before` becomes; it stays as it is.

    Raises
    ------
    BadInputError
        If the difference was made from something else, as far as that shows.
    """
    arrays = {name: array for name, array in before[1].items() if name not in difference.gone}
    for name, place in difference.place.items():
        if name not in arrays or (len(place) and int(place[-1]) >= arrays[name].size):
            raise BadInputError(f"difference.{name}", "must be one of the parts it is applied to", name)
        array = arrays[name].copy()
        array.reshape(-1)[place] = difference.value[name]
        arrays[name] = array
    arrays |= difference.whole
    return (before[0] if difference.document is None else difference.document), arrays
