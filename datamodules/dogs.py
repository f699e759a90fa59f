"""Dog breeds: 10,222 photographs of 120 breeds, and 10,357 to label for Kaggle.

Source: Khosla, Jayadevaprakash, Yao and Li 2011, Stanford Dogs,
        http://vision.stanford.edu/aditya86/ImageNetDogs; the rules of Kaggle's
        dog-breed-identification
Batch: (images, labels), or (features, labels) where features are kept
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from datamodules.files.errors import CorpusError
from datamodules.files.file_paths import FilePath
from datamodules.pictures.folders import PictureFolderCorpus
from datamodules.pictures.labels import labelled
from datamodules.pictures.rows import pictures_in
from datamodules.synthetic import dogs

# In the order of Kaggle's sample_submission.csv; a subset of the pictures has the same classes.
BREEDS = (
    *("affenpinscher", "afghan_hound", "african_hunting_dog", "airedale"),
    *("american_staffordshire_terrier", "appenzeller", "australian_terrier", "basenji", "basset"),
    *("beagle", "bedlington_terrier", "bernese_mountain_dog", "black-and-tan_coonhound"),
    *("blenheim_spaniel", "bloodhound", "bluetick", "border_collie", "border_terrier", "borzoi"),
    *("boston_bull", "bouvier_des_flandres", "boxer", "brabancon_griffon", "briard"),
    *("brittany_spaniel", "bull_mastiff", "cairn", "cardigan", "chesapeake_bay_retriever"),
    *("chihuahua", "chow", "clumber", "cocker_spaniel", "collie", "curly-coated_retriever"),
    *("dandie_dinmont", "dhole", "dingo", "doberman", "english_foxhound", "english_setter"),
    *("english_springer", "entlebucher", "eskimo_dog", "flat-coated_retriever", "french_bulldog"),
    *("german_shepherd", "german_short-haired_pointer", "giant_schnauzer", "golden_retriever"),
    *("gordon_setter", "great_dane", "great_pyrenees", "greater_swiss_mountain_dog"),
    *("groenendael", "ibizan_hound", "irish_setter", "irish_terrier", "irish_water_spaniel"),
    *("irish_wolfhound", "italian_greyhound", "japanese_spaniel", "keeshond", "kelpie"),
    *("kerry_blue_terrier", "komondor", "kuvasz", "labrador_retriever", "lakeland_terrier"),
    *("leonberg", "lhasa", "malamute", "malinois", "maltese_dog", "mexican_hairless"),
    *("miniature_pinscher", "miniature_poodle", "miniature_schnauzer", "newfoundland"),
    *("norfolk_terrier", "norwegian_elkhound", "norwich_terrier", "old_english_sheepdog"),
    *("otterhound", "papillon", "pekinese", "pembroke", "pomeranian", "pug", "redbone"),
    *("rhodesian_ridgeback", "rottweiler", "saint_bernard", "saluki", "samoyed", "schipperke"),
    *("scotch_terrier", "scottish_deerhound", "sealyham_terrier", "shetland_sheepdog", "shih-tzu"),
    *("siberian_husky", "silky_terrier", "soft-coated_wheaten_terrier"),
    *("staffordshire_bullterrier", "standard_poodle", "standard_schnauzer", "sussex_spaniel"),
    *("tibetan_mastiff", "tibetan_terrier", "toy_poodle", "toy_terrier", "vizsla", "walker_hound"),
    *("weimaraner", "welsh_springer_spaniel", "west_highland_white_terrier", "whippet"),
    *("wire-haired_fox_terrier", "yorkshire_terrier"),
)


class Dogs(PictureFolderCorpus):
    """120 breeds, of each of which a tenth is held out.

    Read from `dog-breed-identification/`, or from within Kaggle's `dog-breed-identification.zip`:
    `train/<id>.jpg`, `test/<id>.jpg` and `labels.csv` with the columns id and breed. Pictures of
    train that labels.csv does not list are left out.

    Args:
        validation_fraction: Part of each breed held out, by `split_seed`; a breed keeps a picture
            to train on. 0 trains on all, for the submission.
        pictures: Arguments of every corpus of picture files.
    """

    title = "Dog breeds"
    name = "dog-breed-identification"
    labels = BREEDS
    full_size = {"train": 10_222}
    splits = ("train", "val")
    predicts = ""
    submission = "probabilities"

    def __init__(self, validation_fraction: float = 0.1, **pictures: Any) -> None:
        super().__init__(validation_fraction=validation_fraction, **pictures)
        self.save_hyperparameters(ignore=["root"], logger=False)
        self._num_unlabelled = 0

    def write_synthetic(self, folder: Path) -> None:
        dogs.write(folder / self.name, BREEDS)

    def download(self) -> None:
        """Raises CorpusError: Kaggle asks who wants the pictures."""
        raise CorpusError(
            f"{self.title} is not under {self.root}, and Kaggle gives it only to who logs in: "
            f"`kaggle competitions download -c {self.name} -p {self.root}`, whose zip is read as "
            f"it is, as is {self.name}/ with train/<id>.jpg, test/<id>.jpg and labels.csv (id, "
            "breed); or try the generated stand-in: --data.synthetic true"
        )

    def adopt(self, source: Path) -> list[Path]:
        """Raises CorpusError: no digest is known to check a copy by."""
        raise CorpusError(
            f"Kaggle publishes no digest of {self.name}.zip to check {source} by: put it into "
            f"{self.root} as it is"
        )

    def files_to_predict(self) -> list[Path]:
        """The pictures without labels, once the files are there."""
        self.prepare_data()
        return [self._place / "test"]

    def pictures(self, part: str) -> tuple[list[FilePath], Tensor]:
        """The pictures that labels.csv lists, in its order, and their breeds.

        Raises:
            CorpusError: A row is wrong; names the file and the line.
        """
        found = pictures_in(self._place / part)
        rows = list(labelled(self._place / "labels.csv", "breed", BREEDS, found))
        self._num_unlabelled = len(found) - len(rows)
        return [picture for picture, _ in rows], torch.tensor([breed for _, breed in rows])

    def divided(self, classes: Tensor) -> tuple[Tensor, Tensor]:
        """The training rows to train on, and those held out of each breed."""
        return self.divide_classes(classes)

    @property
    def described(self) -> str:
        left_out = f"; {self._num_unlabelled:,} pictures of train have no label"
        return super().described + (left_out if self._num_unlabelled else "")
