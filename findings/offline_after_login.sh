#!/usr/bin/env bash
# Lightning's WandbLogger(offline=True) goes online where W&B was asked for a login before.
#
# lightning 2.6.6, wandb 0.31.0, torch 2.11.0, Python 3.11, Linux; seen on 30 November 2026.
# `offline=True` sets $WANDB_MODE when the run begins. W&B reads the variable once in a process, and
# `wandb.login`, which tells whether there is a key, is such a reading: from then on the variable
# counts for nothing, and the run wants a server. Without the login the same logger is offline.
#
#     without a login: offline
#     after a login:   CommError
#     with setup:      offline
#
# What helps: `wandb.setup(wandb.Settings(mode="offline"))` before the run.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet lightning==2.6.6 wandb==0.31.0 torch==2.11.0 numpy==2.3.4
cat >"$folder/run.py" <<'END'
import sys

import wandb
from lightning.pytorch.loggers import WandbLogger

if sys.argv[1] == "login":
    wandb.login(prompt=False, verify=False)
if "setup" in sys.argv:
    wandb.setup(wandb.Settings(mode="offline"))
logger = WandbLogger(save_dir=".", offline=True, settings=wandb.Settings(init_timeout=5))
try:
    print("RESULT", "offline" if logger.experiment.offline else "online")
except wandb.errors.CommError:
    print("RESULT CommError")
END
cd "$folder"
# A key of the right form and a server where nobody answers: nothing is sent anywhere
export WANDB_API_KEY=0000000000000000000000000000000000000000
export WANDB_BASE_URL=http://127.0.0.1:9
unset WANDB_MODE HTTPS_PROXY https_proxy
result() { venv/bin/python run.py "$@" 2>/dev/null | sed -n 's/^RESULT //p'; }
without=$(result none)
after=$(result login)
mended=$(result login setup)
printf 'without a login: %s\nafter a login:   %s\nwith setup:      %s\n' "$without" "$after" "$mended"
[ "$without/$after/$mended" = offline/CommError/offline ]
