"""Lightning's command line for this project's methods and datasets (imports torch; `partseg.cli.train` does not)."""

from __future__ import annotations

import warnings

from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

from partseg.callbacks import EvaluateParts, SavePredictions
from partseg.cli.train import check_classes
from partseg.data.datamodule import PartDataModule
from partseg.methods import weights
from partseg.methods.method import Method

_LIGHTNINGS_OWN = ("best", "last", "hpc")  # names of checkpoints that the Trainer finds itself


class PartsegCLI(LightningCLI):
    """Any `Method` on any `PartDataModule`; impossible pairs are refused before anything is built.

    Args:
        args: subcommand and arguments, already resolved by `partseg.cli.train.resolve`.

    Raises:
        PartsegError: an impossible pair, or a checkpoint that cannot be read.
    """

    def __init__(self, args: list[str]) -> None:
        _check_checkpoint(args)
        with warnings.catch_warnings():
            # we pass the command line itself, with names resolved: what this warns of is meant
            warnings.filterwarnings("ignore", message="LightningCLI's args parameter")
            warnings.filterwarnings("ignore", message="Starting from v1.9.0, `tensorboardX`")
            warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec")  # Lightning's own affair
            super().__init__(
                model_class=Method,
                datamodule_class=PartDataModule,
                subclass_mode_model=True,
                subclass_mode_data=True,
                auto_configure_optimizers=False,
                seed_everything_default=0,
                args=args,
                save_config_kwargs={"overwrite": True},
                parser_kwargs={verb: {"prog": f"partseg {verb}"} for verb in ("fit", "validate", "test", "predict")},
            )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """`--evaluation.*` and `--predictions.*`; methods bring their options in their config."""
        parser.add_lightning_class_args(EvaluateParts, "evaluation")
        parser.add_lightning_class_args(SavePredictions, "predictions")

    def before_instantiate_classes(self) -> None:
        """Check that the method can be used with the data; keep predictions on disk instead of in memory."""
        verb = self.config["subcommand"]
        config = self.config[verb]
        model, data = config.get("model"), config.get("data")
        if model is not None and data is not None and verb != "predict":  # which needs no truth
            check_classes(str(model["class_path"]), str(data["class_path"]))
        if "return_predictions" in config:
            config["return_predictions"] = False


def _check_checkpoint(args: list[str]) -> None:
    """Read what `--ckpt_path` names before Lightning does, which would show a traceback of the unpickler."""
    for flag, after in zip(args, [*args[1:], ""], strict=True):
        name, equals, value = flag.partition("=")
        path = value if equals else after
        if name == "--ckpt_path" and path and path not in _LIGHTNINGS_OWN:
            weights.read(path)
