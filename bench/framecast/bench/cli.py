"""`framecast bench`."""

import typer

from framecast.bench.commands.capacity import app as capacity
from framecast.bench.commands.latency import latency
from framecast.bench.commands.load import load
from framecast.bench.commands.loadgen import loadgen
from framecast.bench.commands.report import report

app = typer.Typer(
    help="Measure a running server, and plan how many it takes.", no_args_is_help=True, add_completion=False
)
app.command("latency")(latency)
app.command("load")(load)
app.command("loadgen")(loadgen)
app.add_typer(capacity, name="capacity")
app.command("report")(report)
