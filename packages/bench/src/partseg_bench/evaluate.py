"""`partseg evaluate`: scores anyone's predictions by a protocol."""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from partseg.cli.arguments import not_negative, positive
from partseg.errors import InputError, PartsegError
from partseg.files import write_text
from partseg.geometry.shape import Shape
from partseg_bench.predictions import Prediction, Predictions, read_predictions
from partseg_bench.protocols import Protocol, open_protocol
from partseg_bench.protocols.views import PointsView
from partseg_bench.results import environment, plain, result_of
from partseg_bench.samples import EvalSet, eval_set, reader_set

_ABOUT = "Score predictions on disk by an evaluation protocol. Anyone's: docs/benchmark.md says how they are written."
_OPTIONS = "Options of the dataset's reader, such as --root and --category, follow: --dataset D --help lists them."
_EXAMPLES = """\
examples:
  partseg protocols                                                               the protocols
  partseg evaluate --protocol psb --predictions P/ --dataset psb --root D
  partseg evaluate --protocol partnet-instance --predictions P/ --dataset partnet --root D --category Chair --level 3
  partseg evaluate --protocol class-agnostic-auto --predictions P/ --dataset procedural --limit 32 -o result.json
"""
_SEES_MORE = {"points": ("mesh", "soup"), "soup": ("mesh",), "mesh": ()}
"""What a method saw that a protocol of this view does not show."""


def evaluate(protocol: str | Protocol, predictions: str | Path | Predictions, shapes: EvalSet) -> dict[str, Any]:
    """Score predictions.

    Args:
        protocol: its name, or the protocol itself.
        predictions: a folder of them, in either form of `partseg_bench.predictions`.
        shapes: what they are of. Shapes without a prediction get the worst score there is.

    Returns:
        A result, with the fields of one of the runner's.

    Raises:
        PartsegError: predictions of other shapes, that do not fit theirs, or made from more than the protocol shows;
            the text names the shape and the field.
    """
    started = time.perf_counter()
    protocol = open_protocol(protocol, shapes) if isinstance(protocol, str) else protocol
    found = predictions if isinstance(predictions, Predictions) else read_predictions(predictions)
    check_predictions(found, protocol, shapes)
    records, expected = {}, shapes.ids
    for i, shape in enumerate(expected):
        sample = shapes[i]
        records[shape] = protocol.score(of_elements(found[shape], sample.shape) if shape in found else None, sample)
    metrics = protocol.aggregate(records, expected)
    missing = [shape for shape in expected if shape not in found]
    spec, manifest = protocol.spec, found.manifest
    about = {
        "method": manifest.method if manifest else "",
        "config": manifest.config if manifest else None,
        "weights": None,
        "dataset": shapes.dataset,
        "split": shapes.split,
        "level": shapes.level,
        "protocol": spec.name,
        "protocol_version": spec.version,
        "seed": manifest.seed if manifest else None,
    }
    digest = found.digest()
    key = hashlib.sha256(json.dumps([about, digest, shapes.digest], sort_keys=True, default=str).encode()).hexdigest()
    seconds = [] if manifest is None else [float(e.get("seconds") or 0.0) for e in manifest.shapes.values()]
    took = time.perf_counter() - started
    return result_of(key, "", about, (), environment(1, 0, None)) | {
        "metrics": {name: metric._asdict() for name, metric in metrics.items()},
        "per_shape": records,
        "categories": shapes.category_of,
        "coverage": {
            "expected": len(expected),
            "scored": len(expected) - len(missing),
            "missing": missing,
            "errors": {shape: found.errors[shape] for shape in missing if shape in found.errors},
        },
        "predictions_sha256": digest,
        "truth_sha256": shapes.digest,
        "seconds": {"train": 0.0, "predict": sum(seconds), "score": took, "total": sum(seconds) + took},
    }


def of_elements(prediction: Prediction, shape: Shape) -> Prediction:
    """The prediction; one of the file's own polygons as one of the triangles that they were cut into."""
    if shape.polygon is None or prediction.n_elements != shape.n_polygons:
        return prediction
    return PointsView(shape, shape.polygon.astype(np.int64)).back(prediction)


def check_predictions(found: Predictions, protocol: Protocol, shapes: EvalSet) -> None:
    """See that predictions are of these shapes and made from what the protocol shows.

    Raises:
        PartsegError: they are not; the text names the shape or the view.
    """
    if found.manifest is not None and found.manifest.view in _SEES_MORE[protocol.view]:
        raise InputError(
            found.folder,
            f"view: the method saw {found.manifest.view!r}, protocol {protocol.spec.name} shows {protocol.view!r}",
            "choose the protocol for what the method saw",
        )
    if unknown := sorted({*found, *found.errors} - set(shapes.ids)):
        more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        raise InputError(
            found.folder,
            f"shape {unknown[0]!r}{more}: not among the {len(shapes)} of {shapes.dataset}, split {shapes.split}",
            f"ids are written like {shapes.ids[0]!r}; --split all takes every shape",
        )


