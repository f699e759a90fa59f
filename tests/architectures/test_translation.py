"""Translators: step by step as at once, what padding may not change, beams, BLEU, the command."""

import json
from functools import partial
from itertools import product
from math import exp, log
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lightning.pytorch import Callback
from sacrebleu import corpus_bleu
from torch.nn.functional import cross_entropy

from datamodules import FraEng
from tests.conftest import fails, quiet_trainer
from zoo.cli.main import main
from zoo.errors import InputError
from zoo.translation.attention_seq2seq import AttentionSeq2Seq
from zoo.translation.bleu import sentence_bleu
from zoo.translation.decoding import decode
from zoo.translation.pictures import Translations
from zoo.translation.seq2seq import Seq2Seq
from zoo.translation.transformer import Transformer

SOURCE, TARGET = 12, 9
BOS, EOS = 1, 2
MODELS = {
    "seq2seq": (Seq2Seq, {}),
    "seq2seq_gru": (Seq2Seq, {"cell": "gru"}),
    "additive": (AttentionSeq2Seq, {}),
    "dot_product": (AttentionSeq2Seq, {"score": "dot_product", "cell": "gru"}),
    "transformer": (Transformer, {}),
    "transformer_pre": (Transformer, {"norm": "pre", "tied": "target", "kernel": "equation"}),
}
every_model = pytest.mark.parametrize("name", MODELS)


def built(name, seed=0, **options):
    kind, chosen = MODELS[name]
    small = {"embed_dim": 8, "num_layers": 2, "bos_index": BOS, "eos_index": EOS}
    torch.manual_seed(seed)
    return kind(SOURCE, TARGET, **{**small, **chosen, **options}).eval()


def sentences(rows=4, steps=6, seed=0):
    """Sources with their lengths, and translations after <bos> with theirs."""
    generator = torch.Generator().manual_seed(seed)
    source = torch.randint(3, SOURCE, (rows, steps), generator=generator)
    target = torch.randint(3, TARGET, (rows, steps + 2), generator=generator)
    target[:, 0] = BOS
    lengths = torch.randint(1, steps + 1, (rows,), generator=generator)
    return source, lengths, target, torch.randint(2, steps + 3, (rows,), generator=generator)


@every_model
@pytest.mark.parametrize("cuts", [[1] * 8, [3, 5], [1, 2, 5]], ids=str)
def test_steps_are_as_teacher_forced(name, cuts):
    model = built(name)
    source, lengths, target, _ = sentences()
    with torch.no_grad():
        whole = model(source, lengths, target)
        memory = model.encode(source, lengths)
        state, found = model.initial_state(memory), []
        for tokens in target.split(cuts, 1):
            logits, state = model.unroll(tokens, state, memory)
            found.append(logits)
    torch.testing.assert_close(torch.cat(found, 1), whole, rtol=0, atol=1e-5)


@every_model
@pytest.mark.parametrize("training", [False, True])
def test_the_future_and_the_padding_change_nothing(name, training):
    model = built(name, dropout=0.0).train(training)
    source, lengths, target, target_lengths = sentences()
    logits = model(source, lengths, target)
    for place in range(target.shape[1]):
        later = target.clone()
        later[:, place:] = (later[:, place:] + 1) % TARGET
        torch.testing.assert_close(model(source, lengths, later)[:, :place], logits[:, :place])
    padded = source.clone()
    for row, length in enumerate(lengths.tolist()):
        padded[row, length:] = 0
    longer = torch.cat([padded, torch.zeros(4, 3, dtype=torch.int64)], 1)
    torch.testing.assert_close(model(longer, lengths, target), logits)
    step = model.step((source, lengths, target, target_lengths, ()))
    other = target.clone()
    for row, length in enumerate(target_lengths.tolist()):
        other[row, length:] = 5
    again = model.step((longer, lengths, other, target_lengths, ()))
    torch.testing.assert_close(again.loss, step.loss)
    assert int(step.size) == int(again.size) == (target_lengths - 1).sum()


@every_model
def test_every_place_of_the_source_is_read(name):
    model = built(name)
    source, lengths, target, _ = sentences()
    logits = model(source, lengths, target)
    for row, length in enumerate(lengths.tolist()):
        other = source.clone()
        other[row, length - 1] = (other[row, length - 1] - 2) % SOURCE
        changed = (model(other, lengths, target) != logits).any(2).any(1)
        assert changed.tolist() == [place == row for place in range(4)]


