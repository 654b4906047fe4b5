"""The page: one section a record, figures first, everything in one file."""

import html
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from framecast.bench.record import Record
from framecast.bench.report import figures
from framecast.bench.report.cards import Card, cards
from framecast.bench.report.gpu import gpu_charts, gpu_rows

_STYLE = """
:root { color-scheme: light; font: 15px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
* { box-sizing: border-box; }
body { max-width: 68rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; color: #1c2330; background: #f6f7f9; }
h1, h2, h3 { line-height: 1.2; margin: 0; } h1 { font-size: 1.7rem; } h2 { font-size: 1.25rem; }
h3 { font-size: .95rem; color: #3d4757; margin-bottom: .4rem; } p { margin: .3rem 0; } a { color: #2a5a9e; }
nav { margin: .6rem 0 1.6rem; display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; }
section { background: #fff; border: 1px solid #dfe3e9; border-radius: 10px; padding: 1.3rem; margin-bottom: 1.4rem; }
code { font-size: .85em; background: #eef1f5; border-radius: 4px; padding: .15em .4em; overflow-wrap: anywhere; }
.note { color: #5a6575; font-size: .85rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(8.4rem, 1fr)); gap: .7rem; margin: 1rem 0; }
.card { background: #f1f5fb; border-radius: 8px; padding: .65rem .8rem; }
.card b { display: block; font-size: 1.35rem; line-height: 1.25; font-variant-numeric: tabular-nums; }
.card span, .card i { display: block; font-size: .78rem; color: #5a6575; font-style: normal; }
.charts { display: grid; gap: 1.2rem; margin: 1rem 0; }
.charts { grid-template-columns: repeat(auto-fill, minmax(min(100%, 27rem), 1fr)); }
figure { margin: 0; min-width: 0; } svg { display: block; width: 100%; height: auto; }
details { margin-top: .7rem; } summary { cursor: pointer; color: #2a5a9e; } .wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; margin: .5rem 0; }
th, td { text-align: left; padding: .25rem 1rem .25rem 0; border-bottom: 1px solid #e6e9ee; vertical-align: top; }
.rows th, .rows td { white-space: nowrap; } thead th { color: #5a6575; font-weight: 600; }
@media (max-width: 30rem) { body { padding: 1.2rem .6rem 3rem; } section { padding: 1rem .8rem; } }
"""


def page(records: Sequence[Record]) -> str:
    """Records as one HTML document that needs nothing else: no script, no network.

    Raises:
        ValueError: a record has figures of another kind than a benchmark writes; it says which record.
    """
    sections = []
    for index, record in enumerate(records):
        try:
            sections.append(_section(record, f"r{index}"))
        except (TypeError, ValueError, LookupError, AttributeError) as error:
            which = f"record {index + 1}, {record.benchmark} of {record.time}"
            raise ValueError(f"{which}: its figures cannot be drawn ({error!r}); was it changed by hand?") from error
    links = "".join(f'<a href="#r{index}">{_text(link)}</a>' for index, link in enumerate(_links(records)))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Framecast bench</title><style>{_STYLE}</style></head><body>\n<h1>Framecast bench</h1>\n"
        f"<nav>{links}</nav>\n" + "\n".join(sections) + "\n</body></html>\n"
    )


def _section(record: Record, name: str) -> str:
    drawn = _figures(record, name)
    results = record.results
    parts = [
        f"<h2>{_text(_name(record))}</h2>",
        f'<p class="note">{_text(record.time)}, commit <code>{_text(record.commit or "unknown")}</code></p>',
        f"<p><code>{_text(record.command)}</code></p>",
    ]
    if shown_first := cards(record):
        parts.append(f'<div class="cards">{"".join(map(_card, shown_first))}</div>')
    if drawn:
        charts = "".join(f"<figure><h3>{_text(title)}</h3>{svg}</figure>" for title, svg in drawn)
        parts.append(f'<div class="charts">{charts}</div>')
    names, rows = record.grid()
    if rows:
        parts.append(_details("Every figure" if results.get("rows") else "Every load", _grid(names, rows)))
    if shown := [(key, text) for key, text in record.table() if key not in ("points", "rows")]:
        body = "".join(f"<tr><th>{_text(key)}</th><td>{_text(text)}</td></tr>" for key, text in shown)
        parts.append(_details("All results", f'<div class="wide"><table>{body}</table></div>'))
    where = f'<p class="note">{_pairs(record.machine)}</p><p class="note">{_pairs(record.versions)}</p>'
    parts.append(_details("Machine and versions", where))
    return f'<section id="{name}">\n' + "\n".join(parts) + "\n</section>"


def _name(record: Record) -> str:
    versus = record.settings.get("versus")
    return f"{record.benchmark}: ours and {versus}" if versus else record.benchmark


def _links(records: Sequence[Record]) -> list[str]:
    """Their names; where two are alike, each with its time."""
    names = [_name(record) for record in records]
    times = [record.time[:16].replace("T", " ") for record in records]
    return [name if names.count(name) == 1 else f"{name}, {time}" for name, time in zip(names, times, strict=True)]


def _card(card: Card) -> str:
    interval = f"<i>{_text(card.interval)}</i>" if card.interval else ""
    return f'<div class="card"><span>{_text(card.label)}</span><b>{_text(card.value)}</b>{interval}</div>'


def _details(title: str, body: str) -> str:
    return f"<details><summary>{_text(title)}</summary>{body}</details>"


def _figures(record: Record, name: str) -> list[tuple[str, str]]:
    results = record.results
    drawn: list[tuple[str, str]] = []

    def draw(title: str, chart: Callable[..., str], *data: Any) -> None:
        drawn.append((title, chart(*data, f"{name}f{len(drawn)}")))

    if record.benchmark == "sweep":
        draw("Latency against load", figures.load_curve, results["points"], results["knee_qps"])
    if record.benchmark == "capacity predict":
        draw("Predicted latency against load", figures.capacity_curve, results)
    if record.benchmark == "capacity validate" and results.get("rows"):
        draw("Predicted ÷ measured", figures.prediction_errors, results["rows"])
    if record.benchmark == "peers" and isinstance(record.samples, Mapping):
        draw("Seconds a video, turn by turn", figures.turns, record.samples)
    if len(results.get("batch_efficiency") or ()) > 1:
        draw("Batch efficiency", figures.batch_efficiency, results["batch_efficiency"])
    if results.get("stage_durations_mean"):
        draw("Stages", figures.stages, results)
    if any((results.get("batch_sizes") or {}).values()):
        draw("Batch sizes", figures.batch_sizes, results["batch_sizes"])
    if isinstance(record.samples, Mapping) and record.samples.get("in_flight"):
        draw("Videos in flight", figures.in_flight, record.samples["in_flight"])
    return drawn + gpu_charts(gpu_rows(record.samples), name)


def _grid(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{_text(name)}</th>" for name in names)
    body = "".join("<tr>" + "".join(f"<td>{_text(text)}</td>" for text in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table class="rows"><thead><tr>{head}</tr></thead>{body}</table></div>'


def _pairs(found: Mapping[str, Any]) -> str:
    return _text(", ".join(f"{name} {value}" for name, value in found.items()))


def _text(value: str) -> str:
    return html.escape(value)
