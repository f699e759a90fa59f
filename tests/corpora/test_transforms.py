"""Classes of torchvision.transforms.v2 as changes: keyed, refused where they are none, resumed."""

import pytest
import torch

from datamodules import PictureFolder
from datamodules.pictures.augmentation import Augmentation
from tests.conftest import fails, refused
from tests.corpora.conftest import fitted, keys, photographs

HOME = "torchvision.transforms.v2"
ENTRIES = [
    "RandomGrayscale",
    "TrivialAugmentWide",
    f"{HOME}.RandomEqualize",
    {"RandomRotation": {"degrees": 90}},
    {"class_path": f"{HOME}.ColorJitter", "init_args": {"brightness": [0.2, 1.8]}},
    {"class_path": "RandomErasing", "init_args": {"p": 0.5}},
    {"RandomApply": {"transforms": ["GaussianNoise", {"RandomRotation": {"degrees": 90}}]}},
    {"RandomChoice": {"transforms": ["RandomInvert", {"RandomSolarize": {"threshold": 100}}]}},
    {"RandomResizedCrop": {"size": 16}},
]


@pytest.mark.parametrize("entry", ENTRIES, ids=str)
def test_a_picture_is_changed_by_its_own_key_alone(entry):
    images, change = photographs(32), Augmentation([entry], size=16).change
    state = torch.get_rng_state()
    whole = change(images, keys(32))
    assert torch.equal(torch.get_rng_state(), state)
    assert (whole.dtype, whole.shape) == (torch.uint8, images.shape)
    assert not torch.equal(whole, images)
    torch.manual_seed(7)
    assert torch.equal(change(images[5:9], keys(32)[5:9]), whole[5:9])
    assert not torch.equal(change(images, keys(32, epoch=1)), whole)


def test_equal_changes_draw_on_their_own():
    images, entry = photographs(8), {"RandomRotation": {"degrees": [-180, 180]}}
    first = Augmentation([entry], size=16).change(images, keys(8))
    second = Augmentation(["RandomGrayscale", entry], size=16)
    assert not torch.equal(second.changes[1](images, keys(8)), first)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("RandomRotaton", "augment: torchvision.transforms.v2 has no class RandomRotaton (did you"),
        ("Compose", "augment, Compose: missing 1 required positional argument: 'transforms'"),
        ({"RandomRotation": {"degres": 3}}, "RandomRotation: got an unexpected keyword argument"),
        ({"Resize": {"size": 8}}, "wanted a picture as it was, (3, 16, 16), torch.uint8; it gives"),
        ({"class_path": "ColorJitter", "other": 3}, "augment: wanted {name: {argument: value}}"),
        ({"ColorJitter": [3]}, "augment: wanted {name: {argument: value}}"),
        ({"Lambda": {"lambd": "print"}}, "augment, Lambda: 'str' object is not callable"),
        ("subprocess.Popen", "augment: subprocess.Popen is not of torchvision.transforms.v2"),
        ({"RandomApply": {"transforms": ["os.Path"]}}, "augment: os.Path is not of torchvision"),
        ("InterpolationMode", "has no class InterpolationMode"),
        ("MixUp", "augment: pictures are mixed by mixup, not by MixUp"),
    ],
    ids=str,
)
def test_what_is_no_change_is_refused(entry, said):
    assert said in refused(Augmentation, [entry], 16)


def test_no_more_changes_than_there_are_random_numbers():
    assert "at most 31 changes" in refused(Augmentation, ["RandomGrayscale"] * 32, 16)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_run_resumes_with_the_same_pictures(num_workers, tmp_path):
    augment = ["RandomGrayscale", {"RandomRotation": {"degrees": 90}}]

    def corpus():
        options = {"size": 16, "batch_size": 32, "num_workers": num_workers}
        return PictureFolder(synthetic=True, augment=augment, **options)

    seen = fitted(corpus(), tmp_path)[0]
    assert fitted(corpus(), ckpt_path=tmp_path / "4.ckpt")[0] == seen[4:]


def test_a_class_of_others_is_refused_on_the_command_line(capsys):
    options = ["--model", "MLP", "--data", "PictureFolder", "--data.synthetic", "true"]
    entry = "[{class_path: collections.Counter, init_args: {}}]"
    line = fails(capsys, "fit", *options, "--data.augment", entry)
    assert "data.augment.class_path: no class may stand there" in line
