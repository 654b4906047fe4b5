"""The ``framecast`` command.

`generate`, `plan`, `info` and `health` need the base install only. The other commands live in extras and are imported
by name when they are invoked, never to print help.
"""

import io
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module, metadata
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from framecast.client import commands, health
from framecast.client.report import fail, os_sentence


@dataclass(frozen=True)
class Mount:
    """A command that lives in another part of Framecast.

    Attributes:
        target: ``module:attribute``, a function to be run as a Typer command, or a Typer app.
        extra: of the ``framecast`` distribution that brings its dependencies.
        help: one line.
    """

    target: str
    extra: str
    help: str


MOUNTS = {
    "serve": Mount("framecast.gateway.serve:command", "server", "Start Triton and the gateway, and serve videos."),
    "review": Mount("framecast.review.cli:command", "server", "Say whether a text would be filmed."),
    "export": Mount("framecast.export.cli:command", "export", "Turn a bundle into a served repository."),
    "train": Mount("framecast.train.cli:app", "train", "Train and evaluate the storybook models."),
    "bench": Mount("framecast.bench.cli:app", "bench", "Measure latency, load, kernels and capacity."),
}

app = typer.Typer(
    help="Turn a story into video.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)


def main() -> None:
    """Entry point. Exit codes: 0 done, 2 bad input, 130 interrupted, 1 anything else."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: nothing half written is left
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
        signal.signal(signal.SIGHUP, signal.default_int_handler)
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")  # a story in a terminal of Latin letters
    try:
        app(prog_name="framecast")
    except OSError as error:  # that no command has told: stdout on a full disk, say
        sys.exit(f"framecast: {os_sentence(error)}")


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(metadata.version("framecast"))
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, help="Print the version and exit.", is_eager=True)
    ] = False,
) -> None: ...


app.command("generate")(commands.generate)
app.command("plan")(commands.plan)
app.command("info")(commands.info)
app.command("health")(health.health)


class _Unread(TyperCommand):
    """Takes every argument as it is, `--help` and `--` too: only the mounted command knows what they mean."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.args = args
        return args


def _mount(name: str, mount: Mount) -> None:
    @app.command(name, help=mount.help, cls=_Unread)
    def run(context: typer.Context) -> None:
        try:
            code = _load(name, mount)(args=list(context.args), prog_name=context.command_path, standalone_mode=False)
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if package == "framecast":
                fail(f"framecast {name} is not part of this installation ({error.name} is missing)", 1)
            fail(f"framecast {name} needs {package}: pip install 'framecast[{mount.extra}]'", 1)
        if isinstance(code, int) and code:
            raise typer.Exit(code)


def _load(name: str, mount: Mount) -> Callable[..., object]:
    module, _, attribute = mount.target.partition(":")
    found = getattr(import_module(module), attribute)
    if not isinstance(found, typer.Typer):
        function, found = found, typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        found.command(name)(function)
    return typer.main.get_command(found).main


for _name, _target in MOUNTS.items():
    _mount(_name, _target)
