"""A stand-in for sentence pairs: a small English and French grammar, written as the original.

The French agrees in gender, number and person. A sentence is put together unelided (`je ai`,
`de le ami`); `_spelt` writes it as it is spelt. English that may be said to one or to several, by
a man or by a woman, has two translations.
"""

import re
from pathlib import Path
from typing import NamedTuple, TypeVar

from numpy.random import Generator, default_rng

from datamodules.files.staging import written_once
from datamodules.synthetic.choice import pick


class Noun(NamedTuple):
    """English and French, one and several of it, and its gender: m or f."""

    one: str
    many: str
    un: str
    des: str
    gender: str


class Who(NamedTuple):
    """A subject; the person of its French verb from 0 (je) to 5 (ils), and its gender."""

    english: str
    french: str
    person: int
    gender: str


class Verb(NamedTuple):
    """English: infinitive, third person and past; French: the six persons, and the participle."""

    english: list[str]
    present: list[str]
    participle: str


class Thing(NamedTuple):
    """A noun with what stands before and after it; `denied` is the French after `ne ... pas`."""

    english: str
    french: str
    denied: str
    many: bool


Option = TypeVar("Option")
Pair = tuple[str, list[str]]  # an English sentence, and its French ones

NOUNS = [
    Noun(*line.split())
    for line in (
        "book books livre livres m", "letter letters lettre lettres f",
        "dog dogs chien chiens m", "cat cats chat chats m", "bird birds oiseau oiseaux m",
        "house houses maison maisons f", "tree trees arbre arbres m", "key keys clé clés f",
        "apple apples pomme pommes f", "orange oranges orange oranges f",
        "hat hats chapeau chapeaux m", "boat boats bateau bateaux m",
        "picture pictures image images f", "story stories histoire histoires f",
        "flower flowers fleur fleurs f", "car cars voiture voitures f",
        "island islands île îles f", "friend friends ami amis m",
        "umbrella umbrellas parapluie parapluies m", "star stars étoile étoiles f",
    )
]  # fmt: skip
WHO = [
    [Who("I", "je", 0, "m"), Who("I", "je", 0, "f")],
    [Who("you", "tu", 1, "m"), Who("you", "vous", 4, "m")],
    [Who("he", "il", 2, "m")],
    [Who("she", "elle", 2, "f")],
    [Who("we", "nous", 3, "m"), Who("we", "nous", 3, "f")],
    [Who("they", "ils", 5, "m"), Who("they", "elles", 5, "f")],
    [Who("Tom", "Tom", 2, "m")],
    [Who("Alice", "Alice", 2, "f")],
    [Who("Anne", "Anne", 2, "f")],
    [Who("my brother", "mon frère", 2, "m")],
    [Who("my sister", "ma sœur", 2, "f")],
    [Who("the teacher", "le professeur", 2, "m")],
    [Who("the actor", "le acteur", 2, "m")],
    [Who("the old woman", "la vieille femme", 2, "f")],
    [Who("the children", "les enfants", 5, "m")],
    [Who("the girls", "les filles", 5, "f")],
]
PRONOUNS = 6  # the first of these
VERBS = [
    Verb(english.split(), french.split()[:6], french.split()[6])
    for english, french in {
        "like likes liked": "aime aimes aime aimons aimez aiment aimé",
        "find finds found": "trouve trouves trouve trouvons trouvez trouvent trouvé",
        "draw draws drew": "dessine dessines dessine dessinons dessinez dessinent dessiné",
        "hide hides hid": "cache caches cache cachons cachez cachent caché",
        "bring brings brought": "apporte apportes apporte apportons apportez apportent apporté",
        "forget forgets forgot": "oublie oublies oublie oublions oubliez oublient oublié",
        "watch watches watched": "regarde regardes regarde regardons regardez regardent regardé",
        "buy buys bought": "achète achètes achète achetons achetez achètent acheté",
        "choose chooses chose": "choisis choisis choisit choisissons choisissez choisissent choisi",
        "see sees saw": "vois vois voit voyons voyez voient vu",
        "want wants wanted": "veux veux veut voulons voulez veulent voulu",
        "lose loses lost": "perds perds perd perdons perdez perdent perdu",
    }.items()
]
ORDERED = 9  # the first of these, but for the very first, may be asked for
BE = ("suis", "es", "est", "sommes", "êtes", "sont")
HAVE = ("ai", "as", "a", "avons", "avez", "ont")
GO = ("vais", "vas", "va", "allons", "allez", "vont")
ARTICLES = {  # English and French, for one and for several
    "the": ("the", "the", {"m": "le", "f": "la"}, "les"),
    "a": ("a", "some", {"m": "un", "f": "une"}, "des"),
    "my": ("my", "my", {"m": "mon", "f": "ma"}, "mes"),
    "this": ("this", "these", {"m": "ce", "f": "cette"}, "ces"),
}
MOODS = {
    "tired": ("fatigué", "fatiguée"), "happy": ("heureux", "heureuse"), "ready": ("prêt", "prête"),
    "sad": ("triste", "triste"), "alone": ("seul", "seule"), "rich": ("riche", "riche"),
    "tall": ("grand", "grande"), "busy": ("occupé", "occupée"), "calm": ("calme", "calme"),
    "curious": ("curieux", "curieuse"), "strong": ("fort", "forte"),
}  # fmt: skip
BEFORE = {
    "big": ("grand", "grande"), "small": ("petit", "petite"), "beautiful": ("beau", "belle"),
    "old": ("vieux", "vieille"), "new": ("nouveau", "nouvelle"), "pretty": ("joli", "jolie"),
}  # fmt: skip
AFTER = {
    "red": ("rouge", "rouge"), "green": ("vert", "verte"), "black": ("noir", "noire"),
    "blue": ("bleu", "bleue"), "round": ("rond", "ronde"), "white": ("blanc", "blanche"),
}  # fmt: skip
PLACES = {
    "the market": "le marché", "the station": "la gare", "the school": "la école",
    "the hotel": "le hôtel", "the beach": "la plage", "the church": "la église",
    "the garden": "le jardin", "the shops": "les magasins", "the library": "la bibliothèque",
    "the hospital": "le hôpital", "the fields": "les champs", "the cinema": "le cinéma",
}  # fmt: skip
SET = {
    "Hello!": ["Bonjour !", "Salut !"], "Thanks!": ["Merci !"], "Go!": ["Va !", "Allez !"],
    "Wait!": ["Attends !", "Attendez !"], "Come in!": ["Entre !", "Entrez !"],
    "Listen!": ["Écoute !", "Écoutez !"], "Who?": ["Qui ?"], "Why?": ["Pourquoi ?"],
    "Again?": ["Encore ?"], "Of course.": ["Bien sûr."], "No, thanks.": ["Non, merci."],
    "Yes, please.": ["Oui, s'il te plaît.", "Oui, s'il vous plaît."],
    "Good night!": ["Bonne nuit !"], "Good night, Tom.": ["Bonne nuit, Tom."],
}  # fmt: skip
VOWEL = "(?=[aeéêhiîoôuy])"
SPELLINGS = [
    (re.compile(pattern, re.IGNORECASE), spelt)
    for pattern, spelt in (
        (rf"(?<![-\w])(j|l|n|d|qu)[ea] {VOWEL}", r"\1'"),  # not je after its verb: suis-je
        (rf"\b(m)a {VOWEL}", r"\1on "),
        (rf"(?<![-\w])ce {VOWEL}", "cet "),
        (rf"\bbeau {VOWEL}", "bel "),
        (rf"\bnouveau {VOWEL}", "nouvel "),
        (rf"\bvieux {VOWEL}", "vieil "),
        (r"\bde les? ", lambda found: "des " if "s" in found[0] else "du "),
        (r"\bà les? ", lambda found: "aux " if "s" in found[0] else "au "),
    )
]
BLANKS = (" ", "\u202f", "\xa0")  # before ! and ?, the first one mostly


