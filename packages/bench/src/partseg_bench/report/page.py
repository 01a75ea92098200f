"""The leaderboard as one HTML page that asks nothing of any server.

Its content-security policy allows just the script and style that stand in it, so that even text which escaped our
escaping could neither run nor call home.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources

from partseg_bench.report import charts, form
from partseg_bench.report.curves import curves
from partseg_bench.report.model import Row, Score, Table, lower_is_better, mapping, text
from partseg_bench.report.pictures import Strip

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
    body += [_section(table, strips.get(table.anchor, ())) for table in tables]
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
        _many(len(labels), "method"), _many(len({table.dataset for table in tables}), "dataset"),
        _many(len({table.protocol for table in tables}), "protocol"), _many(len(results), "result"),
    ]  # fmt: skip
    blocks = "".join(f'<path class="b{i}" d="M{x} 0h{w}v6h-{w}z"/>' for i, (x, w) in enumerate(_BLOCKS))
    return (
        f'<header><svg class="mark" viewBox="0 0 120 6" width="120" height="6" aria-hidden="true">{blocks}</svg>'
        f"<h1>{TITLE}</h1><p>{' · '.join(told)}"
        + (f" · as of <time>{escape(created)}</time>" if created else "")
        + "</p></header>"
    )


_BLOCKS = ((0, 38), (40, 22), (64, 28), (94, 12), (108, 12))


def _many(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"


def _overview(tables: Sequence[Table]) -> str:
    """Methods against tables: the ranking number of each, linked to its table."""
    if not tables:
        return "<p>No results.</p>"
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
            f'<span class="protocol">{escape(table.name)}</span></a><br>{_button(unit or "–")}</th>'
        )
    lines = []
    for label, config in names:
        cells = [_overview_cell(table, label, config) for table in tables]
        lines.append(f"<tr>{_method(label, config)}{''.join(cells)}</tr>")
    return (
        '<section aria-labelledby="overview"><h2 id="overview">At a glance</h2>'
        "<p>The ranking number of every method by every protocol; each column is a protocol of its own, and numbers of "
        "different columns are not comparable. <b>Bold</b> is the best, ≈ cannot be told from it.</p>"
        f'{_scrolling("Overview")}<table class="sortable overview"><thead><tr>'
        f'<th scope="col" data-kind="text">{_button("Method")}</th>{"".join(heads)}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div></section>"
    )


def _overview_cell(table: Table, label: str, config: str) -> str:
    row = next((row for row in table.rows if (row.label, form.config(row)) == (label, config)), None)
    if row is not None and table.rank in row.scores:
        score = row.scores[table.rank]
        value = form.plain(score.value, form.is_share(table, table.rank))
        return f'<td class="num" data-v="{score.value!r}">{_marked(value, row)}</td>'
    ill = next((row for row in table.failed if (row.label, form.config(row)) == (label, config)), None)
    said = f'<span class="bad" title="{escape(ill.error)}">{escape(ill.status)}</span>' if ill else "·"
    return f'<td class="num none">{said}</td>'


def _section(table: Table, strips: Sequence[Strip]) -> str:
    said = escape(table.summary[:1].upper() + table.summary[1:]) + ". " if table.summary else ""
    shapes = {row.coverage[1] for row in table.rows if row.coverage}
    size = f"{_many(max(shapes), 'shape')}" if shapes else ""
    parts = len({one for one in table.categories.values() if one})
    size += f" of {parts} categories" if size and parts > 1 else ""
    ranked = f"ranked by <b>{escape(table.rank)}</b> ({_way(table.rank)})" if table.rank else ""
    title = f"{escape(table.data)} <span>{escape(table.name)}</span>"
    return "".join(
        [
            f'<section class="board" id="{table.anchor}" aria-labelledby="{table.anchor}h">',
            f'<h2 id="{table.anchor}h">{title}</h2>',
            f"<p>{said}{', '.join(filter(None, [size, ranked]))}.</p>" if said or size or ranked else "",
            _main_table(table),
            _other_metrics(table),
            _categories(table),
            _curves(table),
            _pictures(table, strips),
            "</section>",
        ]
    )


def _way(metric: str) -> str:
    return "less is better" if lower_is_better(metric) else "more is better"


def _main_table(table: Table) -> str:
    metrics = form.columns(table)
    shares = {metric: form.is_share(table, metric) for metric in metrics}
    heads = [f'<th scope="col" data-kind="text">{_button("Method")}</th>']
    for metric in metrics:
        way = "ascending" if lower_is_better(metric) else "descending"
        sort = f' aria-sort="{way}"' if metric == table.rank else ""
        unit = " %" if shares[metric] else ""
        heads.append(f'<th scope="col" class="num" data-first="{way}"{sort}>{_button(escape(metric) + unit)}</th>')
    for name, way, kind in _COST:
        heads.append(f'<th scope="col" class="num" data-first="{way}" data-kind="{kind}">{_button(name)}</th>')
    heads.append('<th scope="col">Commit</th>')
    ranked = [row.scores[table.rank] for row in table.rows if table.rank in row.scores]
    lines = [_row(row, table, metrics, shares, ranked) for row in table.rows]
    wide = len(metrics) + len(_COST) + 1
    failed = "".join(
        f'<tr class="failed">{_method(row.label, form.config(row))}<td colspan="{wide}">'
        f'<span class="bad">{escape(row.status)}</span> {escape(row.error)} '
        f'<span class="faint">{_seeds_said(row)}</span></td></tr>'
        for row in table.failed
    )
    label = f"{table.data}, {table.name}"
    return (
        f'{_scrolling(label)}<table class="sortable"><thead><tr>{"".join(heads)}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody>{f'<tbody>{failed}</tbody>' if failed else ''}</table></div>"
    )


# heading, what the first click does, how it is compared
_COST = (
    ("Paper", "descending", "number"), ("Seeds", "descending", "number"), ("Parameters", "ascending", "number"),
    ("Training", "ascending", "number"), ("Latency", "ascending", "number"), ("Throughput", "descending", "number"),
    ("Memory", "ascending", "number"), ("Shapes", "descending", "number"),
)  # fmt: skip


def _row(row: Row, table: Table, metrics: tuple[str, ...], shares: Mapping[str, bool], ranked: Sequence[Score]) -> str:
    cells = [_method(row.label, form.config(row))]
    for metric in metrics:
        score = row.scores.get(metric)
        if score is None:
            cells.append('<td class="num none">–</td>')
            continue
        value = form.plain(score.value, shares[metric])
        between = form.interval(score, shares[metric])
        spread = "" if score.spread is None else f" ± {form.plain(score.spread, shares[metric])}"
        if metric == table.rank:
            drawn = charts.bar(score, ranked[0], charts.scale(ranked))
            inner = (
                f'<span class="score"><span>{_marked(value, row)}<small>{spread}</small></span>{drawn}'
                f"<small>{between}</small></span>"
            )
        else:
            hint = f"95 %: {between}" if between else ""
            inner = f'<span title="{hint}">{value}</span><small>{spread}</small>'
        cells.append(f'<td class="num" data-v="{score.value!r}">{inner}</td>')
    printed, where = form.published(row, table.rank)
    paper = next((one["value"] for one in row.published if where and f"{one.get('value')!s}" in printed), None)
    full = row.coverage is None or row.coverage[0] == row.coverage[1]
    shapes = form.coverage(row) if full else f'<span class="bad">{form.coverage(row)}</span>'
    lost = f"without a prediction: {', '.join(row.missing[:20])}" if row.missing else ""
    share = None if row.coverage is None else row.coverage[0] / max(1, row.coverage[1])
    cells += [
        _cell(escape(printed), paper, f"as printed: {where}" if where else ""),
        _cell(form.seeds(row), len(row.seeds), _seeds_said(row)), _cell(form.count(row.parameters), row.parameters),
        _cell(form.duration(row.train), row.train), _cell(form.duration(row.latency), row.latency, "median of a shape"),
        _cell(form.rate(row.throughput), row.throughput), _cell(form.memory(row.memory), row.memory, "peak"),
        _cell(shapes, share, lost), f'<td class="commit">{escape(form.commit(row))}</td>',
    ]  # fmt: skip
    kind = ' class="best"' if row.best else ' class="tied"' if row.tied else ""
    return f"<tr{kind}>{''.join(cells)}</tr>"


def _seeds_said(row: Row) -> str:
    said = f"seed{'' if len(row.seeds) == 1 else 's'} {', '.join(map(str, row.seeds))}"
    return said + (f"; {_many(row.stale, 'older result')} not shown" if row.stale else "")


def _cell(inner: str, value: float | None, hint: str = "") -> str:
    sort = "" if value is None else f' data-v="{value!r}"'
    hint = f' title="{escape(hint)}"' if hint else ""
    return f'<td class="num{" none" if inner == form.NONE else ""}"{sort}{hint}>{inner}</td>'


def _method(label: str, config: str) -> str:
    small = f"<small>{escape(config)}</small>" if config else ""
    key = escape(f"{label} {config}".lower())
    return f'<th scope="row" data-v="{key}">{escape(label)}{small}</th>'


def _marked(value: str, row: Row) -> str:
    if row.best:
        return f"<b>{value}</b>"
    if row.tied:
        return f'<b>{value}</b> <abbr title="cannot be told from the best: paired bootstrap over shapes">≈</abbr>'
    return value


def _button(name: str) -> str:
    return f'<button type="button">{name}</button>'


def _scrolling(label: str) -> str:
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}">'


def _other_metrics(table: Table) -> str:
    others = [metric for metric in table.metrics if metric not in form.columns(table)]
    if not others:
        return ""
    columns = []
    for metric in others:
        share = form.is_share(table, metric)
        scores = [row.scores.get(metric) for row in table.rows]
        told = [None if one is None else (one.value, form.plain(one.value, share)) for one in scores]
        columns.append((metric + (" %" if share else ""), lower_is_better(metric), False, told))
    return _matrix("Further numbers", table, columns)


def _categories(table: Table) -> str:
    """The ranking number by category: means over the category's shapes."""
    names = sorted({one for one in table.categories.values() if one})
    if len(names) < 2 or not any(row.shapes for row in table.rows):
        return ""
    share, less, columns = form.is_share(table, table.rank), lower_is_better(table.rank), []
    for name in names:
        ids = [shape for shape, category in table.categories.items() if category == name]
        told = []
        for row in table.rows:
            found = [row.shapes[shape] for shape in ids if shape in row.shapes]
            value = sum(found) / len(found) if found else None
            told.append(None if value is None else (value, f"{100 * value:.1f}" if share else form.significant(value)))
        columns.append((f"{name} ({len(ids)})", less, share, told))
    return _matrix(f"{table.rank} by category", table, columns)


