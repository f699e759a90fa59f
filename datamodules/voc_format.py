"""Pictures of yours and an XML file of boxes for each, in the format of Pascal VOC.

Source: Everingham et al. 2010, http://host.robots.ox.ac.uk/pascal/VOC; the folder that --data.path
        names
Batch: (images, boxes, labels)
"""

import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from xml.etree import ElementTree

from datamodules.boxes.annotations import Annotation, Box, Faults, number
from datamodules.boxes.corpus import say
from datamodules.boxes.listed_sizes import on_pictures
from datamodules.boxes.own import OwnBoxes, named_files, part_of_folder, pictures_of
from datamodules.files.errors import CorpusError
from datamodules.files.file_paths import FilePath, read_file
from datamodules.files.text import decoded
from datamodules.pictures.names import PictureNames
from datamodules.pictures.reading import picture_size
from datamodules.synthetic import sprites

EDGES = ("xmin", "ymin", "xmax", "ymax")
FLAG = re.compile(r"\s+(-1|0|1)$")  # behind the name of a picture in a list of a class
SETS = {"train": ("train", "trainval"), "val": ("val",), "test": ("test",)}  # of ImageSets/Main


class Described(NamedTuple):
    """A picture as an XML file describes it.

    Attributes:
        file: The XML file.
        name: Name of the picture.
        size: Its width and height; 0 where the file does not say.
        boxes: Class, left, top, right and bottom of each object.
    """

    file: FilePath
    name: str
    size: tuple[float, float]
    boxes: list[tuple[str, tuple[float, ...]]]


