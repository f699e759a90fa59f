"""Networks of the papers at other widths.

Source: Zagoruyko and Komodakis 2016, https://arxiv.org/abs/1605.07146, section 2.3: width as a
        factor on every layer
"""

from zoo.errors import InputError


def scaled(width: int, ratio: float) -> int:
    """`width` times `ratio`, rounded, at least 1.

    Raises:
        InputError: The ratio is not positive.
    """
    if not ratio > 0:
        raise InputError(f"width_ratio must be positive, not {ratio}")
    return max(1, round(width * ratio))
