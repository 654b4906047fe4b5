"""`framecast bench`."""

import typer

from framecast.bench.commands.capacity import app as capacity
from framecast.bench.commands.gpu import PASSED_ON, ablation, gpu_suite, kernels
from framecast.bench.commands.latency import latency
from framecast.bench.commands.load import load
from framecast.bench.commands.loadgen import loadgen
from framecast.bench.commands.peers import peers
from framecast.bench.commands.report import report

app = typer.Typer(
    help="Measure a running server, and plan how many it takes.", no_args_is_help=True, add_completion=False
)
app.command("latency")(latency)
app.command("load")(load)
app.command("loadgen")(loadgen)
app.command("peers")(peers)
app.add_typer(capacity, name="capacity")
for name, command in (("kernels", kernels), ("gpu-suite", gpu_suite), ("ablation", ablation)):
    app.command(name, context_settings=PASSED_ON)(command)
app.command("report")(report)
