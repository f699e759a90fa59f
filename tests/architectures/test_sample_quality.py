"""Quality of samples: Frechet distance, precision, recall, the features of a classifier."""

import math

import pytest
import torch
from torch import nn

import zoo
from datamodules import FashionMNIST
from tests.architectures.conftest import SMALL_DCGAN, small_classifier
from tests.conftest import quiet_trainer
from zoo.errors import InputError
from zoo.generation.dcgan import DCGAN
from zoo.generation.frechet import SampleQuality, precision_and_recall
from zoo.pretrained.feature_network import FeatureNetwork


def test_the_frechet_distance_of_gaussians():
    torch.manual_seed(0)
    real = torch.randn(500, 4, dtype=torch.double) @ torch.randn(4, 4, dtype=torch.double)
    fake = torch.randn(300, 4, dtype=torch.double) * 1.5 + 1
    as_they_are = nn.Identity()
    as_they_are.num_features = 4
    quality = SampleQuality(as_they_are)
    quality.reset(torch.device("cpu"))
    for rows, is_real in ((real, True), (fake, False), (real[:0], True)):
        for part in rows.split(128):
            quality.update(part, real=is_real)
    found = quality.compute()
    first, second = real.T.cov(), fake.T.cov()
    values, vectors = torch.linalg.eigh(first)
    root = vectors @ values.sqrt().diag() @ vectors.T
    between = torch.linalg.eigvalsh(root @ second @ root).sqrt().sum()
    wanted = (real.mean(0) - fake.mean(0)).square().sum() + first.trace() + second.trace()
    wanted = (wanted - 2 * between).item()
    assert found["frechet_distance"].item() == pytest.approx(wanted, rel=1e-5)
    precision, recall = precision_and_recall(real.float(), fake.float())
    assert (found["precision"], found["recall"]) == (precision, recall)
    quality.reset(torch.device("cpu"))
    for is_real in (True, False):
        quality.update(real[:3], real=is_real)
    assert quality.compute() == {}  # no point has three others


def share_among(points, others, nearest):
    """By its definition, one distance after another."""
    inside = 0
    for point in points.tolist():
        for index, other in enumerate(others.tolist()):
            own = sorted(math.dist(other, o) for i, o in enumerate(others.tolist()) if i != index)
            if math.dist(point, other) <= own[nearest - 1]:
                inside += 1
                break
    return inside / len(points)


@pytest.mark.parametrize("nearest", [1, 3])
def test_precision_and_recall_are_those_of_the_definition(nearest):
    torch.manual_seed(0)
    real, fake = torch.randn(40, 3), torch.randn(31, 3) * 0.4 + 0.3
    precision, recall = precision_and_recall(real, fake, nearest)
    assert precision.item() == pytest.approx(share_among(fake, real, nearest))
    assert recall.item() == pytest.approx(share_among(real, fake, nearest))
    assert precision > recall > 0  # narrow samples are lifelike, and lack variety
    assert [v.item() for v in precision_and_recall(real, real)] == [1, 1]


def test_features_are_what_the_last_layer_reads(tmp_path):
    path = small_classifier(tmp_path)
    data = FashionMNIST(synthetic=True, batch_size=16)
    data.prepare_data()
    data.setup("test")
    images, labels = next(iter(data.test_dataloader()))
    network = zoo.load(path)
    seen, _ = data.on_after_batch_transfer((images, labels), 0)
    wanted = network.head[:-1](network.features(seen))
    features = FeatureNetwork(str(path))
    assert features.num_features == 84
    torch.testing.assert_close(features(images / 255), wanted.detach(), rtol=1e-4, atol=1e-5)
    assert not any(p.requires_grad for p in features.parameters())
    assert not features(images.div(255).requires_grad_()).requires_grad
    large = torch.rand(2, 1, 64, 64)
    assert features(large).shape == (2, 84)
    with pytest.raises(InputError, match="reads 1 channels, not 3"):
        features(torch.rand(2, 3, 28, 28))


def test_quality_is_measured_and_chosen_by(tmp_path):
    model = DCGAN(**SMALL_DCGAN, feature_network=str(small_classifier(tmp_path)))
    assert model.monitor == "val/frechet_distance"
    assert DCGAN(**SMALL_DCGAN).monitor is None
    data = FashionMNIST(synthetic=True, batch_size=32, scale="symmetric")
    run = quiet_trainer(limit_train_batches=1, limit_val_batches=2, num_sanity_val_steps=1)
    run.fit(model, data)
    found = run.callback_metrics
    assert found["val/frechet_distance"] > 0
    assert 0 <= found["val/precision"] <= 1
    assert not any("lenet" in name or "quality" in name for name in model.state_dict())
    (tested,) = run.test(model, data, verbose=False)
    assert tested["test/frechet_distance"] > 0
    assert tested == run.test(model, data, verbose=False)[0]  # the same noise each time
