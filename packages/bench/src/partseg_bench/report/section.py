"""The part of the page about one dataset × protocol."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape

from partseg_bench.report import charts, form
from partseg_bench.report.curves import curves
from partseg_bench.report.model import Table
from partseg_bench.report.pictures import Strip
from partseg_bench.report.plain import lower_is_better
from partseg_bench.report.rows import Row, Score

# name, less is better, tinted, (value, text) of each row
_Column = tuple[str, bool, bool, Sequence[tuple[float, str] | None]]


def section(table: Table, strips: Sequence[Strip]) -> str:
    said = escape(table.summary[:1].upper() + table.summary[1:]) + ". " if table.summary else ""
    shapes = {row.coverage[1] for row in table.rows if row.coverage}
    size = f"{many(max(shapes), 'shape')}" if shapes else ""
    parts = len({one for one in table.categories.values() if one})
    size += f" of {parts} categories" if size and parts > 1 else ""
    others = [row for row in table.rows[1:] if table.rank in row.scores]
    untested = "Differences to the best are not tested here." if others and all(r.tied is None for r in others) else ""
    ranked = f"ranked by <b>{escape(table.rank)}</b> ({_way(table.rank)})" if table.rank else ""
    title = f"{escape(table.data)} <span>{escape(table.name)}</span>"
    return "".join(
        [
            f'<section class="board" id="{table.anchor}" aria-labelledby="{table.anchor}h">',
            f'<h2 id="{table.anchor}h">{title}</h2>',
            f"<p>{said}{'' if not ranked else ', '.join(filter(None, [size, ranked])) + '. '}{untested}</p>",
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
    heads = [f'<th scope="col" data-kind="text">{button("Method")}</th>']
    for metric in metrics:
        way = "ascending" if lower_is_better(metric) else "descending"
        sort = f' aria-sort="{way}"' if metric == table.rank else ""
        unit = " %" if shares[metric] else ""
        heads.append(f'<th scope="col" class="num" data-first="{way}"{sort}>{button(escape(metric) + unit)}</th>')
    for name, way, kind in _COST:
        heads.append(f'<th scope="col" class="num" data-first="{way}" data-kind="{kind}">{button(name)}</th>')
    heads.append('<th scope="col">Commit</th>')
    ranked = [row.scores[table.rank] for row in table.rows if table.rank in row.scores]
    spread = " spread" if any(score.spread is not None for score in ranked) else ""
    lines = [_row(row, table, metrics, shares, ranked) for row in table.rows]
    wide = len(metrics) + len(_COST) + 1
    failed = "".join(
        f'<tr class="failed">{method(row.label, form.config(row))}<td colspan="{wide}">'
        f'<span class="bad">{escape(row.status)}</span> {escape(row.error)} '
        f'<span class="faint">{_seeds_said(row)}</span></td></tr>'
        for row in table.failed
    )
    label = f"{table.data}, {table.name}"
    return (
        f'{scrolling(label)}<table class="sortable{spread}"><thead><tr>{"".join(heads)}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody>{f'<tbody>{failed}</tbody>' if failed else ''}</table></div>"
    )


# heading, what the first click does, how it is compared
_COST = (
    ("Paper", "descending", "number"), ("Seeds", "descending", "number"), ("Parameters", "ascending", "number"),
    ("Training", "ascending", "number"), ("Latency", "ascending", "number"), ("Throughput", "descending", "number"),
    ("Memory", "ascending", "number"), ("Shapes", "descending", "number"),
)  # fmt: skip


def _row(row: Row, table: Table, metrics: tuple[str, ...], shares: Mapping[str, bool], ranked: Sequence[Score]) -> str:
    cells = [method(row.label, form.config(row))]
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
                f'<span class="score"><span>{marked(value, row)}</span><small class="sd">{spread}</small>{drawn}'
                f"<small>{between}</small></span>"
            )
        else:
            hint = f"95 %: {between}" if between else ""
            inner = f'<span title="{hint}">{value}</span><small>{spread}</small>'
        cells.append(f'<td class="num" data-v="{score.value!r}">{inner}</td>')
    full = row.coverage is None or row.coverage[0] == row.coverage[1]
    shapes = form.coverage(row) if full else f'<span class="bad">{form.coverage(row)}</span>'
    lost = f"without a prediction: {', '.join(row.missing[:20])}" if row.missing else ""
    share = None if row.coverage is None else row.coverage[0] / max(1, row.coverage[1])
    cells += [
        _paper(row, table.rank), _cell(form.seeds(row), len(row.seeds), _seeds_said(row)),
        _cell(form.count(row.parameters), row.parameters), _cell(form.duration(row.train), row.train),
        _cell(form.duration(row.latency), row.latency, "median of a shape"),
        _cell(form.rate(row.throughput), row.throughput), _cell(form.memory(row.memory), row.memory, "peak"),
        _cell(shapes, share, lost), f'<td class="commit">{escape(form.commit(row))}</td>',
    ]  # fmt: skip
    kind = ' class="best"' if row.best else ' class="tied"' if row.tied else ""
    return f"<tr{kind}>{''.join(cells)}</tr>"


def _paper(row: Row, metric: str) -> str:
    paper = form.published(row, metric)
    if paper is None:
        return _cell(form.NONE, None)
    return _cell(f'{escape(paper.printed)}<small class="what">{escape(paper.what)}</small>', paper.value)


def _seeds_said(row: Row) -> str:
    said = f"seed{'' if len(row.seeds) == 1 else 's'} {', '.join(map(str, row.seeds))}"
    return said + (f"; {many(row.stale, 'older result')} not shown" if row.stale else "")


def _cell(inner: str, value: float | None, hint: str = "") -> str:
    sort = "" if value is None else f' data-v="{value!r}"'
    hint = f' title="{escape(hint)}"' if hint else ""
    return f'<td class="num{" none" if inner == form.NONE else ""}"{sort}{hint}>{inner}</td>'


def method(label: str, config: str) -> str:
    small = f"<small>{escape(config)}</small>" if config else ""
    key = escape(f"{label} {config}".lower())
    return f'<th scope="row" data-v="{key}">{escape(label)}{small}</th>'


def marked(value: str, row: Row) -> str:
    if row.best:
        return f"<b>{value}</b>"
    if row.tied:
        return f'<b>{value}</b> <abbr title="cannot be told from the best: paired bootstrap over shapes">≈</abbr>'
    return value


def button(name: str) -> str:
    return f'<button type="button">{name}</button>'


def scrolling(label: str) -> str:
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}">'


def _other_metrics(table: Table) -> str:
    apart = {f"{table.rank}@{name}" for name in table.categories.values()}
    others = [metric for metric in table.metrics if metric not in form.columns(table) and metric not in apart]
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
    """The ranking number by category, as the protocol says it, or as mean over the category's shapes."""
    sizes = Counter(one for one in table.categories.values() if one)
    if len(sizes) < 2:
        return ""
    share, columns = form.is_share(table, table.rank), []
    for name in sorted(sizes):
        ids = [shape for shape, category in table.categories.items() if category == name]
        values = [_of_category(row, f"{table.rank}@{name}", ids) for row in table.rows]
        told = [None if x is None else (x, f"{100 * x:.1f}" if share else form.significant(x)) for x in values]
        columns.append((f"{name} ({sizes[name]})", lower_is_better(table.rank), share, told))
    if not any(one for column in columns for one in column[3]):
        return ""
    return _matrix(f"{table.rank} by category", table, columns)


