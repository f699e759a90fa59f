"""How fast are word vectors learned, and how good are they: gensim, the course's way, the zoo?

    pip install -e ".[benchmarks]"
    ZOO_DATA=... .venv/bin/python -m scripts.benchmarks.word2vec [--json FILE]

One process trains skip-gram with negative sampling on the Penn Treebank (or its stand-in, repeated
until it is as long): 100 values, windows of up to 5, 5 negatives, words that are there 5 times,
subsampling from 1e-4 on by the formula of word2vec's program. An epoch of each in turn, comparing
the medians of all turns but the first; the order swaps with each turn. Words/s are those of the
text, before subsampling, by the seconds of an epoch:

gensim     `train` with two workers (`--workers`), the vocabulary built before
zoo        the recipe's module and corpus under a Trainer with everything switched off: the second
           epoch of a fit, with the drawing of its windows
course     lists of contexts and negatives drawn once in plain Python (reported apart), padded and
           masked in batches of 512 by a DataLoader; products of all with all of a row, the masked
           cross-entropy by `.item()`, Adam over whole tables; some batches, scaled to an epoch

Then, with three seeds each and the rates falling along a line, gensim and the zoo learn for some
epochs (`--epochs`); asked by the same code are WordSim-353 and the loss of held-out text, where
each pair has negatives of its own. So does the zoo with negatives of their own in training, too
(exact), for what the shared ones cost.

The course and the zoo draw about as many centers and contexts, which is checked before counting.

The defaults take some 5 minutes. Exits with 1 when a bar is not met; the bars are for the corpus
itself: its stand-in has some hundred words, of which subsampling leaves little.
"""

import argparse
import random
import sys
from collections.abc import Callable, Iterator
from functools import partial
from math import ceil
from statistics import mean, median
from time import perf_counter
from typing import Any, NamedTuple

import lightning.pytorch as pl
import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.data import DataLoader

from datamodules.batches.in_memory import IGNORED
from datamodules.penn_treebank_windows import PennTreebankWindows
from datamodules.words.windows import draw_windows, keep_probabilities
from scripts.benchmarks.measuring import (
    Report,
    Way,
    alternately,
    benchmark_parser,
    lean_fit,
    lean_trainer,
    parsed,
)
from zoo.catalogue import recipes
from zoo.optimizers.row_sgd import RowSGD
from zoo.optimizers.schedules import LinearDecayLR
from zoo.word_embedding.skip_gram import SkipGram

RECIPE = "skip_gram-penn_treebank_windows"
WORDS = 887_100  # of the Penn Treebank that are there five times
SIZE, WINDOW, NEGATIVES, SUBSAMPLING, FREQUENT, SEEDS = 100, 5, 5, 1e-4, 5, (0, 1, 2)
COURSE_BATCH, COURSE_RATE = 512, 0.01
GENSIM_RATES = 0.025, 1e-4  # from, to
FASTER = {("zoo", "gensim"): 0.65, ("zoo", "course"): 15.0}
WORSE_RANKS, WORSE_LOSS, DRAWING = 0.03, 0.02, 0.5  # most of each
SAME = 0.01  # by which numbers that are drawn may differ

Sentences = list[list[str]]
Row = tuple[int, list[int], list[int]]  # center, contexts, negatives
RANKS, COVERED, LOSS = "wordsim353", "wordsim353_covered", "loss"  # as validation logs them
Found = dict[str, float]  # Spearman's rho on WordSim-353, of how many pairs; held-out loss


class Settings(NamedTuple):
    """What the recipe says.

    Attributes:
        build: Builds the module, untrained, from the size of the vocabulary.
        batch_size: Centers of a batch.
        said: The arguments of the module.
    """

    build: Callable[..., SkipGram]
    batch_size: int
    said: str


class Long(PennTreebankWindows):
    """The corpus, or its stand-in as often as makes it as long."""

    def sentences(self, split: str) -> Sentences:
        found = super().sentences(split)
        if not self.synthetic or split != "train":
            return found
        return found * ceil(WORDS / sum(map(len, found)))


