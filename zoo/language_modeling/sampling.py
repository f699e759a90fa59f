"""Text from a language model, a token at a time: the most probable, or drawn.

Source: Fan, Lewis and Dauphin 2018, https://arxiv.org/abs/1805.04833, Section 5.4 (top-k);
        Holtzman et al. 2020, https://arxiv.org/abs/1904.09751, Section 3.1 (top-p, or nucleus)
"""

from collections.abc import Sequence
from math import inf
from typing import Protocol, runtime_checkable

import torch
from torch import Generator, Tensor

from zoo.errors import InputError
from zoo.shapes import Continuations, Labels, NextLogits, State, TokenLogits, Tokens


@runtime_checkable
class Stepwise(Protocol):
    """What can be sampled from: it reads tokens and says what comes next; see `LanguageModel`."""

    def initial_state(self, rows: int) -> State:
        """The state of so many texts of which nothing was read."""
        ...

    def unroll(self, tokens: Tokens, state: State) -> tuple[TokenLogits, State]:
        """Logits of the token after each of these, and the state after the last."""
        ...


@torch.no_grad()
def sample(
    model: Stepwise,
    prompt: Tokens,
    length: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int = 0,
    barred: Sequence[int] = (),
) -> Continuations:
    """Continues texts, in evaluation mode; torch's own generators are left alone.

    Args:
        model: Says what comes next.
        prompt: int64 (batch, steps), on the model's device; one token at least.
        length: How many tokens to add to each.
        temperature: Divides the logits: near 0 the likely become certain, over 1 the unlikely
            likelier. At 0 the most probable token is taken.
        top_k: Draw from so many of the most probable tokens.
        top_p: Draw from the fewest of the most probable tokens that together have this
            probability; after `top_k`, of what it leaves.
        seed: Of the draws.
        barred: Tokens that are never drawn, say that of unknown words.

    Returns:
        The tokens that were added, int64 (batch, length).

    Raises:
        InputError: A setting is out of bounds, or the prompt is empty.
    """
    if prompt.shape[1] == 0:
        raise InputError("the prompt is empty: it has to have one token at least")
    generator = Generator(prompt.device).manual_seed(seed)
    training = getattr(model, "training", False)
    if isinstance(model, torch.nn.Module):
        model.eval()
    added: list[Tensor] = []
    try:
        tokens, state = prompt, model.initial_state(len(prompt))
        while len(added) < length:
            logits, state = model.unroll(tokens, state)
            last = logits[:, -1].index_fill(1, torch.tensor(barred).to(tokens), -inf)
            chosen = choose(last, temperature, top_k, top_p, generator)
            added.append(chosen)
            tokens = chosen[:, None]
    finally:
        if isinstance(model, torch.nn.Module):
            model.train(training)
    return torch.stack(added, 1) if added else prompt[:, :0]


def choose(
    logits: NextLogits,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: Generator | None = None,
) -> Labels:
    """One token a row: the most probable at temperature 0, else drawn.

    Raises:
        InputError: A setting is out of bounds.
    """
    if not 0 <= temperature < inf:
        raise InputError(f"temperature is {temperature}; it has to be from 0 up")
    logits = logits - logits.amax(dim=1, keepdim=True)  # divided, none can overflow
    allowed = restricted(logits / (temperature or 1.0), top_k, top_p)
    if temperature == 0:
        return allowed.argmax(dim=1)
    return torch.multinomial(allowed.softmax(dim=1), 1, generator=generator).squeeze(1)


def restricted(
    logits: NextLogits, top_k: int | None = None, top_p: float | None = None
) -> NextLogits:
    """The logits, -inf for all but the tokens that `top_k` and then `top_p` leave.

    Of equally probable tokens those of lower index come first.

    Raises:
        InputError: `top_k` is below 1, or `top_p` not in (0, 1].
    """
    if top_k is not None and top_k < 1:
        raise InputError(f"top_k is {top_k}; it has to be 1 or more")
    if top_p is not None and not 0 < top_p <= 1:
        raise InputError(f"top_p is {top_p}; it has to be in (0, 1]")
    if top_k is None and top_p is None:
        return logits
    values, order = logits.sort(dim=1, descending=True, stable=True)
    if top_k is not None:
        values[:, top_k:] = -inf
    if top_p is not None and top_p < 1:
        shares = values.double().softmax(dim=1)
        before = shares.cumsum(dim=1) - shares  # of the more probable ones
        values[before >= top_p] = -inf
    return torch.empty_like(logits).scatter_(1, order, values)
