"""A trained classifier of the zoo as what tells pictures apart: the input of its last layer.

Source: Heusel et al. 2017, https://arxiv.org/abs/1706.08500, Section 3, with Inception's
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torchvision.transforms.v2.functional import center_crop

from zoo.checkpoints import checkpoint
from zoo.errors import InputError
from zoo.pretrained.backbones import FAMILY
from zoo.shapes import Features, Images


class FeatureNetwork(nn.Module):
    """Maps pictures with pixels in [0, 1] to what a classifier's last dense layer reads.

    Args:
        path: Checkpoint of an image classifier that was trained on a corpus of the zoo; pictures
            are sized and normalised as in its training.

    Raises:
        InputError: There is no such checkpoint, or it is of something else.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, path: str) -> None:
        super().__init__()
        saved = checkpoint.read(path)
        state = checkpoint.corpus_state(saved)
        class_path = saved["zoo"].get("class_path", "")
        if not class_path.startswith(FAMILY) or not state or "mean" not in state:
            raise InputError(f"{path}: not an image classifier trained on a corpus of the zoo")
        self.path, self.in_channels = path, len(state["mean"])
        self.size, self.crop_size, self.resize = (
            state[name] for name in ("size", "crop_size", "resize")
        )
        for name in ("mean", "std"):
            self.register_buffer(name, torch.tensor(state[name]).view(-1, 1, 1))
        network: Any = checkpoint.load(path)
        denses = [name for name, m in network.named_modules() if isinstance(m, nn.Linear)]
        self.num_features = int(network.get_submodule(denses[-1]).in_features)
        network.set_submodule(denses[-1], nn.Identity())
        self.network = network.requires_grad_(False)
        self.eval()

    @torch.no_grad()
    def forward(self, images: Images) -> Features:
        """Features of pictures of any size in [0, 1].

        Raises:
            InputError: The pictures have another number of channels.
        """
        if images.shape[1] != self.in_channels:
            raise InputError(
                f"{self.path}: reads {self.in_channels} channels, not {images.shape[1]}"
            )
        images = _sized(images.float(), self.size)
        if self.crop_size:
            images = center_crop(images, [self.crop_size] * 2)
        images = _sized(images, self.resize or images.shape[-1])
        return self.network((images - self.mean) / self.std)


def _sized(images: Tensor, size: int) -> Tensor:
    if images.shape[-1] == size:
        return images
    return interpolate(images, size=[size, size], mode="bilinear", antialias=True)
