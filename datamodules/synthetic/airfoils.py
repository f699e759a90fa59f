"""A stand-in for the airfoil measurements: a made-up law of noise, in the original's format."""

from pathlib import Path

import numpy as np
from numpy.random import default_rng

from datamodules.files.staging import written_once

THIRD_OCTAVES = np.round(1000 * 2 ** (np.arange(-7, 14) / 3), -1)  # Hz
CHORDS = (0.0254, 0.0508, 0.1016, 0.1524, 0.2286, 0.3048)  # metres
SPEEDS = (31.7, 39.6, 55.5, 71.3)  # metres a second


def draw(num_rows: int, seed: int = 0) -> np.ndarray:
    """Measurements, float64 [rows, 6]: frequency, angle, chord, speed, thickness, decibels.

    The noise is loudest where the frequency fits the speed over the thickness (a Strouhal number
    near 0.08), louder at speed, and falls off by decades of frequency, so that a straight line
    explains about three quarters of it.
    """
    rng = default_rng(seed)
    frequency, chord, speed = (rng.choice(v, num_rows) for v in (THIRD_OCTAVES, CHORDS, SPEEDS))
    angle = np.round(rng.uniform(0, 22, num_rows), 1)
    thickness = chord * (0.01 + 0.004 * angle + rng.exponential(0.01, num_rows))
    decades = np.log10(frequency * thickness / speed / 0.08)
    level = 126 + 25 * np.log10(speed / 50) - 9 * decades**2 - 3 * np.log2(frequency / 1000)
    level += rng.normal(0, 3, num_rows)
    return np.stack([frequency, angle, chord, speed, thickness, level], axis=1)


@written_once
def write(path: Path, *, num_rows: int = 600, seed: int = 0) -> None:
    """Writes the stand-in, whole or not at all: tabs between numbers, carriage returns."""
    lines = ["\t".join(f"{value:.6g}" for value in row) for row in draw(num_rows, seed)]
    path.write_bytes("".join(f"{line}\r\n" for line in lines).encode())
