"""Where a record goes: a file, a table on stderr, one line on stdout."""

from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from framecast.bench.record import Record

console = Console(stderr=True)
MOST_COLUMNS = 8  # of a table in a terminal


def publish(record: Record, output: Path | None) -> None:
    """Saves the record, out/bench/<time>-<benchmark>.json when no file is named, shows it, and prints it as the
    last line on stdout.
    """
    stamp = record.time.replace(":", "").replace("+0000", "Z")
    path = output or Path("out") / "bench" / f"{stamp}-{record.benchmark.replace(' ', '-')}.json"
    record.save(path)
    table = Table("figure", "value", title=record.benchmark)
    for name, text in record.table():
        table.add_row(name, text)
    console.print(table)
    names, rows = record.grid()
    if rows:
        wide = len(names) > MOST_COLUMNS  # many figures of few loads: a line a figure
        head, *body = zip(*([names, *rows]), strict=True) if wide else (names, *rows)
        each = Table(*head)
        for texts in body:
            each.add_row(*texts)
        console.print(each)
    console.print(f"{path} and {path.with_suffix('.md').name}", highlight=False)
    typer.echo(record.to_json())
