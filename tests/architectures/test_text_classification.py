"""Text classifiers: what padding may not change, poolings, the course's figures, the command."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lightning.pytorch import LightningDataModule
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

import zoo
from datamodules import IMDB
from tests.conftest import fails, quiet_trainer
from zoo.cli.main import main
from zoo.errors import InputError
from zoo.text_classification.bag_of_embeddings import BagOfEmbeddings
from zoo.text_classification.bidirectional_rnn import BidirectionalRNN
from zoo.text_classification.text_cnn import TextCNN, strongest

VOCAB, CLASSES = 20, 3
MODELS = {
    "bag": (BagOfEmbeddings, {}),
    "cnn": (TextCNN, {"num_channels": 5}),
    "cnn_trained": (TextCNN, {"num_channels": 5, "fixed": False, "kernel_sizes": (1, 2)}),
    "ends": (BidirectionalRNN, {"hidden_size": 4}),
    "ends_gru": (BidirectionalRNN, {"hidden_size": 4, "cell": "gru", "num_layers": 2}),
    "mean": (BidirectionalRNN, {"hidden_size": 4, "pooling": "mean"}),
    "max": (BidirectionalRNN, {"hidden_size": 4, "pooling": "max"}),
    "attention": (BidirectionalRNN, {"hidden_size": 4, "pooling": "attention"}),
}
every_model = pytest.mark.parametrize("name", MODELS)


def built(name, **options):
    kind, chosen = MODELS[name]
    torch.manual_seed(0)
    return kind(VOCAB, CLASSES, **{"embed_dim": 6, "dropout": 0.0, **chosen, **options}).eval()


def padded(rows, steps, padding):
    """Rows of tokens, (batch, steps), with these numbers behind them in turn; and their lengths."""
    tokens = torch.tensor(padding).repeat(len(rows) * steps)[: len(rows) * steps]
    tokens = tokens.view(len(rows), steps).clone()
    for line, row in zip(tokens, rows, strict=True):
        line[: len(row)] = torch.tensor(row)
    return tokens, torch.tensor([len(row) for row in rows])


texts = st.lists(
    st.lists(st.integers(0, VOCAB - 1), min_size=1, max_size=9), min_size=1, max_size=5
)


@every_model
@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
def test_padding_changes_nothing(name, training):
    model = built(name).train(training)

    @given(texts, st.integers(0, 6), st.lists(st.integers(0, VOCAB - 1), min_size=1, max_size=7))
    @settings(max_examples=40)
    def changes_nothing(rows, more, garbage):
        steps = max(map(len, rows))
        with torch.no_grad():
            logits = model(*padded(rows, steps, [0]))
            again = model(*padded(rows, steps + more, garbage))
            alone = torch.cat([model(*padded([row], len(row), [0])) for row in rows])
        torch.testing.assert_close(again, logits, rtol=0, atol=1e-6)
        torch.testing.assert_close(alone, logits, rtol=0, atol=1e-6)

    changes_nothing()


@every_model
def test_padding_gets_no_gradient(name):
    model = built(name).train()
    tokens, lengths = padded([[1, 2, 3, 4, 5, 6], [7, 8]], 9, [19])
    model.step((tokens, lengths, torch.tensor([0, 1]))).loss.backward()
    touched = (model.embedding.weight.grad.abs().sum(dim=1) > 0).nonzero().flatten().tolist()
    assert touched
    assert set(touched) <= set(range(1, 9))


def test_each_direction_ends_where_the_text_does():
    """The states are those of the kernel that reads each text alone, forwards and backwards."""
    model = built("ends")
    rows = [[1, 2, 3, 4], [5], [6, 7]]
    tokens, lengths = padded(rows, 6, [9])
    wanted = []
    for row in rows:
        outputs, _ = model.recurrence(model.embedding(torch.tensor([row])))
        wanted.append(torch.cat([outputs[0, -1, :4], outputs[0, 0, 4:]]))
    torch.testing.assert_close(model(tokens, lengths), model.head(torch.stack(wanted)))


@pytest.mark.parametrize("pooling", ["mean", "max", "attention"])
def test_poolings_are_of_the_states_of_own_tokens(pooling):
    model = built(pooling)
    rows = [[1, 2, 3, 4], [5], [6, 7]]
    wanted = []
    for row in rows:
        states = model.recurrence(model.embedding(torch.tensor([row])))[0][0]
        if pooling == "attention":
            weights = model.score(states).softmax(dim=0)
            wanted.append((weights * states).sum(dim=0))
        else:
            wanted.append(states.mean(dim=0) if pooling == "mean" else states.amax(dim=0))
    torch.testing.assert_close(model(*padded(rows, 6, [9])), model.head(torch.stack(wanted)))


def test_a_bag_is_the_mean_of_its_words_in_any_order():
    model = built("bag")
    tokens, lengths = padded([[1, 2, 2, 3], [4]], 5, [0])
    table = model.embedding.weight
    mean = torch.stack([table[[1, 2, 2, 3]].mean(dim=0), table[4]])
    torch.testing.assert_close(model(tokens, lengths), model.head(mean))
    other, _ = padded([[2, 3, 1, 2], [4]], 5, [0])
    torch.testing.assert_close(model(other, lengths), model(tokens, lengths))


@pytest.mark.parametrize(
    ("channels", "kernel", "printed"),
    [
        ([range(7)], [[1, 2]], [2, 5, 8, 11, 14, 17]),
        (
            [range(7), range(1, 8), range(2, 9)],
            [[1, 2], [3, 4], [-1, -3]],
            [2, 8, 14, 20, 26, 32],
        ),
    ],
    ids=["corr1d", "corr1d_multi_in"],
)
def test_the_courses_correlations(channels, kernel, printed):
    """Topic 22's printed outputs, by the convolution that TextCNN has."""
    model = TextCNN(VOCAB, CLASSES, len(channels), kernel_sizes=(2,), num_channels=1, fixed=False)
    (convolution,) = model.convolutions
    with torch.no_grad():
        convolution.weight.copy_(torch.tensor([kernel], dtype=torch.float32))
        convolution.bias.zero_()
        inputs = torch.tensor([list(row) for row in channels], dtype=torch.float32)[None]
        assert convolution(inputs).flatten().tolist() == printed
        for length in range(2, 8):
            found = strongest(convolution, inputs, torch.tensor([length]))
            assert found.item() == max(printed[: length - 1])