def test_loss_is_the_mean_of_the_tokens_that_count():
    """Ten classes all alike over 4, 2 and 0 steps: log 10, half of it counted, none."""
    model = built("seq2seq", label_smoothing=0.3)
    source, lengths, target, target_lengths = sentences()
    logits = model(source, lengths, target[:, :-1])
    losses = cross_entropy(logits.transpose(1, 2), target[:, 1:], reduction="none")
    kept = [losses[row, : length - 1] for row, length in enumerate(target_lengths.tolist())]
    batch = (source, lengths, target, target_lengths, ())
    torch.testing.assert_close(model.step(batch).loss, torch.cat(kept).mean())
    model.train()
    smoothed = cross_entropy(
        torch.cat(
            [logits[row, : length - 1] for row, length in enumerate(target_lengths.tolist())]
        ),
        torch.cat([target[row, 1:length] for row, length in enumerate(target_lengths.tolist())]),
        label_smoothing=0.3,
    )
    torch.testing.assert_close(model.step(batch).loss, smoothed)


def test_the_courses_masked_loss():
    """Equal logits of 10 classes, 4 steps, of which 4, 3 (of 4: the course's mean) and 0 count."""

    class Even(Seq2Seq):
        def forward(self, source, source_lengths, tokens):
            return torch.ones(*tokens.shape, 10)

    torch.manual_seed(0)
    model = Even(SOURCE, 10, bos_index=BOS, eos_index=EOS)
    one = torch.ones(1, dtype=torch.int64)
    found = []
    for counted in (4, 3, 0):
        batch = (one[None], one, torch.ones(1, 5, dtype=torch.int64), one * (counted + 1), ())
        step = model.step(batch)
        found.append(0.0 if counted == 0 else step.loss.item() * int(step.size) / 4)
    assert found == pytest.approx([2.3026, 1.7269, 0], abs=1e-4)


# Decoding


class Toy:
    """Says at random, by what was written, what comes next; its state is a code of that."""

    bos_index, eos_index = 0, 1

    def __init__(self, vocab_size, seed, sharp=2.0):
        self.vocab_size, self.seed, self.sharp = vocab_size, seed, sharp

    def encode(self, source, lengths):
        return (source[:, :1],)

    def initial_state(self, memory):
        return (memory[0],)

    def unroll(self, tokens, state, memory):
        assert state[0].shape == memory[0].shape == tokens.shape
        code = state[0] * 31 + tokens + 1
        return torch.stack([self.logits(int(c)) for c in code])[:, None], (code,)

    def logits(self, code):
        generator = torch.Generator().manual_seed(code * 1_000_003 + self.seed)
        return self.sharp * torch.randn(self.vocab_size, generator=generator)


def ones(rows):
    return torch.ones(rows, dtype=torch.int64)


def every_translation(toy, first, longest, power):
    """All sequences and their scores, by brute force."""
    scores = {}
    for length in range(1, longest + 1):
        for written in product(range(toy.vocab_size), repeat=length):
            ends = written[-1] == toy.eos_index
            if toy.eos_index in written[:-1] or not (ends or length == longest):
                continue
            code, last, total = first, toy.bos_index, 0.0
            for token in written:
                code = code * 31 + last + 1
                total += toy.logits(code).log_softmax(0)[token].item()
                last = token
            scores[written[: length - ends]] = total / length**power
    return scores


@given(
    vocab_size=st.integers(2, 4),
    longest=st.integers(1, 4),
    seed=st.integers(0, 10_000),
    power=st.sampled_from([0.0, 0.75, 1.5]),
)
def test_a_beam_of_full_width_is_brute_force(vocab_size, longest, seed, power):
    toy, width = Toy(vocab_size, seed), vocab_size**longest
    source = torch.tensor([[seed % 7], [3]])
    options = {"length_penalty": power, "max_steps": longest}
    found = decode(toy, source, ones(2), width, n_best=width, **options)
    for first, hypotheses in zip(source[:, 0].tolist(), found, strict=True):
        wanted = every_translation(toy, first, longest, power)
        assert {tuple(h.tokens): pytest.approx(h.score, abs=1e-4) for h in hypotheses} == wanted
        scores = [h.score for h in hypotheses]
        assert scores == sorted(scores, reverse=True)


@given(seed=st.integers(0, 10_000), rows=st.integers(1, 4))
def test_a_beam_of_one_is_greedy(seed, rows):
    toy = Toy(5, seed, sharp=1.0)
    source = torch.arange(rows)[:, None]
    found = decode(toy, source, ones(rows), 1, max_steps=6)
    for first, (best,) in enumerate(found):
        code, last, written, total = first, toy.bos_index, [], 0.0
        while len(written) < 6 and last != toy.eos_index:
            code = code * 31 + last + 1
            last = int(toy.logits(code).argmax())
            total += toy.logits(code).log_softmax(0)[last].item()
            written.append(last)
        length = len(written)
        assert best.tokens == [token for token in written if token != toy.eos_index]
        assert best.score == pytest.approx(total / length**0.75, abs=1e-4)


