"""CIFAR-10: each of its forms gives the same rows; nothing in it runs; bad files are named."""

import io
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import zoo
from datamodules.batches.in_memory import Rows
from datamodules.cifar10 import CIFAR10
from datamodules.files.errors import CorpusError
from tests.conftest import fails, quiet_trainer
from zoo.cli.main import main
from zoo.image_classification.softmax_regression import SoftmaxRegression


def batch(count, seed=0, label=None):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, count).tolist() if label is None else [label] * count
    return {b"labels": labels, b"data": rng.integers(0, 256, (count, 3072), dtype=np.uint8)}


def pickled(content):
    return pickle.dumps(content, protocol=2)


def plain(content):
    rows = [
        bytes([label]) + row.tobytes()
        for label, row in zip(content[b"labels"], content[b"data"], strict=True)
    ]
    return b"".join(rows)


BATCHES = {"data_batch_1": batch(20, 1), "data_batch_2": batch(12, 2), "test_batch": batch(6, 3)}


def write(root, form, batches=BATCHES):
    """The batches in one of the forms."""
    binary = "bin" in form
    files = {
        f"{name}{'.bin' if binary else ''}": plain(b) if binary else pickled(b)
        for name, b in batches.items()
    }
    if not form.endswith(".tar.gz"):
        for name, content in files.items():
            (root / form).mkdir(parents=True, exist_ok=True)
            (root / form / name).write_bytes(content)
        return
    root.mkdir(parents=True, exist_ok=True)
    with tarfile.open(root / form, "w:gz") as archive:
        for name, content in reversed(files.items()):  # the archive's order is not that of numbers
            info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


FORMS = (
    *("cifar-10-batches-py", "cifar-10-batches-bin"),
    *("cifar-10-python.tar.gz", "cifar-10-binary.tar.gz"),
)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_rows_in_order(form, tmp_path):
    write(tmp_path, form)
    corpus = CIFAR10(root=tmp_path, validation_fraction=0.25, split_seed=None)
    corpus.prepare_data()
    corpus.setup("fit")
    corpus.setup("test")
    wanted = np.concatenate([BATCHES["data_batch_1"][b"data"], BATCHES["data_batch_2"][b"data"]])
    wanted = wanted.reshape(-1, 3, 32, 32)
    held_out, trained, test = (corpus.data[split].tensors for split in ("val", "train", "test"))
    assert np.array_equal(held_out[0].numpy(), wanted[:8])
    assert np.array_equal(trained[0].numpy(), wanted[8:])
    assert (
        trained[1].tolist()
        == [*BATCHES["data_batch_1"][b"labels"], *BATCHES["data_batch_2"][b"labels"]][8:]
    )
    assert test[1].tolist() == BATCHES["test_batch"][b"labels"]
    assert trained[0].dtype == torch.uint8


def test_the_part_that_is_there_is_said(tmp_path):
    write(tmp_path, FORMS[0])
    corpus = CIFAR10(root=tmp_path)
    corpus.setup("fit")
    assert "32 of 50,000" in corpus.described
    corpus = CIFAR10(root=tmp_path)
    corpus.setup("test")
    assert "6 of 10,000" in corpus.described


def test_validation_fraction_zero_trains_on_all_rows(tmp_path):
    write(tmp_path, FORMS[0])
    corpus = CIFAR10(root=tmp_path, validation_fraction=0)
    corpus.setup("fit")
    assert (len(corpus.data["train"]), len(corpus.data["val"])) == (32, 0)