def settings() -> Settings:
    """Those of the recipe."""
    recipe = recipes()[RECIPE].config
    model: dict[str, Any] = dict(recipe["model"]["init_args"])
    said = str(model)
    model["optimizer"] = partial(RowSGD, **model["optimizer"]["init_args"])
    model["lr_scheduler"] = LinearDecayLR
    return Settings(partial(SkipGram, **model), recipe["data"]["init_args"]["batch_size"], said)


def corpus_of(batch_size: int, seed: int = 0) -> Long:
    """The corpus where it is found, else its stand-in."""
    options: dict[str, Any] = {
        "batch_size": batch_size,
        "window": WINDOW,
        "subsampling": SUBSAMPLING,
        "min_freq": FREQUENT,
        "keep": "program",
    }
    pl.seed_everything(seed, verbose=False)
    return Long(synthetic=not Long().files_exist, **options)


def known(corpus: Long) -> Sentences:
    """The sentences to train on, without the words that are too rare."""
    index = corpus.vocab.index
    return [[word for word in line if word in index] for line in corpus.sentences("train")]


# gensim


def train_gensim(
    sentences: Sentences, workers: int, epochs: int = 1, seed: int = 0
) -> tuple[Any, float]:
    """Builds the vocabulary, then trains; returns the model and the seconds of the training."""
    from gensim.models import Word2Vec  # not needed by `--help`

    first, last = GENSIM_RATES
    model = Word2Vec(
        vector_size=SIZE,
        window=WINDOW,
        min_count=FREQUENT,
        sg=1,
        negative=NEGATIVES,
        sample=SUBSAMPLING,
        workers=workers,
        alpha=first,
        min_alpha=last,
        epochs=epochs,
        seed=seed + 1,
    )
    model.build_vocab(sentences)
    start = perf_counter()
    model.train(sentences, total_examples=model.corpus_count, epochs=epochs)
    return model, perf_counter() - start


# The zoo


def train_zoo(
    chosen: Settings, epochs: int = 2, seed: int = 0, **changes: Any
) -> tuple[SkipGram, float]:
    """Trains as the recipe does; returns the module and the seconds of the last epoch."""
    corpus = corpus_of(chosen.batch_size, seed)
    network = chosen.build(corpus.vocab_size, **changes)
    return network, lean_fit(network, corpus, max_epochs=epochs).whole


def windows(corpus: Long) -> tuple[int, int, float]:
    """How many centers and contexts an epoch has, and the seconds that it takes to draw them."""
    words = corpus.words("train")
    keep = keep_probabilities(corpus.word_counts, SUBSAMPLING, "program")
    start = perf_counter()
    centers, contexts = draw_windows(words, keep, WINDOW, Generator().manual_seed(0))
    return len(centers), int((contexts != IGNORED).sum()), perf_counter() - start


# The course's way


def prepare(sentences: Sentences, index: dict[str, int], counts: list[int]) -> list[Row]:
    """Subsamples, draws windows and negatives, word by word, as the course does before training."""
    rng, total = random.Random(0), sum(counts)
    ratios = [SUBSAMPLING * total / count for count in counts]
    keep = [ratio + ratio**0.5 for ratio in ratios]
    texts = [[index[word] for word in line] for line in sentences]
    kept = [[word for word in line if rng.random() < keep[word]] for line in texts]
    draw = draws([count**0.75 for count in counts], rng)
    rows: list[Row] = []
    for line in kept:
        if len(line) < 2:
            continue
        for place, center in enumerate(line):
            radius = rng.randint(1, WINDOW)
            around = list(range(max(0, place - radius), min(len(line), place + 1 + radius)))
            around.remove(place)
            contexts = [line[other] for other in around]
            negatives: list[int] = []
            barred = set(contexts)
            while len(negatives) < len(contexts) * NEGATIVES:
                word = next(draw)
                if word not in barred:
                    negatives.append(word)
            rows.append((center, contexts, negatives))
    return rows


def draws(weights: list[float], rng: random.Random) -> Iterator[int]:
    """Words by their weights, 100,000 drawn at a time."""
    words = range(len(weights))
    while True:
        yield from rng.choices(words, weights, k=100_000)


