"""The nearest point of a convex set; Boyd and Vandenberghe 2004, Section 8.1."""

from zoo.errors import InputError
from zoo.shapes import Points


def project_ball(points: Points, radius: float = 1.0) -> Points:
    """Onto the points within `radius` of the origin: x min(1, radius / |x|).

    Raises:
        InputError: The radius is not positive.
    """
    if radius <= 0:
        raise InputError(f"the radius of a ball must be positive, not {radius}")
    norms = points.norm(dim=-1, keepdim=True)
    return points * (radius / norms.clamp(min=radius))


def project_box(points: Points, low: float = -1.0, high: float = 1.0) -> Points:
    """Onto the points whose coordinates all lie in [low, high].

    Raises:
        InputError: The box is empty.
    """
    if low > high:
        raise InputError(f"a box from {low} to {high} is empty")
    return points.clamp(low, high)


def project_simplex(points: Points, total: float = 1.0) -> Points:
    """Onto the points without negative coordinates whose sum is `total`.

    All coordinates fall by the same threshold and stop at zero: sorted downwards as u, it is
    (u_1 + ... + u_k - total) / k for the largest k with u_k above it (Duchi et al. 2008,
    https://doi.org/10.1145/1390156.1390191, Figure 1).

    Raises:
        InputError: The total is not positive.
    """
    if total <= 0:
        raise InputError(f"the sum over a simplex must be positive, not {total}")
    falling = points.sort(dim=-1, descending=True).values
    counts = points.new_ones(points.shape[-1]).cumsum(0)
    thresholds = (falling.cumsum(-1) - total) / counts
    k = (falling > thresholds).sum(dim=-1, keepdim=True)
    return (points - thresholds.gather(-1, k - 1)).clamp(min=0)
