"""Weights of a ResNet from any source, and files that are bad."""

import os
import pickle
import zipfile
from urllib.error import URLError

import pytest
import torch
from safetensors.torch import save_file
from torchvision import models

import zoo
from tests.architectures.conftest import PLAIN, TINY, fit_batches
from zoo.errors import InputError
from zoo.image_classification.fine_tuned_resnet import FineTunedResNet
from zoo.image_classification.lenet import LeNet
from zoo.image_classification.resnet import ResNet
from zoo.pretrained import resnet_weights


@pytest.fixture(scope="module")
def torchvision_18():
    """Torchvision's ResNet-18, with statistics and gains that are not those it is born with."""
    torch.manual_seed(0)
    twin = models.resnet18()
    for name, value in twin.state_dict().items():
        if value.ndim == 1:
            value.uniform_(0.5, 1.5) if "var" in name or "weight" in name else value.normal_(0, 0.1)
    return twin.eval()


# Sources


def features_of(twin, images):
    """What torchvision's network hands to its classifier."""
    seen = []
    handle = twin.avgpool.register_forward_hook(lambda *call: seen.append(call[2].flatten(1)))
    with torch.no_grad():
        twin(images)
    handle.remove()
    return seen[0]


def write(twin, kind, folder):
    state = twin.state_dict()
    path = folder / f"weights.{'safetensors' if kind == 'safetensors' else 'pth'}"
    if kind == "safetensors":
        save_file(state, path)
    elif kind == "legacy":
        torch.save(state, path, _use_new_zipfile_serialization=False)
        assert not zipfile.is_zipfile(path)
    elif kind == "older":  # as files from before torch 0.4.1, whose order is any
        counted = {n: v for n, v in state.items() if not n.endswith("num_batches_tracked")}
        torch.save(dict(sorted(counted.items(), reverse=True)), path)
    else:
        torch.save({kind: state} if kind in ("state_dict", "model") else state, path)
    return path


@pytest.mark.parametrize(
    "kind", ["zip", "legacy", "older", "state_dict", "model", "safetensors", "torchvision"]
)
def test_features_are_torchvisions(kind, torchvision_18, tmp_path, monkeypatch):
    if kind == "torchvision":
        monkeypatch.setenv("TORCH_HOME", str(tmp_path))
        path = tmp_path / "hub" / "checkpoints" / "resnet18-f37072fd.pth"
        path.parent.mkdir(parents=True)
        torch.save(torchvision_18.state_dict(), path)
        model = FineTunedResNet(**PLAIN, weights="torchvision")
    else:
        path = write(torchvision_18, kind, tmp_path)
        model = FineTunedResNet(**PLAIN, weights=str(path))
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        found = model.eval().features(images)
    wanted = features_of(torchvision_18, images)
    assert wanted.std() > 0.1
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
    form = {"depth": 18, "stem": "imagenet", "width_ratio": 1.0}
    assert {n: model.hparams[n] for n in form} == form


@pytest.mark.parametrize("depth", [34, 50, 101, 152])
def test_names_of_every_depth_are_ours(depth):
    with torch.device("meta"):
        theirs = models.get_model(f"resnet{depth}").state_dict()
        ours = ResNet(in_channels=3, num_classes=1000, depth=depth).state_dict()
    names = {
        resnet_weights.renamed(n): v.shape for n, v in theirs.items() if not n.startswith("fc.")
    }
    assert names == {n: v.shape for n, v in ours.items() if not n.startswith("head.")}
    # the order of both is that of computation, which the names do not use
    assert list(names) == [n for n in ours if not n.startswith("head.")]


def test_depth_50_is_seen_from_the_file(tmp_path):
    torch.manual_seed(0)
    source = ResNet(in_channels=1, num_classes=5, depth=50, stem="cifar", width_ratio=1 / 8)
    save_file(source.state_dict(), tmp_path / "net.safetensors")
    model = FineTunedResNet(in_channels=1, num_classes=2, weights=str(tmp_path / "net.safetensors"))
    assert model.hparams["depth"] == 50
    assert model.hparams["stem"] == "cifar"
    assert model.hparams["width_ratio"] == 1 / 8
    images = torch.randn(2, 1, 16, 16)
    wanted = source.eval().head[:-1](source.stages(source.stem(images)))
    torch.testing.assert_close(model.eval().features(images), wanted)


