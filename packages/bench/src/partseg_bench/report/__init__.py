"""Reports: a leaderboard as Markdown, CSV and one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["write"]


def write(results: Sequence[Mapping[str, Any]], out: Path, html: bool = True, runs: Path | None = None) -> list[Path]:
    """Write `leaderboard.md`, `leaderboard.csv` and, with `html`, `leaderboard.html` into a folder.

    Args:
        results: result files as dictionaries, those of failed cells included. They may come from strangers: all text in
            them is escaped, and predictions are looked for inside `runs` only.
        out: the folder; it is made, and earlier reports in it are replaced.
        html: write the page as well.
        runs: the folder of runs that holds the predictions, for rendered pictures; None leaves them out.

    Returns:
        The paths written.

    Raises:
        PartsegError: a result does not say what it is a result of; the text says which.
        InputError: the folder cannot be written to.
    """
    from partseg.files import write_text
    from partseg_bench.report.model import tables
    from partseg_bench.report.text import comma_separated, markdown

    found = tables(results)
    out = Path(out)
    paths = [
        write_text(out / "leaderboard.md", markdown(found)),
        write_text(out / "leaderboard.csv", comma_separated(found)),
    ]
    if html:
        from partseg_bench.report.page import page
        from partseg_bench.report.pictures import strips

        shown = {} if runs is None else strips(found, Path(runs))
        paths.append(write_text(out / "leaderboard.html", page(found, shown)))
    return paths
