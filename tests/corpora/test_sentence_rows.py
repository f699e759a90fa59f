"""Rows of sentences: padding, cutting, cleaning."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from datamodules.batches.ragged import Ragged
from datamodules.text.token_rows import TokenRows
from datamodules.text.tokenizers import cleaned_sentence
from datamodules.text.vocabulary import SPECIALS, Vocab
from tests.corpora.conftest import BOS, EOS, PAD, flat


@given(st.lists(st.lists(st.integers(1, 9), max_size=6), min_size=1, max_size=9), st.data())
def test_padded_rows_are_the_rows(rows, data):
    chosen = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=9))
    ragged = Ragged(torch.tensor(flat(rows), dtype=torch.long), torch.tensor([*map(len, rows)]))
    padded, lengths = ragged.padded(torch.tensor(chosen, dtype=torch.long), PAD)
    assert padded.dtype == lengths.dtype == torch.int64
    assert lengths.tolist() == [len(rows[row]) for row in chosen]
    assert padded.shape == (len(chosen), max(lengths.tolist(), default=0))
    for line, row in zip(padded.tolist(), chosen, strict=True):
        assert line == rows[row] + [PAD] * (padded.shape[1] - len(rows[row]))


words = st.lists(st.sampled_from("abcde"), max_size=6).map(" ".join)


@given(st.lists(words, min_size=1, max_size=6), st.booleans(), st.integers(2, 8), st.data())
def test_rows_are_cut_and_keep_their_end(texts, bos, most, data):
    rows = TokenRows(texts, str.split)
    vocab = Vocab([*SPECIALS, "a", "b", "c", "d"])  # e is unknown
    chosen = data.draw(st.lists(st.integers(0, len(texts) - 1), max_size=6))
    chosen_rows = torch.tensor(chosen, dtype=torch.long)
    assert list(rows.tokens(chosen_rows)) == [w for row in chosen for w in texts[row].split()]
    for cut in (most, None):
        found = rows.indices(chosen_rows, vocab, bos=bos, most=cut)
        kept = [texts[row].split()[: cut - 1 if cut else None] for row in chosen]
        wanted = [[*([BOS] * bos), *vocab[tokens], EOS] for tokens in kept]
        assert found.flat.tolist() == flat(wanted)
        assert found.lengths.tolist() == [len(row) for row in wanted]


def test_the_courses_cleaning():
    assert cleaned_sentence("Ça\u202falors\xa0!") == "ça alors !"
    assert cleaned_sentence("Wow!") == "wow !"
    assert cleaned_sentence("Hi.  No, Mr. X... What?!") == "hi .  no , mr . x . . . what ? !"
    assert cleaned_sentence("J'ai\u202f3,5 €.") == "j'ai 3 ,5 € ."
    assert cleaned_sentence("!") == "!"


@given(st.text(alphabet="aB ,.!?\u202f\xa0'", max_size=12))
def test_cleaning_twice_is_cleaning_once(text):
    once = cleaned_sentence(text)
    assert cleaned_sentence(once) == once
    assert once.replace(" ", "") == text.translate({0x202F: "", 0xA0: "", 32: ""}).lower()
