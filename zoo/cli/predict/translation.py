"""predict, for sentences: their translations."""

from argparse import ArgumentParser
from itertools import chain
from pathlib import Path
from typing import Any

from zoo.cli.predict.prediction import ROWS, Prediction
from zoo.cli.predict.shared_options import add_texts
from zoo.errors import InputError

DOES = "translates"
WRITES = (*ROWS, ".txt")


def add_arguments(parser: ArgumentParser) -> None:
    """Adds the options of translators."""
    add_texts(parser)
    parser.add_argument("--beam", type=int, help="width of the beam search; 1: greedy")
    parser.add_argument("--n_best", type=int, help="translations of each sentence; 1 by default")


def predict(
    prediction: Prediction,
    inputs: list[str],
    *,
    text: str | None = None,
    file: Path | None = None,
    beam: int | None = None,
    n_best: int = 1,
) -> Path:
    """Prints and writes the translations of a sentence, or of each line of a file.

    Of several for each sentence (`n_best`) there is a line each, after its score and a tab.

    Raises:
        InputError: There is no sentence, or there is a file and a sentence; a setting is out of
            bounds; there are other inputs or options.
        CorpusError: The file cannot be read.
    """
    from datamodules.text.tokenizers import cleaned_sentence, joined, plain_tokens
    from datamodules.text.vocabulary import EOS, Vocab
    from zoo.cli.predict.texts import batches, print_unknown, read_lines

    saved = prediction.saved("source_vocabulary", "target_vocabulary", "tokenizer", "clean")
    lines = read_lines(text, file, 'say what to translate: --text "I won !", or --file SENTENCES')
    prediction.refuse(inputs, "a translator takes --text or --file")
    sentences = [cleaned_sentence(line) if saved["clean"] else line for line in lines]
    vocab, target_vocab = (Vocab(saved[f"{side}_vocabulary"]) for side in ("source", "target"))
    cut = plain_tokens(saved["tokenizer"], prediction.state.get("source_subwords", ""))
    tokens = [cut(sentence) for sentence in sentences]
    if not any(tokens):
        raise InputError("there is nothing to translate: no sentence has a word")
    print_unknown(chain.from_iterable(tokens), vocab)
    options: dict[str, Any] = {"n_best": n_best} | ({} if beam is None else {"beam_size": beam})
    model, answers = prediction.model(), ["" for _ in tokens]
    records: list[list[dict[str, Any]]] = [[{"text": line, "translation": ""}] for line in lines]
    for indices, rows, lengths in batches(tokens, vocab, [EOS]):
        for index, found in zip(indices, model.decode(rows, lengths, **options), strict=True):
            texts = [joined(target_vocab.tokens(h.tokens), saved["tokenizer"]) for h in found]
            scores = [float(f"{h.score:.6g}") for h in found]
            records[index] = [
                {"text": lines[index], "translation": t, "score": score}
                for t, score in zip(texts, scores, strict=True)
            ]
            if n_best > 1:
                texts = [f"{h.score:.4f}\t{t}" for h, t in zip(found, texts, strict=True)]
            answers[index] = "\n".join(texts)
    return prediction.write("\n".join(answers), list(chain.from_iterable(records)))
