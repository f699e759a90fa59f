"""How fast are photographs and texts of one's own read: the usual ways, what was before, the zoo?

    .venv/bin/python -m scripts.benchmarks.own_data [pictures or texts] [--json FILE]

Pictures: reads generated photographs of 500 x 375 pixels, and of 4,032 x 3,024 as phones take
them, to squares of 256, in batches of 32:

folder   torchvision's ImageFolder, Resize, CenterCrop and a DataLoader with two workers
pillow   whole decode and Pillow's own resize in four threads, as the zoo did before
zoo      `PictureRows`, as `PictureFolder` reads what does not fit into memory

Then a network that was trained on the stand-in of `PictureFolder` labels its 600 pictures, enlarged
ninefold, once as the zoo reads them and once decoded whole: at least 99.5% of the labels are the
same.

Texts: reads a generated text of 24 MB by characters and by words, to numbers by their vocabulary:

loop     a plain loop: a dict that grows, and a list of numbers
before   a list of all tokens, a Counter, and their numbers looked up, as the zoo did before
zoo      `TextFile`, in memory, nothing of it in the cache

The three give the same numbers. Then the most memory beside the tokens, in bytes a byte of text.

Exits with 1 when a bar is not met.
"""

import io
import tracemalloc
from collections import Counter
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

from datamodules import PictureFolder, TextFile
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
TEXT, WORDS = 24_000_000, 60_000  # bytes of a text, and different words
TEXT_BARS: dict[str, Bars] = {
    "char": {("zoo", "before"): 10.0, ("zoo", "loop"): None},
    "word": {("zoo", "before"): 3.0, ("zoo", "loop"): None},
}
MOST_MEMORY = 3.0  # bytes a byte of text
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
    """Returns the share of enlarged pictures to which both ways of reading give one label."""
    corpus = PictureFolder(synthetic=True, size=64, batch_size=32)
    torch.manual_seed(0)
    network = ResNet(3, 2, stem="cifar", width_ratio=0.25)
    lean_trainer(max_epochs=12).fit(network, corpus)
    folder.mkdir()
    known = [picture for part in ("train", "test") for picture in corpus.pictures(part)[0]]
    for index, picture in enumerate(known):
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


def write_text(path: Path) -> None:
    """Writes lines of made-up words, as frequent as Zipf's law says."""
    rng = np.random.default_rng(0)
    letters, sizes = np.array(list("etaoinshrdlucmfwypvbgk")), rng.integers(2, 10, WORDS)
    words = np.array(["".join(rng.choice(letters, size)) for size in sizes], dtype=object)
    drawn = words[np.minimum(rng.zipf(1.2, TEXT // 5), WORDS) - 1].tolist()
    lines = (" ".join(drawn[start : start + 12]) for start in range(0, len(drawn), 12))
    path.write_text("\n".join(lines)[:TEXT], encoding="utf-8")


def tokens_of(path: Path, unit: str) -> list[str]:
    """Returns all tokens of a text."""
    text = path.read_text(encoding="utf-8")
    return list(text) if unit == "char" else text.split()


def loop(path: Path, unit: str) -> Tensor:
    """Reads a text once: numbers by appearance."""
    index: dict[str, int] = {}
    return torch.tensor([index.setdefault(token, len(index)) for token in tokens_of(path, unit)])


def before(path: Path, unit: str) -> Tensor:
    """Reads a text once: numbers by frequency, after that of <unk>."""
    tokens = tokens_of(path, unit)
    counts = Counter(tokens)
    entries = sorted(counts, key=lambda token: (-counts[token], token))
    index = {token: number for number, token in enumerate(entries, start=1)}
    return torch.tensor([index.get(token, 0) for token in tokens])


def text_file(path: Path, unit: str) -> TextFile:
    """Reads a text once."""
    corpus = TextFile(path, tokenizer=unit, validation_fraction=0.0)
    corpus.data["train"] = corpus.read("train")
    return corpus


def same(path: Path, unit: str) -> bool:
    """Whether all ways give the same numbers, once those of the loop are put in order."""
    ours = text_file(path, unit).data["train"].tensors[0]
    wanted, numbers = before(path, unit), loop(path, unit)
    order = torch.empty(int(numbers.max()) + 1, dtype=torch.long)
    order[numbers] = wanted
    return torch.equal(ours, wanted) and torch.equal(order[numbers], wanted)


def memory(path: Path, unit: str) -> float:
    """Returns the most memory beside the tokens while a text is read, in bytes a byte of it."""
    tracemalloc.start()
    corpus = text_file(path, unit)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return (peak - corpus.data["train"].numbers.nbytes) / path.stat().st_size


def measure_pictures(report: Report, repeats: int, folder: Path) -> None:
    """Measures both kinds of photographs, and compares labels."""
    for work, (size, count) in SIZES.items():
        place = folder / work.replace(" ", "_")
        write(place, size, count)
        ways = {way: repeated(partial(read, place), count) for way, read in WAYS.items()}
        report.add(work, "pictures/s", alternately(ways, repeats), BARS[work])
    share = agreement(folder / "large")
    report.check(f"equal labels: {share:.4f}", share, AGREE)


def measure_texts(report: Report, repeats: int, folder: Path) -> None:
    """Measures characters and words, and the memory that they take."""
    path = folder / "text.txt"
    write_text(path)
    size = path.stat().st_size / 1e6
    for unit, bars in TEXT_BARS.items():
        if not same(path, unit):
            raise SystemExit(f"{unit}: the ways give different numbers")
        reading = {"loop": loop, "before": before, "zoo": text_file}
        ways = {way: repeated(partial(read, path, unit), size) for way, read in reading.items()}
        report.add(f"text by {unit}", "MB/s", alternately(ways, repeats), bars)
        most = memory(path, unit)
        report.check(f"bytes beside the tokens: {most:.2f}", most, MOST_MEMORY, most=True)


PARTS = {"pictures": measure_pictures, "texts": measure_texts}


def main() -> int:
    """Measures pictures, texts or both."""
    parser = benchmark_parser(__doc__)
    parser.add_argument("part", nargs="?", choices=PARTS, help="what to measure; by default all")
    options = parsed(parser)
    report = Report(options, f"squares of {SIZE}, batches of {BATCH}; texts of {TEXT:,} bytes")
    with TemporaryDirectory() as name:
        for part, measure in PARTS.items():
            if options.part in (None, part):
                measure(report, options.repeats, Path(name))
    return report.end()


if __name__ == "__main__":
    raise SystemExit(main())
