"""Lightning's command line for this project's methods and datasets (imports torch; `partseg.cli.train` does not)."""

from __future__ import annotations

import importlib.util
import os
import warnings
from typing import Any

import lightning
import yaml
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
from lightning.pytorch.loggers import CSVLogger, Logger, WandbLogger

from partseg.callbacks import EvaluateParts, LogRenders, SavePredictions
from partseg.cli.train import check_classes
from partseg.data.datamodule import PartDataModule
from partseg.errors import PartsegError
from partseg.methods import weights
from partseg.methods.method import Method

_LIGHTNINGS_OWN = ("best", "last", "hpc")  # names of checkpoints that the Trainer finds itself


class PartsegCLI(LightningCLI):
    """Any `Method` on any `PartDataModule`; impossible pairs are refused before anything is built.

    A run's first logger is a CSV logger, so that `metrics.csv`, config, checkpoints and pictures lie together in its
    folder; only `--trainer.logger false` leaves it out.

    Args:
        args: subcommand and arguments, already resolved by `partseg.cli.train.resolve`.

    Raises:
        PartsegError: an impossible pair, a checkpoint that cannot be read, or a logger that cannot be used.
    """

    def __init__(self, args: list[str]) -> None:
        _check_checkpoint(args)
        with warnings.catch_warnings():
            # we pass the command line itself, with names resolved: what this warns of is meant
            warnings.filterwarnings("ignore", message="LightningCLI's args parameter")
            warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec")  # Lightning's own affair
            super().__init__(
                model_class=Method,
                datamodule_class=PartDataModule,
                subclass_mode_model=True,
                subclass_mode_data=True,
                auto_configure_optimizers=False,
                seed_everything_default=0,
                args=args,
                save_config_callback=SaveRunConfig,
                save_config_kwargs={"overwrite": True},
                parser_kwargs={verb: {"prog": f"partseg {verb}"} for verb in ("fit", "validate", "test", "predict")},
            )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """`--evaluation.*`, `--renders.*` and `--predictions.*`; methods bring their options in their config."""
        parser.add_lightning_class_args(EvaluateParts, "evaluation")
        parser.add_lightning_class_args(LogRenders, "renders")
        parser.add_lightning_class_args(SavePredictions, "predictions")

    def before_instantiate_classes(self) -> None:
        """Check method, data and loggers; keep predictions on disk instead of in memory."""
        verb = self.config["subcommand"]
        config = self.config[verb]
        model, data = config.get("model"), config.get("data")
        if model is not None and data is not None and verb != "predict":  # which needs no truth
            check_classes(str(model["class_path"]), str(data["class_path"]))
        if "return_predictions" in config:
            config["return_predictions"] = False
        _check_loggers(config["trainer"]["logger"])

    def instantiate_trainer(self, **kwargs: Any) -> lightning.Trainer:
        """The Trainer, with a CSV logger before the loggers that were asked for."""
        config = self.config_init[self.subcommand]["trainer"]
        if config["logger"] is not False and not config["barebones"]:
            kwargs["logger"] = _with_csv(config["logger"], config["default_root_dir"])
            if not config["fast_dev_run"]:  # which logs nothing
                _begin(kwargs["logger"])
        return super().instantiate_trainer(**kwargs)


class SaveRunConfig(SaveConfigCallback):
    """Saves the run's config beside its logs, and tells it to loggers that show it beside the curves."""

    def save_config(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        config = yaml.safe_load(self.parser.dump(self.config, skip_none=False))
        for logger in trainer.loggers:
            if not isinstance(logger, CSVLogger):
                logger.log_hyperparams(config)


def _check_loggers(given: Any) -> None:
    """Refuse a W&B logger without wandb."""
    asked = given if isinstance(given, list) else [given]
    named = any(str(getattr(one, "class_path", "")).endswith(".WandbLogger") for one in asked)
    if named and importlib.util.find_spec("wandb") is None:
        raise PartsegError("WandbLogger needs wandb, which is not installed: pip install 'partseg-core[wandb]'")


def _with_csv(given: Logger | list[Logger] | bool | None, folder: str | None) -> list[Logger]:
    """The loggers asked for, after a CSV logger."""
    loggers = given if isinstance(given, list) else [given] if isinstance(given, Logger) else []
    if any(isinstance(logger, CSVLogger) for logger in loggers):
        return loggers
    return [CSVLogger(os.getcwd() if folder is None else folder), *loggers]


def _begin(loggers: list[Logger]) -> None:
    """Begin W&B's runs, so that a missing account is said at once, in one line."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            import wandb

            try:
                logger.experiment  # noqa: B018
            except wandb.Error as error:
                raise PartsegError(f"W&B: {error} WANDB_MODE=offline needs neither account nor network.") from None


def _check_checkpoint(args: list[str]) -> None:
    """Read what `--ckpt_path` names before Lightning does, which would show a traceback of the unpickler."""
    for flag, after in zip(args, [*args[1:], ""], strict=True):
        name, equals, value = flag.partition("=")
        path = value if equals else after
        if name == "--ckpt_path" and path and path not in _LIGHTNINGS_OWN:
            weights.read(path)