def test_a_wider_beam_finds_what_greed_does_not():
    """A likely first token that leads nowhere, as in the course's figures."""

    class Trap(Toy):
        def logits(self, code):
            first = torch.tensor([-9.0, -9.0, log(0.6), log(0.4)])
            after = {
                31 * (31 * 0 + 1) + 3: [0.3, 0.35, 0.35, 0.0],
                31 * (31 * 0 + 1) + 4: [0, 1, 0, 0],
            }
            return torch.tensor(after[code]).log() if code in after else first

    toy = Trap(4, 0)
    source = torch.zeros(1, 1, dtype=torch.int64)
    options = {"length_penalty": 0.0, "max_steps": 2}
    (greedy,), (wide,) = (decode(toy, source, ones(1), k, **options) for k in (1, 2))
    assert (greedy[0].tokens, wide[0].tokens) == ([2], [3])
    assert exp(wide[0].score) == pytest.approx(0.4, abs=1e-3)


@every_model
@pytest.mark.parametrize("beam_size", [1, 3])
def test_a_batch_is_decoded_as_its_rows_one_by_one(name, beam_size):
    model = built(name).double()
    source, lengths, _, _ = sentences(rows=6)
    model.train()
    together = decode(model, source, lengths, beam_size, n_best=beam_size, max_steps=9)
    assert model.training
    model.eval()
    for row, length in enumerate(lengths.tolist()):
        (alone,) = decode(
            model,
            source[row : row + 1, :length],
            lengths[row : row + 1],
            beam_size,
            n_best=beam_size,
            max_steps=9,
        )
        assert [h.tokens for h in alone] == [h.tokens for h in together[row]]
        for one, other in zip(alone, together[row], strict=True):
            assert one.score == pytest.approx(other.score, abs=1e-9)


@every_model
def test_a_score_is_the_log_probability_of_a_translation(name):
    model = built(name)
    source, lengths, _, _ = sentences()
    for row, hypotheses in enumerate(decode(model, source, lengths, 3, n_best=3, max_steps=7)):
        for tokens, score in hypotheses:
            ended = [EOS] if len(tokens) < 7 else []
            read = torch.tensor([[BOS, *tokens][: len(tokens) + len(ended)]])
            logs = model(source[row : row + 1], lengths[row : row + 1], read).log_softmax(2)[0]
            written = torch.tensor([*tokens, *ended])
            total = logs.gather(1, written[:, None]).sum().item()
            assert score == pytest.approx(total / len(written) ** 0.75, abs=1e-4)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"beam_size": 0}, "beam_size is 0"),
        ({"beam_size": 2, "n_best": 3}, "n_best 3"),
        ({"max_steps": 0}, "max_steps is 0"),
    ],
)
def test_settings_out_of_bounds(options, words):
    source, lengths, _, _ = sentences()
    with pytest.raises(InputError, match=words):
        decode(built("seq2seq"), source, lengths, **options)


@pytest.mark.parametrize("name", ["additive", "dot_product", "transformer", "transformer_pre"])
def test_attention_looks_at_the_source_alone(name):
    model = built(name)
    source, lengths, target, _ = sentences()
    maps = model.attention(source, lengths, target)
    assert maps.shape == (4, 4 if name.startswith("trans") else 1, target.shape[1], source.shape[1])
    torch.testing.assert_close(maps.sum(3), torch.ones(maps.shape[:3]))
    for row, length in enumerate(lengths.tolist()):
        assert not maps[row, :, :, length:].any()


def test_tied_embeddings_are_one():
    model = built("transformer", tied="target")
    assert model.head.weight is model.target_embedding.weight
    same = Transformer(9, 9, bos_index=BOS, eos_index=EOS, tied="all")
    assert same.source_embedding.weight is same.head.weight
    with pytest.raises(InputError, match="cannot share embeddings"):
        built("transformer", tied="all")


def test_positions_go_on_past_those_computed_ahead():
    model = built("transformer", max_length=4)
    other = built("transformer", max_length=64)
    source, lengths, target, _ = sentences()
    assert model(source, lengths, target).equal(other(source, lengths, target))


# BLEU of a sentence


@pytest.mark.parametrize(
    ("prediction", "reference", "wanted"),
    [
        ("va !", "va !", 1.0),
        ("", "va !", 0.0),
        ("va", "va !", exp(-1)),
        ("il est riche .", "il est calme .", 0.75**0.5 * (1 / 3) ** 0.25),
        ("va va va !", "va !", 0.5**0.5 * (1 / 3) ** 0.25),
        ("x", "va !", 0.0),
    ],
)
def test_the_courses_bleu(prediction, reference, wanted):
    assert sentence_bleu(prediction, reference) == pytest.approx(wanted)


# The command

CKPT = "runs/transformer-fra_eng/1/checkpoints/last.ckpt"