def padded(rows: list[Row]) -> tuple[Tensor, ...]:
    """Centers, contexts and negatives of a batch; where those are; which are contexts."""
    longest = max(len(contexts) + len(negatives) for _, contexts, negatives in rows)
    centers, words, masks, labels = [], [], [], []
    for center, contexts, negatives in rows:
        length = len(contexts) + len(negatives)
        centers.append(center)
        words.append(contexts + negatives + [0] * (longest - length))
        masks.append([1] * length + [0] * (longest - length))
        labels.append([1] * len(contexts) + [0] * (longest - len(contexts)))
    parts = torch.tensor(words), torch.tensor(masks), torch.tensor(labels)
    return torch.tensor(centers).reshape(-1, 1), *parts


class Course:
    """The course's loop.

    Args:
        rows: Of an epoch.
        vocab_size: Number of words.
        batches: How many are timed.
    """

    def __init__(self, rows: list[Row], vocab_size: int, batches: int) -> None:
        self.num_rows, self.batches = len(rows), batches
        torch.manual_seed(0)
        self.inputs, self.outputs = (nn.Embedding(vocab_size, SIZE) for _ in range(2))
        weights = [self.inputs.weight, self.outputs.weight]
        self.adam = torch.optim.Adam(weights, lr=COURSE_RATE)
        listed: Any = rows  # which is all that a DataLoader asks for
        self.loader = DataLoader(listed, COURSE_BATCH, shuffle=True, collate_fn=padded)

    def __call__(self) -> float:
        """Trains; the seconds that an epoch would take."""
        loader, total = iter(self.loader), 0.0
        next(loader)  # shuffles, which is done once an epoch
        start = perf_counter()
        for _ in range(self.batches):
            centers, words, mask, labels = next(loader)
            loss = self.loss(centers, words, mask.float(), labels.float())
            self.adam.zero_grad()
            loss.backward()
            self.adam.step()
            total += loss.item()
        seconds = perf_counter() - start
        return seconds * self.num_rows / (self.batches * COURSE_BATCH)

    def loss(self, centers: Tensor, words: Tensor, mask: Tensor, labels: Tensor) -> Tensor:
        """The mean over centers of the mean over what is no padding."""
        scores = torch.bmm(self.inputs(centers), self.outputs(words).permute(0, 2, 1)).squeeze(1)
        losses = binary_cross_entropy_with_logits(scores, labels, mask, reduction="none").mean(1)
        return (losses * mask.shape[1] / mask.sum(1)).mean()


# What the vectors are worth


def judged(network: SkipGram, corpus: Long) -> Found:
    """Asks WordSim-353 and the held-out text, by the zoo's own validation."""
    judge = lean_trainer(limit_val_batches=1.0)
    (logged,) = judge.validate(network, corpus, verbose=False)
    return {name: logged[f"val/{name}"] for name in (RANKS, COVERED, LOSS)}


def as_zoo(model: Any, corpus: Long, chosen: Settings) -> SkipGram:
    """The two tables of gensim in a module of the zoo."""
    network = chosen.build(corpus.vocab_size)
    network.word_counts.copy_(corpus.word_counts)
    order = [model.wv.key_to_index[word] for word in corpus.vocab.entries]
    network.input.weight.data = torch.tensor(model.wv.vectors[order])
    network.output.weight.data = torch.tensor(model.syn1neg[order])
    return network


def judge(
    sentences: Sentences, chosen: Settings, workers: int, epochs: int
) -> dict[str, list[Found]]:
    """What each way's vectors are worth, seed by seed."""
    corpus = corpus_of(chosen.batch_size)
    found: dict[str, list[Found]] = {"gensim": [], "zoo": [], "exact": []}
    for seed in SEEDS:
        model, _ = train_gensim(sentences, workers, epochs, seed)
        found["gensim"].append(judged(as_zoo(model, corpus, chosen), corpus))
        for name, changes in (("zoo", {}), ("exact", {"shared_negatives": 0})):
            network, _ = train_zoo(chosen, epochs, seed, **changes)
            found[name].append(judged(network, corpus))
    return found


