"""`framecast bench report`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from framecast.bench.record import Record
from framecast.client.report import fail, one_sentence_errors


@one_sentence_errors()
def report(
    results: Annotated[list[Path], typer.Argument(help="Records: the JSON files of the other commands.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="HTML file.")] = Path("out/bench.html"),
) -> None:
    """Turns records into one HTML page that needs no network. The last line on stdout is one JSON object."""
    from framecast.bench.report.page import page  # matplotlib takes a second to import, and only this needs it

    if any(path.exists() and output.exists() and path.samefile(output) for path in results):
        fail(f"--output: {output} is one of the records; name another file", 2)
    try:
        text = page([Record.load(path) for path in results])
    except ValueError as error:
        fail(str(error), 2)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text, encoding="utf-8")
    typer.echo(json.dumps({"output": str(output), "records": len(results), "bytes": len(text.encode())}))
