"""What the recipes by heart make of the sentences that the course and d2l translate."""

from pathlib import Path
from statistics import mean

import pytest

from datamodules import FraEng
from zoo.catalogue import recipes
from zoo.cli.main import main
from zoo.translation.bleu import sentence_bleu

COURSE = ("go .", "wow !", "i'm ok .", "i won !")
D2L = {  # its sentences with its references; "he's calm ." is not among the first 1,000 pairs
    "go .": "va !",
    "i lost .": "j'ai perdu .",
    "he's calm .": "il est calme .",
    "i'm home .": "je suis chez moi .",
}


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.parametrize(
    ("recipe", "d2l"),  # the mean of the BLEU (runs of 1 and 2) that d2l printed
    [
        ("seq2seq-fra_eng", (1 + 1 + 0.447 + 1) / 4),
        ("attention_seq2seq-fra_eng", (1 + 1 + 0.658 + 1) / 4),
        ("transformer-fra_eng", (1 + 0.687 + 0.658 + 1) / 4),
    ],
)
def test_the_sentences_of_the_course_are_right(recipe, d2l, real_data):
    assert main(["fit", recipe, "--data.root", str(real_data)]) == 0
    sentences = [*COURSE, *D2L]
    Path("english.txt").write_text("\n".join(sentences) + "\n", encoding="utf-8")
    checkpoint = f"runs/{recipe}/1/checkpoints/last.ckpt"
    greedy = ("--beam", "1", "--file", "english.txt", "--output", "french.txt")
    assert main(["predict", "--ckpt_path", checkpoint, *greedy]) == 0
    found = dict(zip(sentences, Path("french.txt").read_text("utf-8").splitlines(), strict=True))

    corpus = FraEng(root=real_data, **recipes()[recipe].config["data"]["init_args"])
    corpus.prepare_data()
    corpus.setup("fit")
    known = set(corpus._pairs)
    assert [s for s in COURSE if (s, found[s]) not in known] == []
    scores = {s: sentence_bleu(found[s], reference) for s, reference in D2L.items()}
    assert mean(scores.values()) >= d2l, scores