@written_once
def write_pairs(path: Path, *, num_pairs: int = 4000, seed: int = 0) -> None:
    """Writes the stand-in of fra-eng, whole or not at all: a pair a line, short ones first.

    Args:
        path: Path of the file.
        num_pairs: Lines, or one more.
        seed: Seed of the sentences.
    """
    rng = default_rng(seed)
    known = dict(SET)
    count = sum(map(len, known.values()))
    while count < num_pairs:
        english, french = pick(rng, TEMPLATES)(rng)
        if english not in known:
            known[english] = list(dict.fromkeys(french))
            count += len(known[english])
    lines = [
        f"{english}\t{_parted(rng, sentence)}\n"
        for english in sorted(known, key=lambda english: (len(english), english))
        for sentence in known[english]
    ]
    path.write_bytes("".join(lines).encode())


def _feeling(rng: Generator) -> Pair:
    """I'm not tired."""
    english, (one, several) = pick(rng, list(MOODS.items()))
    who, form = pick(rng, WHO), pick(rng, FORMS)
    french = []
    for w in who:
        adjective, be = _agreeing((one, several), w.gender, w.person > 2), BE[w.person]
        if form == "?" and _short(w):
            french.append(f"{be}-{w.french} {adjective}")
        else:
            french.append(_formed(form, w.french, be, adjective, adjective))
    return _sentence(_being(form, who[0], english), french, form)


