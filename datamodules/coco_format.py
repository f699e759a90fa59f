"""Pictures of yours and a JSON file of their boxes, in the format of COCO.

Source: Lin et al. 2014, https://cocodataset.org/#format-data; the file that --data.annotations
        names
Batch: (images, boxes, labels)
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from datamodules.boxes.annotations import SLACK, Annotation, Box, Faults, corners, number
from datamodules.boxes.corpus import DetectionCorpus, say
from datamodules.boxes.listed_sizes import on_pictures
from datamodules.files.errors import CorpusError
from datamodules.files.json_files import read_json
from datamodules.pictures.names import PictureNames
from datamodules.synthetic import sprites

FILES = ("train", "test")
FOLDER = "sprites"  # of the stand-in
LISTS = {  # what one of each is called, and what it must say
    "images": ("image", ("id", "file_name", "width", "height")),
    "annotations": ("annotation", ("image_id", "category_id", "bbox")),
    "categories": ("category", ("id", "name")),
}


class COCOFormat(DetectionCorpus):
    """Pictures with any number of boxes, of which a tenth is held out.

    Paths are read from the current folder or else from the root; a checkpoint does not keep them.
    Classes come in the order of their ids. Crowds (iscrowd) are left out. Lists may be as tools
    write them: boxes as fractions of the sides, sizes and boxes of one scale for both sides, names
    of another machine, ids as texts. Boxes drawn on pictures as they were before their camera's
    note turned them are moved, by the listed sizes.

    Args:
        annotations: JSON file with images, annotations and categories.
        pictures: Folder or zip of the pictures; by default the folder of `annotations`.
        test_annotations: JSON file of the pictures to test on, where there are some.
        test_pictures: Folder or zip of those; by default `pictures`, or else the folder of
            `test_annotations`.
        corpus: Arguments of every corpus of pictures with boxes.
    """

    title = "COCO format"
    synthetic_version = 2

    def __init__(
        self,
        annotations: str | Path | None = None,
        pictures: str | Path | None = None,
        test_annotations: str | Path | None = None,
        test_pictures: str | Path | None = None,
        **corpus: Any,
    ) -> None:
        super().__init__(**corpus)
        paths = ["annotations", "pictures", "test_annotations", "test_pictures"]
        self.save_hyperparameters(ignore=["root", *paths], logger=False)
        self.annotations = dict(zip(FILES, (annotations, test_annotations), strict=True))
        self.pictures = dict(zip(FILES, (pictures, test_pictures or pictures), strict=True))
        self._num_crowds = dict.fromkeys(FILES, 0)
        if annotations is not None and not self.synthetic:
            self.title = f"{self.title} {Path(annotations).name}"

    def write_synthetic(self, folder: Path) -> None:
        sprites.write_coco(folder / FOLDER)

    # Where the files are

    @property
    def splits(self) -> tuple[str, ...]:  # type: ignore[override]
        tests = self.synthetic or self.annotations["test"] is not None
        return ("train", "val", "test") if tests else ("train", "val")

    @property
    def files_exist(self) -> bool:
        named = self.annotations["train"] is not None
        return named and all(self._list(part).is_file() for part in FILES if part in self.splits)

    def _list(self, part: str) -> Path:
        """The JSON file of train or of test."""
        if self.synthetic:
            return self.folder / FOLDER / f"{part}.json"
        if (path := self.annotations[part]) is None:
            raise CorpusError(
                "there are no pictures to read: name their boxes by --data.annotations FILE, or "
                "try the generated ones: --data.synthetic true"
            )
        return self.locate(path)

    def _folder(self, part: str) -> Path:
        """The folder or the zip of its pictures."""
        if self.synthetic:
            return self.folder / FOLDER / "pictures"
        named = self.pictures[part]
        return self._list(part).parent if named is None else self.locate(named)

    def download(self) -> None:
        """Raises CorpusError: no file was named, or one is not there."""
        self._list("train")
        self.refuse_absent(*self.annotations.values())

    def adopt(self, source: Path) -> list[Path]:
        """Raises CorpusError: a file of one's own stays where it is."""
        raise CorpusError(f"a file of your own is read where it lies: --data.annotations {source}")

    # Classes

    @cached_property
    def _categories(self) -> dict[Any, str]:
        """The name of each category of the training file, by id, in the order of the ids."""
        self.prepare_data()  # facts are asked for before the Trainer does this
        path = self._list("train")
        return _categories(path, read_json(path))

    @cached_property
    def labels(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(self._categories.values())

    @property
    def category_ids(self) -> list[Any]:
        return list(self._categories)

    # What is read

    def annotated(self, part: str, faults: Faults) -> Iterator[Annotation]:
        """The pictures of train or of test, and the boxes in each."""
        path, folder = self._list(part), self._folder(part)
        content = read_json(path)
        known = {_key(key): name for key, name in self._categories.items()}
        for key, name in _categories(path, content).items():
            if known.get(_key(key)) != name:
                raise CorpusError(
                    f"{path}: category {key}, {name!r}, is none of {self._list('train')}"
                )
        images = self._images(path, content, faults)
        boxes = self._boxes(path, content, part, images, faults)
        listed = _in_pixels(list(self._listed(folder, images, boxes, faults)))
        found, remark = on_pictures(listed, faults)
        if remark:
            say(f"{path}: {remark}")
        yield from found

    def _listed(
        self,
        folder: Path,
        images: Mapping[Any, tuple[str, dict]],
        boxes: Mapping[Any, list[Box]],
        faults: Faults,
    ) -> Iterator[Annotation]:
        """What the list says of each picture that is there."""
        pictures = PictureNames(folder)
        for key, (where, image) in images.items():
            width, height = number(image["width"]), number(image["height"])
            name = str(image["file_name"])
            if not (0 < width < math.inf and 0 < height < math.inf):
                faults.note(f"{where}: no picture is {image['width']} x {image['height']}")
            elif (picture := pictures.find(name)) is None:
                faults.note(f"{where}: there is no picture {name!r} in {folder}")
            else:
                yield Annotation(where, picture, boxes[key], width, height)

    def _images(self, path: Path, content: dict, faults: Faults) -> dict[Any, tuple[str, dict]]:
        """Each image of the file, and where it says so, by id."""
        images: dict[Any, tuple[str, dict]] = {}
        for where, image in _entries(path, content, "images", faults):
            if (key := _key(image["id"])) in images:
                faults.note(f"{where}: the id is there twice")
            else:
                images[key] = where, image
        return images

    def _boxes(
        self, path: Path, content: dict, part: str, images: Mapping[Any, Any], faults: Faults
    ) -> defaultdict[Any, list[Box]]:
        """The boxes of each image."""
        classes = {_key(key): index for index, key in enumerate(self._categories)}
        boxes: defaultdict[Any, list[Box]] = defaultdict(list)
        self._num_crowds[part] = 0
        for where, entry in _entries(path, content, "annotations", faults):
            image, category = _key(entry["image_id"]), _key(entry["category_id"])
            if image not in images:
                faults.note(f"{where}: there is no image of the id {entry['image_id']!r}")
            elif _is_set(entry.get("iscrowd")):
                self._num_crowds[part] += 1
            else:
                fault = ""
                if entry["bbox"] == []:
                    fault = f"{where}: its bbox is empty"
                elif category not in classes:
                    given = entry["category_id"]
                    fault = f"{where}: there is no category of the id {given!r}"
                left, top, width, height = corners(entry["bbox"])
                place = (left, top, left + width, top + height)
                boxes[image].append(Box(where, place, classes.get(category, -1), fault))
        return boxes

    @property
    def described(self) -> str:
        crowds = sum(self._num_crowds.values())
        return super().described + (f"; {crowds:,} crowds left out" if crowds else "")


def _key(value: Any) -> Any:
    """An id as all tools write it: 7, 7.0 and "7" are one."""
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _is_set(flag: Any) -> bool:
    """Whether a flag is set: some tools write "0" and "false"."""
    return str(flag or "").strip().lower() not in ("", "0", "0.0", "false", "no", "none", "null")


def _in_pixels(annotations: list[Annotation]) -> list[Annotation]:
    """Boxes in pixels: where all of a list are fractions of their pictures' sides, of these."""
    places = [box.corners for annotation in annotations for box in annotation.boxes]
    known = [place for place in places if all(map(math.isfinite, place))]
    if not known or not all(-SLACK <= edge <= 1 + SLACK for place in known for edge in place):
        return annotations
    return [
        annotation._replace(boxes=[_scaled(box, annotation) for box in annotation.boxes])
        for annotation in annotations
    ]


def _scaled(box: Box, annotation: Annotation) -> Box:
    left, top, right, bottom = box.corners
    width, height = annotation.width, annotation.height
    return box._replace(corners=(left * width, top * height, right * width, bottom * height))


def _categories(path: Path, content: dict) -> dict[Any, str]:
    """The name of each category, by id, in the order of the ids.

    Raises:
        CorpusError: There is none, one is there twice, or something is missing.
    """
    found: dict[Any, str] = {}
    for where, category in _entries(path, content, "categories", Faults(skip=False)):
        if _key(category["id"]) in map(_key, found):
            raise CorpusError(f"{where}: the id is there twice")
        found[category["id"]] = str(category["name"])
    if not found:
        raise CorpusError(f"{path}: there are no categories")
    return dict(sorted(found.items(), key=lambda item: _order(item[0])))


def _order(value: Any) -> tuple[bool, Any]:
    """Numbers before texts."""
    return isinstance(_key(value), str), _key(value)


def _entries(path: Path, content: dict, key: str, faults: Faults) -> Iterator[tuple[str, dict]]:
    """The entries of a list, each with where it is.

    Raises:
        CorpusError: There is no such list.
    """
    kind, wanted = LISTS[key]
    entries = content.get(key)
    if not isinstance(entries, list):
        raise CorpusError(f"{path}: wanted a list of {key}; there are: {', '.join(content)}")
    for row, entry in enumerate(entries, start=1):
        entry = entry if isinstance(entry, dict) else {}
        where = f"{path}, {kind} {entry.get('id', f'number {row}')}"
        ids = [entry.get(name) for name in wanted if name.endswith("id")]
        if absent := [name for name in wanted if name not in entry]:
            faults.note(f"{where}: it has no {absent[0]}")
        elif not all(isinstance(value, int | str) for value in map(_key, ids)):
            faults.note(f"{where}: an id is neither a whole number nor a text")
        else:
            yield where, entry
