"""How fast are photographs of one's own read: torchvision's ImageFolder, plain Pillow, the zoo?

    .venv/bin/python -m scripts.benchmarks.own_data [--json FILE]

Reads generated photographs of 500 x 375 pixels, and of 4,032 x 3,024 as phones take them, to
squares of 256, in batches of 32:

folder   torchvision's ImageFolder, Resize, CenterCrop and a DataLoader with two workers
pillow   whole decode and Pillow's own resize in four threads, as the zoo did before
zoo      `PictureRows`, as `PictureFolder` reads what does not fit into memory

Then a network that was trained on the stand-in of `PictureFolder` labels its test pictures,
enlarged ninefold, once as the zoo reads them and once decoded whole: at least 99.5% of the labels
are the same. Exits with 1 when a bar is not met.
"""

import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from datamodules import PictureFolder
from datamodules.batches.in_memory import Rows
from datamodules.pictures.rows import PictureRows, pictures_in
from scripts.benchmarks.measuring import (
    Bars,
    Report,
    alternately,
    benchmark_parser,
    lean_trainer,
    parsed,
    repeated,
)
from zoo.image_classification.resnet import ResNet

SIZE, BATCH, THREADS = 256, 32, 4
SIZES = {"photographs": ((500, 375), 300), "of phones": ((4032, 3024), 24)}  # and how many
BARS: dict[str, Bars] = {
    "photographs": {("zoo", "pillow"): 1.9, ("zoo", "folder"): 2.5},
    "of phones": {("zoo", "pillow"): None, ("zoo", "folder"): 8.0},
}
DISTINCT = 6  # photographs, of which the others are copies
AGREE = 0.995


@cache
def photograph(width: int, height: int, seed: int) -> bytes:
    """Returns a JPEG of noise of all scales, each half as strong as the next coarser one."""
    rng = np.random.default_rng(seed)
    pixels = np.zeros((height, width, 3), np.float32)
    for octave in range(2, 9):
        noise = Image.fromarray(rng.integers(0, 256, (2**octave, 2**octave, 3), np.uint8))
        grown = np.asarray(noise.resize((width, height), Image.Resampling.BICUBIC), np.float32)
        pixels += (grown - 128) / 2 ** (octave - 2)
    file = io.BytesIO()
    Image.fromarray((128 + pixels / 2).clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


def write(folder: Path, size: tuple[int, int], count: int) -> None:
    """Writes JPEGs of two classes."""
    for seed in range(count):
        path = folder / "ab"[seed % 2] / f"{seed}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photograph(*size, seed % DISTINCT))


def batches(count: int) -> Iterator[Rows]:
    """Yields the rows of each batch, in their order."""
    for start in range(0, count, BATCH):
        yield Rows(0, torch.arange(start, min(start + BATCH, count)))


def zoo(folder: Path) -> None:
    """Reads a folder once."""
    pictures = pictures_in(folder)
    rows = PictureRows(pictures, torch.zeros(len(pictures), dtype=torch.long), 3, SIZE)
    for batch in batches(len(rows)):
        rows[batch]


def whole(path: Path, size: int = SIZE) -> Tensor:
    """Returns the middle square of a picture, decoded and resized by Pillow."""
    with Image.open(path) as image:
        colored = image.convert("RGB")
    side = min(colored.size)
    left, top = (colored.width - side) // 2, (colored.height - side) // 2
    square = colored.crop((left, top, left + side, top + side))
    resized = square.resize((size, size), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(resized)).movedim(-1, 0)


def pillow(folder: Path) -> None:
    """Reads a folder once."""
    paths = sorted(folder.rglob("*.jpg"))
    for batch in batches(len(paths)):
        with ThreadPoolExecutor(THREADS) as pool:
            torch.stack([*pool.map(whole, [paths[index] for index in batch.indices.tolist()])])


def image_folder(folder: Path) -> None:
    """Reads a folder once."""
    steps = [transforms.Resize(SIZE), transforms.CenterCrop(SIZE), transforms.PILToTensor()]
    data = datasets.ImageFolder(str(folder), transforms.Compose(steps))
    for _ in DataLoader(data, batch_size=BATCH, num_workers=2):
        pass


WAYS: dict[str, Callable[[Path], None]] = {"folder": image_folder, "pillow": pillow, "zoo": zoo}


def agreement(folder: Path) -> float:
    """Returns the share of enlarged test pictures to which both ways of reading give one label."""
    corpus = PictureFolder(synthetic=True, size=64, batch_size=32)
    torch.manual_seed(0)
    network = ResNet(3, 2, stem="cifar", width_ratio=0.25)
    lean_trainer(max_epochs=4).fit(network, corpus)
    folder.mkdir()
    for index, picture in enumerate(corpus.pictures("test")[0]):
        with Image.open(picture.open()) as image:
            large = image.convert("RGB").resize((9 * image.width, 9 * image.height))
        large.save(folder / f"{index}.jpg", quality=90)
    pictures = pictures_in(folder)
    rows = PictureRows(pictures, torch.zeros(len(pictures)), 3, 64)
    ours = rows[Rows(0, torch.arange(len(pictures)))][0]
    theirs = torch.stack([whole(picture.path, 64) for picture in pictures])
    with torch.no_grad():
        labels = [network.eval()(corpus.normalise(each)).argmax(1) for each in (ours, theirs)]
    return (labels[0] == labels[1]).double().mean().item()


def main() -> int:
    """Measures both kinds of photographs, and compares labels."""
    options = parsed(benchmark_parser(__doc__))
    report = Report(options, f"squares of {SIZE}, batches of {BATCH}")
    with TemporaryDirectory() as name:
        for work, (size, count) in SIZES.items():
            folder = Path(name) / work.replace(" ", "_")
            write(folder, size, count)
            ways = {way: repeated(partial(read, folder), count) for way, read in WAYS.items()}
            report.add(work, "pictures/s", alternately(ways, options.repeats), BARS[work])
        share = agreement(Path(name) / "large")
        report.check(f"equal labels: {share:.4f}", share, AGREE)
    return report.end()


if __name__ == "__main__":
    raise SystemExit(main())
