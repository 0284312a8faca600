"""Elementary functions that give the same bits on every processor.

A scenario's digest ties traces, brains and policies to it, so servers and front-ends of different make must draw the
same numbers. numpy's own ``exp`` chooses its instructions by the processor, and the last bit with them.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

_LOG2_E: Final = float.fromhex("0x1.71547652b82fep+0")
# ln 2 in two parts; the first has 20 zeros at its end, so that its product with a whole exponent is exact (fdlibm).
_LN2_HIGH: Final = float.fromhex("0x1.62e42fee00000p-1")
_LN2_LOW: Final = float.fromhex("0x1.a39ef35793c76p-33")
# 1 / n!, from the highest degree down; what is cut off at |x| <= ln 2 / 2 is below 2**-57 of the result.
_TERMS: Final = tuple(
    float.fromhex(term)
    for term in (
        "0x1.6124613a86d09p-33",
        "0x1.1eed8eff8d898p-29",
        "0x1.ae64567f544e4p-26",
        "0x1.27e4fb7789f5cp-22",
        "0x1.71de3a556c734p-19",
        "0x1.a01a01a01a01ap-16",
        "0x1.a01a01a01a01ap-13",
        "0x1.6c16c16c16c17p-10",
        "0x1.1111111111111p-7",
        "0x1.5555555555555p-5",
        "0x1.5555555555555p-3",
        "0x1.0000000000000p-1",
    )
)


def exp(x: ArrayLike) -> NDArray[np.float64]:
    """Return e to the power of each entry, within 1 unit in the last place, the same bits everywhere.

    Only additions, multiplications, roundings and shifts of the exponent are used, each of which IEEE 754 defines to
    the bit and numpy does one at a time. After Cody and Waite (1980), *Software Manual for the Elementary Functions*.

    Parameters
    ----------
    x : array-like of float64, any shape
        -700..700: the result is then a normal number.

    Raises
    ------
    ValueError
        If an entry is beyond or not a number.
    """
    power = np.asarray(x, dtype=np.float64)
    if not (np.abs(power) <= 700.0).all():
        raise ValueError("exponents must lie in -700..700")
    times = np.rint(power * _LOG2_E)
    rest = (power - times * _LN2_HIGH) - times * _LN2_LOW
    series = np.zeros_like(rest)
    for term in _TERMS:
        series = (series + term) * rest
    # 1 + rest + rest * series, the small ones first
    result: NDArray[np.float64] = np.ldexp(1.0 + (rest + rest * series), times.astype(np.int64))
    return result
