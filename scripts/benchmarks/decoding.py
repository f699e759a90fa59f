"""How fast does a Transformer write sentences: the course's way, a textbook's beam, the zoo?

    .venv/bin/python -m scripts.benchmarks.decoding [--json FILE]

One process decodes random sentences of 5 to 12 words with an untrained Transformer (256 values, 4
heads, 2 + 2 layers, 5,000 words), 50 tokens each, for which <eos> is barred; every variant in turn,
comparing the medians of all turns but the first; the order swaps with each turn:

course     greedy, a sentence at a time: a cache of each block's inputs, whose keys and values, and
           the source's, are projected anew for each token
batch      the same for a batch of sentences
zoo        `zoo.translation.decoding.decode`: the batch, with keys and values kept
textbook   a beam of 4, a sentence at a time: each beginning is read from its first token, its best
           continuations are put in a list, and the best of the list are the next beginnings
zoo beam   `decode` with a beam of 4

All have the same weights. Before counting, greedy sentences have to be the same, and so have the
best sentences of both beams, with equal scores. The slow ones get fewer sentences (`--few`).
A sentence by itself keeps one thread busy, a batch all of them: on one (`--threads 1`) a batch is
ahead by less, the less the better a core multiplies a matrix by a vector.

The defaults take some 3 minutes. Exits with 1 when a bar is not met.
"""

import sys
from collections.abc import Callable
from functools import partial
from math import inf
from typing import Any

import torch
from torch import Tensor, nn

from scripts.benchmarks.measuring import Report, alternately, benchmark_parser, parsed, repeated
from zoo.layers.attention import MultiHeadAttention, within
from zoo.layers.transformer import TransformerBlock
from zoo.translation.decoding import decode
from zoo.translation.transformer import Transformer

VOCAB, BOS, EOS, STEPS, BEAM, PENALTY = 5000, 1, 2, 50, 4, 0.75
BARS = {("zoo", "course"): 16.0, ("zoo", "batch"): 2.0, ("zoo beam", "textbook"): 15.0}
Sentences = tuple[Tensor, Tensor]  # (batch, steps), (batch)
Found = list[tuple[list[int], float]]
Decoder = Callable[[Sentences], Found]


def build() -> Transformer:
    """The model, untrained, in evaluation mode; its logits spread enough for words to differ."""
    torch.manual_seed(0)
    sizes = {"embed_dim": 256, "ffn_dim": 512, "num_heads": 4, "num_layers": 2}
    return Transformer(VOCAB, VOCAB, bos_index=BOS, eos_index=EOS, **sizes).eval()  # type: ignore[arg-type]


def sentences(count: int) -> Sentences:
    """Random ones, of 5 to 12 words."""
    generator = torch.Generator().manual_seed(1)
    lengths = torch.randint(5, 13, (count,), generator=generator)
    return torch.randint(4, VOCAB, (count, int(lengths.max())), generator=generator), lengths


def read(model: Transformer, given: Sentences) -> Tensor:
    """What the encoder makes of sentences, (batch, steps, values)."""
    source, lengths = given
    allowed = within(lengths, source.shape[1])[:, None, None]
    x = model.embed(source, model.source_embedding)
    for block in model.encoder:
        x, _ = block(x, allowed=allowed)
    return x


class CourseAttention(nn.Module):
    """Attention of the course: four dense layers, heads moved into the batch, a masked softmax.

    Args:
        zoo: Whose weights it has.
    """

    def __init__(self, zoo: MultiHeadAttention) -> None:
        super().__init__()
        self.num_heads, self.dropout = zoo.num_heads, nn.Dropout(0.1)
        weights = zoo.in_proj_weight.chunk(3), zoo.in_proj_bias.chunk(3)
        parts = [*zip(*weights, strict=True), (zoo.out_proj.weight, zoo.out_proj.bias)]
        self.query, self.key, self.value, self.output = (_dense(*part) for part in parts)

    def split(self, x: Tensor) -> Tensor:
        """(batch, steps, values) -> (batch x heads, steps, size)."""
        x = x.reshape(x.shape[0], x.shape[1], self.num_heads, -1).permute(0, 2, 1, 3)
        return x.reshape(-1, x.shape[2], x.shape[3])

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor, lengths: Any) -> Tensor:
        q, k, v = self.query(queries), self.key(keys), self.value(values)
        q, k, v = self.split(q), self.split(k), self.split(v)
        scores = torch.bmm(q, k.transpose(1, 2)) / q.shape[-1] ** 0.5
        if lengths is not None:
            lengths = lengths.repeat_interleave(self.num_heads * scores.shape[1])
            shape = scores.shape
            scores = scores.reshape(-1, shape[-1])
            mask = torch.arange(shape[-1])[None, :] < lengths[:, None]
            scores[~mask] = -1e6
            scores = scores.reshape(shape)
        found = torch.bmm(self.dropout(scores.softmax(-1)), v)
        found = found.reshape(-1, self.num_heads, found.shape[1], found.shape[2])
        return self.output(found.permute(0, 2, 1, 3).reshape(found.shape[0], found.shape[2], -1))


