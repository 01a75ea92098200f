"""`partseg convert`: checkpoints that a paper's authors released, as weights that `--weights` reads."""

from __future__ import annotations

from partseg.cli.verbs import run_verb
from partseg.methods.registry import list_methods

_HELP = """\
usage: partseg convert <method> <checkpoint> -o FOLDER [arguments]

Turn a checkpoint that the authors of a method released into a folder of weights (model.safetensors, config.json).

methods: {methods}
`partseg convert <method> --help` says more.
"""


def main(argv: list[str]) -> int:
    """The command."""
    converters = {spec.name: spec.converter for spec in list_methods() if spec.converter}
    told = _HELP.format(methods=", ".join(converters) or "none installed")
    return run_verb("partseg convert", told, converters, argv)
