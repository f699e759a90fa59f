"""Two processes: evaluation of any number of rows equals that of one process."""

import json
import os
import subprocess
import sys

import pytest

PROGRAM = """
import json, os, sys
from functools import partial
import torch
from lightning.pytorch import LightningDataModule, Trainer
from datamodules.corpus import Corpus
from datamodules.in_memory import InMemory
from zoo.image_classification.softmax_regression import SoftmaxRegression
from zoo.training.process_group import leave

class Numbers(Corpus):
    title = "numbers"
    def __init__(self, rows):
        super().__init__(batch_size=8)
        self.rows = rows
    def prepare_data(self): pass
    def read(self, split):
        generator = torch.Generator().manual_seed(0)
        images = torch.randn(self.rows, 1, 2, 2, generator=generator)
        return InMemory(images, torch.arange(self.rows) % 3)

devices = int(sys.argv[1])
torch.manual_seed(0)
model = SoftmaxRegression(in_features=4, num_classes=3)
torch.nn.init.normal_(model.linear.weight, generator=torch.Generator().manual_seed(0))
trainer = Trainer(
    accelerator="cpu", devices=devices, strategy="ddp" if devices > 1 else "auto", logger=False,
    enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
)
measured = {}
for rows in (1, 2, 7, 17, 65):
    (measured[rows],) = trainer.test(model, datamodule=Numbers(rows), verbose=False)
if trainer.is_global_zero:
    print("RESULT" + json.dumps(measured))
leave()
"""


def run(folder, devices):
    program = folder / "program.py"
    program.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, str(program), str(devices)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT"))
    return json.loads(line.removeprefix("RESULT"))


def test_two_processes_measure_what_one_does(tmp_path):
    one, two = run(tmp_path, 1), run(tmp_path, 2)
    assert len(one) == 5
    for rows, metrics in one.items():
        assert two[rows] == pytest.approx(metrics, abs=1e-6), rows
