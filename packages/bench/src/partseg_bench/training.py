"""Training a method for a board (imports Lightning)."""

from __future__ import annotations

import logging
import os
import time
import warnings
from pathlib import Path
from typing import Any

import lightning
import pydantic
import torch

from partseg.errors import InputError, PartsegError
from partseg.methods import weights
from partseg.methods.registry import find, find_method
from partseg.ops.accel import keep_freed_memory
from partseg.spec import load_target

CHECKPOINT = "checkpoint.ckpt"


class KeepCheckpoint(lightning.Callback):
    """Keeps one checkpoint of the whole state up to date, whole at every moment, and counts the time of all attempts.

    Args:
        path: where it is.
        seconds: how often it is written.
        tell: called with (steps done, steps in all) after every step.
    """

    def __init__(self, path: Path, seconds: float, tell: Any) -> None:
        self.path, self.seconds, self.tell = path, seconds, tell
        self.before = 0.0  # seconds of earlier attempts
        self.started = self.saved = time.monotonic()

    @property
    def spent(self) -> float:
        """Seconds of training so far, of all attempts."""
        return self.before + time.monotonic() - self.started

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.saved = time.monotonic()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Report, and save when it is time."""
        self.tell(trainer.global_step, max(trainer.max_steps, 0))
        if time.monotonic() - self.saved >= self.seconds:
            self.save(trainer)

    def save(self, trainer: lightning.Trainer) -> None:
        """Write the checkpoint aside and put it in place of the last one."""
        aside = self.path.with_name(f".{self.path.name}")
        trainer.save_checkpoint(aside)
        os.replace(aside, self.path)
        self.saved = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        return {"spent": self.spent}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.before = float(state_dict["spent"])


def train_into(folder: Path, task: dict[str, Any], tell: Any) -> dict[str, Any]:
    """Train a method and save it with `save_pretrained` into a folder.

    Args:
        folder: exists; a checkpoint in it is gone on from.
        task: method, config, trainer (settings), dataset, data (options of its datamodule), seed, device,
            checkpoint_seconds.
        tell: called with (steps done, steps in all).

    Returns:
        {"seconds": of all attempts, "steps", "resumed": whether it went on from a checkpoint}.

    Raises:
        PartsegError: the method or its data refuse the config, or training diverged.
    """
    spec = find_method(task["method"])
    cls = spec.load()
    try:
        config = cls.config_class.model_validate(task["config"])
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise PartsegError(f"config: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    _quiet()
    keep_freed_memory()
    lightning.seed_everything(task["seed"], verbose=False)
    method = cls(config)
    name = task["dataset"]
    make = load_target(name) if ":" in name else find("dataset", name).load()
    try:
        data = make(**{"seed": task["seed"], **task["data"]})
    except TypeError as error:
        raise PartsegError(f"options of dataset {name!r}: {error}") from None
    keep = KeepCheckpoint(folder / CHECKPOINT, task["checkpoint_seconds"], tell)
    settings = {
        "max_epochs": -1 if "max_steps" in task["trainer"] else None,
        "limit_val_batches": 0,  # the last step is taken, whatever a validation would say
        "num_sanity_val_steps": 0,
        **task["trainer"],
    }
    trainer = lightning.Trainer(
        **settings,
        accelerator="gpu" if task["device"].startswith("cuda") else "cpu",
        devices=1,
        logger=False,
        callbacks=[keep],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )
    resumed = _readable(keep.path)
    trainer.fit(method, data, ckpt_path=str(keep.path) if resumed else None)
    keep.save(trainer)
    trained = cls.from_pretrained(keep.path)  # weights as a checkpoint gives them: averaged, where a method averages
    if not all(bool(torch.isfinite(tensor).all()) for tensor in trained.state_dict().values()):
        raise PartsegError(f"training diverged: weights are not finite after {trainer.global_step} steps")
    trained.save_pretrained(folder, seed=task["seed"], steps=trainer.global_step, trained_on=name)
    return {"seconds": keep.spent, "steps": trainer.global_step, "resumed": resumed}


def _readable(path: Path) -> bool:
    """Whether there is a checkpoint to go on from; one that is damaged is removed."""
    if not path.exists():
        return False
    try:
        weights.read(path)
    except InputError:
        path.unlink()
        return False
    return True


def _quiet() -> None:
    """What Lightning tells a person who started it by hand."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec")
