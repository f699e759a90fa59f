"""Made-up measurements of seedlings, as people keep a table: numbers, words, dates, and gaps."""

import csv
from datetime import date, timedelta
from pathlib import Path

from numpy.random import Generator, default_rng

from datamodules.files.staging import written_once

TARGET = "species"
COLUMNS = ("id", "sown", "soil", "height", "leaf_width", "leaves", "note", "weight", TARGET)
SPECIES = ("aster", "basil", "cress")
SOILS = ("clay", "loam", "sand")
HEIGHTS, WIDTHS = (60, 90, 75), (14, 22, 17)  # millimetres after 30 days, by species
MISSING = 0.06  # of the cells of a column that may lack one


@written_once
def write(path: Path, *, num_rows: int = 600, seed: int = 0) -> None:
    """Writes the table as CSV, whole or not at all."""
    rng = default_rng(seed)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(_row(number, rng) for number in range(1, num_rows + 1))


def _row(number: int, rng: Generator) -> list[str]:
    """Returns the cells of a seedling, which is the heavier the taller and the wider it is."""
    species, soil = int(rng.integers(3)), int(rng.choice(3, p=(0.3, 0.5, 0.2)))
    day = int(rng.integers(120))
    vigour = rng.normal(1, 0.12) * (1 + 0.001 * day) * (0.9, 1.0, 0.8)[soil]
    height, width = HEIGHTS[species] * vigour, WIDTHS[species] * vigour * rng.normal(1, 0.06)
    leaves = 4 + 2 * species + int(rng.integers(-2, 3))
    weight = 0.004 * height * width + 0.3 * leaves + rng.normal(0, 0.3)
    cells = [f"{height:.1f}", f"{width:.1f}", str(leaves)]
    cells = ["" if rng.random() < MISSING else cell for cell in cells]
    sown = (date(2024, 3, 1) + timedelta(days=day)).isoformat()
    note = f"tray {rng.integers(1000)}" if rng.random() < 0.5 else ""
    where = "NA" if rng.random() < MISSING else SOILS[soil]
    return [str(number), sown, where, *cells, note, f"{weight:.2f}", SPECIES[species]]
