"""A metric fed on several processes, as in distributed training, for comparison with one."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torchmetrics import Metric

_CHILD = """
import pickle, sys
import torch.distributed as dist
rank, size, rendezvous, work, out = int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]
dist.init_process_group("gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=size)
with open(work, "rb") as file:
    metric, updates = pickle.load(file)
for arguments in updates[rank]:
    metric.update(*arguments)
with open(f"{out}{rank}", "wb") as file:
    pickle.dump(metric.compute(), file)
dist.destroy_process_group()
"""


def compute_on_processes(metric: Metric, updates: Sequence[Sequence[tuple[Any, ...]]], folder: Path) -> list[Any]:
    """What `compute` returns on each of `len(updates)` processes, process i given `updates[i]`.

    Processes are new ones, joined by gloo through a file in `folder`.
    """
    work, out = folder / "work", folder / "result"
    work.write_bytes(pickle.dumps((metric, updates)))
    running = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                _CHILD,
                str(rank),
                str(len(updates)),
                str(folder / "rendezvous"),
                str(work),
                str(out),
            ]
        )
        for rank in range(len(updates))
    ]
    try:
        codes = [process.wait(timeout=300) for process in running]
    finally:
        for process in running:
            process.kill()
    assert codes == [0] * len(updates)
    return [pickle.loads(Path(f"{out}{rank}").read_bytes()) for rank in range(len(updates))]  # noqa: S301
