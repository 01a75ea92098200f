"""Class-agnostic mIoU of part segmentation methods on the Princeton Segmentation Benchmark.

    python benchmarks/quality [--data <folder>] [--methods partfield,ward-position] [--by-category]

Prints a Markdown table; every number behind it is written as JSON under benchmarks/results/quality. Each true part
takes the predicted part of largest IoU (faces count one each), a shape scores the mean over its true parts. "Best of
20 cuts" takes, for each truth, the number of parts 1..20 that scores best, as PartField's evaluation does (its script
reads 2..19); "auto" and "k parts" choose without looking at the truth. Against people: mean over the people who
segmented a shape, then over shapes. A shape on which a method fails scores 0. Intervals: 95 % bootstrap over shapes.

`name@folder` evaluates a method with other weights than those that ship, `name[key=value;key=value]` with other
settings of its inference (the third default row is PartField's network alone).

Inference settings of PartField and of the Ward baselines were chosen while looking at a part of these shapes; a second
table holds only those that were never looked at.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
sys.path.insert(0, str(HERE))
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: threads that wait must not hold a core

from provenance import provenance, truth_hash  # noqa: E402
from runs import open_method, run  # noqa: E402
from scoring import humans_against_each_other  # noqa: E402
from subsets import spread, unseen  # noqa: E402
from table import category_table, difference_table, main_table  # noqa: E402

from partseg.data.formats.psb import PsbItem, index, load  # noqa: E402
from partseg.errors import InputError, PartsegError  # noqa: E402
from partseg.files import write_text  # noqa: E402

METHODS = (
    "partfield,partfield[smoothing=0],partfield[smoothing=0;thickness_weight=0;position_weight=0],"
    "recursive-partnet,connected-components,ward-position,ward-position-normal,shape-diameter,ward-shape-diameter"
)
NO_DATA = 3  # exit code when the benchmark's files are not there


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; returns the exit code: 0, 1 when a method failed on a shape, 2 for bad usage, 3 without
    data."""
    options = _parse(arguments)
    data = options.data or Path(os.environ.get("PARTSEG_TEST_DATA") or REPOSITORY.parent / "shared" / "data") / "psb"
    try:
        items = _choose(index(data), options.subset, options.limit, options.seed)
    except InputError:
        print(f"quality: no Princeton Segmentation Benchmark at {data}; give its folder with --data", file=sys.stderr)
        return NO_DATA
    names = [name.strip() for name in options.methods.split(",") if name.strip()]
    try:
        for name in names:
            open_method(name)
        shapes = [load(item) for item in items]
    except PartsegError as error:  # a method that cannot be loaded, or a file of the benchmark that cannot be read
        print(f"quality: {error}", file=sys.stderr)
        return 2

    result: dict[str, Any] = {
        "benchmark": "psb class-agnostic mIoU, best of 20 cuts",
        "version": "1",
        "seed": options.seed,
        "subset": options.subset,
        "shapes": [{"name": s.item.name, "category": s.item.category, "faces": s.shape.n_elements} for s in shapes],
        "truth_sha256": truth_hash(shapes),
        "provenance": provenance(names),
        "humans": {s.item.name: humans_against_each_other(s.humans) for s in shapes},
        "methods": {},
    }
    del shapes
    failed = 0
    for name in names:
        result["methods"][name] = rows = run(name, items, options.jobs)
        bad = [row for row in rows if "error" in row]
        failed += len(bad)
        for row in bad:
            print(f"quality: {name} failed on {row['shape']}: {row['error']}", file=sys.stderr)
        print(f"quality: {name} done", file=sys.stderr)

    print(f"\nmIoU × 100 on {len(items)} shapes, {len({i.category for i in items})} categories; mean [95 % interval]\n")
    print(main_table(result))
    fresh = _only(result, unseen(index(data)))
    if fresh["shapes"]:
        print(f"\nThe {len(fresh['shapes'])} of them that nothing was chosen on:\n\n{main_table(fresh)}")
    reference = names[0]
    if len(names) > 1:
        print("\nDifferences on the same shapes, best of 20 cuts:\n")
        print(difference_table(result, reference))
    if options.by_category:
        for truth in ("human", "label"):
            print(f"\nBest of 20 cuts by category:\n\n{category_table(result, truth)}")
    if options.output != "-":
        default = REPOSITORY / "benchmarks" / "results" / "quality" / _file_name(options, len(items))
        path = write_text(options.output or default, json.dumps(result, indent=1) + "\n")
        print(f"\nquality: numbers written to {os.path.relpath(path)}", file=sys.stderr)
    return 1 if failed else 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks/quality", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="folder of the benchmark (default: psb in $PARTSEG_TEST_DATA)")
    parser.add_argument("--methods", default=METHODS, help="names, comma separated; the first is the reference")
    parser.add_argument("--jobs", type=int, default=1, help="worker processes (seconds are comparable with 1 only)")
    parser.add_argument("--subset", type=int, help="only this many shapes, drawn with --seed over the categories")
    parser.add_argument("--limit", type=int, help="only the first shapes by number")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap and of --subset")
    parser.add_argument("--by-category", action="store_true", help="print a table of categories too")
    parser.add_argument("--output", help="file for the numbers, '-' for none (default: benchmarks/results/quality)")
    return parser.parse_args(arguments)


def _choose(items: tuple[PsbItem, ...], subset: int | None, limit: int | None, seed: int) -> list[PsbItem]:
    """All shapes; or `subset` of them, as even over categories as possible; or the first `limit`."""
    chosen = list(items) if subset is None else spread(items, subset, seed)
    return chosen[:limit]


def _only(result: dict[str, Any], names: set[str]) -> dict[str, Any]:
    """The same result restricted to some shapes."""
    return result | {
        "shapes": [row for row in result["shapes"] if row["name"] in names],
        "humans": {name: value for name, value in result["humans"].items() if name in names},
        "methods": {
            method: [row for row in rows if row["shape"] in names] for method, rows in result["methods"].items()
        },
    }


def _file_name(options: argparse.Namespace, n: int) -> str:
    names = "_".join(Path(name.replace("@", "-")).name for name in options.methods.split(","))
    if options.methods == METHODS:
        names = "all"
    return f"psb{n}-{names[:80]}-seed{options.seed}.json"


if __name__ == "__main__":
    sys.exit(main())