def test_from_a_checkpoint_and_from_that_of_a_fine_tuned_one(weights, tmp_path):
    source = zoo.load(weights)
    images = torch.randn(2, 3, 32, 32)
    wanted = source.head[:-1](source.stages(source.stem(images)))
    first = FineTunedResNet(**PLAIN, weights=str(weights), frozen=5, head_sizes=[8])
    assert first.hparams["width_ratio"] == 0.1
    torch.testing.assert_close(first.eval().features(images), wanted, rtol=0, atol=0)
    fit_batches(first, max_epochs=1).save_checkpoint(tmp_path / "first.ckpt")
    second = FineTunedResNet(**PLAIN, weights=str(tmp_path / "first.ckpt"))
    torch.testing.assert_close(second.eval().features(images), wanted, rtol=0, atol=0)


def test_from_a_checkpoint_of_another_network(tmp_path):
    fit_batches(LeNet(3, 4, image_size=32), max_epochs=1).save_checkpoint(tmp_path / "lenet.ckpt")
    assert "LeNet, not of a ResNet" in refusal(tmp_path / "lenet.ckpt")


def test_widths_that_were_rounded_are_found_or_given(weights, tmp_path):
    save_file(zoo.load(weights).state_dict(), tmp_path / "net.safetensors")
    source = str(tmp_path / "net.safetensors")
    found = FineTunedResNet(**PLAIN, weights=source).hparams["width_ratio"]
    assert found == pytest.approx(0.1, abs=0.001)
    assert FineTunedResNet(**PLAIN, weights=source, width_ratio=0.1).hparams["width_ratio"] == 0.1


@pytest.mark.parametrize(
    ("option", "value"),
    [("depth", 34), ("stem", "cifar"), ("width_ratio", 0.2), ("in_channels", 1)],
)
def test_what_contradicts_the_weights_is_refused(option, value, weights):
    with pytest.raises(InputError, match=f"small.ckpt: its {option} is .*, not {value}$"):
        FineTunedResNet(**{**PLAIN, option: value}, weights=str(weights))


def test_without_weights_the_form_is_resnets():
    with torch.device("meta"):
        model = FineTunedResNet(**PLAIN)
        given = FineTunedResNet(**PLAIN, depth=34, stem="cifar", width_ratio=0.5)
    assert (model.hparams["depth"], model.hparams["stem"]) == (18, "imagenet")
    assert model.hparams["width_ratio"] == 1.0
    assert (given.hparams["depth"], given.hparams["stem"]) == (34, "cifar")
    assert given.hparams["width_ratio"] == 0.5
    body = {n for n in given.state_dict() if not n.startswith("head.")}
    with torch.device("meta"):
        plain = ResNet(**PLAIN, depth=34, stem="cifar", width_ratio=0.5).state_dict()
    assert body == {n for n in plain if not n.startswith("head.")}


# Bad files


class Code:
    def __reduce__(self):
        return os.mkdir, ("code-was-run",)


def small_state(**changes):
    torch.manual_seed(0)
    state = ResNet(**TINY).state_dict()
    return {n: v for n, v in {**state, **changes}.items() if v is not None}


NAN = torch.full((4,), torch.nan)


BAD_STATES = {
    "nan": (small_state(**{"stem.1.bias": NAN}), "stem.1.bias has values that are not finite"),
    "shape": (
        small_state(**{"stages.1.0.residual.0.weight": torch.zeros(8, 4, 5, 5)}),
        "stages.1.0.residual.0.weight is 8 x 4 x 5 x 5 and that of a ResNet-18 8 x 4 x 3 x 3",
    ),
    "kind": (small_state(**{"stem.1.bias": torch.zeros(4, dtype=torch.int8)}), "is torch.int8"),
    "lacks": (small_state(**{"stages.2.1.residual.3.weight": None}), "lacks stages.2.1"),
    "surplus": (small_state(**{"stages.0.1.extra.weight": NAN}), "has stages.0.1.extra.weight"),
    "blocks": (small_state(**{"stages.3.2.residual.0.weight": NAN}), "2, 2, 2, 3 blocks"),
    "front": (small_state(**{"stem.0.weight": None}), "no convolution in front"),
    "side": (small_state(**{"stem.0.weight": torch.zeros(4, 3, 5, 5)}), "neither 7x7 nor 3x3"),
    "other": ({"features.0.weight": NAN}, "not the weights of a ResNet: it has features.0.weight"),
    "text": ({"stem.0.weight": "text"}, "not the weights of a ResNet: it has stem.0.weight"),
    "none": ({}, "0, 0, 0, 0 blocks"),
    "list": ([NAN], "holds a list"),
}


