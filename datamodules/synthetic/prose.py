"""A stand-in for texts: small tales of a harbour town, told by a grammar, written as the originals.

A sentence is a template whose braces are filled by a word of that kind, which may have braces
itself. Each paragraph keeps to one person, one friend, one place and one thing.
"""

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from textwrap import wrap

from numpy.random import Generator, default_rng

from datamodules.files.staging import written_once
from datamodules.synthetic.choice import pick, sample

HE, SHE = ("he", "him", "his", "himself"), ("she", "her", "her", "herself")
PEOPLE = {
    "the clockmaker": HE, "the old sailor": HE, "the baker": HE, "the night watchman": HE,
    "the fisherman": HE, "the schoolmaster": HE, "the ferryman": HE, "Mr. Harrow": HE,
    "the lighthouse keeper": SHE, "the gardener": SHE, "the mapmaker": SHE, "the violinist": SHE,
    "the doctor": SHE, "the beekeeper": SHE, "the postmistress": SHE, "Mrs. Wren": SHE,
}  # fmt: skip
WORDS = {
    "place": (
        "the harbour", "the lighthouse", "the orchard", "the market square", "the old mill",
        "the stone bridge", "the library", "the clock tower", "the boathouse", "the bakery",
        "the meadow", "the railway station", "the quiet chapel", "the observatory",
    ),
    "thing": (
        "lantern", "brass key", "letter", "map of the coast", "silver watch", "wooden box",
        "violin", "blue umbrella", "basket of apples", "broken compass", "red kite", "old book",
        "jar of honey", "telescope", "copper kettle", "pair of boots", "music box", "white shell",
    ),
    "weather": (
        "The rain had stopped at last", "A thin mist lay over {place}", "Snow was falling softly",
        "The wind came {wind} from the {quarter}", "The sun stood low above the water",
        "The evening was warm and still", "Clouds were gathering in the {quarter}",
        "The first stars were shining", "The tide was {tide}", "It was a {bright} {morning}",
    ),
    "wind": ("gently", "cold", "steadily", "in gusts"),
    "quarter": ("north", "south", "east", "west"),
    "tide": ("coming in", "going out", "very low", "unusually high"),
    "bright": ("bright", "hazy", "clear", "frosty", "golden", "windy", "quiet"),
    "morning": ("morning", "afternoon", "evening", "night"),
    "season": ("spring", "summer", "autumn", "winter"),
    "when": (
        "In the {morning}", "Before breakfast", "Late that {morning}", "After supper",
        "On the first day of {season}", "One {bright} {morning}", "The next day", "A week later",
        "At {hour} o'clock", "When the bell rang", "For {number} days", "As the lamps were lit",
    ),
    "hour": ("six", "seven", "eight", "nine", "ten", "eleven"),
    "number": ("two", "three", "four", "five", "twelve", "forty"),
    "adjective": (
        "small", "curious", "weathered", "forgotten", "heavy", "handsome", "ordinary", "strange",
        "beautiful", "battered", "painted", "dusty",
    ),
    "manner": (
        "slowly", "quietly", "with great care", "without a word", "in a hurry", "happily",
        "with a smile", "as usual", "at once", "rather sadly", "like a child", "by candlelight",
    ),
    "went": (
        "walked", "hurried", "went down", "came back", "climbed the path", "rowed across",
        "returned", "set out", "wandered", "ran",
    ),
    "did": (
        "mended", "polished", "carried", "looked at", "put away", "wrapped", "found", "opened",
        "studied", "held up", "hid", "remembered", "counted the scratches on",
    ),
    "work": (
        "wound the clocks", "swept the floor", "lit the lamp", "watered the roses", "drew a map",
        "wrote a long letter", "baked the bread", "mended the nets", "fed the gulls",
        "tuned the strings", "counted the boats", "made a pot of tea", "closed the shutters",
    ),
    "sound": (
        "a bell", "footsteps on the stairs", "the cry of a gull", "a knock at the door",
        "somebody singing", "the whistle of the train", "the waves on the stones", "an owl",
    ),
    "sight": (
        "a ship with {number} sails", "a light upon the water", "a fox beside the wall",
        "smoke above the roofs", "a flock of geese", "the moon between the clouds",
        "a stranger with a {adjective} {thing}", "{number} children with a kite",
    ),
    "thought": (
        "the sea never told the same story twice", "there was still time",
        "nobody would believe it", "such a {morning} ought to last", "home was not far away",
        "the {thing} belonged to somebody else", "every clock in town was wrong",
        "the winter would be long", "it was better to wait", "old friends were the best",
    ),
    "remark": (
        "I have never seen a {thing} like this", "You are late again", "The kettle is on",
        "We shall need a bigger boat", "It will rain before {hour}", "That is not my {thing}",
        "There is no hurry", "I found it near {place}", "Come in and sit by the fire",
        "Nobody has been to {place} since {season}", "It doesn't matter", "I don't believe it",
        "The lamp must not go out", "Let us ask {other}", "You can't mend everything",
    ),
    "question": (
        "Have you seen my {thing}", "Who lives in {place}", "Is it far to {place}",
        "What is in the {thing}", "Do you hear {sound}", "Shall we wait for {other}",
        "Why is the {thing} so {adjective}", "Isn't it time for tea",
    ),
    "said": ("said", "answered", "whispered", "called", "murmured", "replied"),
    "asked": ("asked", "asked", "wondered", "cried"),
    "opening": (
        "{weather}, and {hero} {went} to {place}.",
        "{when} {hero} {went} to {place} with a {adjective} {thing}.",
        "{when} {hero} {did} the {thing} and {work}.",
        "{Hero} had lived near {place} for {number} years.",
        "Nobody in town had a {thing} but {hero}.",
        "{Hero} and {other} {went} to {place} together.",
    ),
    "sentence": (
        "{when} {he} {did} the {thing} and {work}.",
        "{He} {did} the {adjective} {thing} {manner}.",
        "{He} {work}, and then {he} {work}.",
        "{He} {work} {manner}, for {thought}.",
        "{He} thought that {thought}.",
        "{He} had left {his} {thing} in {place}.",
        "{Other} {work} while {hero} {did} the {thing}.",
        "From the window {he} could see {sight}.",
        "Near {place} one could hear {sound}.",
        "{weather}; {he} heard {sound}, and saw {sight}.",
        "There was nothing in {place} but a {adjective} {thing} and a {adjective} {thing}.",
        "{Hero}'s {thing} was {adjective}, but {other}'s was finer still.",
        "{Other} gave {him} a {thing}, and {he} kept it for {number} years.",
        "{He} asked {himself} whether {thought}.",
    ),
    "dialogue": (
        "'{question}?' {asked} {hero}. '{remark},' {said} {other}.",
        "'{remark},' {said} {hero} {manner}. '{remark}.'",
        "'{remark},' {said} {other}, and {work}.",
        "'{question}?' {asked} {other}. {Hero} {did} the {thing}. '{remark},' {he} {said}.",
    ),
}  # fmt: skip
CHAPTERS = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")
NUMBERS = dict.fromkeys((*WORDS["number"], *WORDS["hour"]), "N")
RARE = 5  # words that are there less often are <unk> in sentences
BRACES = re.compile(r"\{(\w+)\}")
ARTICLE = re.compile(r"\b([Aa])(?= [aeiou])")


