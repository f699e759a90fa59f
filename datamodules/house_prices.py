"""House prices: 1,460 sales in Ames, Iowa, with 79 columns each, and 1,459 to predict for Kaggle.

Source: De Cock 2011, https://doi.org/10.1080/10691898.2011.11889627; the rules of Kaggle's
        house-prices-advanced-regression-techniques
Batch: (features, targets)
"""

from pathlib import Path
from typing import Any

from datamodules.files.download import RemoteFile
from datamodules.synthetic import houses
from datamodules.tables.corpus import TableCorpus

NUMERIC = (
    *("LotFrontage", "LotArea", "OverallQual", "OverallCond", "YearBuilt", "YearRemodAdd"),
    *("MasVnrArea", "BsmtFinSF1", "BsmtFinSF2", "BsmtUnfSF", "TotalBsmtSF", "1stFlrSF"),
    *("2ndFlrSF", "LowQualFinSF", "GrLivArea", "BsmtFullBath", "BsmtHalfBath", "FullBath"),
    *("HalfBath", "BedroomAbvGr", "KitchenAbvGr", "TotRmsAbvGrd", "Fireplaces", "GarageYrBlt"),
    *("GarageCars", "GarageArea", "WoodDeckSF", "OpenPorchSF", "EnclosedPorch", "3SsnPorch"),
    *("ScreenPorch", "PoolArea", "MiscVal", "MoSold", "YrSold"),
)
MIRROR = "https://d2l-data.s3-accelerate.amazonaws.com"


class HousePrices(TableCorpus):
    """The logarithm of the price, from numbers that are standardised and words that are one-hot.

    An error of the logarithm is a relative error of the price, and its root mean square is what
    Kaggle ranks by. 35 columns are numbers, and 44 are words: MSSubClass too, a code of digits.

    Args:
        batch_size: Rows per batch, in each process.
        table: Arguments of every corpus of one table.
    """

    title = "House prices"
    splits = ("train", "val")
    predicts = ""
    labelled, unlabelled = "kaggle_house/train.csv", "kaggle_house/test.csv"
    target, identifier, log_target = "SalePrice", "Id", True
    numeric = NUMERIC
    categorical = tuple(c for c in houses.COLUMNS if c not in (*NUMERIC, "Id", "SalePrice"))
    files = (
        RemoteFile(
            name=labelled,
            urls=(f"{MIRROR}/kaggle_house_pred_train.csv",),
            sha256="1e18addf81e5e4d347cc17ee6075bbe4a42b7fa26b9e5b063e8f692a5f929d41",
            size=460_676,
        ),
        RemoteFile(
            name=unlabelled,
            urls=(f"{MIRROR}/kaggle_house_pred_test.csv",),
            sha256="8fdd3d829d4d986b58f845c9553b225e67dd8383624d90fb6ca1d4bed5798c1e",
            size=451_405,
        ),
    )

    def __init__(self, batch_size: int = 64, **table: Any) -> None:
        super().__init__(batch_size=batch_size, **table)
        self.save_hyperparameters(ignore=["root"], logger=False)

    def write_synthetic(self, folder: Path) -> None:
        houses.write(folder / Path(self.labelled).parent)