def _dense(weight: Tensor, bias: Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight, layer.bias = nn.Parameter(weight.detach()), nn.Parameter(bias.detach())
    return layer


class CourseBlock(nn.Module):
    """A decoder block of the course, which keeps its inputs.

    Args:
        zoo: Whose weights it has.
    """

    def __init__(self, zoo: TransformerBlock) -> None:
        super().__init__()
        self.attention, self.of_source = (
            CourseAttention(zoo.attention),
            CourseAttention(zoo.of_source),
        )
        self.norms = nn.ModuleList([zoo.attention_norm, zoo.of_source_norm, zoo.dense_norm])
        self.expand, self.contract = zoo.dense[0], zoo.dense[2]
        self.relu, self.dropout = nn.ReLU(), nn.Dropout(0.1)

    def forward(
        self, x: Tensor, cache: Tensor | None, source: Tensor, lengths: Tensor
    ) -> tuple[Tensor, Tensor]:
        seen = x if cache is None else torch.cat([cache, x], 1)
        x2 = self.attention(x, seen, seen, None)
        y = self.norms[0](x + self.dropout(x2))
        y2 = self.of_source(y, source, source, lengths)
        z = self.norms[1](y + self.dropout(y2))
        return self.norms[2](z + self.dropout(self.contract(self.relu(self.expand(z))))), seen


class Course:
    """The course's decoder with the zoo's weights: greedy, a token of each sentence at a time.

    Args:
        model: Whose weights it has.
    """

    def __init__(self, model: Transformer) -> None:
        self.model = model
        self.blocks = [CourseBlock(block).eval() for block in model.decoder]

    def __call__(self, given: Sentences) -> Found:
        source, model = read(self.model, given), self.model
        caches: list[Tensor | None] = [None for _ in self.blocks]
        tokens = torch.full((len(source), 1), BOS)
        written, score = [], torch.zeros(len(source))
        for step in range(STEPS):
            x = model.target_embedding(tokens) * model.embed_dim**0.5
            x = model.dropout(x + model.positions[step : step + 1])
            for index, block in enumerate(self.blocks):
                x, caches[index] = block(x, caches[index], source, given[1])
            logs = model.head(x).log_softmax(2)
            logs[..., EOS] = -inf
            best, tokens = logs.max(2)
            written.append(tokens[:, 0].tolist())
            score += best[:, 0]
        rows = [list(row) for row in zip(*written, strict=True)]
        return list(zip(rows, (score / STEPS**PENALTY).tolist(), strict=True))


def textbook(model: Transformer, given: Sentences) -> Found:
    """A beam search of one sentence, each beginning read from its first token."""
    beam: list[tuple[float, list[int]]] = [(0.0, [BOS])]
    for _ in range(STEPS):
        candidates = []
        for total, tokens in beam:
            logs = model(*given, torch.tensor([tokens]))[0, -1].log_softmax(0)
            logs[EOS] = -inf
            for value, token in zip(*logs.topk(BEAM), strict=True):
                candidates.append((total + value.item(), [*tokens, int(token)]))
        beam = sorted(candidates, key=lambda c: -c[0])[:BEAM]
    total, tokens = beam[0]
    return [(tokens[1:], total / STEPS**PENALTY)]


def zoo(model: Transformer, given: Sentences, beam_size: int = BEAM) -> Found:
    """Decodes as the zoo does."""
    options: dict[str, Any] = {"max_steps": STEPS, "barred": (EOS,), "length_penalty": PENALTY}
    return [(*best,) for best, *_ in decode(model, *given, beam_size, **options)]


def one_by_one(decoder: Decoder) -> Decoder:
    """Decodes each sentence by itself."""

    def all_of(given: Sentences) -> Found:
        rows = zip(given[0].split(1), given[1].split(1), strict=True)
        return [found for row, size in rows for found in decoder((row[:, : size.item()], size))]

    return all_of


def check_equal(one: Found, other: Found, what: str) -> None:
    """Raises where sentences or their scores differ."""
    for (tokens, score), (others, other_score) in zip(one, other, strict=True):
        if tokens != others or abs(score - other_score) > 1e-3:
            raise AssertionError(f"{what}: {tokens} {score} is not {others} {other_score}")


@torch.no_grad()
def measure(batch: int, few: int, repeats: int) -> dict[str, list[float]]:
    """Returns the sentences/s of each variant, turn by turn."""
    model = build()
    course, ours, beam = Course(model), partial(zoo, model, beam_size=1), partial(zoo, model)
    many, some, fewest = sentences(batch), sentences(few), sentences(max(1, few // 4))
    variants: dict[str, tuple[Decoder, Sentences]] = {
        "course": (one_by_one(course), some),
        "batch": (course, many),
        "zoo": (ours, many),
        "textbook": (one_by_one(partial(textbook, model)), fewest),
        "zoo beam": (beam, many),
    }
    for name, same in (("course", ours), ("batch", ours), ("textbook", beam)):
        decoder, given = variants[name]
        check_equal(decoder(given), same(given), name)
    turns = {
        name: repeated(partial(decoder, given), len(given[0]))
        for name, (decoder, given) in variants.items()
    }
    return alternately(turns, repeats)


def main() -> int:
    """Parses, measures, reports; 1 if a bar is not met."""
    parser = benchmark_parser(__doc__, torch.get_num_threads())
    parser.add_argument("--batch", type=int, default=256, help="sentences decoded together")
    parser.add_argument("--few", type=int, default=16, help="sentences of the course, one by one")
    options = parsed(parser)
    report = Report(options, f"{STEPS} tokens")
    rates = measure(options.batch, options.few, options.repeats)
    report.add("Transformer", "sentences/s", rates, BARS)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