# Reports


def measure(
    sentences: Sentences, chosen: Settings, corpus: Long, options: argparse.Namespace
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Returns words/s of each way, turn by turn; and seconds of what is done beside."""
    start = perf_counter()
    rows = prepare(sentences, corpus.vocab.index, corpus.word_counts.tolist())
    preparing = perf_counter() - start
    check_equal(rows, corpus)
    ways: dict[str, Way] = {
        "gensim": lambda: train_gensim(sentences, options.workers)[1],
        "zoo": lambda: train_zoo(chosen)[1],
        "course": Course(rows, corpus.vocab_size, options.course_batches),
        "windows": lambda: windows(corpus)[2],
    }
    seconds = alternately(ways, options.repeats)
    beside = {"preparing (course)": [preparing], "windows (zoo)": seconds.pop("windows")}
    total = sum(map(len, sentences))
    return {name: [total / each for each in values] for name, values in seconds.items()}, beside


def check_equal(rows: list[Row], corpus: Long) -> None:
    """Raises where the course's lists are not of as many centers and contexts as the zoo's."""
    ours = windows(corpus)[:2]
    theirs = len(rows), sum(len(contexts) for _, contexts, _ in rows)
    if any(abs(one / other - 1) > SAME for one, other in zip(ours, theirs, strict=True)):
        raise AssertionError(f"centers and contexts: {ours} are not about {theirs}")


def main() -> int:
    """Parses, measures, reports; 1 if a bar is not met, 2 where something is missing."""
    parser = benchmark_parser(__doc__)
    parser.add_argument("--course_batches", type=int, default=60, help="batches of the course")
    parser.add_argument("--epochs", type=int, default=5, help="epochs before vectors are judged")
    parser.add_argument("--workers", type=int, default=2, help="gensim's workers")
    options = parsed(parser)
    try:
        import gensim
    except ImportError:
        print('gensim is not installed: pip install -e ".[benchmarks]"', file=sys.stderr)
        return 2
    chosen = settings()
    corpus = corpus_of(chosen.batch_size)
    sentences, queries = known(corpus), corpus.word_queries
    if queries is None or "wordsim353" not in queries.similarity:
        print("WordSim-353 is not beside the corpus, in word-similarity", file=sys.stderr)
        return 2
    version = f"gensim {gensim.__version__}, {options.workers} workers"
    report = Report(options, version, corpus.described, chosen.said)
    real = not corpus.synthetic
    rates, beside = measure(sentences, chosen, corpus, options)
    report.add("skip-gram", "words/s", rates, FASTER if real else dict.fromkeys(FASTER))
    worth = judge(sentences, chosen, options.workers, options.epochs)
    ranks, losses = (
        {name: mean(found[metric] for found in many) for name, many in worth.items()}
        for metric in (RANKS, LOSS)
    )
    for name, many in worth.items():
        each = ", ".join(f"{found[RANKS]:.3f} and {found[LOSS]:.4f}" for found in many)
        pairs = f"WordSim-353 ({many[0][COVERED]:.0f} pairs) {ranks[name]:.3f}"
        said = f"{name}, {options.epochs} epochs: {pairs}, held-out loss {losses[name]:.4f}"
        report.console.print(f"{said}; by seeds {each}", soft_wrap=True)
    worse, more = ranks["gensim"] - ranks["zoo"], losses["zoo"] / losses["exact"] - 1
    drawing, preparing = (median(beside[name]) for name in ("windows (zoo)", "preparing (course)"))
    for line, value, bar in (
        (f"WordSim-353, gensim - zoo: {worse:.3f}", worse, WORSE_RANKS),
        (f"held-out loss, zoo / exact - 1: {more:.4f}", more, WORSE_LOSS),
        (f"windows of an epoch (zoo): {drawing:.2f} s", drawing, DRAWING),
        (f"lists of an epoch (course): {preparing:.2f} s", preparing, None),
    ):
        report.check(line, value, bar if real else None, most=True)
    report.results |= {"seconds": beside, "quality": worth}
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