def refusal(path):
    """The one line that names the file."""
    with pytest.raises(InputError) as caught:
        resnet_weights.read(str(path), ResNet)
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert "\n" not in line
    return line


@pytest.mark.parametrize("name", BAD_STATES)
def test_weights_that_do_not_fit(name, tmp_path):
    state, reason = BAD_STATES[name]
    torch.save(state, tmp_path / "net.pth")
    assert reason in refusal(tmp_path / "net.pth")


@pytest.mark.parametrize("name", ["resnext50_32x4d", "wide_resnet50_2", "vgg11", "densenet121"])
def test_other_networks_of_torchvision(name, tmp_path):
    with torch.device("meta"):
        state = models.get_model(name).state_dict()
    zeros = {n: torch.zeros((), dtype=v.dtype).expand(v.shape) for n, v in state.items()}
    torch.save(zeros, tmp_path / "net.pth")
    reason = "of a ResNet" if name in ("vgg11", "densenet121") else "that of a ResNet-50"
    assert reason in refusal(tmp_path / "net.pth")


def damage(path, kind):
    """Makes the file at `path`, which is whole, a bad one."""
    data = path.read_bytes()
    if kind == "missing":
        path.unlink()
    elif kind == "folder":
        path.unlink()
        path.mkdir()
    elif kind == "flipped":
        place = len(data) // 2
        path.write_bytes(data[:place] + bytes([data[place] ^ 64]) + data[place + 1 :])
    else:
        changed = {"empty": b"", "text": b"hello, these are no weights\n" * 9}
        path.write_bytes(changed[kind] if kind in changed else data[: len(data) * 2 // 3])


@pytest.mark.parametrize("kind", ["missing", "empty", "cut", "folder", "text", "flipped"])
@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors", ".ckpt"])
def test_damaged_files(kind, suffix, tmp_path, recwarn):
    if (kind, suffix) == ("flipped", ".safetensors"):
        pytest.skip("the format has no checksum")
    path = tmp_path / f"net{suffix}"
    state = small_state()
    if suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save({"state_dict": state, "zoo": {}}, path, _use_new_zipfile_serialization=True)
    damage(path, kind)
    refusal(path)
    assert not recwarn.list


@pytest.mark.parametrize("kind", ["zip", "legacy", "pickle", "ckpt"])
def test_code_is_not_run(kind, tmp_path, recwarn):
    path = tmp_path / ("net.ckpt" if kind == "ckpt" else "net.pth")
    if kind == "pickle":
        path.write_bytes(pickle.dumps({"conv1.weight": Code()}))
    else:
        torch.save({"a": Code()}, path, _use_new_zipfile_serialization=kind != "legacy")
    assert "more than plain data" in refusal(path)
    assert not list(tmp_path.glob("code-was-run"))
    assert not recwarn.list


def test_checkpoints_of_other_packages_are_not_read(tmp_path):
    state = {"zoo": {"class_path": "evil.ResNet"}, "state_dict": small_state()}
    torch.save(state, tmp_path / "net.ckpt")
    assert "evil.ResNet is not of the zoo" in refusal(tmp_path / "net.ckpt")


def test_a_word_that_is_no_source():
    with pytest.raises(InputError, match=r"torchvision or a \.pth, .* file, not imagenet"):
        FineTunedResNet(**PLAIN, weights="imagenet")


def test_what_to_do_without_torchvisions_file(tmp_path, monkeypatch):
    asked = []

    def offline(url, path, digest, **options):
        asked.append((url.rpartition("/")[2], path, digest))
        raise URLError("no\nnetwork")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(InputError) as caught:
        FineTunedResNet(**PLAIN, weights="torchvision", depth=50)
    folder = tmp_path / "hub" / "checkpoints"
    name = "resnet50-11ad3fa6.pth"
    assert asked == [(name, str(folder / name), "11ad3fa6")]
    line = str(caught.value)
    assert line.startswith(f"{name} is not in {folder} and cannot be downloaded")
    assert "put a copy there" in line
    assert "--model.weights FILE" in line
    assert "\n" not in line
