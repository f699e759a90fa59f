"""Pictures of yours and a text file of boxes for each, in the format of YOLO.

Source: Jocher, Chaurasia and Qiu 2023, https://docs.ultralytics.com/datasets/detect; the folder
        that --data.path names
Batch: (images, boxes, labels)
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from datamodules.boxes.annotations import Annotation, Box, Faults, number
from datamodules.boxes.own import OwnBoxes, named_files, part_of_folder, pictures_of
from datamodules.files.errors import CorpusError
from datamodules.files.file_paths import FilePath, read_file
from datamodules.files.text import decoded
from datamodules.pictures.names import PictureNames, endings_of
from datamodules.synthetic import sprites

NAMES = ("classes.txt", "obj.names", "names.txt", "_darknet.labels")  # of files without a YAML
KEYS = {"train": "train", "val": "val", "valid": "val", "test": "test"}  # of a YAML


class YOLOFormat(OwnBoxes):
    """Pictures with any number of boxes, of which a tenth is held out where there is no part val.

    Read from `images/` and `labels/*.txt` with parts (`images/train`, `labels/train`) or without,
    from parts with `images` and `labels` in each, or from wherever the lists of `data.yaml` say;
    labels may lie beside their pictures, too. A line is a class and the centre, width and height of
    a box as fractions of the picture, or a class and the corners of a polygon, whose box is taken.
    A picture without a file of labels shows nothing.

    Args:
        path: Path of the folder, the zip or the `data.yaml`, from the current folder or else from
            the root. A checkpoint does not keep it.
        corpus: Arguments of every corpus of pictures with boxes.
    """

    title = "YOLO format"
    synthetic_name = "yolo"

    def __init__(self, path: str | Path | None = None, **corpus: Any) -> None:
        super().__init__(path=path, **corpus)
        self.save_hyperparameters(ignore=["root", "path"], logger=False)

    def write_synthetic(self, folder: Path) -> None:
        sprites.write_yolo(folder / self.synthetic_name)

    # What there is

    @cached_property
    def _files(self) -> dict[str, FilePath]:
        """The files of the folder or the zip."""
        self.prepare_data()  # facts are asked for before the Trainer does this
        place = self.place
        if _is_yaml(place.name):
            named = Path(str(self._settings.get("path") or ""))
            near = (place.parent / named, named)
            place = next((each for each in near if each.is_dir()), place.parent)
        files = named_files(place)
        around = {str(PurePosixPath(name).parent) for name in files if _is_yaml(name)}
        start = min(around, key=len, default=".")  # the folder of a zip
        if start == ".":
            return files
        return {
            name.removeprefix(f"{start}/"): file
            for name, file in files.items()
            if name.startswith(f"{start}/")
        }

    @cached_property
    def _yaml(self) -> Path | None:
        """The YAML file, where there is one."""
        if _is_yaml(self.place.name):
            return self.place
        found = [name for name in self._files if _is_yaml(name)]
        found.sort(key=lambda name: (PurePosixPath(name).stem != "data", name.count("/"), name))
        return next((Path(str(self._files[name])) for name in found), None)

    @cached_property
    def _settings(self) -> dict[str, Any]:
        """What the YAML file says.

        Raises:
            CorpusError: It is no YAML.
        """
        if (path := self._yaml) is None:
            return {}
        try:
            content = yaml.safe_load(decoded(path, read_file(path)))
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            mark = getattr(error, "problem_mark", None)
            line = f", line {mark.line + 1}" if mark else ""
            raise CorpusError(f"{path}{line}: not YAML") from error
        if not isinstance(content, dict):
            raise CorpusError(f"{path}: wanted names: and train:, and found neither")
        return content

    @cached_property
    def _found(self) -> dict[str, list[tuple[str, FilePath]]]:
        """The pictures of each part, with their names."""
        pictures = pictures_of(self._files)
        divided: dict[str, list[tuple[str, FilePath]]] = {}
        for key, part in KEYS.items():
            if chosen := self._listed(self._settings.get(key), pictures):
                divided[part] = chosen
        if not divided:
            for name, picture in pictures.items():
                part = part_of_folder(name) or "train"
                divided.setdefault(part, []).append((name, picture))
        if not divided:
            raise CorpusError(f"{self.place}: there are no pictures in it")
        return divided

    def _listed(self, entry: Any, pictures: Mapping[str, FilePath]) -> list[tuple[str, FilePath]]:
        """The pictures of a part as the YAML says: folders, or text files of names."""
        chosen: list[tuple[str, FilePath]] = []
        for each in entry if isinstance(entry, list) else [entry]:
            for end in endings_of(str(each or "")):
                if end.endswith(".txt") and end in self._files:
                    chosen += self._named(self._files[end], pictures)
                    break
                inside = [(n, p) for n, p in pictures.items() if n.startswith(f"{end}/")]
                if inside:
                    chosen += inside
                    break
        return chosen

    def _named(
        self, file: FilePath, pictures: Mapping[str, FilePath]
    ) -> Iterator[tuple[str, FilePath]]:
        names = PictureNames(pictures)
        by_picture = {picture: name for name, picture in pictures.items()}
        for line, name in enumerate(_lines(file), start=1):
            if name:
                picture = names.find(name)
                if picture is None:
                    raise CorpusError(f"{file}, line {line}: there is no picture {name!r}")
                yield by_picture[picture], picture

    # Classes

    @cached_property
    def labels(self) -> tuple[str, ...]:  # type: ignore[override]
        return self._names

    @cached_property
    def _names(self) -> tuple[str, ...]:
        """The names of the YAML or of a list of names; without one the classes' numbers.

        Raises:
            CorpusError: Names are missing among numbers.
        """
        names = self._settings.get("names")
        if isinstance(names, dict):
            numbers = sorted(number(key) for key in names)
            if numbers != list(range(len(names))):
                raise CorpusError(f"{self._yaml}: names are not numbered 0, 1, 2 ...")
            return tuple(str(names[key]) for key in sorted(names, key=number))
        if isinstance(names, list) and names:
            return tuple(map(str, names))
        for name, file in self._files.items():
            if PurePosixPath(name).name.lower() in NAMES:
                return tuple(filter(None, _lines(file)))
        count = self._settings.get("nc")
        most = count if isinstance(count, int) else 1 + self._highest
        return tuple(map(str, range(most)))

    @property
    def _highest(self) -> int:
        """The highest class in any file of labels."""
        found = [0]
        for part in self._found.values():
            for name, _ in part:
                found += [int(box.label) for box in self._boxes(name) if box.label >= 0]
        return max(found)

    # What is read

    def annotated(self, part: str, faults: Faults) -> Iterator[Annotation]:
        """The pictures of a part, and the boxes in each."""
        self.refuse_missing(part)
        index = {label: float(number) for number, label in enumerate(self.labels)}
        classes = {float(number): index[name] for number, name in enumerate(self._names)}
        for name, picture in self._found[part]:
            boxes = [
                box._replace(label=classes.get(box.label, box.label)) for box in self._boxes(name)
            ]
            yield Annotation(str(picture), picture, boxes)

    def _boxes(self, name: str) -> Iterator[Box]:
        """The boxes in the file of labels of a picture, if it has one."""
        for file in map(self._files.get, label_names(name)):
            if file is not None:
                for line, text in enumerate(_lines(file), start=1):
                    if text:
                        yield _box(f"{file}, line {line}", text)
                return


def _is_yaml(name: str) -> bool:
    return name.lower().endswith((".yaml", ".yml"))


def label_names(name: str) -> list[str]:
    """Returns where the labels of a picture may lie: in labels for images, or beside it."""
    path = PurePosixPath(name).with_suffix(".txt")
    parts = list(path.parts)
    places = [place for place, part in enumerate(parts[:-1]) if part.lower() == "images"]
    found = [str(path)]
    if places:
        parts[places[-1]] = "labels"
        found.insert(0, "/".join(parts))
    return found


def _lines(file: FilePath) -> list[str]:
    """The lines of a small text, without blanks around them."""
    place = Path(str(file))
    return [line.strip() for line in decoded(place, read_file(place)).splitlines()]


def _box(where: str, text: str) -> Box:
    """A line of labels."""
    label, *values = map(number, text.split())
    if len(values) == 4:
        x, y, width, height = values
        corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        return Box(where, corners, label)
    if len(values) >= 6 and len(values) % 2 == 0:
        across, down = values[::2], values[1::2]
        return Box(where, (min(across), min(down), max(across), max(down)), label)
    nowhere = (0.0,) * 4
    found = f"{1 + len(values)} numbers"
    return Box(where, nowhere, label, f"{where}: wanted a class and 4 numbers, and found {found}")