def paragraph(rng: Generator) -> list[str]:
    """The sentences of a paragraph, three to seven of a tale or one to three of a talk."""
    hero, other = sample(rng, tuple(PEOPLE), 2)
    he, him, his, himself = PEOPLE[hero]
    kept = {"hero": hero, "other": other, "he": he, "him": him, "his": his, "himself": himself}
    kept |= {kind: pick(rng, WORDS[kind]) for kind in ("place", "thing")}
    if rng.random() < 0.35:
        chosen = sample(rng, WORDS["dialogue"], int(rng.integers(1, 4)))
    else:
        opening = pick(rng, WORDS["opening"])
        chosen = [opening, *sample(rng, WORDS["sentence"], int(rng.integers(2, 7)))]
    return [_told(rng, template, kept) for template in chosen]


def _told(rng: Generator, template: str, kept: dict[str, str]) -> str:
    """A sentence; of the kinds that are kept, places and things may be others now and then."""

    def fill(braces: re.Match[str]) -> str:
        name = braces[1].lower()
        if name in kept and (name not in WORDS or rng.random() < 0.7):
            word = kept[name]
        else:
            word = BRACES.sub(fill, pick(rng, WORDS[name]))
        return word[0].upper() + word[1:] if braces[1] != name else word

    text = ARTICLE.sub(r"\1n", BRACES.sub(fill, template))
    return text[0].upper() + text[1:]