def _going(rng: Generator) -> Pair:
    """Are you going to the market?"""
    english, french = pick(rng, list(PLACES.items()))
    who, form = pick(rng, WHO), pick(rng, FORMS)
    there = f"à {french}"
    told = [_formed(form, w.french, GO[w.person], there, there) for w in who]
    return _sentence(_being(form, who[0], f"going to {english}"), told, form)


def _doing(rng: Generator) -> Pair:
    """My sister doesn't see the cat."""
    who, form, verb, thing = pick(rng, WHO), pick(rng, FORMS), pick(rng, VERBS), _thing(rng)
    past = rng.random() < 0.4
    base, third, preterite = verb.english
    auxiliary = "did" if past else "does" if who[0].person == 2 else "do"
    finite = preterite if past else third if who[0].person == 2 else base
    english = {
        ".": f"{who[0].english} {finite} {thing.english}",
        "not": f"{who[0].english} {auxiliary}n't {base} {thing.english}",
        "?": f"{auxiliary} {who[0].english} {base} {thing.english}",
    }[form]
    french = []
    for w in who:
        finite = HAVE[w.person] if past else verb.present[w.person]
        after = f"{verb.participle} " if past else ""
        french.append(
            _formed(form, w.french, finite, f"{after}{thing.french}", f"{after}{thing.denied}")
        )
    return _sentence(english, french, form)


def _having(rng: Generator) -> Pair:
    """Tom has a dog."""
    who, thing = pick(rng, WHO), _thing(rng)
    third = who[0].person == 2
    if rng.random() < 0.5:
        french = [_formed(".", w.french, HAVE[w.person], thing.french, "") for w in who]
        finite = "has" if third else "have"
        return _sentence(f"{who[0].english} {finite} {thing.english}", french, ".")
    french = [_formed("not", w.french, HAVE[w.person], "", thing.denied) for w in who]
    finite = "doesn't have" if third else "don't have"
    return _sentence(f"{who[0].english} {finite} {thing.english}", french, "not")


def _ordering(rng: Generator) -> Pair:
    """Bring the letter, please."""
    verb, thing = pick(rng, VERBS[1:ORDERED]), _thing(rng)
    base, spoken = verb.english[0], (verb.present[0], verb.present[4])
    if rng.random() < 0.3:
        french = [f"ne {said} pas {thing.denied}" for said in spoken]
        return _sentence(f"don't {base} {thing.english}", french, "!")
    french = [f"{said} {thing.french}" for said in spoken]
    if rng.random() < 0.4:
        pleas = ("s'il te plaît", "s'il vous plaît")
        french = [f"{text}, {plea}" for text, plea in zip(french, pleas, strict=True)]
        return _sentence(f"{base} {thing.english}, please", french, ".")
    return _sentence(f"{base} {thing.english}", french, "!")


def _wondering(rng: Generator) -> Pair:
    """What a beautiful house!"""
    noun, many = pick(rng, NOUNS), rng.random() < 0.3
    english, forms = pick(rng, list(BEFORE.items()))
    what = _agreeing(("quel", "quelle"), noun.gender, many)
    french = f"{what} {_agreeing(forms, noun.gender, many)} {noun.des if many else noun.un}"
    article = "" if many else "a "
    return _sentence(f"what {article}{english} {noun.many if many else noun.one}", [french], "!")