def _matrix(
    title: str, table: Table, columns: Sequence[tuple[str, bool, bool, Sequence[tuple[float, str] | None]]]
) -> str:
    """A folded table of methods against columns (name, less is better, tinted, (value, text) of each row)."""
    heads, tints = [], []
    for name, less, tinted, told in columns:
        way = "ascending" if less else "descending"
        heads.append(f'<th scope="col" class="num" data-first="{way}">{_button(escape(name))}</th>')
        tints.append([f" h{round(9 * (1 - one[0] if less else one[0]))}" if tinted and one else "" for one in told])
    lines = []
    for i, row in enumerate(table.rows):
        cells = []
        for (_, _, _, told), tint in zip(columns, tints):
            one = told[i]
            missing = '<td class="num none">–</td>'
            cells.append(missing if one is None else f'<td class="num{tint[i]}" data-v="{one[0]!r}">{one[1]}</td>')
        lines.append(f"<tr>{_method(row.label, form.config(row))}{''.join(cells)}</tr>")
    return (
        f"<details><summary>{escape(title)}</summary>{_scrolling(title)}"
        f'<table class="sortable matrix"><thead><tr><th scope="col" data-kind="text">{_button("Method")}</th>'
        f"{''.join(heads)}</tr></thead><tbody>{''.join(lines)}</tbody></table></div></details>"
    )


