"""The page: one section a record, figures first, everything in one file."""

import html
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from framecast.bench.record import Record, cell
from framecast.bench.report import figures

_STYLE = """
:root { color-scheme: light; font: 15px/1.45 system-ui, sans-serif; }
body { max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; background: #fff; }
h1, h2, h3 { line-height: 1.2; } section { border-top: 1px solid #ccc; margin-top: 2rem; }
code { background: #f3f3f3; padding: .1rem .3rem; overflow-wrap: anywhere; }
svg { max-width: 100%; height: auto; } .wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .15rem .8rem .15rem 0; border-bottom: 1px solid #e3e3e3; vertical-align: top; }
.note { color: #555; }
"""
_POINTS = (
    *("request_rate", "throughput_qps", "latency_median", "latency_p50", "latency_p95", "latency_p99", "ttff_ms"),
    *("ttff_p95", "slo_attainment_rate", "goodput_qps", "refused_requests", "refused_rate", "state", "reason"),
)


def page(records: Sequence[Record]) -> str:
    """Records as one HTML document that needs nothing else: no script, no network."""
    sections = [_section(record, f"r{index}") for index, record in enumerate(records)]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Framecast bench</title><style>{_STYLE}</style></head><body>\n<h1>Framecast bench</h1>\n"
        + "\n".join(sections)
        + "\n</body></html>\n"
    )


def _section(record: Record, name: str) -> str:
    drawn = _figures(record, name)
    results = record.results
    parts = [
        f"<h2>{_text(record.benchmark)}</h2>",
        f"<p>{_text(record.time)}, commit <code>{_text(record.commit or 'unknown')}</code></p>",
        f"<p><code>{_text(record.command)}</code></p>",
        f'<p class="note">{_pairs(record.machine)}; {_pairs(record.versions)}</p>',
        *(f"<h3>{_text(title)}</h3>{svg}" for title, svg in drawn),
    ]
    for key in ("points", "rows"):
        if rows := results.get(key):
            parts.append(_rows(rows))
    if shown := [(key, text) for key, text in record.table() if key not in ("points", "rows")]:
        body = "".join(f"<tr><th>{_text(key)}</th><td>{_text(text)}</td></tr>" for key, text in shown)
        parts.append(f'<div class="wide"><table>{body}</table></div>')
    return "<section>\n" + "\n".join(parts) + "\n</section>"


def _figures(record: Record, name: str) -> list[tuple[str, str]]:
    results = record.results
    drawn: list[tuple[str, str]] = []

    def draw(title: str, chart: Callable[..., str], *data: Any) -> None:
        drawn.append((title, chart(*data, f"{name}f{len(drawn)}")))

    if record.benchmark == "sweep":
        draw("Latency against load", figures.load_curve, results["points"], results["knee_qps"])
    if record.benchmark == "capacity predict":
        draw("Predicted latency against load", figures.capacity_curve, results)
    if results.get("batch_efficiency"):
        draw("Batch efficiency", figures.batch_efficiency, results["batch_efficiency"])
    if results.get("stage_durations_mean"):
        draw("Stages", figures.stages, results)
    if any((results.get("batch_sizes") or {}).values()):
        draw("Batch sizes", figures.batch_sizes, results["batch_sizes"])
    if isinstance(record.samples, Mapping) and record.samples.get("in_flight"):
        draw("Videos in flight", figures.in_flight, record.samples["in_flight"])
    return drawn


def _rows(rows: Sequence[Mapping[str, Any]]) -> str:
    """A table of points; of a load's many figures only the usual ones."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    if len(names) > len(_POINTS):
        names = [name for name in _POINTS if name in names]
    head = "".join(f"<th>{_text(name)}</th>" for name in names)
    body = "".join("<tr>" + "".join(f"<td>{_text(cell(row.get(n)))}</td>" for n in names) + "</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'


def _pairs(found: Mapping[str, Any]) -> str:
    return _text(", ".join(f"{name} {value}" for name, value in found.items()))


def _text(value: str) -> str:
    return html.escape(value)