def _owning(rng: Generator) -> Pair:
    """Alice's cats are black."""
    owner, noun, many = pick(rng, WHO[PRONOUNS:])[0], pick(rng, NOUNS), rng.random() < 0.3
    english, forms = pick(rng, list((BEFORE | AFTER).items()))
    article = "les" if many else ARTICLES["the"][2][noun.gender]
    subject = f"{article} {noun.des if many else noun.un} de {owner.french}"
    french = f"{subject} {'sont' if many else 'est'} {_agreeing(forms, noun.gender, many)}"
    whose = f"{owner.english}'" if owner.english.endswith("s") else f"{owner.english}'s"
    is_ = f"{noun.many} are" if many else f"{noun.one} is"
    return _sentence(f"{whose} {is_} {english}", [french], ".")


def _asking(rng: Generator) -> Pair:
    """Where is my umbrella? Who has it?"""
    thing = _thing(rng, articles=("the", "my", "this"))
    if rng.random() < 0.5:
        is_, est = ("are", "sont") if thing.many else ("is", "est")
        return _sentence(f"where {is_} {thing.english}", [f"où {est} {thing.french}"], "?")
    return _sentence(f"who has {thing.english}", [f"qui a {thing.french}"], "?")


TEMPLATES = (
    _feeling, _feeling, _going, _doing, _doing, _having, _ordering, _wondering, _owning, _asking,
)  # fmt: skip
FORMS = (".", ".", "not", "?")


def _thing(rng: Generator, articles: tuple[str, ...] = tuple(ARTICLES)) -> Thing:
    """The red book, or some small houses."""
    noun, article, many = pick(rng, NOUNS), pick(rng, articles), rng.random() < 0.25
    the, these, le, les = ARTICLES[article]
    english, french = (noun.many, noun.des) if many else (noun.one, noun.un)
    determiner = les if many else le[noun.gender]
    place = rng.random()
    if place < 0.25:
        colour, forms = pick(rng, list(AFTER.items()))
        english, french = f"{colour} {english}", f"{french} {_agreeing(forms, noun.gender, many)}"
    elif place < 0.5:
        size, forms = pick(rng, list(BEFORE.items()))
        english, french = f"{size} {english}", f"{_agreeing(forms, noun.gender, many)} {french}"
        determiner = "de" if determiner == "des" else determiner
    denied = f"{'de' if article == 'a' else determiner} {french}"
    english = f"{these if many else the} {english}"
    return Thing(english, f"{determiner} {french}", denied, many)


def _agreeing(forms: tuple[str, str], gender: str, many: bool) -> str:
    word = forms[gender == "f"]
    if not many or word.endswith(("s", "x")):
        return word
    return word + ("x" if word.endswith("eau") else "s")


def _being(form: str, who: Who, rest: str) -> str:
    """I'm tired, I'm not tired, am I tired."""
    be = {0: "am", 2: "is"}.get(who.person, "are")
    if form == "?":
        return f"{be} {who.english} {rest}"
    elided = {"am": "'m", "is": "'s", "are": "'re"}[be] if _short(who) else f" {be}"
    return f"{who.english}{elided} {'not ' if form == 'not' else ''}{rest}"


def _short(who: Who) -> bool:
    """Whether it is a pronoun."""
    return any(who in same for same in WHO[:PRONOUNS])


def _formed(form: str, subject: str, finite: str, rest: str, denied: str) -> str:
    """French: said, denied or asked."""
    if form == "not":
        return f"{subject} ne {finite} pas {denied}"
    return f"{'est-ce que ' if form == '?' else ''}{subject} {finite} {rest}"


def _sentence(english: str, french: list[str], form: str) -> Pair:
    """As they are spelt, with a capital letter and a stop."""
    stop = "." if form == "not" else form
    if "n't " in english:
        english = english.replace(" some ", " any ")
    english = re.sub(r"\ba(?= [aeiou])", "an", english)
    told = [_spelt(text) + ("." if stop == "." else f" {stop}") for text in french]
    return _capital(english) + stop, [_capital(text) for text in told]


def _spelt(text: str) -> str:
    for pattern, spelling in SPELLINGS:
        text = pattern.sub(spelling, text)
    return text


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _parted(rng: Generator, text: str) -> str:
    """The blank before ! or ? is one that does not break, now and then."""
    blank = BLANKS[int(rng.choice(3, p=(0.7, 0.2, 0.1)))]
    return re.sub(" (?=[!?]$)", blank, text)
