"""`framecast bench kernels`, `gpu-suite` and `ablation`.

Their options are those of ``python -m framecast.bench.gpu``, which also runs where there is no typer.
"""

import typer

from framecast.bench.gpu.command import main

#: How typer must be told to leave the options, ``--help`` too, to the command that knows them.
PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def kernels(context: typer.Context) -> None:
    """Our kernels beside torch's on this GPU: correct first, then timed."""
    raise typer.Exit(main(["kernels", *context.args]))


def gpu_suite(context: typer.Context) -> None:
    """Everything we want from a GPU that is ours for minutes, within its time."""
    raise typer.Exit(main(["suite", *context.args]))


def ablation(context: typer.Context) -> None:
    """Every optimisation of a denoise step and a decode switched on and off."""
    raise typer.Exit(main(["ablation", *context.args]))
