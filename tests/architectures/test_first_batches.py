"""What every corpus reads from its stand-in is what its version wrote.

python -m tests.architectures.test_first_batches  # where the version of a stand-in was raised
"""

import base64
import hashlib
import json
import os
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import adaptive_avg_pool2d

import datamodules
from tests.conftest import tensors
from zoo.catalogue import arguments, corpora, definitions

FILE = Path(__file__).with_suffix(".json")
ROWS = 128  # of each split
SIDE = 64  # of pictures whose size may be chosen
UNIT = 1 / 4096  # of the means of pictures, as they are recorded
ROUNDING = 1e-3  # of them: versions of Pillow from 10 to 13 differ by half as much


def recorded(tensor):
    """What is recorded of a tensor of a batch: numbers that small faults of a stand-in change.

    Of pictures, the mean of each quarter of each channel; of other fractions, mean and centre of
    mass of each row; of whole numbers, a hash.
    """
    rows = tensor.reshape(1) if tensor.ndim == 0 else tensor
    found = {"shape": list(tensor.shape)}
    if rows.ndim == 4:
        pixels = rows.double() / (255 if rows.dtype == torch.uint8 else 1)
        means = adaptive_avg_pool2d(pixels, 2).div(UNIT).round().to(torch.int16)
        return found | {"means": base64.b64encode(means.numpy().tobytes()).decode()}
    if not rows.is_floating_point():
        return found | {"hash": hashlib.sha256(rows.numpy().tobytes()).hexdigest()[:16]}
    rows = rows.double().reshape(len(rows), -1)
    ramp = torch.linspace(-1, 1, rows.shape[1], dtype=torch.float64)
    numbers = torch.stack([rows.mean(1), (rows * ramp).mean(1)], 1).flatten().tolist()
    return found | {"rows": [float(f"{number:.6g}") for number in numbers]}


def summary(name):
    """What is recorded of the first rows of each split."""
    known = arguments(corpora()[name], definitions())
    wanted = {"batch_size": 32} | ({"size": SIDE, "crop_size": SIDE} if "size" in known else {})
    given = {key: value for key, value in wanted.items() if key in known}
    corpus = getattr(datamodules, name)(synthetic=True, **given)
    corpus.prepare_data()
    found = {"version": corpus.synthetic_version}
    for split, stage in (("train", "fit"), ("val", "fit"), ("test", "test")):
        if split in corpus.splits and (split != "val" or corpus.holds_out):
            corpus.setup(stage)
            torch.manual_seed(0)
            batches = islice(getattr(corpus, f"{split}_dataloader")(), ROWS // 32)
            found[split] = [recorded(part) for batch in batches for part in tensors(batch)]
    return found


def numbers(part):
    """Returns the numbers that were recorded, and by how much they may differ."""
    if "means" in part:
        means = np.frombuffer(base64.b64decode(part["means"]), np.int16)
        return torch.tensor(means * UNIT), ROUNDING
    return torch.tensor(part.get("rows", ())), 1e-4


@pytest.mark.parametrize("name", corpora())
def test_a_stand_in_is_that_of_its_version(name, tmp_path, monkeypatch):
    if "SUITE_COVERAGE" in os.environ:  # so that the lines that write it are this test's
        monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    known = json.loads(FILE.read_text(encoding="utf-8"))
    assert name in known, "record it: python -m tests.architectures.test_first_batches"
    found, wanted = summary(name), known[name]
    assert found.keys() == wanted.keys()
    assert found.pop("version") == wanted.pop("version")
    for split, parts in wanted.items():
        for one, other in zip(found[split], parts, strict=True):
            assert one["shape"] == other["shape"]
            assert one.get("hash") == other.get("hash")
            (ours, rounding), (theirs, _) = numbers(one), numbers(other)
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=rounding)


if __name__ == "__main__":
    summaries = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    for name in corpora():  # those that are new, or another version
        found = summary(name)
        if summaries.get(name, {}).get("version") != found["version"]:
            summaries[name] = found
    FILE.write_text(f"{json.dumps(summaries)}\n", encoding="utf-8")
