"""What `wandb sync` would send of a run, read back from its file and compared with the run."""

import base64
import csv
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml

from tests.cli.conftest import QUICK, RECIPE, write_sweep
from tests.conftest import fails
from zoo.cli.main import main
from zoo.object_detection.pictures import DetectionPictures
from zoo.runs.wandb_logger import continued_run, finish, make_logger
from zoo.runs.wandb_options import WandbOptions

VARIABLES = {
    "WANDB_PROJECT": "course",
    "WANDB_ENTITY": "group",
    "WANDB_NAME": "first try",
    "WANDB_RUN_GROUP": "rates",
    "WANDB_TAGS": "a,b",
    "WANDB_NOTES": "what I tried",
    "WANDB_JOB_TYPE": "train",
}
FIELDS = ("project", "entity", "display_name", "run_group", "tags", "notes", "job_type")
OPTIONS = [
    *("--wandb.project", "other", "--wandb.entity=me", "--wandb.name", "second", "--wandb.group=g"),
    *("--wandb.tags", "c, d e", "--wandb.notes=none", "--wandb.job_type", "tune"),
]


@pytest.fixture(autouse=True)
def _offline(monkeypatch, tmp_path):
    """W&B keeps in a process the mode that it was first used in; its files go to the test."""
    finish()
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "staged"))
    yield
    finish()


def sent(folder):
    """The records of a run's file by kind, without those of the machine."""
    (file,) = Path(folder).glob("wandb/offline-run-*/*.wandb")
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    records = {}
    for line in done.stdout.splitlines():
        record = json.loads(line)
        records.setdefault(record["type"], []).append(record.get(record["type"]))
    return records


def table(folder, records):
    """The table of predictions that a run logged last."""
    (item,) = (i["item"] for i in records["history"] if "validation/predictions.ncols" in i["item"])
    (files,) = Path(folder).glob("wandb/offline-run-*/files")
    return json.loads((files / item["validation/predictions.path"]).read_text())


def told(folder, options=None):
    make_logger(Path(folder), options or WandbOptions()).log_metrics({"loss": 1.0}, 0)
    finish()
    (run,) = sent(folder)["run"]
    return [run.get(field) for field in FIELDS]


# What a run is called


def test_without_a_word_a_run_is_called_by_its_folder():
    assert told("runs/lenet/3") == ["zoo", None, "lenet/3", None, None, None, None]


def test_the_usual_variables_hold(monkeypatch):
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    assert told("runs/lenet/3") == [
        *("course", "group", "first try", "rates", ["a", "b"], "what I tried", "train")
    ]


def test_options_win_over_variables(monkeypatch):
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    options = WandbOptions("offline", "other", "me", "second", "g", ("c", "d e"), "none", "tune")
    assert told("runs/lenet/3", options) == [
        *("other", "me", "second", "g", ["c", "d e"], "none", "tune")
    ]


def test_an_absolute_path_is_told_nowhere(tmp_path):
    assert told("runs/lenet/3", WandbOptions(notes=str(tmp_path)))[5] == tmp_path.name


@pytest.mark.parametrize(("name", "group"), [(None, None), ("mine", "ours")])
def test_folds_share_a_group(name, group):
    options = WandbOptions(name=name, group=group)
    found = told("runs/mlp/2/fold-1", options)
    assert found[2:4] == [f"{name or 'mlp/2'}/fold-1", group or "mlp/2"]


def test_a_job_that_was_requeued_before_it_saved_goes_on_in_its_run():
    Path("job-1/wandb").mkdir(parents=True)
    assert continued_run(None, Path("job-1")) is None
    for name in ("run-20260101_000000-old", "offline-run-20260102_000000-a-b_c", "latest-run"):
        (Path("job-1/wandb") / name).mkdir()
    assert continued_run(None, Path("job-1")) == "a-b_c"
    assert continued_run({"wandb_run": "saved"}, Path("job-1")) == "saved"
    assert continued_run({"wandb_run": "../x"}, Path("job-2")) is None