def test_the_fixed_embedding_never_learns():
    model = built("cnn").train()
    before = model.fixed.clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    model.step((*padded([[1, 2, 3, 4, 5]], 5, [0]), torch.tensor([0]))).loss.backward()
    optimizer.step()
    assert torch.equal(model.fixed, before)
    assert "fixed" in model.state_dict()
    assert "fixed" not in dict(model.named_parameters())


def test_loss_accuracy_and_probabilities():
    model = built("bag")
    tokens, lengths = padded([[1, 2], [3], [4, 5, 6]], 3, [0])
    logits = model(tokens, lengths)
    labels = logits.argmax(dim=1)
    labels[0] = (labels[0] + 1) % CLASSES
    step = model.step((tokens, lengths, labels))
    torch.testing.assert_close(step.loss, cross_entropy(logits, labels))
    assert (step.size, int(step.sums["accuracy"])) == (3, 2)
    found = model.predict_step((tokens, lengths, None), 0)
    torch.testing.assert_close(found, logits.softmax(dim=1))


# Word vectors


class Given(LightningDataModule):
    """One batch, and word vectors."""

    def __init__(self, vectors):
        super().__init__()
        self.embedding_weights = vectors

    def train_dataloader(self):
        batch = (*padded([[1, 2], [3]], 2, [0]), torch.tensor([0, 1]))
        return DataLoader([batch], batch_size=None, collate_fn=tuple)


def fit(model, vectors):
    quiet_trainer().fit(model, Given(vectors))
    return model


def still(parameters):
    return torch.optim.SGD(parameters, lr=0.0)


@pytest.mark.parametrize("name", ["bag", "cnn", "ends"])
def test_embeddings_begin_with_the_corpus_vectors(name):
    vectors = torch.randn(VOCAB, 6, generator=torch.Generator().manual_seed(1))
    model = built(name, optimizer=still)
    before = model.embedding.weight.detach().clone()
    assert torch.equal(fit(model, None).embedding.weight, before)
    model = fit(built(name, optimizer=still), vectors)
    tables = model.embeddings()
    assert len(tables) == (2 if name == "cnn" else 1)
    assert all(torch.equal(table, vectors) for table in tables)


def test_trained_weights_are_not_overwritten(tmp_path):
    vectors = torch.ones(VOCAB, 6)
    trained = fit(built("bag", optimizer=still), vectors)
    assert torch.equal(fit(trained, 2 * vectors).embedding.weight, vectors)
    trainer = quiet_trainer()
    trainer.fit(trained, Given(None))
    trainer.save_checkpoint(tmp_path / "model.ckpt")
    loaded = [zoo.load(tmp_path / "model.ckpt")]
    loaded.append(BagOfEmbeddings.load_from_checkpoint(tmp_path / "model.ckpt"))
    for model in loaded:
        model.optimizer = still
        assert torch.equal(fit(model, 2 * vectors).embedding.weight, vectors)


