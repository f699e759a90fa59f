#!/usr/bin/env bash
# Lightning's own Timer callback ends every run of LightningCLI before its first step.
#
# lightning 2.6.6, jsonargparse 4.53.0, PyYAML 6.0.4, torch 2.14.1, Python 3.11, Linux; seen on
# 1 December 2026. LightningCLI writes its settings into config.yaml when the run begins. Timer's
# argument `interval` is annotated as a text, and its default is a member of an enumeration, which
# YAML has no form for. The error names each member of a union but not the option. `--print_config`
# fails as well. With `interval` given as a text the same command trains.
#
#     as documented:    ValueError
#     with an interval: 2 steps
#
# What helps: give `interval: step`, or register a representer of Enum with yaml.SafeDumper.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet \
    lightning==2.6.6 "jsonargparse[signatures]==4.53.0" PyYAML==6.0.4 torch==2.14.1 numpy==2.3.4
cat >"$folder/run.py" <<'END'
from lightning.pytorch.cli import LightningCLI
from lightning.pytorch.demos.boring_classes import BoringModel

try:
    cli = LightningCLI(BoringModel)
    print("RESULT", cli.trainer.global_step, "steps")
except ValueError as error:
    assert "cannot represent an object" in str(error)
    print("RESULT ValueError")
END
cd "$folder"
result() {
    venv/bin/python run.py fit --trainer.max_epochs 1 --trainer.limit_train_batches 2 \
        --trainer.accelerator cpu --trainer.logger lightning.pytorch.loggers.CSVLogger \
        --trainer.logger.save_dir logs --trainer.callbacks+=lightning.pytorch.callbacks.Timer \
        --trainer.callbacks.duration 00:00:10:00 "$@" 2>/dev/null | sed -n 's/^RESULT //p'
}
plain=$(result)
given=$(result --trainer.callbacks.interval step)
printf 'as documented:    %s\nwith an interval: %s\n' "$plain" "$given"
[ "$plain/$given" = "ValueError/2 steps" ]
