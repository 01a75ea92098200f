"""The leaderboard as one HTML page that asks nothing of any server.

Its content-security policy allows just the script and style that stand in it, so that even text which escaped our
escaping could neither run nor call home.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib import resources

from partseg_bench.report import form
from partseg_bench.report.model import Table
from partseg_bench.report.pictures import Strip
from partseg_bench.report.plain import lower_is_better, mapping, text
from partseg_bench.report.section import button, many, marked, method, scrolling, section

TITLE = "Part segmentation leaderboard"


def page(tables: Sequence[Table], strips: Mapping[str, Sequence[Strip]]) -> str:
    """The page.

    Args:
        tables: from `model.tables`.
        strips: anchor of a table -> its rendered shapes.
    """
    style, script = (
        resources.files(__package__).joinpath(name).read_text("utf-8") for name in ("style.css", "script.js")
    )
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    body = [_head(tables), '<main id="top">', _overview(tables)]
    body += [section(table, strips.get(table.anchor, ())) for table in tables]
    body += ["</main>", _foot(tables)]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        f'<link rel="icon" href="data:,">\n<title>{TITLE}</title>\n<style>{style}</style>\n</head>\n<body>\n'
        + "\n".join(body)
        + f"\n<script>{script}</script>\n</body>\n</html>\n"
    )


def _hash(code: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()


def _head(tables: Sequence[Table]) -> str:
    results = [one for table in tables for row in (*table.rows, *table.failed) for one in row.results]
    labels = {row.label for table in tables for row in (*table.rows, *table.failed)}
    created = max((text(one.get("created"))[:10] for one in results), default="")
    told = [
        many(len(labels), "method"), many(len({table.dataset for table in tables}), "dataset"),
        many(len({table.protocol for table in tables}), "protocol"), many(len(results), "result"),
    ]  # fmt: skip
    blocks = "".join(f'<path class="b{i}" d="M{x} 0h{w}v6h-{w}z"/>' for i, (x, w) in enumerate(_BLOCKS))
    return (
        f'<header><svg class="mark" viewBox="0 0 120 6" width="120" height="6" aria-hidden="true">{blocks}</svg>'
        f"<h1>{TITLE}</h1><p>{' · '.join(told)}"
        + (f" · as of <time>{escape(created)}</time>" if created else "")
        + "</p></header>"
    )


_BLOCKS = ((0, 38), (40, 22), (64, 28), (94, 12), (108, 12))


def _overview(tables: Sequence[Table]) -> str:
    """Methods against tables: the ranking number of each, linked to its table."""
    if len(tables) < 2:
        return "" if tables else "<p>No results.</p>"
    names: dict[tuple[str, str], None] = {}
    for table in tables:
        names |= dict.fromkeys((row.label, form.config(row)) for row in (*table.rows, *table.failed))
    heads = []
    for table in tables:
        share = form.is_share(table, table.rank)
        unit = f"{escape(table.rank)}{' %' if share else ''}"
        way = "ascending" if lower_is_better(table.rank) else "descending"
        heads.append(
            f'<th scope="col" data-first="{way}" class="num"><a href="#{table.anchor}">{escape(table.data)}<br>'
            f'<span class="protocol">{escape(table.name)}</span></a><br>{button(unit or "–")}</th>'
        )
    lines = []
    for label, config in names:
        cells = [_overview_cell(table, label, config) for table in tables]
        lines.append(f"<tr>{method(label, config)}{''.join(cells)}</tr>")
    return (
        '<section aria-labelledby="overview"><h2 id="overview">At a glance</h2>'
        "<p>The ranking number of every method by every protocol; each column is a protocol of its own, and numbers of "
        "different columns are not comparable. <b>Bold</b> is the best, ≈ cannot be told from it.</p>"
        f'{scrolling("Overview")}<table class="sortable overview"><thead><tr>'
        f'<th scope="col" data-kind="text">{button("Method")}</th>{"".join(heads)}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div></section>"
    )


def _overview_cell(table: Table, label: str, config: str) -> str:
    row = next((row for row in table.rows if (row.label, form.config(row)) == (label, config)), None)
    if row is not None and table.rank in row.scores:
        score = row.scores[table.rank]
        value = form.plain(score.value, form.is_share(table, table.rank))
        return f'<td class="num" data-v="{score.value!r}">{marked(value, row)}</td>'
    ill = next((row for row in table.failed if (row.label, form.config(row)) == (label, config)), None)
    said = f'<span class="bad" title="{escape(ill.error)}">{escape(ill.status)}</span>' if ill else "·"
    return f'<td class="num none">{said}</td>'


def _foot(tables: Sequence[Table]) -> str:
    results = [one for table in tables for row in (*table.rows, *table.failed) for one in row.results]
    machines = _distinct(
        ", ".join(filter(None, (text(mapping(one.get("hardware")).get(key)) for key in ("cpu", "gpu"))))
        for one in results
    )
    versions = _distinct(
        ", ".join(f"{text(k)} {text(v)}" for k, v in mapping(one.get("versions")).items()) for one in results
    )
    rules = _distinct(text(one.get("selection")) for one in results)
    facts = [("Machines", machines), ("Versions", versions), ("Checkpoint", rules)]
    listed = "".join(
        f"<dt>{name}</dt>{''.join(f'<dd>{escape(one)}</dd>' for one in ones[:12])}" for name, ones in facts if ones
    )
    return (
        "<footer><h2>How to read this</h2><ul><li>The bar is the 95 % bootstrap interval over shapes; all bars of a "
        "table share one scale, and the faint line marks the best value. ± is the standard deviation over seeds.</li>"
        "<li>≈: the 95 % bootstrap interval of the paired difference to the best, shape by shape, contains 0. It is "
        "not adjusted for the number of methods, and not made where the number is no mean over shapes.</li>"
        "<li>A shape without a prediction counts as the worst there is; <i>Shapes</i> says how many there were.</li>"
        "<li><i>Paper</i> is the number that the method's authors printed, on their data and by their protocol.</li>"
        f"<li>What failed is listed with its reason.</li></ul><dl>{listed}</dl></footer>"
    )


def _distinct(words: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(one for one in words if one))
