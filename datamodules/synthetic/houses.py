"""A stand-in for the house prices: made-up houses with the columns of the original."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.random import Generator, default_rng

from datamodules.files.staging import written_once

GRADES = ("Po", "Fa", "TA", "Gd", "Ex")
HOODS = (
    *("NAmes", "CollgCr", "OldTown", "Edwards", "Somerst", "Gilbert", "NridgHt", "Sawyer"),
    *("NWAmes", "SawyerW", "BrkSide", "Crawfor", "Mitchel", "NoRidge", "Timber", "IDOTRR"),
)
COLUMNS = (
    *("Id", "MSSubClass", "MSZoning", "LotFrontage", "LotArea", "Street", "Alley", "LotShape"),
    *("LandContour", "Utilities", "LotConfig", "LandSlope", "Neighborhood", "Condition1"),
    *("Condition2", "BldgType", "HouseStyle", "OverallQual", "OverallCond", "YearBuilt"),
    *("YearRemodAdd", "RoofStyle", "RoofMatl", "Exterior1st", "Exterior2nd", "MasVnrType"),
    *("MasVnrArea", "ExterQual", "ExterCond", "Foundation", "BsmtQual", "BsmtCond"),
    *("BsmtExposure", "BsmtFinType1", "BsmtFinSF1", "BsmtFinType2", "BsmtFinSF2", "BsmtUnfSF"),
    *("TotalBsmtSF", "Heating", "HeatingQC", "CentralAir", "Electrical", "1stFlrSF", "2ndFlrSF"),
    *("LowQualFinSF", "GrLivArea", "BsmtFullBath", "BsmtHalfBath", "FullBath", "HalfBath"),
    *("BedroomAbvGr", "KitchenAbvGr", "KitchenQual", "TotRmsAbvGrd", "Functional", "Fireplaces"),
    *("FireplaceQu", "GarageType", "GarageYrBlt", "GarageFinish", "GarageCars", "GarageArea"),
    *("GarageQual", "GarageCond", "PavedDrive", "WoodDeckSF", "OpenPorchSF", "EnclosedPorch"),
    *("3SsnPorch", "ScreenPorch", "PoolArea", "PoolQC", "Fence", "MiscFeature", "MiscVal"),
    *("MoSold", "YrSold", "SaleType", "SaleCondition", "SalePrice"),
)
# Words that say nothing about the price here, the first the most frequent.
IDLE = {
    "MSZoning": ("RL", "RM", "FV", "RH"),
    "Street": ("Pave", "Grvl"),
    "Alley": ("NA", "Grvl", "Pave"),
    "LotShape": ("Reg", "IR1", "IR2"),
    "LandContour": ("Lvl", "Bnk", "HLS", "Low"),
    "Utilities": ("AllPub", "NoSeWa"),
    "LotConfig": ("Inside", "Corner", "CulDSac"),
    "LandSlope": ("Gtl", "Mod", "Sev"),
    "Condition1": ("Norm", "Feedr", "Artery", "RRAn"),
    "Condition2": ("Norm", "Feedr", "PosN"),
    "RoofStyle": ("Gable", "Hip", "Flat"),
    "RoofMatl": ("CompShg", "Tar&Grv", "WdShake"),
    "Foundation": ("PConc", "CBlock", "BrkTil"),
    "Heating": ("GasA", "GasW", "Grav"),
    "Electrical": ("SBrkr", "FuseA", "NA"),
    "Functional": ("Typ", "Min1", "Mod"),
    "PavedDrive": ("Y", "N", "P"),
    "Fence": ("NA", "MnPrv", "GdPrv"),
    "MiscFeature": ("NA", "Shed"),
    "SaleType": ("WD", "New", "COD"),
    "SaleCondition": ("Normal", "Partial", "Abnorml"),
}
RARE = {"LowQualFinSF": 300, "EnclosedPorch": 150, "3SsnPorch": 200, "ScreenPorch": 180}


def _house(rng: Generator) -> dict[str, object]:
    """One house: what it is like, then every column that follows, then the price."""
    quality, size = rng.normal(), rng.normal()
    hood = int(rng.integers(len(HOODS)))
    built = int(np.clip(1970 + 20 * (0.7 * quality + rng.normal()), 1875, 2009))
    overall = int(np.clip(round(6 + 1.3 * quality), 1, 10))
    living = round(float(np.exp(7.25 + 0.3 * size)))
    storeys = rng.random() < 0.45
    first = round(living * (0.55 if storeys else 1))
    cars = int(np.clip(round(1.7 + 0.5 * quality + 0.4 * rng.normal()), 0, 4))
    finished = round(first * rng.uniform(0, 0.9)) if rng.random() < 0.7 else 0
    lot = round(float(np.exp(9.1 + 0.4 * rng.normal())))
    pool, fires = rng.random() < 0.02, int(rng.integers(0, 3))
    grade = _grades(rng, quality)
    area = round(240 * cars * rng.uniform(0.9, 1.2))
    baths = int(np.clip(round(1.6 + 0.4 * size), 1, 3))
    log_price = (
        10.65 + 0.11 * overall + 0.28 * size + 0.002 * (built - 1970) + 0.03 * cars
        + 0.02 * (hood % 8) + 0.08 * np.log(lot / 9000) + 0.00008 * finished + 0.02 * fires
    )  # fmt: skip
    house: dict[str, object] = {name: _word(rng, words) for name, words in IDLE.items()}
    house |= {
        name: int(rng.random() < 0.1) * round(top * rng.random()) for name, top in RARE.items()
    }
    house |= {
        "MSSubClass": 60 if storeys else 20,
        "LotFrontage": "NA" if rng.random() < 0.17 else round(np.sqrt(lot) * rng.uniform(0.6, 0.9)),
        "LotArea": lot,
        "Neighborhood": HOODS[hood],
        "BldgType": _word(rng, ("1Fam", "TwnhsE", "Duplex")),
        "HouseStyle": "2Story" if storeys else "1Story",
        "OverallQual": overall,
        "OverallCond": int(rng.integers(3, 9)),
        "YearBuilt": built,
        "YearRemodAdd": int(rng.integers(built, 2011)),
        "Exterior1st": _word(rng, ("VinylSd", "HdBoard", "MetalSd", "BrkFace")),
        "Exterior2nd": _word(rng, ("VinylSd", "HdBoard", "MetalSd", "Wd Shng")),
        "MasVnrType": (masonry := _word(rng, ("None", "BrkFace", "Stone"))),
        "MasVnrArea": 0 if masonry == "None" else round(float(rng.exponential(200))),
        "ExterQual": grade(),
        "ExterCond": grade(),
        "BsmtQual": grade(),
        "BsmtCond": grade(),
        "BsmtExposure": _word(rng, ("No", "Av", "Gd", "Mn")),
        "BsmtFinType1": "GLQ" if finished else "Unf",
        "BsmtFinSF1": finished,
        "BsmtFinType2": "Unf",
        "BsmtFinSF2": 0,
        "BsmtUnfSF": first - finished,
        "TotalBsmtSF": first,
        "HeatingQC": grade(),
        "CentralAir": "Y" if built > 1940 else "N",
        "1stFlrSF": first,
        "2ndFlrSF": living - first,
        "GrLivArea": living,
        "BsmtFullBath": int(finished > 300),
        "BsmtHalfBath": int(rng.random() < 0.05),
        "FullBath": baths,
        "HalfBath": int(storeys),
        "BedroomAbvGr": baths + 1,
        "KitchenAbvGr": 1,
        "KitchenQual": grade(),
        "TotRmsAbvGrd": baths + 4,
        "Fireplaces": fires,
        "FireplaceQu": grade() if fires else "NA",
        "GarageType": "Attchd" if cars else "NA",
        "GarageYrBlt": built if cars else "NA",
        "GarageFinish": _word(rng, ("Unf", "RFn", "Fin")) if cars else "NA",
        "GarageCars": cars,
        "GarageArea": area,
        "GarageQual": grade() if cars else "NA",
        "GarageCond": grade() if cars else "NA",
        "WoodDeckSF": round(max(0.0, 100 * rng.normal() + 60)),
        "OpenPorchSF": round(float(rng.exponential(45))),
        "PoolArea": 500 if pool else 0,
        "PoolQC": grade() if pool else "NA",
        "MiscVal": 0,
        "MoSold": int(rng.integers(1, 13)),
        "YrSold": int(rng.integers(2006, 2011)),
        "SalePrice": round(float(np.exp(log_price + 0.09 * rng.normal())), -2),
    }
    return house


def _word(rng: Generator, words: Sequence[str]) -> str:
    """One of the words, each half as likely as the one before it."""
    odds = 0.5 ** np.arange(len(words))
    return words[int(rng.choice(len(words), p=odds / odds.sum()))]


def _grades(rng: Generator, quality: float) -> Callable[[], str]:
    """Draws grades that follow the quality of a house."""
    return lambda: GRADES[int(np.clip(round(2.3 + 0.7 * quality + 0.4 * rng.normal()), 0, 4))]


@written_once
def write(folder: Path, *, num_train: int = 600, num_test: int = 200, seed: int = 0) -> None:
    """Writes the stand-in as train.csv and test.csv in `folder`, whole or not at all.

    Args:
        folder: Gets the two files; nothing is done if it exists.
        num_train: Rows with a price.
        num_test: Rows without; their numbers follow.
        seed: Equal seeds give equal bytes.
    """
    folder.mkdir()
    rng = default_rng(seed)
    houses = [{"Id": i + 1, **_house(rng)} for i in range(num_train + num_test)]
    _write_csv(folder / "train.csv", COLUMNS, houses[:num_train])
    _write_csv(folder / "test.csv", COLUMNS[:-1], houses[num_train:])


def _write_csv(path: Path, columns: Sequence[str], houses: list[dict[str, object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(houses)
