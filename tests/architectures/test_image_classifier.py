"""What every image classifier can do: smooth labels, average mirror images, lie channels last."""

from types import SimpleNamespace

import pytest
import torch
from torch.nn.functional import cross_entropy, one_hot

from datamodules.cifar10 import CIFAR10
from tests.conftest import fails, quiet_trainer
from zoo.cli.main import main
from zoo.image_classification.lenet import LeNet
from zoo.image_classification.pictures import ClassificationPictures
from zoo.image_classification.resnet import ResNet
from zoo.training.pictures import draw_confusion


def batch():
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(8, 3, 32, 32, generator=generator)
    return images, torch.randint(10, (8,), generator=generator)


def lenet(**options):
    torch.manual_seed(0)
    return LeNet(in_channels=3, num_classes=10, image_size=32, **options)


def test_labels_are_smoothed_in_training_alone():
    images, labels = batch()
    model = lenet(label_smoothing=0.1)
    logits = model(images)
    shares = 0.9 * one_hot(labels, 10) + 0.01
    wanted = -(shares * logits.log_softmax(dim=1)).sum(dim=1).mean()
    torch.testing.assert_close(model.step((images, labels)).loss, wanted)
    model.eval()
    torch.testing.assert_close(model.step((images, labels)).loss, cross_entropy(logits, labels))


def test_mirror_images_are_averaged_outside_of_training_alone():
    images, _ = batch()
    model = lenet(test_time_flip=True)
    torch.testing.assert_close(model.classify(images), model(images), rtol=0, atol=0)
    model.eval()
    both = (model(images) + model(images.flip(-1))) / 2
    torch.testing.assert_close(model.classify(images), both, rtol=0, atol=0)
    torch.testing.assert_close(model.classify(images.flip(-1)), both)
    assert not torch.allclose(both, model(images), atol=1e-3)
    torch.testing.assert_close(model.predict_step((images, None), 0), both.softmax(dim=1))


def test_shares_of_classes_are_labels_too():
    images, labels = batch()
    model = lenet()
    hard = model.step((images, labels))
    soft = model.step((images, one_hot(labels, 10).float()))
    torch.testing.assert_close(soft.loss, hard.loss)
    assert soft.sums["accuracy"] == hard.sums["accuracy"]


def test_channels_last_computes_the_same():
    images, _ = batch()
    torch.manual_seed(0)
    plain = ResNet(in_channels=3, num_classes=10, stem="cifar", width_ratio=0.25).eval()
    other = ResNet(
        in_channels=3, num_classes=10, stem="cifar", width_ratio=0.25, channels_last=True
    ).eval()
    other.load_state_dict(plain.state_dict())
    other.to(memory_format=torch.channels_last)
    seen = []
    other.stem.register_forward_hook(lambda module, inputs, output: seen.append(output))
    torch.testing.assert_close(other.classify(images), plain(images), rtol=1e-4, atol=1e-5)
    assert seen[0].is_contiguous(memory_format=torch.channels_last)


def test_channels_last_survives_a_resume(capsys):
    """The weights lie as chosen after a checkpoint was read, and the run goes on."""
    options = ["--data.synthetic", "true", "--data.batch_size", "32"]
    options += ["--trainer.limit_train_batches", "2", "--model.lr_scheduler", "null"]
    assert main(["fit", "resnet_small-cifar10", *options, "--trainer.max_epochs", "1"]) == 0
    last = "runs/resnet_small-cifar10/1/checkpoints/last.ckpt"
    options += ["--trainer.max_epochs", "2", "--ckpt_path", last]
    assert main(["fit", "resnet_small-cifar10", *options]) == 0
    weights = torch.load(last, weights_only=True)["state_dict"]
    assert weights["stages.1.0.residual.0.weight"].is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("value", ["1.0", "-0.1", "nan"])
def test_smoothing_is_a_share(value, capsys):
    line = fails(
        capsys, "fit", "--model", "LeNet", "--data", "CIFAR10", "--data.synthetic", "true",
        "--model.label_smoothing", value,
    )  # fmt: skip
    assert "label_smoothing" in line


def test_crops_and_sizes_are_what_the_network_sees(capsys):
    corpus = CIFAR10(crop_size=28, resize=40)
    assert corpus.image_size == 40
    images = torch.arange(32).byte().expand(1, 3, 32, 32)
    cropped = CIFAR10(crop_size=28)
    middle = cropped.denormalise(cropped.normalise(images))[0, 0, 0] * 255
    torch.testing.assert_close(middle, torch.arange(2, 30).float())
    assert corpus.normalise(images).shape == (1, 3, 40, 40)
    for option, value in (("crop_size", "33"), ("crop_size", "0"), ("resize", "0")):
        assert option in fails(
            capsys, "fit", "resnet_small-cifar10", f"--data.{option}", value,
            "--data.synthetic", "true",
        )  # fmt: skip


def test_the_grid_shows_every_class_though_rows_come_class_by_class(tmp_path):
    pictures = ClassificationPictures(tmp_path)
    trainer = quiet_trainer()
    trainer.datamodule = SimpleNamespace(labels=("a", "b"))
    pictures.reset(trainer, lenet())
    for label in (0, 0, 1, 1):
        labels = torch.full((30,), label)
        pictures.update((torch.zeros(30, 1, 2, 2), labels), labels)
    assert [int(label) for _, label, _ in pictures.shown] == [0] * 20 + [1] * 20


def test_a_confusion_is_shown_in_shares_of_each_true_class():
    counts = torch.tensor([[6, 2], [0, 0]])
    (axis,) = draw_confusion(counts, ("shirt", "coat")).axes
    assert axis.images[0].get_array().tolist() == [[0.75, 0.25], [0, 0]]
    assert [text.get_text() for text in axis.texts] == ["6", "2"]
