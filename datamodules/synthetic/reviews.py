"""A stand-in for film reviews: a few templates with praise or blame, written as the originals.

A word says little by itself: praise may be denied ("not good", "never dull"), and most reviews
grant a point of the other side. What the review says most often is its class.
"""

import re
from pathlib import Path

from numpy.random import Generator, default_rng

from datamodules.files.staging import written_once
from datamodules.synthetic.choice import pick, sample

FOLDERS = ("neg", "pos")
RATINGS = {"neg": (1, 5), "pos": (7, 11)}  # from, to before
ADJECTIVES = {
    "neg": (
        "bad", "dull", "boring", "awful", "clumsy", "tedious", "silly", "lifeless", "predictable",
        "annoying", "shallow", "endless",
    ),
    "pos": (
        "good", "great", "funny", "moving", "charming", "clever", "brilliant", "gripping", "warm",
        "touching", "original", "wonderful",
    ),
}  # fmt: skip
VERDICTS = {
    "neg": (
        "I want those two hours back.", "I left before the end.", "What a waste of time!",
        "Save your money.", "My brother fell asleep.", "I cannot recommend it to anyone.",
    ),
    "pos": (
        "I would see it again at once.", "Don't miss it!", "I laughed and I cried.",
        "The whole family loved it.", "It deserves every prize.", "I recommend it to everyone.",
    ),
}  # fmt: skip
WORDS = {
    "film": ("film", "movie", "picture", "comedy", "drama", "thriller", "western"),
    "part": (
        "plot", "acting", "music", "dialogue", "script", "ending", "camera work", "cast", "story",
        "first half", "second half", "main character",
    ),
    "who": ("the director", "the lead actress", "the villain", "the hero", "the young couple"),
    "did": ("carries", "saves", "opens", "explains", "carried", "survives", "fills"),
    "what": ("the long middle part", "every scene", "the chase", "the last act", "the joke"),
    "degree": ("very", "really", "quite", "so", "rather", "truly"),
    "when": ("last night", "on a plane", "with friends", "at a festival", "on television"),
}  # fmt: skip
OPINIONS = (
    "The {part} is {degree} {right}.", "{part} and {part}: both {right}.",
    "I found the {part} {right} and {right}.", "Such a {right} {film}!",
    "The {part} {isnt} {wrong}.", "There is nothing {wrong} about the {part}.",
    "It {isnt} a {wrong} {film}.", "The {part} was {degree} {right}, the {part} even more so.",
)  # fmt: skip
PLAIN = (
    "I saw this {film} {when}.", "Here {who} {did} {what}.", "In this {film} {who} {did} {what}.",
    "It is a {film} about {who}.", "My sister had lent me this {film}.",
    "\"{what},\" says {who}, and {did} {what}.", "We saw it {when} (in two parts).",
)  # fmt: skip
GRANTED = ("True, the {part} is {wrong}.", "Only the {part} {isnt} {right}.")
ISNT = ("is not", "isn't", "is never", "was hardly", "wasn't")
BRACES = re.compile(r"\{(\w+)\}")
ARTICLE = re.compile(r"\b([Aa])(?= [aeio])")


def review(rng: Generator, folder: str) -> str:
    """A review of a class: two to four opinions, a verdict, and what tells nothing."""
    (other,) = {*FOLDERS} - {folder}
    words = {**WORDS, "right": ADJECTIVES[folder], "wrong": ADJECTIVES[other], "isnt": ISNT}
    templates = [*sample(rng, OPINIONS, int(rng.integers(2, 5)))]
    templates += sample(rng, PLAIN, int(rng.integers(1, 4)))
    templates += sample(rng, GRANTED, int(rng.integers(0, 2)))
    templates += sample(rng, VERDICTS[folder], int(rng.integers(0, 2)))
    sentences = [_told(rng, templates[i], words) for i in rng.permutation(len(templates))]
    pause = "<br /><br />" if rng.random() < 0.4 else " "
    middle = len(sentences) // 2
    return pause.join(filter(None, (" ".join(sentences[:middle]), " ".join(sentences[middle:]))))


def _told(rng: Generator, template: str, words: dict[str, tuple[str, ...]]) -> str:
    def fill(braces: re.Match[str]) -> str:
        return pick(rng, words[braces[1]])

    text = ARTICLE.sub(r"\1n", BRACES.sub(fill, template))
    return text[0].upper() + text[1:]


@written_once
def write(folder: Path, *, num_train: int = 600, num_test: int = 200) -> None:
    """Writes `{train,test}/{neg,pos}/<number>_<rating>.txt`, whole or not at all.

    Args:
        folder: Gets the folders; if it exists, nothing is done.
        num_train: Training reviews, half of them favourable.
        num_test: Test reviews, likewise.
    """
    counts = {"train": num_train, "test": num_test}
    for seed, (part, count) in enumerate(counts.items()):
        for label in FOLDERS:
            (folder / part / label).mkdir(parents=True)
        for number in range(count):
            rng, label = default_rng((seed, number)), FOLDERS[number % 2]
            rating = int(rng.integers(*RATINGS[label]))
            path = folder / part / label / f"{number // 2}_{rating}.txt"
            path.write_text(review(rng, label), encoding="utf-8")
