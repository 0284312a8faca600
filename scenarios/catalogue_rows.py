"""Plain rows become the read-only arrays of a catalogue."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from router_core.catalogue import Catalogue
from router_core.network import frozen

_Integers = Sequence[int] | NDArray[np.integer]
_Numbers = Sequence[float] | NDArray[np.floating]


def catalogue_from(
    *,
    unit_name: Sequence[str],
    unit_label_zh: Sequence[str],
    unit_level: _Integers,
    unit_sector: _Integers,
    unit_city: _Integers,
    unit_weight: _Numbers,
    node_unit: _Integers,
    system_name: Sequence[str],
    system_unit: _Integers,
    resource_name: Sequence[str],
    resource_unit: _Integers,
    resource_system: _Integers,
    resource_sharing: _Integers,
    resource_released: Sequence[bool] | NDArray[np.bool_],
    resource_weight: _Numbers,
    grants: Sequence[Sequence[int] | NDArray[np.integer]],
) -> Catalogue:
    """Return the catalogue; the fields are `Catalogue`'s, `grants` lists the receiving units of each resource."""
    counts = [len(receivers) for receivers in grants]
    flat = [unit for receivers in grants for unit in sorted(int(unit) for unit in receivers)]
    return Catalogue(
        unit_name=tuple(unit_name),
        unit_label_zh=tuple(unit_label_zh),
        unit_level=frozen(np.asarray(unit_level), np.int8),
        unit_sector=frozen(np.asarray(unit_sector), np.int16),
        unit_city=frozen(np.asarray(unit_city), np.int16),
        unit_weight=frozen(np.asarray(unit_weight), np.float64),
        node_unit=frozen(np.asarray(node_unit), np.int32),
        system_name=tuple(system_name),
        system_unit=frozen(np.asarray(system_unit), np.int32),
        resource_name=tuple(resource_name),
        resource_unit=frozen(np.asarray(resource_unit), np.int32),
        resource_system=frozen(np.asarray(resource_system), np.int32),
        resource_sharing=frozen(np.asarray(resource_sharing), np.int8),
        resource_released=frozen(np.asarray(resource_released), np.bool_),
        resource_weight=frozen(np.asarray(resource_weight), np.float64),
        grant_start=frozen(np.concatenate(([0], np.cumsum(counts, dtype=np.int64))), np.int64),
        grant_unit=frozen(np.asarray(flat), np.int32),
    )