def test_vectors_of_another_size_are_refused():
    with pytest.raises(InputError) as caught:
        fit(built("bag"), torch.ones(VOCAB, 7))
    words = "the word vectors are 20 x 7 and the embedding is 20 x 6: --model.embed_dim 7"
    assert str(caught.value) == words


# The command


@pytest.mark.drawn
def test_the_commands_classes_and_probabilities(capsys):
    name = "bag_of_embeddings-imdb"
    options = ["--trainer.max_epochs", "12", "--trainer.accelerator", "cpu"]
    small = ["--data.synthetic", "true", "--data.min_freq", "2", "--model.optimizer.lr", "0.05"]
    assert main(["fit", name, *small, *options]) == 0
    checkpoint = f"runs/{name}/1/checkpoints/best.ckpt"
    assert (Path("runs") / name / "1" / "pictures" / "validation_confusion.png").is_file()
    ask = ["predict", "--ckpt_path", checkpoint]
    capsys.readouterr()
    praise, blame = "Such a brilliant film! Gripping and moving.", "Dull, boring and clumsy."
    assert main([*ask, "--text", f"{praise} Flumpish"]) == 0
    out = capsys.readouterr().out
    assert "not in the vocabulary, read as <unk>: flumpish" in out
    label, share = Path("predictions/1.txt").read_text().split()
    assert label == "positive"
    assert 0.5 < float(share) <= 1
    Path("reviews.txt").write_text(f"{blame}\n\n{praise}\n{blame} {blame}\n")
    assert main([*ask, "--file", "reviews.txt", "--output", "out.txt"]) == 0
    lines = Path("out.txt").read_text().split("\n")
    assert [line.partition("\t")[0] for line in lines] == [
        *("negative", "", "positive", "negative", "")
    ]
    assert lines[0].split() == capsys.readouterr().out.splitlines()[0].split()
    model = zoo.load(checkpoint)
    corpus = IMDB(synthetic=True, min_freq=2)
    tokens = torch.tensor([corpus.vocab[corpus.tokens(praise)]])
    wanted = model(tokens, torch.tensor([tokens.shape[1]])).softmax(dim=1)[0, 1]
    assert lines[2] == f"positive\t{wanted:.4f}"
    for bad, words in (
        ([], "--text"),
        (["--text", "a", "--file", "reviews.txt"], "--text"),
        (["--text", " <br /> "], "there is nothing to read"),
        (["--text", "a", "film.txt"], "not film.txt"),
        (["--prompt", "a"], "classifies texts: --prompt is not for that"),
        (["--text", "a", "--beam", "2"], "--beam is not for that"),
        (["--file", "absent.txt"], "absent.txt: cannot be read"),
    ):
        assert words in fails(capsys, *ask, *bad)


def test_a_rnn_that_is_stopped_goes_on_as_if_it_had_not(tmp_path):
    """Batches of like lengths, dropout and weights: bit-equal after a resume within an epoch."""

    def run(**options):
        torch.manual_seed(0)
        corpus = IMDB(synthetic=True, batch_size=64, min_freq=2)
        model = BidirectionalRNN(corpus.vocab_size, corpus.num_classes, hidden_size=8, embed_dim=8)
        trainer = quiet_trainer(
            limit_val_batches=0,
            **{key: value for key, value in options.items() if key != "ckpt_path"},
        )
        trainer.fit(model, corpus, ckpt_path=options.get("ckpt_path"), weights_only=True)
        return trainer, model

    _, whole = run(max_steps=14)
    first, _ = run(max_steps=5)
    first.save_checkpoint(tmp_path / "part.ckpt")
    _, resumed = run(max_steps=14, ckpt_path=tmp_path / "part.ckpt")
    for key, value in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[key], value), key


def test_a_network_learns_the_stand_in():
    torch.manual_seed(0)
    corpus = IMDB(synthetic=True, min_freq=2)
    model = TextCNN(
        corpus.vocab_size, corpus.num_classes, embed_dim=32, num_channels=32, fixed=False,
        optimizer=lambda parameters: torch.optim.Adam(parameters, lr=0.005),
    )  # fmt: skip
    trainer = quiet_trainer(max_epochs=6)
    trainer.fit(model, corpus)
    assert trainer.test(model, corpus, verbose=False)[0]["test/accuracy"] > 0.9


def test_embeddings_are_found_by_what_they_are():
    assert [type(table) for table in built("ends").embeddings()] == [nn.Parameter]
