"""Corpora set up, files and servers for them, and the least model that reads them."""

import hashlib
import io
import json
import random
import tarfile
import threading
import zipfile
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, LightningModule
from PIL import Image
from torchvision.transforms.v2.functional import resize

from datamodules import HotDog
from datamodules.batches.in_memory import Rows
from datamodules.files.download import RemoteFile
from datamodules.tables.reading import Cells
from datamodules.text.vocabulary import SPECIALS
from tests.conftest import quiet_trainer

SMALL = {"size": 16, "batch_size": 4}


def encoded(width=24, height=16, seed=0, form="PNG") -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


def photographs(n, side=16):
    """Smooth pictures with all brightnesses, so that no change of one goes unseen."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randint(0, 256, (n, 3, 4, 4), generator=generator, dtype=torch.uint8)
    return resize(coarse, [side, side], antialias=True)


def keys(n, epoch=0):
    """Of n pictures in an epoch, by which they are changed."""
    return (epoch << 32) + torch.arange(n)


def named(entry):
    """The name of a change in `augment`."""
    return entry if isinstance(entry, str) else next(iter(entry))


def prepared(corpus, *stages):
    """The corpus, set up for these stages; for all that it has rows for by default."""
    corpus.prepare_data()
    for stage in stages or ("fit", *({"test"} & set(corpus.splits))):
        corpus.setup(stage)
    return corpus


def at(epoch, done=0):
    """The position of a sampler that goes on after `done` batches of an epoch."""
    return lambda num_batches: (epoch, done)


def flat(lists):
    return [item for batch in lists for item in batch]


class Recorder(Callback):
    """Keeps what a model is trained on, and a checkpoint of each step."""

    def __init__(self, folder=None):
        self.folder, self.seen = folder, []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        tensors = [part.tolist() for part in batch if isinstance(part, torch.Tensor)]
        self.seen.append([batch_idx, *tensors])

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if self.folder:
            trainer.save_checkpoint(self.folder / f"{len(self.seen)}.ckpt")


class Weight(LightningModule):
    """The least that can be trained; keeps what it is validated on."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.validated = []

    def training_step(self, batch, batch_idx):
        return self.weight * batch[0].sum()

    def validation_step(self, batch, batch_idx):
        self.validated.append(batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.0)


def fitted(corpus, folder=None, ckpt_path=None, **options):
    """What the least model was trained on, and the model."""
    recorder, model = Recorder(folder), Weight()
    trainer = quiet_trainer(
        **{"max_epochs": 2, "limit_train_batches": 3, **options}, callbacks=[recorder]
    )
    trainer.fit(model, corpus, ckpt_path=ckpt_path)
    return recorder.seen, model


@pytest.fixture
def server(monkeypatch):
    """Serves `bodies` by path."""
    monkeypatch.setenv("NO_PROXY", "*")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = self.server.bodies[self.path]
            self.server.requests += 1
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(ConnectionError):
                self.wfile.write(body)

        def log_message(self, *_):
            pass

    served = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.requests, served.bodies = 0, {}
    threading.Thread(target=served.serve_forever, args=(0.02,), daemon=True).start()
    yield served
    served.shutdown()
    served.server_close()


PAD, BOS, EOS, UNK = range(4)


def whole(corpus, split):
    """All the rows of a split, in one batch."""
    rows = corpus.data[split]
    return rows[Rows(0, torch.arange(len(rows)))]


def texts(corpus, split):
    """The pairs of a split as text, tokens parted by blanks."""
    batch = whole(corpus, split)
    sides = ((corpus.source_vocab, batch.source), (corpus.target_vocab, batch.target))
    read = [
        [" ".join(t for t in vocab.tokens(row) if t not in SPECIALS[:3]) for row in side.tolist()]
        for vocab, side in sides
    ]
    return list(zip(*read, strict=True))


CONTENT = random.Random(0).randbytes(100_000)


@pytest.fixture
def root(tmp_path):
    """A folder of the corpora, alone in a folder that is watched for what escapes."""
    return tmp_path / "watched" / "root"


def leftovers(folder: Path) -> set[str]:
    """Every file below, but the locks."""
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if (path.is_symlink() or not path.is_dir()) and path.suffix != ".lock"
    }


