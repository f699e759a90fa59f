"""Taggers: both directions, what counts, a corpus of word boundaries, the command."""

from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy

from datamodules import TimeMachine, WordBoundaries
from tests.conftest import fails
from zoo.cli.main import main
from zoo.layers import recurrent as equations
from zoo.sequence_tagging.bidirectional_tagger import BidirectionalTagger

VOCAB, TAGS, HIDDEN = 5, 3, 4
CELLS = {"rnn": equations.RNN, "gru": equations.GRU, "lstm": equations.LSTM}


def tagger(**options):
    torch.manual_seed(0)
    small = {"embed_dim": 2, "hidden_size": HIDDEN, **options}
    return BidirectionalTagger(VOCAB, TAGS, **small)


def tokens_of(rows=3, steps=6):
    return torch.randint(VOCAB, (rows, steps), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("cell", CELLS)
def test_the_equations_read_in_both_directions(cell):
    model, tokens = tagger(cell=cell).double().eval(), tokens_of()
    kernel, outputs = model.recurrence, []
    for suffix in ("", "_reverse"):
        layer = CELLS[cell](2, HIDDEN, num_layers=1).double()
        layer.load_state_dict(
            {
                name: getattr(kernel, f"{name}{suffix}")
                for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
            }
        )
        inputs = model.embedding(tokens)
        zeros = inputs.new_zeros(1, 3, HIDDEN)
        read, _ = layer(
            inputs.flip(1) if suffix else inputs, (zeros, zeros) if cell == "lstm" else zeros
        )
        outputs.append(read.flip(1) if suffix else read)
    torch.testing.assert_close(model(tokens), model.head(torch.cat(outputs, 2)))


def test_a_tag_is_of_both_sides_and_without_reading_backwards_of_one():
    tokens = tokens_of(rows=1)
    for both in (True, False):
        model = tagger(bidirectional=both).eval()
        for place in range(6):
            other = tokens.clone()
            other[0, place] = (other[0, place] + 1) % VOCAB
            changed = (model(tokens) != model(other)).any(2)[0]
            assert changed.tolist() == [both or step >= place for step in range(6)]


def test_loss_and_accuracy_are_those_of_the_tags_that_count():
    model, tokens = tagger().eval(), tokens_of()
    logits = model(tokens)
    tags = logits.argmax(2)
    tags[0] = (tags[0] + 1) % TAGS
    tags[:, 4:] = -100
    step = model.step((tokens, tags))
    wanted = cross_entropy(logits[:, :4].flatten(0, 1), tags[:, :4].flatten())
    torch.testing.assert_close(step.loss, wanted)
    assert (int(step.size), int(step.sums["accuracy"])) == (12, 8)
    assert model.step((tokens, torch.full_like(tags, -100))).loss == 0


def test_word_boundaries_give_the_text_back():
    options = {"synthetic": True, "batch_size": 3, "num_steps": 7}
    corpus, text = WordBoundaries(**options), TimeMachine(synthetic=True)
    assert (corpus.vocab_size, corpus.num_tags) == (27, 2)
    text.prepare_data()
    whole = []
    for split in ("train", "val"):
        letters = corpus.tagged(split)
        whole.append("".join(" " * tag + letter for letter, tag in letters))
    train, held_out = ("".join(text.tokens(split)) for split in ("train", "val"))
    assert whole[0] == " " + train.strip()
    before, after = held_out[0], held_out[1:].rstrip()
    assert whole[1] == (after if before != " " or after[0] == " " else f" {after}")
    corpus.setup("fit")
    batches = list(corpus.train_dataloader())
    assert all(tokens.shape == tags.shape == (3, 7) for tokens, tags in batches)
    seen = torch.cat([tags[tags != -100] for _, tags in corpus.val_dataloader()])
    assert sorted(seen.tolist()) == sorted(tag for _, tag in corpus.tagged("val"))


def test_a_rows_tags_are_those_of_its_letters():
    corpus = WordBoundaries(synthetic=True, batch_size=3, num_steps=9)
    corpus.prepare_data()
    corpus.setup("fit")
    text = "".join(letter + "_" * tag for letter, tag in corpus.tagged("train"))
    for tokens, tags in list(corpus.train_dataloader())[:20]:
        for row, marks in zip(tokens, tags, strict=True):
            letters = zip(corpus.vocab.tokens(row.tolist()), marks.tolist(), strict=True)
            assert "".join(letter + "_" * tag for letter, tag in letters) in text


@pytest.mark.slow
def test_words_are_parted_by_the_command(capsys):
    name = "bidirectional_tagger-word_boundaries"
    options = ["--trainer.max_epochs", "4", "--trainer.accelerator", "cpu"]
    small = ["--data.synthetic", "true", "--data.batch_size", "8"]
    assert main(["fit", name, *small, *options]) == 0
    ask = ["predict", "--ckpt_path", f"runs/{name}/1/checkpoints/best.ckpt"]
    capsys.readouterr()
    assert main([*ask, "--prompt", "Thelanternwasintheharbour and in the old mill"]) == 0
    out = capsys.readouterr().out
    text = Path("predictions/1.txt").read_text().strip()
    assert "read as: thelanternwasintheharbour and in the old mill" in out
    assert text in out
    assert text.replace(" ", "") == "thelanternwasintheharbourandintheoldmill"
    assert {"the", "lantern", "harbour"} <= set(text.split())
    assert "--prompt" in fails(capsys, *ask)
    assert "nothing to read" in fails(capsys, *ask, "--prompt", "...")
