"""Pairs and folders of pictures for style transfer: sizes, bad pictures, the real pair."""

import pytest
from PIL import Image

from datamodules import StylePair, StylePictures
from tests.conftest import refused


@pytest.mark.parametrize("pictures", ["CIFAR10", "FashionMNIST", "HotDog", "folder"])
def test_pictures_of_any_corpus_or_folder_are_of_one_size(pictures, tmp_path):
    options = {"synthetic": True}
    if pictures == "folder":
        StylePair(root=tmp_path).write_synthetic(tmp_path)
        for number in range(9):
            Image.new("RGB", (60 + number, 50), (number, 0, 0)).save(tmp_path / f"{number}.png")
        pictures, options = str(tmp_path), {"root": tmp_path}
    corpus = StylePictures(pictures, size=40, style_size=64, batch_size=4, **options)
    corpus.prepare_data()
    corpus.setup("fit")
    batch = next(iter(corpus.train_dataloader()))
    images, style = corpus.on_after_batch_transfer(batch, 0)
    assert images.shape == (4, 3, 40, 40)
    assert style.shape == (1, 3, 64, 88)
    pixels = corpus.denormalise(images)
    assert 0 <= pixels.min() < pixels.max() <= 1
    assert corpus.state_dict()["style"] == "autumn_oak.jpg"
    assert str(tmp_path) not in str(corpus.state_dict())


# Bad input


def test_bad_pictures_are_refused_in_one_line(tmp_path):
    StylePair(root=tmp_path).write_synthetic(tmp_path)
    (tmp_path / "text.jpg").write_text("no picture")
    Image.new("L", (31, 200)).save(tmp_path / "narrow.png")
    Image.new("L", (40, 4000)).save(tmp_path / "tall.png")
    Image.new("1", (6000, 5000)).save(tmp_path / "huge.png")
    for name, said in (
        ("none.jpg", "none.jpg: there is no such file, here or under"),
        ("text.jpg", "text.jpg: not a picture"),
        ("narrow.png", "31 x 200 pixels; a side has to have 32"),
        ("tall.png", "2 x 150 pixels, at that height, are too few"),
        ("huge.png", "6000 x 5000 pixels are too many"),
    ):
        corpus = StylePair(content=name, root=tmp_path)
        assert said in refused(lambda corpus=corpus: corpus.image_sizes)
        corpus = StylePair(style=name, root=tmp_path)
        assert said in refused(lambda corpus=corpus: (corpus.prepare_data(), corpus.setup("fit")))
    assert "too many" in refused(lambda: StylePair(root=tmp_path, sizes=(5000,)).image_sizes)
    for options in ({"sizes": ()}, {"sizes": (31,)}, {"num_steps": 0}):
        assert "at least 32 and 1" in refused(StylePair, **options)
    assert "at least 32" in refused(StylePictures, size=16)
    corpus = StylePictures("Nothing", root=tmp_path)
    assert "no corpus of labelled pictures is called so" in refused(corpus.prepare_data)
    (tmp_path / "empty").mkdir()
    corpus = StylePictures(str(tmp_path / "empty"), root=tmp_path)
    assert "there are no pictures in it" in refused(corpus.setup, "fit")


# The real pair


@pytest.mark.real
def test_the_real_pair_is_found_and_scaled(real_data):
    corpus = StylePair(root=real_data, sizes=(150, 300))
    assert corpus.image_sizes == [[150, 225], [300, 450]]
    corpus.setup("fit")
    assert [style.shape[2:] for _, style in corpus.rows.pairs] == [(150, 215), (300, 429)]
