"""A canvas for drawn photographs: soft shapes, light from a side, grain; shared by stand-ins."""

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFilter

OVERSAMPLING = 3  # Pillow draws hard edges; the mean of 3 x 3 pixels is soft
CIRCLE = np.exp(2j * np.pi * np.arange(28) / 28)

Color = tuple[int, int, int]
Points = Sequence[tuple[float, float]]


class Canvas:
    """A picture in the making; the origin is moved to what is drawn, x to the right, y down.

    The length 1 is half of the shorter side.

    Args:
        width: Width in pixels.
        height: Height in pixels.
        color: Colour of the ground.
    """

    def __init__(self, width: int, height: int, color: Color) -> None:
        self.picture = Image.new("RGB", (width * OVERSAMPLING, height * OVERSAMPLING), color)
        self.pen = ImageDraw.Draw(self.picture)
        self.middle = complex(*self.picture.size) / 2
        self.unit = min(self.picture.size) / 2
        self.move()

    @property
    def reach(self) -> tuple[float, float]:
        """Half of the width and of the height."""
        return self.middle.real / self.unit, self.middle.imag / self.unit

    def move(self, x: float = 0, y: float = 0, scale: float = 1, angle: float = 0) -> None:
        """Puts the origin at (x, y) from the middle, and scales and turns what follows."""
        self.origin = self.middle + self.unit * complex(x, y)
        self.axes = self.unit * scale * np.exp(1j * angle)

    def shape(self, color: Color, points: Points) -> None:
        """Fills a polygon."""
        self._fill(color, np.array([complex(*point) for point in points]))

    def disc(
        self, color: Color, x: float, y: float, width: float, height: float, fray: float = 0
    ) -> None:
        """Fills an ellipse with half axes; the outline is frayed by up to so much of them."""
        wave = 1 + fray * np.where(np.arange(len(CIRCLE)) % 2, 1, -1)
        outline = wave * (CIRCLE.real * width + 1j * CIRCLE.imag * height)
        self._fill(color, complex(x, y) + outline)

    def stroke(self, color: Color, points: Points, width: float) -> None:
        """Draws a line with round ends."""
        places = self._placed(np.array([complex(*point) for point in points]))
        radius = width * abs(self.axes) / 2
        self.pen.line(places, color, round(2 * radius), joint="curve")
        for x, y in (places[0], places[-1]):
            self.pen.ellipse((x - radius, y - radius, x + radius, y + radius), color)

    def _fill(self, color: Color, outline: np.ndarray) -> None:
        self.pen.polygon(self._placed(outline), color)

    def _placed(self, points: np.ndarray) -> list[tuple[float, float]]:
        places = self.origin + self.axes * points
        return list(zip(places.real.tolist(), places.imag.tolist(), strict=True))

    def photographed(self, rng: Generator) -> Image.Image:
        """The picture in its own size, a little out of focus, in uneven light, with grain."""
        small = self.picture.reduce(OVERSAMPLING)
        soft = small.filter(ImageFilter.GaussianBlur(rng.uniform(0, 0.6)))
        pixels = np.asarray(soft, dtype=np.float32)
        height, width = pixels.shape[:2]
        across, down = np.linspace(-1, 1, width), np.linspace(-1, 1, height)[:, np.newaxis]
        light = rng.uniform(0.8, 1.15) + rng.uniform(-0.15, 0.15) * across
        light = light + rng.uniform(-0.15, 0.15) * down
        grain = rng.normal(0, rng.uniform(2, 6), (height, width))
        lit = pixels * light[..., np.newaxis] + grain[..., np.newaxis]
        return Image.fromarray(lit.clip(0, 255).astype(np.uint8))


def tinted(rng: Generator, color: Color, spread: float = 15) -> Color:
    """A color near to one."""
    red, green, blue = np.clip(np.array(color) + rng.normal(0, spread, 3), 0, 255).astype(int)
    return int(red), int(green), int(blue)


def shaded(color: Color, share: float) -> Color:
    """A darker color, or above 1 a brighter one."""
    red, green, blue = (min(255, int(share * part)) for part in color)
    return red, green, blue
