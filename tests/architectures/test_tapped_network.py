"""The network that paintings are measured by: any source, its maps, what is refused."""

import math
from urllib.error import URLError

import pytest
import torch
from torchvision.models import get_model_weights

from datamodules import CIFAR10, StylePair
from tests.architectures.conftest import saved_features, vgg19
from tests.conftest import drawn, fails, quiet_trainer
from zoo.cli.main import main
from zoo.errors import InputError
from zoo.image_classification.resnet import ResNet
from zoo.pretrained import tapped_network
from zoo.pretrained.tapped_network import TappedNetwork


@pytest.mark.parametrize("kind", ["pth", "safetensors", "torchvision"])
def test_maps_are_the_courses(kind, torchvision_19, tmp_path, monkeypatch):
    """Its loop keeps each map, which the ReLU that follows overwrites."""
    network, path = torchvision_19
    source = str(path)
    if kind == "safetensors":
        source = str(saved_features(network, tmp_path / "vgg19.safetensors"))
    elif kind == "torchvision":
        monkeypatch.setenv("TORCH_HOME", str(tmp_path))
        name = get_model_weights("vgg19")["DEFAULT"].url.rpartition("/")[2]
        folder = tmp_path / "hub" / "checkpoints"
        folder.mkdir(parents=True)
        (folder / name).write_bytes(path.read_bytes())
        source = "torchvision"
    body = tapped_network.read(source, {})
    assert (body.style, body.content) == ((0, 5, 10, 19, 28), (25,))
    images, kept = drawn(1, 3, 40, 56, dtype=None), {}
    x = images
    with torch.no_grad():
        for index, layer in enumerate(network[:29]):
            x = layer(x)
            if index in (*body.style, *body.content):
                kept[index] = x
        found = TappedNetwork(body, [*kept])(images, [*kept])
    for maps, wanted in zip(found, kept.values(), strict=True):
        torch.testing.assert_close(maps, wanted)
    assert [bool((maps < 0).any()) for maps in found] == [False] * 5 + [True]


def test_a_trained_network_sees_pictures_as_in_its_training(tmp_path):
    torch.manual_seed(0)
    network = ResNet(in_channels=3, num_classes=10, stem="cifar", width_ratio=1 / 16)
    corpus = CIFAR10(synthetic=True)
    trainer = quiet_trainer(max_steps=2, limit_val_batches=0)
    trainer.fit(network, corpus)
    trainer.save_checkpoint(tmp_path / "small.ckpt")
    body = tapped_network.read(str(tmp_path / "small.ckpt"), {})
    assert body.style == (1, 2, 3, 4)
    assert body.content == (3,)
    tapped = TappedNetwork(body, [*body.style])
    pixels = torch.randint(256, (2, 3, 32, 32), dtype=torch.uint8)
    (found,) = tapped(StylePair().normalise(pixels), [4])
    with torch.no_grad():
        wanted = network.eval().stages(network.stem(corpus.normalise(pixels)))
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4)


def test_what_cannot_judge_is_refused(tmp_path, torchvision_19):
    network, path = torchvision_19
    missing = tmp_path / "none.pth"
    damaged, shallow, infinite = (tmp_path / f"{name}.pth" for name in ("cut", "few", "inf"))
    damaged.write_bytes(path.read_bytes()[:1000])
    saved_features(network[:20], shallow)
    spoilt = vgg19()
    spoilt[0].weight.data[0] = math.inf
    saved_features(spoilt, infinite)
    for source, said in (
        (missing, "there is no such file"),
        (damaged, "not a whole file of weights"),
        (shallow, "there is no VGG-"),
        (infinite, "not finite"),
        (tmp_path / "none.ckpt", "there is no such"),
        ("resnet", "a backbone is a class below"),
        ("zoo.image_classification.mlp.MLP", "cannot be built with"),
    ):
        with pytest.raises(InputError, match=said):
            tapped_network.read(str(source), {})
    with pytest.raises(InputError, match="leave out features_args"):
        tapped_network.read(str(path), {"depth": 19})
    with pytest.raises(InputError, match="parts from 0 to 36"):
        TappedNetwork(tapped_network.read(str(path), {}), [37])
    tapped = TappedNetwork(tapped_network.read(str(path), {}), [28])
    with pytest.raises(InputError, match="8 x 40 are too small for the features"):
        tapped(torch.zeros(1, 3, 8, 40), [28])


def test_what_to_do_without_weights(capsys, tmp_path, monkeypatch):
    def offline(*arguments, **options):
        raise URLError("no\nnetwork")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    name = "vgg19-dcbb9e9d.pth"
    (tmp_path / "hub" / "checkpoints" / f".{name}.lock").touch()
    main(["prepare", "StylePair", "--synthetic"])
    capsys.readouterr()
    line = fails(capsys, "fit", "neural_style", "--data.synthetic", "true")
    assert f"{name} is not in {tmp_path / 'hub' / 'checkpoints'}" in line
    assert f"https://download.pytorch.org/models/{name}" in line
    assert "--model.features runs/resnet_small-cifar10/1/checkpoints/best.ckpt" in line