@written_once
def write_book(path: Path, *, num_paragraphs: int = 240, seed: int = 0) -> None:
    """Writes the stand-in of The Time Machine, whole or not at all: chapters of wrapped lines."""
    rng = default_rng(seed)
    lines = ["The Harbour Clock, told by a grammar", "", "", ""]
    for number in range(num_paragraphs):
        chapter, within = divmod(number, 20)
        if within == 0:
            lines += ["", "", CHAPTERS[chapter % len(CHAPTERS)], "", ""]
        lines += [*wrap(" ".join(paragraph(rng)), 68), ""]
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())


@written_once
def write_sentences(
    folder: Path, names: tuple[str, ...], *, num_paragraphs: int = 240, seed: int = 0
) -> None:
    """Writes the stand-in of the Penn Treebank, whole or not at all: a sentence a line.

    Args:
        folder: Folder of the files.
        names: Names of the files; the first one has all the paragraphs, the others an eighth each.
        num_paragraphs: Number of paragraphs of the first file.
        seed: Seed of the sentences.
    """
    rng = default_rng(seed)
    counts = [num_paragraphs // (1 if name == names[0] else 8) for name in names]
    texts = [[line for _ in range(n) for line in _printed(paragraph(rng))] for n in counts]
    often = Counter(word for line in texts[0] for word in line)
    folder.mkdir()
    for name, lines in zip(names, texts, strict=True):
        kept = (" ".join(w if often[w] >= RARE else "<unk>" for w in line) for line in lines)
        (folder / name).write_bytes("".join(f" {line} \n" for line in kept).encode())


def write_similarities(root: Path) -> None:
    """Writes how alike words are, as WordSim-353: those of a kind are, those of two are not."""
    _write_similarities(root / "word-similarity")


@written_once
def _write_similarities(folder: Path) -> None:
    kinds = [WORDS[kind] for kind in ("quarter", "bright", "morning", "season", "hour")]
    lines = []
    for place, words in enumerate(kinds):
        other = kinds[place - 1]
        alike = [f"{a}\t{b}\t9.0" for a, b in pairwise(words)]
        unlike = [f"{a}\t{b}\t1.0" for a, b in zip(words, other, strict=False)]
        lines += [*alike, *unlike]
    folder.mkdir()
    (folder / "wordsim353.tsv").write_text("".join(f"{line}\n" for line in lines))


def _printed(sentences: list[str]) -> list[list[str]]:
    """Words as in the Penn Treebank: lower case, no stops, N for a number, 's and n't apart."""
    spoken = " ".join(sentences).lower()
    apart = re.sub(r"(n't|'s)\b", r" \1", re.sub(r"(?<!mr)(?<!mrs)[.?]'?", "\n", spoken))
    words = [re.sub(r"[,;]'?|(?<!\w)'(?!s\b)", " ", line).split() for line in apart.split("\n")]
    return [[NUMBERS.get(word, word) for word in line] for line in words if line]