def read_result(path: str | Path, protocol: Protocol | None = None) -> dict[str, Any]:
    """A result that was written before.

    Args:
        path: the JSON file.
        protocol: it has to be of this protocol, and of its version.

    Raises:
        InputError: it cannot be read, is no result, or is of another protocol or version.
    """
    try:
        result = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(path, f"cannot be read as JSON: {error}") from None
    cell = result.get("cell") if isinstance(result, dict) else None
    if not isinstance(cell, dict) or not isinstance(result.get("metrics"), dict):
        raise InputError(path, "is no result: it has no fields cell and metrics")
    for field, want in () if protocol is None else (
        ("protocol", protocol.spec.name), ("protocol_version", protocol.spec.version),
    ):  # fmt: skip
        if cell.get(field) != want:
            raise InputError(
                path, f"cell.{field}: expected {want!r}, found {cell.get(field)!r}", "evaluate the predictions anew"
            )
    return result


def table(result: Mapping[str, Any]) -> str:
    """A result as text: its numbers with their intervals, and how many of the shapes have a prediction."""
    cell, cover = result["cell"], result["coverage"]
    lines = [f"{cell['protocol']} (version {cell['protocol_version']}) on {cell['dataset']}, split {cell['split']}"]
    width = max(map(len, result["metrics"]))
    for name, metric in result["metrics"].items():
        value, low, high = (_number(metric[key]) for key in ("value", "low", "high"))
        lines.append(f"  {name:<{width}}  {value:>8}  [{low}, {high}]  n = {metric['n']}")
    lines.append(f"coverage: {cover['scored']:,} of {cover['expected']:,} shapes")
    if cover["missing"]:
        shown = ", ".join(cover["missing"][:5]) + (", …" if len(cover["missing"]) > 5 else "")
        lines.append(f"no prediction (scored as the worst there is): {shown}")
    lines += [f"  {shape}: {error}" for shape, error in list(cover.get("errors", {}).items())[:5]]
    return "\n".join(lines)


def main(argv: list[str]) -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="partseg evaluate",
        description=f"{_ABOUT}\n\n{_OPTIONS}",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        add_help=False,
    )
    add = parser.add_argument
    add("-h", "--help", action="store_true", help="show this help; with --dataset also that dataset's options")
    add("--protocol", help="name of the protocol; `partseg protocols` lists them")
    add("--predictions", type=Path, metavar="DIR", help="folder of predictions")
    add("--dataset", help="name of the dataset; `partseg datasets` lists them")
    add("--split", default="test", help="which shapes are expected: a split, or all (default: test)")
    add("--level", help="only the truth of this level")
    add("--limit", type=positive, metavar="N", help="only N shapes, at equal steps from the whole")
    add("-o", "--output", type=Path, metavar="FILE", help="write the result as JSON; never over another file")
    add("--against", type=Path, metavar="FILE", help="an earlier result of the same protocol, to print beside this one")
    arguments, rest = parser.parse_known_args(argv)
    if arguments.help:
        print(parser.format_help(), end="")
        if arguments.dataset is None:
            return 0
    for name in ("protocol", "predictions", "dataset"):
        if getattr(arguments, name) is None and not arguments.help:
            parser.error(f"--{name} is needed")
    if arguments.help:
        _shapes(arguments, ["--help"])
        return 0
    if arguments.output is not None and arguments.output.exists():
        raise InputError(arguments.output, "exists already", "results are never overwritten: choose another name")
    protocol = open_protocol(arguments.protocol)
    earlier = None if arguments.against is None else read_result(arguments.against, protocol)
    shapes = _shapes(arguments, rest)
    result = evaluate(arguments.protocol, arguments.predictions, shapes)
    print(table(result))
    if earlier is not None:
        print("\n".join(_compared(result, earlier)))
    if arguments.output is not None:
        write_text(arguments.output, json.dumps(plain(result), indent=1, allow_nan=False) + "\n")
        print(f"written to {arguments.output}")
    return 0


def _shapes(arguments: argparse.Namespace, rest: list[str]) -> EvalSet:
    """The expected shapes, from the dataset's own options among the rest of the arguments."""
    from partseg.cli.data_names import find_dataset

    spec = find_dataset(arguments.dataset)
    chosen = {"split": arguments.split, "limit": arguments.limit, "level": arguments.level}
    if spec.embedded:
        parser = argparse.ArgumentParser(prog=f"partseg evaluate --dataset {spec.name}", allow_abbrev=False)
        parser.add_argument("--seed", type=not_negative, default=0, help="another seed gives other shapes (default: 0)")
        return eval_set(spec.name, **chosen, options=vars(parser.parse_args(rest)))
    from partseg.cli.data_readers import chosen_reader, reader_parser

    example = f"  partseg evaluate --protocol P --predictions DIR --dataset {spec.name} --root D"
    parser = reader_parser("evaluate", spec, _ABOUT, example)
    parser.prog = f"partseg evaluate --protocol P --predictions DIR --dataset {spec.name}"
    return reader_set(spec.name, chosen_reader(spec, parser.parse_args(rest)), **chosen, levels=spec.levels)


def _compared(result: Mapping[str, Any], earlier: Mapping[str, Any]) -> list[str]:
    lines = ["difference from the earlier result:"]
    if earlier.get("truth_sha256") != result["truth_sha256"]:
        raise PartsegError("truth_sha256: the earlier result is of other shapes; the two cannot be compared")
    for name, metric in result["metrics"].items():
        before = earlier["metrics"].get(name, {}).get("value")
        now = metric["value"]
        if before is not None and not math.isnan(now):
            lines.append(f"  {name}  {now - before:+.4f}")
    return lines


def _number(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.4f}"
