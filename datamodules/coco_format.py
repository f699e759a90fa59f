"""Pictures of yours and a JSON file of their boxes, in the format of COCO.

Source: Lin et al. 2014, https://cocodataset.org/#format-data; the file that --data.annotations
        names
Batch: (images, boxes, labels)
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from datamodules.boxes.annotations import SLACK, Annotation, Box, Faults, corners, number
from datamodules.boxes.corpus import say
from datamodules.boxes.listed_sizes import on_pictures
from datamodules.boxes.own import OwnBoxes, named_files, part_named, part_of_folder, pictures_of
from datamodules.files.errors import CorpusError
from datamodules.files.file_paths import within
from datamodules.files.json_files import read_json
from datamodules.pictures.names import PictureNames
from datamodules.synthetic import sprites

FOLDER = "sprites"  # of the stand-in
OTHERS = ("captions", "person_keypoints", "panoptic", "stuff", "image_info")  # COCO's other lists
LISTS = {  # what one of each is called, and what it must say
    "images": ("image", ("id", "file_name", "width", "height")),
    "annotations": ("annotation", ("image_id", "category_id", "bbox")),
    "categories": ("category", ("id", "name")),
}


class COCOFormat(OwnBoxes):
    """Pictures with any number of boxes, of which a tenth is held out where there is no part val.

    Read from a JSON list and the pictures beside it or in a folder there (`images/`), or from a
    folder or a zip of such lists, whose names or folders say which part each is of
    (`annotations/instances_train2017.json`, `valid/_annotations.coco.json`). Classes come in the
    order of their ids. Crowds (iscrowd) are left out. Lists may be as tools write them: boxes as
    fractions of the sides, sizes and boxes of one scale for both sides, names of another machine,
    ids as texts. Boxes drawn on pictures as they were before their camera's note turned them are
    moved, by the listed sizes.

    Args:
        path: Path of the folder, the zip or the list, from the current folder or else from the
            root. A checkpoint does not keep it.
        annotations: JSON file of the pictures to train on, instead of `path`.
        pictures: Folder or zip of the pictures; by default that of `path` or of `annotations`.
        test_annotations: JSON file of the pictures to test on, where there are some.
        test_pictures: Folder or zip of those; by default `pictures`, or else the folder of
            `test_annotations`.
        corpus: Arguments of every corpus of pictures with boxes.
    """

    title = "COCO format"
    synthetic_version = 2
    synthetic_name = FOLDER

    def __init__(
        self,
        path: str | Path | None = None,
        annotations: str | Path | None = None,
        pictures: str | Path | None = None,
        test_annotations: str | Path | None = None,
        test_pictures: str | Path | None = None,
        **corpus: Any,
    ) -> None:
        super().__init__(path=annotations if path is None else path, **corpus)
        paths = ["path", "annotations", "pictures", "test_annotations", "test_pictures"]
        self.save_hyperparameters(ignore=["root", *paths], logger=False)
        lists = {"train": annotations if path is not None else None, "test": test_annotations}
        self.given = {part: each for part, each in lists.items() if each is not None}
        self.pictures = {"train": pictures, "val": pictures, "test": test_pictures or pictures}
        self._num_crowds: dict[str, int] = {}

    def write_synthetic(self, folder: Path) -> None:
        sprites.write_coco(folder / FOLDER)

    # Where the files are

    @property
    def files_exist(self) -> bool:
        named = [self.locate(path) for path in self.given.values()]
        return super().files_exist and all(path.is_file() for path in named)

    def download(self) -> None:
        """Raises CorpusError: no file was named, or one is not there."""
        if self.path is None and not self.given:
            raise CorpusError(
                "there are no pictures to read: name their folder or the list of their boxes by "
                "--data.path FILE, or try the generated ones: --data.synthetic true"
            )
        self.refuse_absent(self.path, *self.given.values())

    @cached_property
    def _found(self) -> dict[str, Path]:
        """The list of each part that there is.

        Raises:
            CorpusError: There is none, or there are two of a part.
        """
        self.prepare_data()  # facts are asked for before the Trainer does this
        place, lists = self.place, {}
        if place.suffix.lower() == ".json":
            lists["train"] = place
        else:
            files = named_files(place)
            every = [name for name in files if name.lower().endswith(".json")]
            chosen = [name for name in every if "instances" in PurePosixPath(name).name]
            every = [name for name in every if not PurePosixPath(name).name.startswith(OTHERS)]
            for name in chosen or every:
                path = Path(str(files[name]))
                if len(every) > 1 and not _is_list(path):
                    continue
                part = part_named(name) or "train"
                if part in lists:
                    raise CorpusError(
                        f"{path}: {lists[part]} is a list of {part}, too: name one of them by "
                        "--data.path FILE"
                    )
                lists[part] = path
        if not self.synthetic:
            lists |= {part: self.locate(path) for part, path in self.given.items()}
        if not lists:
            raise CorpusError(f"{place}: there is no JSON list of images, boxes and categories")
        return lists

    def _pictures(self, part: str) -> tuple[PictureNames, Path]:
        """The pictures of a part by their names, and where they are."""
        path, named = self._found[part], None if self.synthetic else self.pictures[part]
        archive, inside = within(path)
        if named is not None:
            place = self.locate(named)
        elif inside:
            place = archive
        elif self.place.is_dir() and path.is_relative_to(self.place):
            place = self.place
        else:
            place = path.parent.parent if path.parent.name == "annotations" else path.parent
        pictures = pictures_of(named_files(place))
        of_part = {n: p for n, p in pictures.items() if part_of_folder(n) in (part, None)}
        return PictureNames(of_part or pictures), place

    # Classes

    @cached_property
    def _categories(self) -> dict[Any, str]:
        """The name of each category of the training list, by id, in the order of the ids."""
        path = self._found.get("train") or next(iter(self._found.values()))
        return _categories(path, read_json(path))

    @cached_property
    def labels(self) -> tuple[str, ...]:  # type: ignore[override]
        return tuple(self._categories.values())

    @property
    def category_ids(self) -> list[Any]:
        return list(self._categories)

    def take_classes(self, state: dict[str, Any]) -> None:
        """Takes the names of a checkpoint's classes, and their ids."""
        super().take_classes(state)
        self._categories = dict(zip(state["category_ids"], state["labels"], strict=True))

    # What is read

    def annotated(self, part: str, faults: Faults) -> Iterator[Annotation]:
        """The pictures of a part, and the boxes in each."""
        self.refuse_missing(part)
        path, content = self._found[part], read_json(self._found[part])
        known = {_key(key): name for key, name in self._categories.items()}
        for key, name in _categories(path, content).items():
            if known.get(_key(key)) != name:
                others = self._found.get("train", "the training pictures")
                raise CorpusError(f"{path}: category {key}, {name!r}, is none of {others}")
        images = self._images(path, content, faults)
        boxes = self._boxes(path, content, part, images, faults)
        listed = _in_pixels(list(self._listed(part, images, boxes, faults)))
        found, remark = on_pictures(listed, faults)
        if remark:
            say(f"{path}: {remark}")
        yield from found

    def _listed(
        self,
        part: str,
        images: Mapping[Any, tuple[str, dict]],
        boxes: Mapping[Any, list[Box]],
        faults: Faults,
    ) -> Iterator[Annotation]:
        """What the list says of each picture that is there."""
        pictures, place = self._pictures(part)
        for key, (where, image) in images.items():
            width, height = number(image["width"]), number(image["height"])
            name = str(image["file_name"])
            if not (0 < width < math.inf and 0 < height < math.inf):
                faults.note(f"{where}: no picture is {image['width']} x {image['height']}")
            elif (picture := pictures.find(name)) is None:
                faults.note(f"{where}: there is no picture {name!r} in {place}")
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


def _is_list(path: Path) -> bool:
    """Whether a JSON file lists images and categories."""
    try:
        return {"images", "categories"} <= read_json(path).keys()
    except CorpusError:
        return False


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