class Opens:
    """What a stranger would put into a pickle."""

    def __reduce__(self):
        return open, ("opened.txt", "w")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (pickled({**BATCHES["data_batch_1"], b"more": Opens()}), ["open", "nothing of it was run"]),
        (pickled(BATCHES["data_batch_1"])[:-500], ["data_batch_1", "cut"]),
        (b"", ["data_batch_1"]),
        (b"<html>not found</html>", ["data_batch_1", "not a pickled batch"]),
        (pickled([1, 2]), ["wanted data"]),
        (pickled({b"data": np.zeros((2, 3072)), b"labels": [0, 1]}), ["wanted data"]),
        (pickled({b"data": np.zeros((2, 3071), np.uint8), b"labels": [0, 1]}), ["wanted data"]),
        (pickled({b"data": np.zeros((2, 3072), np.uint8), b"labels": [0]}), ["2 pictures, 1"]),
        (pickled({b"data": np.zeros((1, 3072), np.uint8), b"labels": [True]}), ["wanted data"]),
        (pickled(batch(3, label=10)), ["label 10 in row 0"]),
        (pickled(batch(3, label=-1)), ["label -1 in row 0"]),
    ],
)  # fmt: skip
def test_a_bad_pickle_is_one_line_and_runs_nothing(content, words, tmp_path, capsys):
    root = tmp_path / "root"
    write(root, FORMS[0])
    (root / FORMS[0] / "data_batch_1").write_bytes(content)
    line = fails(capsys, "fit", "resnet_small-cifar10", "--data.root", str(root))
    assert "data_batch_1" in line
    for word in words:
        assert word in line
    assert not list(tmp_path.rglob("opened.txt"))


def test_a_huge_array_out_of_a_few_bytes_is_refused(tmp_path):
    class Huge:
        def __reduce__(self):
            return np.empty(0).__reduce__()[0], (np.ndarray, (1 << 45,), b"b")

    write(tmp_path, FORMS[0], {"data_batch_1": {b"data": Huge(), b"labels": []}})
    with pytest.raises(CorpusError, match="data_batch_1"):
        CIFAR10(root=tmp_path).setup("fit")


@pytest.mark.parametrize(
    ("size", "words"), [(3072, "not rows"), (3073 * 2 + 1, "not rows"), (0, "no pictures")]
)
def test_plain_bytes_have_to_be_whole_rows(size, words, tmp_path):
    write(tmp_path, FORMS[1])
    (tmp_path / FORMS[1] / "data_batch_2.bin").write_bytes(bytes(size))
    with pytest.raises(CorpusError, match=rf"data_batch_2.bin: .*{words}"):
        CIFAR10(root=tmp_path).setup("fit")


def test_a_damaged_archive_is_named(tmp_path):
    write(tmp_path, FORMS[2])
    whole = (tmp_path / FORMS[2]).read_bytes()
    (tmp_path / FORMS[2]).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CorpusError, match=r"cifar-10-python.tar.gz"):
        CIFAR10(root=tmp_path).setup("fit")


def test_no_test_batch_is_said_where_it_is_wanted(tmp_path):
    write(tmp_path, FORMS[0], {"data_batch_1": batch(20)})
    corpus = CIFAR10(root=tmp_path)
    corpus.setup("fit")
    with pytest.raises(CorpusError, match="no test_batch"):
        corpus.setup("test")


def test_missing_files_name_the_ways_out(tmp_path, monkeypatch):
    monkeypatch.setattr(
        CIFAR10, "files", (CIFAR10.files[0].__class__("cifar-10-python.tar.gz", (), "0" * 64, 1),)
    )
    with pytest.raises(CorpusError, match=r"zoo prepare CIFAR10 --from .*--data.synthetic true"):
        CIFAR10(root=tmp_path).prepare_data()


def test_the_stand_in_is_learnt():
    corpus = CIFAR10(synthetic=True, batch_size=64)
    model = SoftmaxRegression(
        corpus.in_features, corpus.num_classes,
        optimizer=lambda p: torch.optim.Adam(p, lr=3e-4),
    )  # fmt: skip
    trainer = quiet_trainer(max_epochs=5)
    trainer.fit(model, corpus)
    assert 0.25 < trainer.callback_metrics["val/accuracy"] < 0.95
    assert "synthetic stand-in" in corpus.described


