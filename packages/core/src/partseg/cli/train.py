"""`partseg fit`, `validate`, `test`, `predict`: Lightning's own command line, with our names resolved first.

Everything Lightning's CLI accepts is accepted. On top of it, three names are looked up in the registry before it
starts: `--config <method>/<config>` (a named config that ships), `--model <method>` and `--data <dataset>`.
"""

from __future__ import annotations

import json
from typing import Any

from partseg.cli.data_names import find_dataset
from partseg.errors import InputError, PartsegError
from partseg.methods.configs import load_config
from partseg.methods.registry import check_pair, find, list_datasets, list_methods
from partseg.spec import MethodSpec

DEFAULT_DATA = "procedural"

_EXAMPLES = """\
examples:
  partseg {verb} --config partfield/tiny
  partseg {verb} --config partfield/small --data.batch_size 8 --trainer.max_steps 2000
  partseg {verb} --config my.yaml --model.config.optim.learning_rate 3e-4
  partseg {verb} --config partfield/tiny --data PartNet --data.root D --data.category Chair --data.level 3
  partseg {verb} --config partfield/tiny --evaluation.validation_shapes 16 --trainer.default_root_dir runs/a
  partseg {verb} --config partfield/tiny --trainer.logger WandbLogger --trainer.logger.project parts

--config   a YAML file, or <method>/<config> for one that ships (`partseg methods <method>` lists them)
--model    a method's name or a class path
--data     a dataset's name ("partnet" or "PartNet", see `partseg datasets`) or a class path (default: procedural)
Curves go to lightning_logs/version_<n>/metrics.csv under the root directory, pictures of validation shapes to renders/
beside it; a WandbLogger (pip install 'partseg-core[wandb]') gets both too, without account or network if
WANDB_MODE=offline.
Every option of Lightning's command line is understood; `partseg {verb} --config partfield/tiny --print_config` shows
them all with their values, `partseg {verb} --full-help` describes them.
"""


def fit(argv: list[str]) -> int:
    """`partseg fit`."""
    return run("fit", argv)


def validate(argv: list[str]) -> int:
    """`partseg validate`."""
    return run("validate", argv)


def test(argv: list[str]) -> int:
    """`partseg test`."""
    return run("test", argv)


def predict(argv: list[str]) -> int:
    """`partseg predict`."""
    return run("predict", argv)


def run(verb: str, argv: list[str]) -> int:
    """Run Lightning's CLI.

    Args:
        verb: "fit", "validate", "test" or "predict".
        argv: the arguments after it.

    Raises:
        PartsegError: an unknown name, or a method and a dataset that do not fit each other.
    """
    if not argv or argv[0] in ("-h", "--help"):
        print(f"usage: partseg {verb} [--config CONFIG] [--model MODEL] [--data DATA] [--trainer.* ...] [...]\n")
        print(_EXAMPLES.format(verb=verb), end="")
        return 0
    arguments = ["--help" if argument == "--full-help" else argument for argument in argv]
    arguments = resolve(arguments)
    from partseg.cli.lightning_cli import PartsegCLI
    from partseg.ops.accel import keep_freed_memory

    keep_freed_memory()
    PartsegCLI(args=[verb, *arguments])
    return 0


def resolve(argv: list[str]) -> list[str]:
    """Replace our names in the arguments by what Lightning's CLI understands.

    `--config method/name` becomes the whole config as JSON, `--model method` and `--data dataset` become class paths
    (a dataset also by its datamodule's name, in any case); without any `--data`, a named config brings the embedded
    dataset. Everything else stays as it is.
    """
    out: list[str] = []
    for flag, value in _pairs(argv):
        if flag == "--config" and value is not None:
            out += [flag, _named_config(value)]
        elif flag == "--model" and value is not None and _is_name(value):
            out += [flag, class_path(find("method", value).method)]
        elif flag == "--data" and value is not None and _is_name(value.casefold()):
            out += [flag, class_path(find_dataset(value).dataset)]
        else:
            out += [flag] if value is None else [flag, value]
    return out


def named_run(name: str) -> dict[str, Any]:
    """The complete run config of `<method>/<config>`: that model on the embedded data, trained as its spec says.

    Every setting is spelled out, so that what the config leaves out is what the method's own config class says:
    Lightning would merge a section of it with that section of the default config.
    """
    method_name, _, config_name = name.partition("/")
    spec: MethodSpec = find("method", method_name)
    config = spec.load().config_class.model_validate(load_config(spec, config_name)).model_dump(mode="json")
    model = {"class_path": class_path(spec.method), "init_args": {"config": config}}
    data: dict[str, Any] = {"class_path": class_path(find("dataset", DEFAULT_DATA).dataset)}
    if spec.augmentation is not None:
        data["init_args"] = {"augmentation": spec.augmentation}
    return {"model": model, "data": data, "trainer": dict(spec.training.get(config_name, {}))}


def class_path(target: str) -> str:
    """``"module:Class"`` as the dotted path that Lightning's CLI takes."""
    return target.replace(":", ".")


def check_classes(model: str, data: str) -> None:
    """`partseg.methods.registry.check_pair` for class paths; classes that no spec names are not checked."""
    methods = {class_path(spec.method): spec for spec in list_methods()}
    datasets = {class_path(spec.dataset): spec for spec in list_datasets()}
    if model in methods and data in datasets:
        check_pair(methods[model], datasets[data])


def _named_config(value: str) -> str:
    method_name, slash, config_name = value.partition("/")
    known = {spec.name: spec for spec in list_methods()}
    if slash and method_name in known and (config_name in known[method_name].configs):
        return json.dumps(named_run(value))
    if slash and method_name in known and not value.endswith((".yaml", ".yml")):
        names = ", ".join(sorted(known[method_name].configs))
        raise PartsegError(f"method {method_name!r} has no config {config_name!r}; it has: {names}")
    return value


def _is_name(value: str) -> bool:
    return "." not in value and "/" not in value and not value.lstrip().startswith("{") and value.islower()


def _pairs(argv: list[str]) -> list[tuple[str, str | None]]:
    """(flag, value) where a value belongs to one of our three flags, (argument, None) for all else."""
    out: list[tuple[str, str | None]] = []
    i = 0
    while i < len(argv):
        flag, equals, value = argv[i].partition("=")
        if flag == "-c":
            flag = "--config"
        if flag not in ("--config", "--model", "--data"):
            out.append((argv[i], None))
        elif equals:
            out.append((flag, value))
        elif i + 1 < len(argv):
            out.append((flag, argv[i + 1]))
            i += 1
        else:
            raise InputError(flag, "needs a value")
        i += 1
    return out
