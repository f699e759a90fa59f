"""The trained models that come with the zoo: small ones, trained on the real corpora."""

from shutil import copy

from scripts.results.measure import ZOO, Measurer
from scripts.results.rows import Row
from zoo.checkpoints.bundled import FOLDER, SUFFIX
from zoo.errors import InputError

RECIPES = {  # with the checkpoint that is taken, and what makes it small
    "bag_of_embeddings-imdb": ("best", "--data.min_freq=100", "--model.embed_dim=16"),
    "gan-gaussian2d": ("last",),
    "gru_held_out-time_machine": ("last",),
    "lenet_relu-fashion_mnist": ("best",),
    "seq2seq-fra_eng": (
        *("last", "--data.num_pairs=2000", "--data.min_freq=2", "--trainer.max_epochs=120"),
        *("--model.embed_dim=32", "--model.hidden_size=48"),
    ),
}
MOST = 2_000_000  # bytes, of all


def ship(measurer: Measurer) -> None:
    """Trains them and writes their weights into the package.

    Raises:
        InputError: They are too large in all, or a command failed; the package is as it was.
    """
    made = []
    for recipe, (checkpoint, *options) in RECIPES.items():
        run = measurer.fit(Row(what="", recipe=recipe, options=tuple(options)), 0)
        path = run / f"{recipe}{SUFFIX}"  # its card is `zoo show NAME --card`
        source = run / "checkpoints" / f"{checkpoint}.ckpt"
        command = [*ZOO, "export", str(source), "--format", "safetensors", "--output", str(path)]
        measurer.do(command, run)
        made.append(path)
        print(f"  {path.name}: {path.stat().st_size:,} bytes", flush=True)
    size = sum(path.stat().st_size for path in made)
    if size > MOST:
        raise InputError(f"{FOLDER}: {size:,} bytes in all are over {MOST:,}: ship smaller ones")
    FOLDER.mkdir(exist_ok=True)
    for path in made:
        copy(path, FOLDER / path.name)