def _of_category(row: Row, metric: str, ids: Sequence[str]) -> float | None:
    if metric in row.scores:
        return row.scores[metric].value
    found = [row.shapes[shape] for shape in ids if shape in row.shapes] if row.mean else []
    return sum(found) / len(found) if found else None


def _matrix(
    title: str, table: Table, columns: Sequence[tuple[str, bool, bool, Sequence[tuple[float, str] | None]]]
) -> str:
    """A folded table of methods against columns (name, less is better, tinted, (value, text) of each row)."""
    heads, tints = [], []
    for name, less, tinted, told in columns:
        way = "ascending" if less else "descending"
        heads.append(f'<th scope="col" class="num" data-first="{way}">{button(escape(name))}</th>')
        tints.append([f" h{round(9 * (1 - one[0] if less else one[0]))}" if tinted and one else "" for one in told])
    lines = []
    for i, row in enumerate(table.rows):
        cells = []
        for (_, _, _, told), tint in zip(columns, tints):
            one = told[i]
            missing = '<td class="num none">–</td>'
            cells.append(missing if one is None else f'<td class="num{tint[i]}" data-v="{one[0]!r}">{one[1]}</td>')
        lines.append(f"<tr>{method(row.label, form.config(row))}{''.join(cells)}</tr>")
    return (
        f"<details><summary>{escape(title)}</summary>{scrolling(title)}"
        f'<table class="sortable matrix"><thead><tr><th scope="col" data-kind="text">{button("Method")}</th>'
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
           "worst. The largest part inside a true part takes its colour.</p>"]  # fmt: skip
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


def many(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"