def _curves(table: Table) -> str:
    drawn = [charts.chart(one) for one in curves(table)]
    if not drawn:
        return ""
    return f'<details open><summary>Curves</summary><div class="charts">{"".join(drawn)}</div></details>'


def _pictures(table: Table, strips: Sequence[Strip]) -> str:
    if not strips:
        return ""
    out = ["<details open><summary>Shapes</summary><p>The shapes on which the methods together do best, middling and "
           "worst. Parts take the colour of the true part that they cover most of.</p>"]  # fmt: skip
    for strip in strips:
        tiles = "".join(
            f'<figure><img src="{tile.uri}" width="{tile.size[0]}" height="{tile.size[1]}" loading="lazy" '
            f'alt="{escape(f"{strip.shape}: {tile.caption}")}"><figcaption>{escape(tile.caption)}'
            f"<small>{escape(tile.note)}</small></figcaption></figure>"
            for tile in strip.tiles
        )
        out.append(
            f'<h3>{escape(strip.title)} <small>{escape(strip.shape)}</small></h3><div class="tiles">{tiles}</div>'
        )
    return "".join([*out, "</details>"])


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
        "<footer><h2>How to read this</h2><ul><li>The bar is the 95 % bootstrap interval over shapes; all bars of a table "
        "share one scale, and the faint line marks the best value. ± is the standard deviation over seeds.</li>"
        "<li>≈: the 95 % bootstrap interval of the paired difference to the best, shape by shape, contains 0. It is not "
        "adjusted for the number of methods, and it is not made where shapes have no scores of their own.</li>"
        "<li>A shape without a prediction counts as the worst there is; <i>Shapes</i> says how many there were.</li>"
        "<li><i>Paper</i> is the number that the method's authors printed, on their data and by their protocol.</li>"
        f"<li>What failed is listed with its reason.</li></ul><dl>{listed}</dl></footer>"
    )


def _distinct(words: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(one for one in words if one))
