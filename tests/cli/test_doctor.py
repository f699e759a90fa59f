"""doctor: nothing is amiss here; each thing that may be amiss is found and its cure named."""

import importlib.metadata
import json
import os
from collections import namedtuple
from pathlib import Path

import pytest

from zoo.catalogue import arguments, corpora, definitions
from zoo.cli import doctor as module
from zoo.cli.doctor import doctor

CANARY = "canary0123456789canary0123456789canary01"


@pytest.fixture(autouse=True)
def _clean(monkeypatch, tmp_path):
    """No login, no mode, no data: whatever the machine has is neither read nor needed."""
    for name in ("ZOO_DATA", "WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


@pytest.fixture
def look(capsys):
    """Runs the doctor; returns its code, and its findings by name."""

    def _look():
        code = doctor(as_json=True)
        record = json.loads(capsys.readouterr().out)
        assert record["faults"] == sum(f["sound"] is False for f in record["findings"])
        assert code == (1 if record["faults"] else 0)
        return code, {(f["topic"], f["name"]): f for f in record["findings"]}

    return _look


@pytest.fixture
def fake_version(monkeypatch):
    def _fake(name, value):
        real = importlib.metadata.version
        monkeypatch.setattr(module, "version", lambda n: value if n == name else real(n))

    return _fake


def test_nothing_is_amiss_here(look):
    code, findings = look()
    assert code == 0
    names = ("zoo", "python", "lightning", "torch", "torchvision", "torchmetrics", "wandb")
    assert {("versions", name) for name in (*names, "jsonargparse")} <= set(findings)
    lightning = findings["versions", "lightning"]["value"]
    assert lightning == f"{importlib.metadata.version('lightning')} (>=2.6.6)"
    own = ("PictureFolder", "Table", "TextFile", "PairFile", "COCOFormat")
    downloads = {
        name for name, each in corpora().items() if "path" not in arguments(each, definitions())
    }
    assert not downloads & set(own)
    assert {name for topic, name in findings if topic == "data"} == {"folder", *downloads}
    assert "threads" in findings["accelerators", "CPU"]["value"]


def test_lines_have_a_mark_and_a_verdict(capsys):
    assert doctor() == 0
    text = capsys.readouterr().out
    assert "✓ lightning" in text
    assert "✗" not in text
    assert text.splitlines()[-1] == "nothing must be mended"


def test_a_fault_is_crossed_with_the_cure_below(capsys, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "online")
    assert doctor() == 1
    text = capsys.readouterr().out.splitlines()
    (index,) = [i for i, line in enumerate(text) if "✗" in line]
    assert text[index].split() == ["✗", "login", "none"]
    assert text[index + 1].strip() == "mend: wandb login"
    assert text[-1] == "to mend: 1"


def test_an_old_package_is_a_fault(look, fake_version):
    fake_version("torch", "2.10.1+cpu")
    code, findings = look()
    assert code == 1
    torch = findings["versions", "torch"]
    assert torch["value"] == "2.10.1+cpu, wanted >=2.11"
    assert torch["advice"] == 'pip install --upgrade "torch>=2.11"'


def test_a_newer_build_is_none(look, fake_version):
    fake_version("torch", "3.0.0.dev20270101+cu140")
    assert look()[0] == 0


def test_a_missing_package_is_a_fault(look, monkeypatch):
    def _version(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(module, "version", _version)
    code, findings = look()
    assert code == 1
    assert findings["versions", "wandb"]["value"] == "not installed"
    wanted = next(r for r in importlib.metadata.requires("deep-learning-zoo") if "wandb" in r)
    assert findings["versions", "wandb"]["advice"] == f'pip install --upgrade "{wanted}"'


@pytest.mark.parametrize("version", ["2.6.2", "2.6.3"])
def test_malicious_lightning_is_named_and_not_imported(look, fake_version, monkeypatch, version):
    fake_version("lightning", version)
    monkeypatch.setattr(module, "import_module", lambda name: pytest.fail(f"{name} was imported"))
    code, findings = look()
    assert code == 1
    lightning = findings["versions", "lightning"]
    assert "malicious" in lightning["value"]
    assert "lightning>=2.6.6" in lightning["advice"]
    assert not set(corpora()) & {name for _, name in findings}


def test_a_corpus_is_found_under_zoo_data(look, monkeypatch, tmp_path):
    from datamodules.fashion_mnist import DIGESTS, RAW

    absent = look()[1]["data", "FashionMNIST"]
    assert absent["sound"] is None
    assert "zoo prepare FashionMNIST" in absent["value"]
    for name in DIGESTS:
        path = tmp_path / "corpora" / RAW / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.setenv("ZOO_DATA", str(tmp_path / "corpora"))
    findings = look()[1]
    assert findings["data", "FashionMNIST"]["value"] == "found"
    assert findings["data", "folder"]["value"] == f"{tmp_path / 'corpora'} ($ZOO_DATA)"


def test_a_broken_corpus_hides_nothing_else(look, monkeypatch):
    def _import(name):
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr(module, "import_module", _import)
    code, findings = look()
    assert code == 1
    assert findings["data", "FashionMNIST"]["value"] == "first line"
    assert ("runs", "disk") in findings


@pytest.mark.parametrize("as_json", [False, True])
def test_the_key_is_never_printed(monkeypatch, capsys, as_json):
    monkeypatch.setenv("WANDB_API_KEY", CANARY)
    assert doctor(as_json) == 0
    printed = capsys.readouterr()
    assert "found in $WANDB_API_KEY" in printed.out
    assert CANARY not in printed.out + printed.err


def test_a_login_in_netrc_is_found_for_its_host_alone(look, monkeypatch):
    path = Path(os.environ["NETRC"])
    path.write_text(f"machine api.wandb.ai login user password {CANARY}\n")
    path.chmod(0o600)
    login = look()[1]["Weights & Biases", "login"]
    assert login["value"] == f"found in {path}"
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.org")
    assert look()[1]["Weights & Biases", "login"]["value"] == "none"


def test_a_netrc_that_cannot_be_parsed_is_not_quoted(capsys):
    Path(os.environ["NETRC"]).write_text(f"machine api.wandb.ai {CANARY}\n")
    assert doctor() == 0
    printed = capsys.readouterr()
    assert CANARY not in printed.out + printed.err


def test_an_unknown_mode_is_a_fault(look, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "onlien")
    code, findings = look()
    assert code == 1
    assert findings["Weights & Biases", "mode"]["advice"] == (
        "set it to online, offline or disabled"
    )


def test_folders_that_cannot_be_written_are_faults(look, monkeypatch, tmp_path):
    monkeypatch.setattr(module.os, "access", lambda path, mode: False)
    code, findings = look()
    assert code == 1
    runs = findings["runs", "folder"]
    assert runs["value"] == f"{tmp_path / 'runs'} cannot be written"
    assert "--runs" in runs["advice"]
    assert "ZOO_CACHE" in findings["cache", "stand-ins"]["advice"]
    assert "ZOO_DATA" in findings["data", "folder"]["advice"]


def test_a_file_in_the_place_of_runs_is_a_fault(look):
    Path("runs").write_text("")
    assert look()[1]["runs", "folder"]["sound"] is False


def test_a_full_disk_is_a_fault(look, monkeypatch):
    usage = namedtuple("usage", "total used free")(100 << 30, 100 << 30, 1 << 28)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: usage)
    code, findings = look()
    assert code == 1
    assert findings["runs", "disk"]["value"] == "0.2 GiB free"
    assert "--runs" in findings["runs", "disk"]["advice"]


def test_a_setting_that_lets_checkpoints_run_code_is_a_fault(look, monkeypatch):
    assert ("runs", "checkpoints") not in look()[1]
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    code, findings = look()
    assert code == 1
    assert findings["runs", "checkpoints"]["advice"] == "unset it"


def test_cards_are_listed_with_their_memory(look, monkeypatch):
    import torch

    card = namedtuple("card", "name total_memory")("H200", 140 << 30)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: card)
    findings = look()[1]
    assert findings["accelerators", "CUDA 1"]["value"] == "H200, 140 GiB"


def test_nothing_is_written(look, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    look()
    assert sorted(tmp_path.rglob("*")) == before
