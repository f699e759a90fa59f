"""predict, for sentences: their translations."""

from itertools import chain
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch.nn.utils.rnn import pad_sequence

from datamodules.files.text import read_text
from datamodules.text.tokenizers import cleaned_sentence, joined, tokenizer
from datamodules.text.vocabulary import EOS, Vocab
from zoo.checkpoints.checkpoint import load
from zoo.cli.predict.prediction import Prediction
from zoo.errors import InputError

ROWS = 64  # sentences at a time


def predict_sentences(prediction: Prediction, inputs: list[str]) -> Path:
    """Prints and writes the translations of a sentence, or of each line of a file.

    Of several for each sentence (`n_best`) there is a line each, after its score and a tab.

    Raises:
        InputError: There is no sentence, or there is a file and a sentence; a setting is out of
            bounds; there are other inputs or options.
        CorpusError: The file cannot be read.
    """
    text, file, state = prediction.text, prediction.file, prediction.state
    if (text is None) == (file is None):
        raise InputError('say what to translate: --text "I won !", or --file SENTENCES')
    if inputs or prediction.overrides:
        first = [*inputs, *prediction.overrides][0]
        raise InputError(f"a translator takes --text or --file, not {first}")
    lines = read_text(file).removesuffix("\n").split("\n") if file else [text or ""]
    sentences = [cleaned_sentence(line) if state["clean"] else line for line in lines]
    vocab, target_vocab = (Vocab(state[f"{side}_vocabulary"]) for side in ("source", "target"))
    tokens = [tokenizer(state["tokenizer"])(sentence) for sentence in sentences]
    if not any(tokens):
        raise InputError("there is nothing to translate: no sentence has a word")
    prediction.say_unknown(chain.from_iterable(tokens), vocab)
    model: Any = load(prediction.ckpt_path, allow=prediction.allow)
    # Rows of like lengths together; what is empty stays so.
    order = sorted((i for i, row in enumerate(tokens) if row), key=lambda i: len(tokens[i]))
    written = ["" for _ in tokens]
    options: dict[str, Any] = {"n_best": prediction.n_best}
    if prediction.beam is not None:
        options["beam_size"] = prediction.beam
    for start in range(0, len(order), ROWS):
        places = order[start : start + ROWS]
        rows = [torch.tensor(vocab[[*tokens[place], EOS]]) for place in places]
        lengths = torch.tensor([len(row) for row in rows])
        found = model.decode(pad_sequence(rows, batch_first=True), lengths, **options)
        for place, hypotheses in zip(places, found, strict=True):
            texts = [joined(target_vocab.tokens(h.tokens), state["tokenizer"]) for h in hypotheses]
            if prediction.n_best > 1:
                scores = (h.score for h in hypotheses)
                texts = [f"{score:.4f}\t{t}" for score, t in zip(scores, texts, strict=True)]
            written[place] = "\n".join(texts)
    result = "\n".join(written)
    Console(highlight=False, markup=False).print(result, soft_wrap=True)
    return prediction.write(result)