@pytest.mark.drawn
def test_a_sentence_and_a_file_are_translated(capsys):
    small = ["--data.synthetic", "true", "--data.num_test", "5", "--trainer.accelerator", "cpu"]
    assert main(["fit", "transformer-fra_eng", *small, "--trainer.max_epochs", "3"]) == 0
    shown = Path("runs/transformer-fra_eng/1/pictures/translations.txt").read_text()
    assert shown.startswith("epoch 3, step ")
    assert shown.count(" => ") == 6
    assert Path("runs/transformer-fra_eng/1/pictures/validation_attention.png").exists()
    capsys.readouterr()
    ask = ["predict", "--ckpt_path", CKPT]
    assert main([*ask, "--text", "Go!"]) == 0
    (line, written) = capsys.readouterr().out.splitlines()
    assert written == "written: predictions/1.txt"
    assert Path("predictions/1.txt").read_text() == f"{line}\n"
    Path("in.txt").write_text("Go!\n\nXyzzy plugh.\n" + "go " * 80 + "\n")
    options = ["--file", "in.txt", "--output", "out.txt", "--beam", "4"]
    assert main([*ask, *options]) == 0
    out = capsys.readouterr().out
    assert "not in the vocabulary, read as <unk>: plugh xyzzy\n" in out
    lines = Path("out.txt").read_text().split("\n")
    assert len(lines) == 5
    assert lines[0] == line
    assert lines[1] == lines[4] == ""
    assert "<unk>" not in "".join(lines)
    assert main([*ask, "--text", "Go!", "--n_best", "3", "--output", "best.txt"]) == 0
    rows = [row.split("\t") for row in Path("best.txt").read_text().splitlines()]
    scores = [float(score) for score, _ in rows]
    assert len(rows) == 3
    assert scores == sorted(scores, reverse=True)
    assert main(["test", "--ckpt_path", CKPT]) == 0
    signature = "nrefs:1|case:lc|eff:no|tok:13a|smooth:none|version:torchmetrics-"
    assert f"bleu:     {signature}" in capsys.readouterr().out
    tested = json.loads(Path("runs/transformer-fra_eng/1/test.json").read_text())
    assert tested["signatures"]["bleu"].startswith(signature)
    Path("latin.txt").write_bytes(b"Go.\nD\xe9j\xe0.\n")
    for options, words in [
        ((), "say what to translate: --text"),
        (("--text", "Go!", "--file", "in.txt"), "say what to translate"),
        (("--text", " "), "no sentence has a word"),
        (("--file", "none.txt"), "none.txt: cannot be read"),
        (("--file", "latin.txt"), "latin.txt, line 2: not UTF-8 text"),
        (("--text", "Go.", "--beam", "0"), "beam_size is 0"),
        (("--text", "Go.", "--beam", "2", "--n_best", "3"), "n_best 3"),
        (("--text", "Go.", "in.txt"), "not in.txt"),
        (("--prompt", "Go."), "translates: --prompt is not for that"),
    ]:
        assert words in fails(capsys, *ask, *options)


class Maps(Callback):
    """The heat maps as they were after each validation."""

    def __init__(self, folder):
        self.folder, self.seen = folder, []

    def on_validation_end(self, trainer, pl_module):
        self.seen.append((self.folder / "validation_attention.png").read_bytes())


def test_bleu_of_a_corpus_is_sacrebleus(tmp_path):
    """Of what is decoded, greedily in validation and by a beam in the test."""
    corpus = FraEng(synthetic=True, num_pairs=400, num_val=30, num_test=30, batch_size=7)
    corpus.prepare_data()
    torch.manual_seed(0)
    sizes = corpus.source_vocab_size, corpus.target_vocab_size
    marks = {"bos_index": BOS, "eos_index": EOS, "unk_index": corpus.unk_index}
    model = Transformer(*sizes, **marks, optimizer=partial(torch.optim.Adam, lr=0.005))
    maps = Maps(tmp_path)
    trainer = quiet_trainer(
        max_epochs=6, callbacks=[Translations(tmp_path), maps], check_val_every_n_epoch=2
    )
    trainer.fit(model, corpus)
    assert len(maps.seen) == len(set(maps.seen)) == 3
    found = {"val": trainer.callback_metrics["val/bleu"].item()}
    found["test"] = trainer.test(model, corpus, verbose=False)[0]["test/bleu"]
    for split, beam_size in (("val", 1), ("test", 4)):
        rows = getattr(corpus, f"{split}_dataloader")()
        texts, references = [], []
        for source, lengths, _, _, known in rows:
            best = model.decode(source, lengths, beam_size=beam_size)
            texts += [corpus.target_text(h[0].tokens) for h in best]
            references += known
        wanted = corpus_bleu(texts, [references], lowercase=True, smooth_method="none")
        assert found[split] == pytest.approx(wanted.score, abs=1e-3)
        assert wanted.score > 2