class VOCFormat(OwnBoxes):
    """Pictures with any number of boxes, of which a tenth is held out where there is no part val.

    Read from `Annotations/*.xml` and `JPEGImages`, with the parts of `ImageSets/Main` where these
    are; from parts that hold both kinds of files (train, valid, test); or from XML files beside
    their pictures. Classes come in the order of their names; difficult objects count as all others.
    The first pixel is 1, as VOC defines, or 0 where an edge of a box is at 0.

    Args:
        path: Path of the folder or the zip, from the current folder or else from the root. A
            checkpoint does not keep it.
        corpus: Arguments of every corpus of pictures with boxes.
    """

    title = "Pascal VOC format"
    synthetic_name = "voc"

    def __init__(self, path: str | Path | None = None, **corpus: Any) -> None:
        super().__init__(path=path, **corpus)
        self.save_hyperparameters(ignore=["root", "path"], logger=False)

    def write_synthetic(self, folder: Path) -> None:
        sprites.write_voc(folder / self.synthetic_name)

    # What there is

    @cached_property
    def _files(self) -> dict[str, FilePath]:
        """The files of the folder or the zip."""
        self.prepare_data()  # facts are asked for before the Trainer does this
        return named_files(self.place)

    @cached_property
    def _found(self) -> dict[str, list[Described]]:
        """What the XML files of each part describe."""
        lists = {name: file for name, file in self._files.items() if name.lower().endswith(".xml")}
        divided: dict[str, list[Described]] = {}
        known = {PurePosixPath(name).stem for name in lists}
        sets = {part: self._stems(part, lines, known) for part, lines in self._sets().items()}
        for name, file in lists.items():
            stem = PurePosixPath(name).stem
            named = [part for part, stems in sets.items() if stem in stems]
            for part in named if sets else [part_of_folder(name) or "train"]:
                divided.setdefault(part, []).append(described(file))
        if not divided:
            raise CorpusError(f"{self.place}: there are no XML files of boxes in it")
        return divided

    def _stems(self, part: str, lines: list[str], known: set[str]) -> set[str]:
        """Returns the pictures that the lines of a part name, perhaps with a flag behind.

        Raises:
            CorpusError: One has no XML file, and what is bad is not left out.
        """
        names = {line: line if line in known else FLAG.sub("", line) for line in lines}
        absent = [line for line, name in names.items() if name not in known]
        if known and absent and not self.skip_bad:
            raise CorpusError(
                f"{self.place}: ImageSets/Main lists {absent[0]!r} for {part}, and there is no XML "
                "file of that name; to leave out what is bad: --data.skip_bad true"
            )
        return set(names.values()) & known

    def _sets(self) -> dict[str, list[str]]:
        """The pictures of each part by the lists in ImageSets/Main, where there are some."""
        lists = {
            PurePosixPath(name).stem: file
            for name, file in self._files.items()
            if name.lower().endswith(".txt") and "ImageSets/Main/" in name
        }
        found: dict[str, list[str]] = {}
        for part, names in SETS.items():
            if file := next((lists[name] for name in names if name in lists), None):
                place = Path(str(file))
                lines = decoded(place, read_file(place)).splitlines()
                found[part] = [line.strip() for line in lines if line.strip()]
        return found

    @cached_property
    def labels(self) -> tuple[str, ...]:  # type: ignore[override]
        every = (each for part in self._found.values() for each in part)
        return tuple(sorted({label for each in every for label, _ in each.boxes}))

    @cached_property
    def _first(self) -> int:
        """The number of the first pixel."""
        every = (each for part in self._found.values() for each in part)
        edges = [min(place[:2]) for each in every for _, place in each.boxes]
        return 0 if min(edges, default=1) < 1 else 1

    # What is read

    def annotated(self, part: str, faults: Faults) -> Iterator[Annotation]:
        """The pictures of a part, and the boxes in each."""
        self.refuse_missing(part)
        found, remark = on_pictures(self._listed(part, faults), faults)
        if remark:
            say(f"{self.place}: {remark}")
        yield from found

    def _listed(self, part: str, faults: Faults) -> Iterator[Annotation]:
        """What the XML files say of each picture that is there."""
        pictures = pictures_of(self._files)
        names = PictureNames(pictures)
        beside = {str(PurePosixPath(name).with_suffix("")): each for name, each in pictures.items()}
        by_file = {file: name for name, file in self._files.items()}
        index = {label: number for number, label in enumerate(self.labels)}
        for each in self._found[part]:
            stems = _stems(by_file[each.file])
            picture = next((beside[stem] for stem in stems if stem in beside), None)
            picture = picture or names.find(each.name)
            if picture is None:
                faults.note(f"{each.file}: there is no picture {each.name!r}")
                continue
            boxes = []
            for label, (left, top, right, bottom) in each.boxes:
                place = (left - self._first, top - self._first, right, bottom)
                boxes.append(Box(str(each.file), place, index.get(label, -1)))
            size = each.size
            if not all(side > 0 for side in size):
                try:
                    size = picture_size(picture)
                except CorpusError as error:
                    faults.note(str(error))
                    continue
            yield Annotation(str(each.file), picture, boxes, *size)


def _stems(name: str) -> list[str]:
    """Where the picture of an XML file may lie, without its ending: beside it, or in JPEGImages."""
    path = PurePosixPath(name).with_suffix("")
    parts = list(path.parts)
    found = [str(path)]
    for place, part in enumerate(parts[:-1]):
        if part.lower() in ("annotations", "labels"):
            for folder in ("JPEGImages", "images", "Images"):
                found.append("/".join([*parts[:place], folder, *parts[place + 1 :]]))
    return found


def described(file: FilePath) -> Described:
    """Reads what an XML file says of its picture.

    Raises:
        CorpusError: It is no XML, or none of VOC; names the file.
    """
    content = read_file(Path(str(file)))
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise CorpusError(f"{file}: XML that defines names of its own is not read")
    try:
        root = ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise CorpusError(f"{file}: not XML ({error})") from error
    if root.tag != "annotation":
        raise CorpusError(f"{file}: wanted an <annotation>, and found <{root.tag}>")
    size = [number(root.findtext(f"size/{side}") or 0) for side in ("width", "height")]
    boxes = []
    for entry in root.findall("object"):
        label = (entry.findtext("name") or "").strip()
        if not label:
            raise CorpusError(f"{file}: an object has no name")
        place = tuple(number(entry.findtext(f"bndbox/{edge}")) for edge in EDGES)
        boxes.append((label, place))
    name = (root.findtext("filename") or "").strip() or file.name
    return Described(file, name, (size[0], size[1]), boxes)