# What a run sends


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a run that sends all it can."""
    folder = tmp_path_factory.mktemp("sent")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("WANDB_MODE", "offline")
        patch.setenv("WANDB_DATA_DIR", str(folder / "staged"))
        for name in ("PL_GLOBAL_SEED", "ZOO_RUN", "SLURM_JOB_ID"):
            patch.delenv(name, raising=False)
        finish()
        options = ["--trainer.log_every_n_steps", "10", "--wandb.watch", "all", *OPTIONS]
        # The switch takes no recipe for its value.
        assert main(["fit", "--wandb.log_model", RECIPE, *QUICK, *options]) == 0
    return folder / "runs" / RECIPE / "1"


@pytest.fixture(scope="module")
def records(trained):
    return sent(trained)


def test_a_run_sends_what_its_options_say(records):
    (run,) = records["run"]
    assert [run[field] for field in FIELDS] == [
        *("other", "me", "second", "g", ["c", "d e"], "none", "tune")
    ]


def test_a_run_sends_its_settings_and_every_line_of_metrics(trained, records):
    (run,) = records["run"]
    own = yaml.safe_load((trained / "config.yaml").read_text())
    assert run["config"]["update"]["model"] == own["model"]
    assert run["config"]["update"]["data"]["init_args"] == own["data"]["init_args"]
    with (trained / "metrics.csv").open() as file:
        lines = [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(file)]
    names = {name for line in lines for name in line} - {"step"}
    items = [each["item"] for each in records["history"]]
    logged = [
        {"step": item["trainer/global_step"], **{k: v for k, v in item.items() if k in names}}
        for item in items
        if names & item.keys()
    ]
    assert logged == lines
    assert {"val/accuracy", "train/loss", "train/loss_epoch"} <= names


def test_histograms_count_every_value(records):
    items = [
        each["item"]
        for each in records["history"]
        if "gradients/linear.weight.bins" in each["item"]
    ]
    assert len(items) >= 2
    assert [item["trainer/global_step"] for item in items][:2] == [0, 10]
    for kind in ("gradients", "parameters"):
        for name, size in (("linear.weight", 7840), ("linear.bias", 10)):
            assert {sum(item[f"{kind}/{name}.values"]) for item in items} == {size}
            assert {len(item[f"{kind}/{name}.bins"]) for item in items} == {65}


def test_the_best_checkpoint_is_an_artifact_with_its_card(trained, records):
    (artifact,) = (a for a in records["artifact"] if a["type"] == "model")
    files = {each["path"]: each for each in artifact["manifest"]["contents"]}
    best = trained / "checkpoints" / "best.ckpt"
    digest = base64.b64encode(hashlib.md5(best.read_bytes()).digest()).decode()
    assert files["best.ckpt"]["digest"] == digest
    assert Path(files["best.ckpt"]["local_path"]).read_bytes() == best.read_bytes()
    card = Path(files["README.md"]["local_path"]).read_text()
    assert card.startswith("# SoftmaxRegression on FashionMNIST")
    assert hashlib.sha256(best.read_bytes()).hexdigest() in card
    assert str(trained.parent.parent.parent) not in card
    assert sorted(artifact["aliases"]) == ["best", "latest"]
    (accuracy,) = json.loads(artifact["metadata"]).values()
    assert f"{accuracy:.4f}" in card


@pytest.mark.drawn
def test_texts_and_their_classes_are_a_table():
    options = [*QUICK, "--trainer.limit_train_batches", "2", "--trainer.limit_val_batches", "2"]
    assert main(["fit", "bag_of_embeddings-imdb", *options]) == 0
    run = "runs/bag_of_embeddings-imdb/1"
    records = sent(run)
    found = table(run, records)
    assert found["columns"] == ["text", "label", "prediction", "right"]
    texts, labels, predictions, right = zip(*found["data"], strict=True)
    assert 2 < len(texts) <= 64
    assert all(" " in text for text in texts)
    assert set(labels) | set(predictions) == {"negative", "positive"}
    assert [a == b for a, b in zip(labels, predictions, strict=True)] == list(right)
    last = [i["item"] for i in records["history"] if "val/accuracy" in i["item"]][-1]
    if len(texts) < 64:  # all that were validated
        assert sum(right) / len(right) == pytest.approx(last["val/accuracy"])


def test_pictures_and_their_boxes_are_a_table(tmp_path):
    labels = ["cat", "dog"]
    corpus = SimpleNamespace(labels=labels, denormalise=lambda images: images / 2)
    logger = make_logger(tmp_path, WandbOptions("offline"))
    trainer = SimpleNamespace(datamodule=corpus, loggers=[logger], is_global_zero=True)
    drawn = DetectionPictures(tmp_path / "pictures")
    drawn.reset(trainer, None)
    boxes = torch.tensor([[[0.1, 0.2, 0.5, 0.6], [0, 0, 0, 0]]] * 2)
    classes = torch.tensor([[1, -1], [-1, -1]])
    scored = boxes[0][:1].repeat(8, 1), torch.linspace(0.95, 0.45, 8), torch.zeros(8).long()
    nothing = torch.zeros(0, 4), torch.zeros(0), torch.zeros(0).long()
    drawn.update((torch.ones(2, 3, 8, 8), boxes, classes), [scored, nothing])
    drawn.on_train_end(trainer, None)
    finish()
    records = sent(tmp_path)
    found = table(tmp_path, records)
    assert found["columns"] == ["picture", "true", "predicted"]
    assert [row[1:] for row in found["data"]] == [
        ["dog", "cat 95%, cat 88%, cat 81%, cat 74%, cat 66%, ..."],
        ["", ""],
    ]
    (artifact,) = (a for a in records["artifact"] if a["type"] == "run_table")
    files = {each["path"]: Path(each["local_path"]) for each in artifact["manifest"]["contents"]}
    whole = json.loads(files["validation/predictions.table.json"].read_text())
    first = whole["data"][0][0]
    assert (first["width"], first["height"]) == (8, 8)
    (true,) = first["boxes"]["true"]
    assert true["class_id"] == 1
    corners = [true["position"][name] for name in ("minX", "minY", "maxX", "maxY")]
    assert corners == pytest.approx([0.1, 0.2, 0.5, 0.6])
    scores = [box["scores"]["score"] for box in first["boxes"]["predicted"]]
    assert scores == pytest.approx(scored[1][:7].tolist())  # 0.45 is too little


# Who hands the options on


def test_trials_share_the_group_of_their_sweep(stand_in, monkeypatch):
    text = stand_in.read_text().replace(
        "print(argv)",
        '(folder.parent / "w.txt").open("a").write(os.environ["WANDB_RUN_GROUP"] + '
        '" " + os.environ.get("WANDB_PROJECT", "-") + "\\n"); print(argv)',
    )
    stand_in.write_text(text)
    one = {"model.quality": {"values": [0.2, 0.9]}}
    options = ["--wandb.tags", "a,b", "--wandb.log_model", "--wandb", "offline"]
    assert main(["sweep", write_sweep(parameters=one), *options]) == 0
    assert Path("runs/s/w.txt").read_text().split() == ["s", "-"] * 2
    said = Path("runs/s/logs/1.txt").read_text()
    for option in ("--wandb.tags=a,b", "--wandb.log_model=true", "--wandb=offline"):
        assert f"'{option}'" in said
    monkeypatch.setenv("WANDB_RUN_GROUP", "mine")
    write_sweep(parameters=one, name="t", project="course")
    assert main(["sweep", "s.yaml"]) == 0
    assert Path("runs/t/w.txt").read_text().split() == ["mine", "course"] * 2


@pytest.mark.parametrize("array", [True, False])
def test_a_job_is_logged_as_it_was_asked_for(array, capsys):
    options = ["--wandb.project", "my course", "--wandb", "online", "--wandb.watch=all"]
    argv = ["submit", RECIPE, "--dry-run", *options, *(["--array", "0-4"] * array)]
    assert main(argv) == 0
    text = capsys.readouterr().out
    for option in ("'--wandb.project=my course'", "--wandb=online", "--wandb.watch=all"):
        assert f"    {option} \\\n" in text
    assert ("WANDB_RUN_GROUP:-array-$SLURM_ARRAY_JOB_ID" in text) == array


# Loggers of the user's own

SHORT = [*QUICK, "--trainer.limit_train_batches", "2", "--trainer.limit_val_batches", "1"]


@pytest.mark.parametrize(
    ("options", "there"),
    [
        (["--trainer.logger", "CSVLogger"], "lightning_logs/version_0/metrics.csv"),
        (["--trainer.logger+=CSVLogger", "--trainer.logger.name=x"], "x/version_0/metrics.csv"),
        (["--trainer.logger", "[CSVLogger]"], "lightning_logs/version_0/metrics.csv"),
        (["--trainer.logger", "CSVLogger", "--trainer.logger.save_dir=y"], "../../../y/*/*/*.csv"),
        (["--trainer.logger", "false"], "hparams.yaml"),
    ],
    ids=["one", "added", "list", "placed", "none"],
)
def test_metrics_and_settings_are_there_whatever_the_logger(options, there, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert main(["fit", RECIPE, *SHORT, *options]) == 0
    run = Path(f"runs/{RECIPE}/1")
    assert len(list(run.glob(there))) == 1
    for name in ("metrics.csv", "config.yaml", "run.json"):
        assert (run / name).is_file()


def test_a_wandb_logger_of_the_users_says_what_ours_is():
    options = ["--trainer.logger", "WandbLogger", "--trainer.logger.project=mine"]
    options += ["--trainer.logger.dict_kwargs.group=ours", "--trainer.logger.name=one"]
    assert main(["fit", RECIPE, *SHORT, *options, "--wandb.name", "two"]) == 0
    (run,) = sent(f"runs/{RECIPE}/1")["run"]
    assert [run.get(field) for field in FIELDS[:4]] == ["mine", None, "two", "ours"]


def test_tensorboard_has_the_metrics_in_the_run_folder(monkeypatch):
    pytest.importorskip("tensorboard")
    assert main(["fit", RECIPE, *SHORT, "--trainer.logger", "TensorBoardLogger"]) == 0
    assert list(Path(f"runs/{RECIPE}/1").glob("lightning_logs/version_0/events*"))


@pytest.mark.parametrize(
    ("name", "package"), [("TensorBoardLogger", "tensorboard"), ("MLFlowLogger", "mlflow")]
)
@pytest.mark.parametrize("form", ["{}", "[{}]", "{{class_path: lightning.pytorch.loggers.{}}}"])
def test_a_logger_that_is_not_installed_is_one_line(name, package, form, capsys, monkeypatch):
    monkeypatch.setattr("zoo.cli.loggers.find_spec", lambda package: None)
    line = fails(capsys, "fit", RECIPE, *SHORT, "--trainer.logger", form.format(name))
    assert line == (
        f"zoo: --trainer.logger {name} needs {package}: pip install 'deep-learning-zoo[{package}]'"
    )


# What W&B does not take


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--wandb.project", "a/b"], "--wandb.project: Invalid project name 'a/b'"),
        (["--wandb.project", "x" * 200], "--wandb.project: Invalid project name"),
        (["--wandb.tags", f"a,{'x' * 65}"], "--wandb.tags: xxxxxxxxxxxxxxxxxxxx... has 65"),
        (["--wandb.watch", "gradient"], "did you mean gradients?"),
        (["--wandb.log_model=yes"], "--wandb.log_model: wanted true or false, not yes"),
        (["--wandb.proyect", "a"], "--wandb.proyect (did you mean --wandb.project?)"),
        (["--wandb.group"], "--wandb.group"),
    ],
)
def test_what_wandb_does_not_take_is_one_line(options, said, capsys):
    assert said in fails(capsys, "fit", RECIPE, *SHORT, *options)


def test_a_project_of_the_environment_that_does_not_do_ends_no_run(monkeypatch, capsys):
    monkeypatch.setenv("WANDB_PROJECT", "a/b")
    assert main(["fit", RECIPE, *SHORT]) == 0
    assert "zoo: W&B is not logged: Invalid project name 'a/b'" in capsys.readouterr().err
    assert Path(f"runs/{RECIPE}/1/metrics.csv").is_file()
