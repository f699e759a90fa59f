#!/usr/bin/env bash
# Trains on several hosts without SLURM. Run the same line on each of them:
#
#     scripts/slurm/torchrun.sh ID HOST:PORT HOSTS PROCESSES RECIPE [arguments of zoo fit]
#
# ID         names the run: runs/<recipe>/job-<ID>/. The same line again goes on with that run, or
#            trains it longer; the same ID with other settings trains another, in job-<ID>-2/.
# HOST:PORT  an address of one of the hosts, and a free port there, that all of them reach
# HOSTS      how many; PROCESSES: on each, one a GPU
#
# PYTHON: the interpreter that has the zoo (python). LOCAL_ADDR: this host's address, where its name
# does not lead the others to it. GLOO_SOCKET_IFNAME, NCCL_SOCKET_IFNAME: the interface, where there
# are several. RESTARTS: how often all processes start again, from the last checkpoint, after one
# has failed (0).
set -euo pipefail
if [ $# -lt 5 ]; then
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "$0" >&2
    exit 2
fi
id=$1 endpoint=$2 hosts=$3 processes=$4
shift 4
where=()
if [ -n "${LOCAL_ADDR:-}" ]; then # torchrun knows the endpoint's host by its name alone
    meets=0
    [ "${endpoint%:*}" != "$LOCAL_ADDR" ] || meets=1
    where=(--local_addr "$LOCAL_ADDR" --rdzv_conf "is_host=$meets")
fi
# Processes share the cores of a host; torchrun would say so, and set the same.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
# Processes that start again would find the addresses of the last attempt in torchrun's own store.
export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1
exec "${PYTHON:-python}" -m torch.distributed.run \
    --nnodes "$hosts" --nproc_per_node "$processes" --max_restarts "${RESTARTS:-0}" \
    --rdzv_backend c10d --rdzv_endpoint "$endpoint" --rdzv_id "$id" \
    "${where[@]}" \
    -m zoo.cli fit "$@" +ddp \
    --trainer.num_nodes "$hosts" --trainer.devices "$processes" --ckpt_path last
