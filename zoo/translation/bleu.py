"""BLEU of one sentence, as the course counts it; of many sentences it is SacreBLEU's.

Source: Zhang, Lipton, Li and Smola 2023, https://d2l.ai, section 10.7.6; Papineni et al. 2002,
        https://aclanthology.org/P02-1040
"""

from collections import Counter
from math import exp


def sentence_bleu(prediction: str, reference: str, longest: int = 2) -> float:
    """exp(min(0, 1 - len(reference) / len(prediction))) times each p_n to the power of 1 / 2^n.

    p_n is the share of the prediction's runs of n tokens that the reference has too, for n from 1
    to `longest`, or to the length of the prediction.

    Args:
        prediction: Tokens, blanks between.
        reference: Likewise.
        longest: Longest runs.
    """
    predicted, wanted = prediction.split(), reference.split()
    if not predicted:
        return 0.0
    score = exp(min(0.0, 1 - len(wanted) / len(predicted)))
    for n in range(1, min(longest, len(predicted)) + 1):
        found, there = (
            Counter(zip(*(tokens[start:] for start in range(n)), strict=False))
            for tokens in (predicted, wanted)
        )
        score *= ((found & there).total() / found.total()) ** 0.5**n
    return score
