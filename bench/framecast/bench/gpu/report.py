"""Rows as Markdown: one table for each kind of row, under the record's own."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from framecast.bench.record import Record, cell

Row = Mapping[str, Any]


def save(record: Record, output: Path) -> None:
    """Writes the record, and beside it the tables of its rows."""
    record.save(output)
    text = record.markdown() + "".join(f"\n{table}" for table in tables(record.samples))
    output.with_suffix(".md").write_text(text, encoding="utf-8")


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