def test_real_batches(real_data):
    corpus = CIFAR10(root=real_data)
    corpus.setup("fit")
    corpus.setup("test")
    counts = torch.bincount(torch.cat([corpus.data[s].tensors[1] for s in ("train", "val")]))
    assert (len(corpus.data["train"]), len(corpus.data["val"])) == (18_000, 2_000)
    assert counts.min() == 1925
    assert counts.max() == 2042
    assert torch.bincount(corpus.data["test"].tensors[1]).tolist() == [1000] * 10
    pixels = corpus.data["train"].tensors[0].float() / 255
    torch.testing.assert_close(
        pixels.mean((0, 2, 3)), torch.tensor(corpus.mean), atol=0.005, rtol=0
    )
    torch.testing.assert_close(pixels.std((0, 2, 3)), torch.tensor(corpus.std), atol=0.005, rtol=0)


def kaggle(root, count=12, zipped=False, labels=None):
    """Kaggle's files: pictures of one colour each, whose red is the number of the picture."""
    place = root / "kaggle_cifar10"
    for part, numbers in (("train", range(1, count + 1)), ("test", range(1, 12))):
        (place / part).mkdir(parents=True)
        for number in numbers:
            image = Image.new("RGB", (32, 32), (10 * number, 0, 0))
            image.save(place / part / f"{number}.png")
    rows = labels or [(number, CIFAR10.labels[number % 10]) for number in range(1, count + 1)]
    lines = ["id,label", *(f"{number},{label}" for number, label in rows), ""]
    (place / "trainLabels.csv").write_text("\n".join(lines))
    if zipped:
        for part in ("train", "test"):
            with zipfile.ZipFile(place / f"{part}_tiny.zip", "w") as archive:
                for path in (place / part).iterdir():
                    archive.write(path, f"{part}_tiny/{path.name}")
                    path.unlink()
            (place / part).rmdir()
        with zipfile.ZipFile(place / "trainLabels.csv.zip", "w") as archive:
            archive.write(place / "trainLabels.csv", "trainLabels.csv")
        (place / "trainLabels.csv").unlink()
    return place


@pytest.mark.parametrize("zipped", [False, True])
def test_kaggles_files_give_the_rows_of_the_table(zipped, tmp_path):
    kaggle(tmp_path, zipped=zipped)
    corpus = CIFAR10(root=tmp_path, validation_fraction=0.25, split_seed=None)
    corpus.prepare_data()
    corpus.setup("fit")
    images, classes = corpus.data["train"].tensors
    assert images[:, 0, 0, 0].tolist() == [10 * number for number in range(4, 13)]
    assert classes.tolist() == [number % 10 for number in range(4, 13)]
    assert len(corpus.data["val"]) == 3
    assert (corpus.splits, corpus.predicts) == (("train", "val"), "")
    assert "12 of 50,000" in corpus.described
    with pytest.raises(CorpusError, match="no test rows"):
        corpus.setup("test")


def test_batches_come_first_where_both_forms_are(tmp_path):
    write(tmp_path, FORMS[0])
    kaggle(tmp_path)
    assert [
        (form, len(CIFAR10(root=tmp_path, form=form).splits))
        for form in ("any", "batches", "kaggle")
    ] == [("any", 3), ("batches", 3), ("kaggle", 2)]
    assert not CIFAR10(root=tmp_path / "nowhere", form="kaggle").files_exist


def test_labels_of_pictures_that_are_not_there_do_no_harm(tmp_path):
    labels = [(number, "frog") for number in range(1, 1000)]
    kaggle(tmp_path, labels=labels)
    corpus = CIFAR10(root=tmp_path)
    corpus.setup("fit")
    assert len(corpus.data["train"]) + len(corpus.data["val"]) == 12


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([(1, "frogg")], ["trainLabels.csv, line 2", "frogg", "did you mean frog"]),
        ([(1, "frog"), (1, "cat")], ["line 3", "in line 2 already"]),
        ([("../1", "frog")], ["line 2", "not the name of a picture"]),
        ([(99, "frog")], ["trainLabels.csv", "none of its 1 rows"]),
    ],
)
def test_a_bad_table_of_labels_is_one_line(labels, words, tmp_path, capsys):
    root = tmp_path / "root"
    kaggle(root, labels=labels)
    line = fails(capsys, "fit", "resnet_small-cifar10", "--data.root", str(root))
    for word in words:
        assert word in line


