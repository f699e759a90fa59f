"""NGram: how often was the next token seen after the last few? Counted, not descended.

Paper:  Kneser and Ney 1995, https://doi.org/10.1109/ICASSP.1995.479394; interpolated: Chen and
        Goodman 1999, https://doi.org/10.1006/csla.1999.0128, Section 2.7, Equation 26
Shapes: (batch, 35) -> (batch, 35, 28)
Size:   1 parameters
Config: ngram-time_machine
Result: ngram-time_machine: perplexity of the last tenth 3.7868 after 1 epoch (real corpus, seed 0,
        2026-11-28: `zoo fit ngram-time_machine`)
"""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from zoo.errors import InputError
from zoo.language_modeling.ngram_counts import (
    NOTHING,
    Counts,
    Level,
    added,
    level,
    looked_up,
    no_counts,
    tails,
)
from zoo.language_modeling.task import TIME_MACHINE, LanguageModel
from zoo.shapes import IGNORED, State, TokenLogits, Tokens
from zoo.task import Step


class NGram(LanguageModel):
    """Probabilities of a token after its context h, the `order` - 1 tokens before.

    Laplace: p(w | h) = (c(h w) + a) / (c(h) + a V), of V tokens.

    Kneser-Ney, where h' is h without its oldest token:

        p(w | h) = max(c(h w) - d, 0) / c(h) + d t(h) / c(h) p(w | h')

    c counts at the longest context how often w came after h, and at shorter ones how many
    different tokens came before h w; t(h) is how many different tokens came after h. The last p is
    uniform, so that no token is impossible. After an h that was never seen, p is that after h'.

    Training counts each batch once, after measuring it with what was counted before. The one
    parameter is d or a; that it has a gradient lets any Trainer run this model, but no optimizer
    is used other than `Counting`.

    Args:
        vocab_size: V.
        order: Tokens of the longest run that is counted.
        smoothing: What is left for runs that were never seen.
        discount: d, of Kneser-Ney.
        pseudo_count: a, of Laplace.
        task: Arguments of every language model.

    Raises:
        InputError: A setting is out of bounds.
    """

    example_sizes = TIME_MACHINE
    not_exported = "looks its counts up, which no graph of tensors can"

    def __init__(
        self,
        vocab_size: int,
        order: int = 5,
        smoothing: Literal["kneser_ney", "laplace"] = "kneser_ney",
        discount: float = 0.75,
        pseudo_count: float = 1.0,
        **task: Any,
    ) -> None:
        super().__init__(**task)
        self.save_hyperparameters()
        if order < 1 or vocab_size**order >= 2**63:
            raise InputError(
                f"order is {order}; it has to be 1 or more, and the runs of {vocab_size:,} tokens "
                "fewer than 2^63"
            )
        if not 0 < discount < 1 or not pseudo_count > 0:
            raise InputError(
                f"discount is {discount} and pseudo_count {pseudo_count}; they have to be in "
                "(0, 1) and over 0"
            )
        self.vocab_size, self.order, self.smoothing = vocab_size, order, smoothing
        strength = discount if smoothing == "kneser_ney" else pseudo_count
        self.strength = nn.Parameter(torch.tensor(strength))
        self.counts = [no_counts()] * order  # of runs of 1, 2 ... tokens
        self.pending = torch.zeros(0, order, dtype=torch.int64)  # runs that `counts` lacks
        self._read: list[Tensor] = []  # those of this process and this step
        self._levels: list[Level] = []

    # Reading

    def initial_state(self, rows: int) -> State:
        return (torch.full((1, rows, self.order - 1), NOTHING, device=self.strength.device),)

    def unroll(self, tokens: Tokens, state: State) -> tuple[TokenLogits, State]:
        contexts, state = self.contexts(tokens, state)
        every = torch.arange(self.vocab_size, device=tokens.device)
        rows = contexts.flatten(0, 1)
        logits = self.probabilities(rows, every.expand(len(rows), -1)).log()
        return logits.float().unflatten(0, tokens.shape), state

    def contexts(self, tokens: Tokens, state: State) -> tuple[Tensor, State]:
        """What each next token comes after, (batch, steps, order - 1), and the last as state."""
        text = torch.cat([state[0][0], tokens], 1)
        windows = text.unfold(1, self.order - 1, 1)[:, 1:]
        return windows, (text[None, :, tokens.shape[1] :],)

    def step(self, batch: tuple[Tokens, Tokens]) -> Step:
        tokens, targets = batch
        contexts, state = self.contexts(tokens, self.carried(len(tokens)))
        self.carry(state)
        wanted = targets.flatten() != IGNORED
        target = targets.flatten().where(wanted, NOTHING)[:, None]
        rows = contexts.flatten(0, 1)
        chances = self.probabilities(rows, target.clamp(min=0)).squeeze(1)
        if self.training:
            self._read.append(torch.cat([rows, target], 1))
        size = wanted.sum()
        loss = -chances.log().where(wanted, 0.0).sum().float() / size.clamp(min=1)
        return Step(loss, size, {}, chances.detach().log().view_as(targets))

    def probabilities(self, contexts: Tensor, tokens: Tensor) -> Tensor:
        """Of tokens (rows, choices) after contexts (rows, order - 1), in float64."""
        if not self.training:
            self.take_in()
        chances = torch.full(tokens.shape, 1 / self.vocab_size, device=tokens.device).double()
        codes = contexts.new_zeros(len(contexts))
        whole = torch.ones_like(codes, dtype=torch.bool)
        strength = self.strength.double()
        for size, known in enumerate(self.levels(tokens.device)):
            if size:  # one token more of the context, in front
                token = contexts[:, -size]
                whole = whole & (token != NOTHING)
                codes = codes + token * self.vocab_size ** (size - 1)
            context = codes[:, None]
            total, kinds = (looked_up(part, context) for part in (known.totals, known.kinds))
            seen = looked_up(known.runs, context * self.vocab_size + tokens)
            if self.smoothing == "laplace":
                found = (seen + strength) / (total + strength * self.vocab_size)
                chances = torch.where(whole[:, None], found, chances)
            else:
                divisor = total.clamp(min=1)
                found = ((seen - strength).clamp(min=0) + strength * kinds * chances) / divisor
                chances = torch.where(whole[:, None] & (total > 0), found, chances)
        return chances

    def levels(self, device: torch.device) -> list[Level]:
        """What is looked up for runs of 1, 2 ... tokens."""
        if not self._levels or self._levels[0].runs.codes.device != device:
            counts = [Counts(*(part.to(device) for part in c)) for c in self.counts]
            if self.smoothing == "kneser_ney":
                kinds = [tails(c, self.vocab_size**size) for size, c in enumerate(counts) if size]
                counts = [*kinds, counts[-1]]
            self._levels = [level(part, self.vocab_size) for part in counts]
        return self._levels

    # Counting

    def configure_optimizers(self) -> "Counting":
        return Counting(self.parameters(), self.count)

    def on_train_start(self) -> None:
        """Refuses to count the same text twice.

        Raises:
            InputError: The run is of several epochs.
        """
        super().on_train_start()
        if (self.trainer.max_epochs or 0) > 1:
            raise InputError("an n-gram model counts a text once: --trainer.max_epochs 1")

    def count(self) -> None:
        """Notes what all processes read in this step, and takes it in where there is enough of it.

        To take in is to sort all: so it waits until the new is a quarter of the old.
        """
        runs = torch.cat(self._read)
        self._read = []
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            runs = self.all_gather(runs).flatten(0, -2)  # type: ignore[union-attr]
        self.pending = torch.cat([self.pending.to(runs.device), runs])
        if 4 * len(self.pending) > int(self.counts[0].numbers.sum()):
            self.take_in()

    def take_in(self) -> None:
        """Adds the pending runs to the counts; those that begin before the text are shorter."""
        if not len(self.pending):
            return
        runs, code, power = self.pending, self.pending[:, -1], 1
        whole = code != NOTHING
        for size, old in enumerate(self.counts):
            if size:
                power *= self.vocab_size
                whole = whole & (runs[:, -1 - size] != NOTHING)
                code = code + runs[:, -1 - size] * power
            self.counts[size] = added(old, code[whole])
        self.pending, self._levels = runs[:0], []

    def get_extra_state(self) -> dict[str, Any]:
        """The counts, for checkpoints: plain tensors."""
        return {
            "codes": [counts.codes.cpu() for counts in self.counts],
            "numbers": [counts.numbers.cpu() for counts in self.counts],
            "pending": self.pending.cpu(),
        }

    def set_extra_state(self, state: dict[str, Any]) -> None:
        pairs = zip(state["codes"], state["numbers"], strict=True)
        self.counts = [Counts(*pair) for pair in pairs]
        self.pending, self._levels = state["pending"], []


class Counting(torch.optim.Optimizer):
    """Counts instead of descending: a step takes in what was read; gradients are not used.

    Args:
        params: Parameters, which stay as they are.
        count: Takes in what was read since the last step.
    """

    def __init__(self, params: Any, count: Callable[[], None]) -> None:
        super().__init__(params, {})
        self.count = count

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Calls the closure, which reads a batch, and counts it; returns what that returned."""
        loss = closure() if closure else None
        self.count()
        return loss
