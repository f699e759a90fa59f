"""The first training batch of every corpus on its stand-in is the one of its version.

python -m tests.architectures.test_first_batches  # where the version of a stand-in was raised
"""

import json
from itertools import islice
from pathlib import Path

import pytest
import torch

import datamodules
from tests.conftest import tensors
from zoo.catalogue import corpora

FILE = Path(__file__).with_suffix(".json")
ROWS = 32
ROUNDING = 4e-3  # pictures are scaled and packed a little differently by each version of Pillow


def summary(name):
    """Of each tensor of the batch: its shape, and of its first rows mean and centre of mass."""
    corpus = getattr(datamodules, name)(synthetic=True)
    corpus.prepare_data()
    corpus.setup("fit")
    torch.manual_seed(0)
    (batch,) = islice(corpus.train_dataloader(), 1)
    found = []
    for tensor in tensors(batch):
        rows = tensor.double() / (255 if tensor.dtype == torch.uint8 else 1)
        rows = rows.reshape(len(rows) if rows.ndim else 1, -1)[:ROWS]
        ramp = torch.linspace(-1, 1, rows.shape[1], dtype=torch.float64)
        values = torch.stack([rows.mean(1), (rows * ramp).mean(1)], 1)
        found.append({"shape": list(tensor.shape), "rows": values.tolist()})
    return {"version": corpus.synthetic_version, "tensors": found}


@pytest.mark.parametrize("name", corpora())
def test_a_stand_in_is_that_of_its_version(name):
    recorded = json.loads(FILE.read_text(encoding="utf-8"))
    assert name in recorded, "record it: python -m tests.architectures.test_first_batches"
    wanted, found = recorded[name], summary(name)
    assert found["version"] == wanted["version"]
    for one, other in zip(found["tensors"], wanted["tensors"], strict=True):
        assert one["shape"] == other["shape"]
        torch.testing.assert_close(
            torch.tensor(one["rows"]), torch.tensor(other["rows"]), rtol=1e-4, atol=ROUNDING
        )


if __name__ == "__main__":
    summaries = json.loads(FILE.read_text(encoding="utf-8"))
    for name in corpora():  # those that are new, or another version
        found = summary(name)
        if summaries.get(name, {}).get("version") != found["version"]:
            summaries[name] = found
    FILE.write_text(f"{json.dumps(summaries)}\n", encoding="utf-8")
