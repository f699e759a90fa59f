"""Numbers and names as tables show them, and of which metrics more is better."""

import re
from collections.abc import Sequence

HIGHER = re.compile(r"accuracy|bleu|precision|recall|f1|iou|auc|similarity|\bm?ap\b", re.I)


def rounded(value: float) -> str:
    """Four decimals, or three digits where those would be zeros."""
    return f"{value:.3g}" if 0 < abs(value) < 0.001 else f"{value:.4f}"


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Returns for each dotted name its shortest end that no other has, without `init_args`."""
    parts = {name: [part for part in name.split(".") if part != "init_args"] for name in names}
    short = {}
    for name in names:
        for length in range(1, len(parts[name]) + 1):
            end = parts[name][-length:]
            if sum(other[-length:] == end for other in parts.values()) == 1:
                break
        short[name] = ".".join(end)
    return short
