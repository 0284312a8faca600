"""Colours of the report: text stands out from its ground, and steps of a ramp differ for whoever sees fewer colours."""

from __future__ import annotations

import re
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import sim.report

# Machado, Oliveira and Fernandes (2009), doi:10.1109/TVCG.2009.113, severity 1: in linear RGB.
SIGHT = {
    "full": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
SCHEMES = ("light", "dark")
STEP_MIN = 0.06  # in OKLab; two colours beside each other differ visibly from 0.02


def tokens(scheme: str) -> dict[str, str]:
    css = (Path(sim.report.__file__).parent / "page.css").read_text(encoding="utf-8")
    light, dark = re.findall(r":root[^{]*\{([^}]*)\}", css)[:2]
    found = dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6})", light))
    return found | (dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6})", dark)) if scheme == "dark" else {})


def linear(colour: str) -> NDArray[np.float64]:
    value = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, relative luminance."""
    bright = sorted(float(linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (one, other))
    return (bright[1] + 0.05) / (bright[0] + 0.05)


def oklab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ottosson (2020), bottosson.github.io/posts/oklab."""
    to_lms = [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
    to_lab = [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
    return np.array(to_lab) @ np.cbrt(np.array(to_lms) @ rgb)


def seen(colour: str, sight: str) -> NDArray[np.float64]:
    return oklab(np.clip(SIGHT[sight] @ linear(colour), 0, 1))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_text_stands_out_from_every_ground(scheme: str) -> None:
    of = tokens(scheme)
    for ground in ("page", "surface", "raised"):
        for text in ("ink", "muted"):
            assert contrast(of[text], of[ground]) >= 4.5, (text, ground)
        for shape in ("focus", *(f"brain-{index}" for index in range(6))):
            assert contrast(of[shape], of[ground]) >= 3.0, (shape, ground)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("sight", SIGHT)
def test_steps_of_the_load_differ_and_get_ever_farther_from_the_ground(scheme: str, sight: str) -> None:
    of = tokens(scheme)
    ramp = [seen(of[f"load-{step}"], sight) for step in range(6)]
    for (a, one), (b, other) in combinations(enumerate(ramp), 2):
        assert np.linalg.norm(one - other) >= STEP_MIN, (a, b)
    ground = oklab(linear(of["surface"]))[0]
    away = [abs(float(step[0]) - ground) for step in ramp]
    assert all(far > near for near, far in pairwise(away)), away
    # What a reader must not miss is plain to see.
    assert all(contrast(of[f"load-{step}"], of["surface"]) >= 3 for step in range(3, 6))


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("sight", SIGHT)
def test_less_and_more_are_told_apart(scheme: str, sight: str) -> None:
    of = tokens(scheme)
    ramp = [seen(of[f"change-{step}"], sight) for step in range(7)]
    for (a, one), (b, other) in combinations(enumerate(ramp), 2):
        assert np.linalg.norm(one - other) >= STEP_MIN, (a, b)
    # Steps as far from the middle on either side stand out alike.
    ground = oklab(linear(of["surface"]))[0]
    for side in (range(3, -1, -1), range(3, 7)):
        away = [abs(float(ramp[step][0]) - ground) for step in side]
        assert all(far > near for near, far in pairwise(away)), away