def test_missing_pictures_and_bad_ones_are_one_line(tmp_path, capsys):
    root = tmp_path / "root"
    place = kaggle(root)
    options = ("fit", "resnet_small-cifar10", "--data.root", str(root))
    whole = (place / "train" / "3.png").read_bytes()
    (place / "train" / "3.png").write_bytes(whole[:60])
    assert "train/3.png: " in fails(capsys, *options)
    Image.new("1", (10_000, 10_000)).save(place / "train" / "3.png")
    assert "3.png: 10000 x 10000 pixels are too many" in fails(capsys, *options)
    (place / "train").rename(place / "elsewhere")
    assert "none of train" in fails(capsys, *options)
    options = ("fit", "resnet_small-cifar10", "--data.root", str(tmp_path), "--data.form", "kaggle")
    assert "kaggle competitions download -c cifar-10" in fails(capsys, *options)


@pytest.mark.parametrize("trained_on", ["batches", "kaggle"])
def test_predict_writes_the_submission(trained_on, tmp_path, capsys):
    options = ["--data.synthetic", "true", "--data.form", trained_on, "--data.validation_fraction"]
    options += ["0", "--model.width_ratio", "0.25", "--trainer.max_epochs", "1"]
    assert (
        main(["fit", "resnet_small-cifar10", *options, "--trainer.limit_train_batches", "1"]) == 0
    )
    assert ("PICTURE" in capsys.readouterr().out) == (trained_on == "batches")
    last = "runs/resnet_small-cifar10/1/checkpoints/last.ckpt"
    assert main(["predict", "--ckpt_path", last]) == 0
    lines = (tmp_path / "predictions" / "submission-1.csv").read_text().splitlines()
    assert lines[0] == "id,label"
    assert [line.partition(",")[0] for line in lines[1:]] == [str(n) for n in range(1, 51)]
    assert {line.partition(",")[2] for line in lines[1:]} <= set(CIFAR10.labels)


def test_a_submission_is_what_the_model_says_of_each_picture(tmp_path):
    kaggle(tmp_path)
    options = ["--data.root", str(tmp_path), "--data.validation_fraction", "0"]
    options += ["--model.width_ratio", "0.25", "--trainer.max_epochs", "2"]
    assert main(["fit", "resnet_small-cifar10", *options]) == 0
    last = "runs/resnet_small-cifar10/1/checkpoints/last.ckpt"
    assert main(["predict", "--ckpt_path", last, "--data.root", str(tmp_path)]) == 0
    model, corpus = zoo.load(last), CIFAR10()
    lines = Path("predictions/submission-1.csv").read_text().splitlines()[1:]
    assert len(lines) == 11
    for line in lines:
        number, _, label = line.partition(",")
        image = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
        image[:, 0] = 10 * int(number)
        with torch.no_grad():
            logits = model.classify(corpus.normalise(image))
        assert CIFAR10.labels[int(logits.argmax())] == label


def test_real_files_of_kaggle(real_data):
    corpus = CIFAR10(root=real_data, form="kaggle")
    corpus.setup("fit")
    assert (len(corpus.data["train"]), len(corpus.data["val"])) == (90, 10)
    assert [place.name for place in corpus.files_to_predict()] == ["test_tiny.zip"]
    both = CIFAR10(root=real_data, validation_fraction=0, split_seed=None)
    both.setup("fit")
    pixels, classes = both.data["train"].tensors
    images, labels = corpus.data["val"][Rows(0, torch.arange(10))]
    same = (pixels.unsqueeze(1) == images).flatten(2).all(2)  # of those of the first batches
    assert same.any(0).sum() > 0
    for row, column in same.nonzero().tolist():
        assert classes[row] == labels[column]
