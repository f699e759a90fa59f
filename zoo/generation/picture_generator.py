"""PictureGenerator: adversarial networks whose samples are pictures.

Batch: (images, labels)
"""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback
from torch import Tensor

from zoo.errors import InputError
from zoo.generation.frechet import SampleQuality
from zoo.generation.sample_grids import SampleGrids
from zoo.generation.task import AdversarialGenerator
from zoo.pretrained.feature_network import FeatureNetwork
from zoo.shapes import Images


class PictureGenerator(AdversarialGenerator):
    """Base of the generators of pictures, with pixels in [-1, 1].

    With a feature network, evaluation makes as many samples as there are pictures, and measures the
    Frechet distance between their features (`frechet_distance`, by which the best checkpoint is
    chosen), and their `precision` and `recall`.

    Args:
        latent_dim: Values of the noise of a picture.
        feature_network: Path of the checkpoint of an image classifier of the zoo, which may be gone
            when samples are drawn.
        channels_last: Whether pictures lie in memory pixel by pixel, which is faster.
        adversarial: Arguments of every adversarial network.
    """

    def __init__(
        self,
        latent_dim: int,
        feature_network: str | None = None,
        channels_last: bool = False,
        **adversarial: Any,
    ) -> None:
        super().__init__(latent_dim, **adversarial)
        if feature_network:
            self.monitor = "val/frechet_distance"
        self.feature_network, self.channels_last = feature_network, channels_last
        self._quality: SampleQuality | None = None

    @classmethod
    def example(cls, rows: int = 1) -> tuple[Images]:
        channels, side = (cls.example_sizes[name] for name in ("in_channels", "image_size"))
        return (torch.randn(rows, channels, side, side).tanh(),)

    def pictures(self, folder: Path) -> list[Callback]:
        return [SampleGrids(folder)]

    def setup(self, stage: str) -> None:
        super().setup(stage)
        if self.feature_network and not self._quality:
            self._quality = SampleQuality(FeatureNetwork(self.feature_network))
        if self.channels_last:  # which the weights pass on to the pictures
            self.to(memory_format=torch.channels_last)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Looks at the first batch: tanh reaches no other pixels.

        Raises:
            InputError: Pixels are not in [-1, 1].
        """
        super().on_train_batch_start(batch, batch_idx)
        if batch_idx == 0 and batch[0].abs().max() > 1.001:
            raise InputError("a generator makes pixels from -1 to 1: --data.scale symmetric")

    # Evaluation

    def on_validation_epoch_start(self) -> None:
        super().on_validation_epoch_start()
        if self._quality:
            self._quality.reset(self.device)

    on_test_epoch_start = on_validation_epoch_start

    def measure(self, batch: Any) -> dict[str, Any] | None:
        measured = super().measure(batch)
        if self._quality:
            samples = measured["predictions"] if measured else batch[0]  # of no rows
            self._quality.update(in_unit_range(batch[0]), real=True)
            self._quality.update(in_unit_range(samples), real=False)
        return measured

    def quality(self) -> dict[str, Tensor]:
        return self._quality.compute() if self._quality else {}


def in_unit_range(images: Images) -> Images:
    """From [-1, 1] to [0, 1]."""
    return ((images.float() + 1) / 2).clamp(0, 1)