TREE = {"data/train/0.txt": b"zero" * 5000, "data/test/1.txt": b"", "facts.csv": b"a,b\n"}
LIMITS = {"max_bytes": 50_000, "max_files": 20}


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def write_zip(path: Path, tree: dict[str, bytes], *entries: zipfile.ZipInfo) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in tree.items():
            archive.writestr(name, content)
        for info in entries:
            archive.writestr(info, "/etc/passwd")
    return path


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


SMALL_HOT_DOG = {"size": 16, "crop_size": None, "batch_size": 16}


def hot_dog_files(train: int = 10, test: int = 4) -> dict[str, bytes]:
    return {
        f"hotdog/{split}/{label}/{number}.jpg": encoded(
            seed=number + 1000 * index + 100 * (split == "test"), form="JPEG"
        )
        for split, count in (("train", train), ("test", test))
        for index, label in enumerate(HotDog.labels)
        for number in range(count)
    }


def hot_dog_root(folder: Path) -> Path:
    """A small, right corpus as a folder, to be spoilt."""
    for name, content in hot_dog_files().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def hot_dog(root, **options) -> HotDog:
    return prepared(HotDog(root=root, **{**SMALL_HOT_DOG, **options}))


def remote(server, content: bytes, **known) -> RemoteFile:
    url = f"http://127.0.0.1:{server.server_port}/file"
    return RemoteFile("a/b.zip", (url,), sha1=hashlib.sha1(content).hexdigest(), **known)


def table(**columns: list[str]) -> Cells:
    """A table in memory, its rows on the lines 2, 3 ..."""
    size = len(next(iter(columns.values())))
    return Cells(Path("table.csv"), columns, list(range(2, size + 2)))


# Boxes of one's own

WIDTH, HEIGHT = 40, 20
THINGS = {0: [("cat", 4, 2, 12, 10), ("dog", 20, 10, 40, 20)], 1: [("dog", 0, 0, 8, 5)], 2: []}
LABELS = ["cat", "dog"]


def drawn(path: Path, things) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.new("RGB", (WIDTH, HEIGHT), "grey")
    for _, *box in things:
        picture.paste("white", tuple(box))
    picture.save(path)


def yolo(folder: Path, images: str, labels: str, start: int = 0, names: bool = True) -> None:
    """Three pictures and their lines; nothing for the one that shows nothing."""
    for number, things in THINGS.items():
        drawn(folder / images / f"{start + number}.jpg", things)
        (folder / labels).mkdir(parents=True, exist_ok=True)
        lines = [
            f"{LABELS.index(name)} {(left + right) / 2 / WIDTH} {(top + bottom) / 2 / HEIGHT} "
            f"{(right - left) / WIDTH} {(bottom - top) / HEIGHT}"
            for name, left, top, right, bottom in things
        ]
        if lines:
            (folder / labels / f"{start + number}.txt").write_text("\n".join(lines) + "\n")
    if names and not (folder / "data.yaml").exists():
        (folder / "data.yaml").write_text("names: [cat, dog]\n")


def voc(folder: Path, images: str, xml: str, start: int = 0, first: int = 1) -> None:
    for number, things in THINGS.items():
        drawn(folder / images / f"{start + number}.jpg", things)
        (folder / xml).mkdir(parents=True, exist_ok=True)
        objects = "".join(
            f"<object><name>{name}</name><bndbox><xmin>{left + first}</xmin><ymin>{top + first}"
            f"</ymin><xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox><part><name>head</name>"
            "<bndbox><xmin>1</xmin></bndbox></part></object>"
            for name, left, top, right, bottom in things
        )
        (folder / xml / f"{start + number}.xml").write_text(
            f"<annotation><folder>x</folder><filename>{start + number}.jpg</filename>"
            f"<size><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></size>"
            f"{objects}</annotation>"
        )


def coco(folder: Path, images: str, path: str, start: int = 0, said: str = "{}") -> None:
    entries, boxes = [], []
    for number, things in THINGS.items():
        drawn(folder / images / f"{start + number}.jpg", things)
        size = {"width": WIDTH, "height": HEIGHT}
        entries.append({"id": number, "file_name": said.format(f"{start + number}.jpg"), **size})
        boxes += [
            {"id": len(boxes) + row, "image_id": number, "category_id": 5 + LABELS.index(name),
             "bbox": [left, top, right - left, bottom - top]}
            for row, (name, left, top, right, bottom) in enumerate(things, start=1)
        ]  # fmt: skip
    categories = [{"id": 5, "name": "cat"}, {"id": 6, "name": "dog"}]
    content = {"images": entries, "annotations": boxes, "categories": categories}
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_text(json.dumps(content))
