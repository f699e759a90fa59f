"""Numbers as tables show them."""


def rounded(value: float) -> str:
    """Four decimals, or three digits where those would be zeros."""
    return f"{value:.3g}" if 0 < abs(value) < 0.001 else f"{value:.4f}"
