"""Rows as Markdown: one table for each kind of row, under the record's own."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from framecast.bench.record import Record, cell, table_beside

Row = Mapping[str, Any]


def save(record: Record, output: Path) -> None:
    """Writes the record, and beside it the tables of its rows."""
    record.save(output)
    text = record.markdown() + "".join(f"\n{table}" for table in tables(record.samples))
    table_beside(output).write_text(text, encoding="utf-8")


def summary(rows: Iterable[Row]) -> dict[str, Any]:
    """How many rows have a time of ours and how many none for what reason, and the fastest rung of every ladder."""
    found = list(rows)
    ways = {"timed": ("call_us", "ours_us"), "refused": ("refused", "ours_refused"), "failed": ("failed",)}
    counts = {name: sum(any(row.get(key) for key in keys) for row in found) for name, keys in ways.items()}
    fastest: dict[str, Row] = {}
    for row in found:
        if "of_first" in row:
            name = f"fastest {row['what']}, {row['ladder']}"
            fastest[name] = min(fastest.get(name, row), row, key=lambda one: float(one["of_first"]))
    told = {name: f"{row['rung']}: {row['of_first']:.3f} of the first" for name, row in fastest.items()}
    return {**counts, **told}


def tables(rows: Iterable[Row]) -> list[str]:
    """A table for each section and kind of row, columns in the order in which they first appear."""
    kinds: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        kinds.setdefault((str(row.get("section", "")), _kind(row)), []).append(row)
    return [_table(f"{section} · {kind}" if section else kind, found) for (section, kind), found in kinds.items()]


def _kind(row: Row) -> str:
    for name in ("op", "sweep"):
        if name in row:
            return {"op": "kernels", "sweep": "other tilings"}[name]
    return str(row.get("what", "figures"))


def _table(title: str, rows: list[Row]) -> str:
    columns = list(dict.fromkeys(name for row in rows for name in row if name not in ("section", "what")))
    lines = [f"## {title}", "", "| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(cell(row[name]) if name in row else "" for name in columns) + " |" for row in rows]
    return "\n".join([*lines, ""])
