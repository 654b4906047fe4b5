"""The command line of the GPU benches, on the standard library alone: a borrowed machine may have no typer.

`framecast bench kernels`, `gpu-suite` and `ablation` hand their arguments to it.
"""

import argparse
import math
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from framecast.bench.gpu.report import save, summary
from framecast.bench.gpu.rows import Deadline, RowFile, read_rows
from framecast.bench.gpu.scale import SCALES, TINY, Scale
from framecast.bench.gpu.sections import SECTIONS, section_named
from framecast.bench.record import Record, default_place, require_place, table_beside


def main(arguments: Sequence[str]) -> int:
    """Runs one of the benches; the last line on stdout is the record's path.

    Returns:
        0; 1 when something failed or was wrong; 2 for bad input.
    """
    options = _parser().parse_args(arguments)
    command = shlex.join(["python", "-m", "framecast.bench.gpu", *arguments])
    try:
        if options.bench == "section":
            return _section(options)
        if options.bench == "job":
            return _job(options)
        scale = _scale(options)
        output = options.output_file or default_place(options.bench)
        require_place(output)
        if options.bench == "suite":
            return _suite(options, scale, output, command)
        return _single(options, scale, output, command)
    except (ValueError, ImportError, OSError) as error:
        sys.stderr.write(f"framecast bench: {error}\n")
        return 1 if isinstance(error, ImportError) else 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m framecast.bench.gpu", description="Measure a GPU.")
    benches = parser.add_subparsers(dest="bench", required=True)
    suite = benches.add_parser("suite", help="everything, within the time it is given")
    suite.add_argument("--only", action="append", metavar="SECTION", help=", ".join(s.name for s in SECTIONS))
    suite.add_argument(
        "--job", action="append", metavar="JOB", help="of the section on models; all of them if not given"
    )
    suite.add_argument("--one-process", action="store_true", help="do not give each section a process of its own")
    kernels = benches.add_parser("kernels", help="our kernels beside torch's")
    kernels.add_argument("--heaviest", type=_count, default=0, help="shapes of each op and family; 0: all of them")
    ablation = benches.add_parser("ablation", help="every optimisation switched on and off")
    ablation.add_argument("--compiled", action="store_true", help="compile the second ladder too, ten minutes more")
    ablation.add_argument("--log", type=Path, help="append a dated entry to this file")
    section = benches.add_parser("section", help="one section, as the suite starts it")
    section.add_argument("name", choices=[s.name for s in SECTIONS])
    section.add_argument("--scale", choices=SCALES, required=True)
    section.add_argument("--dtype", required=True)
    section.add_argument("--rows", type=Path, required=True)
    section.add_argument("--seconds", type=float, required=True)
    section.add_argument("--job", action="append")
    job = benches.add_parser("job", help="one job of the section on models, as that starts it")
    job.add_argument("name", metavar="JOB")
    job.add_argument("--scale", choices=SCALES, required=True)
    job.add_argument("--dtype", required=True)
    for bench in (suite, kernels, ablation):
        bench.add_argument("--dry-run", action="store_true", help="tiny sizes on the CPU; so is it without a GPU")
        bench.add_argument("--seconds", type=float, default=530.0, help="for all of it; dry runs are not cut short")
        bench.add_argument("--dtype", choices=("bfloat16", "float16"), help="on a GPU")
        bench.add_argument("--commit", default="", help="what is measured, where git cannot say")
        bench.add_argument("--output-file", type=Path, help="JSON; tables go beside it as .md")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is not 0 or a positive number")
    return int(text)


def _scale(options: argparse.Namespace) -> Scale:
    try:
        import torch
        import triton  # noqa: F401
    except ImportError as error:
        raise ImportError(f"{error.name} is missing; run: pip install 'framecast[kernels]'") from error
    if not 0 < options.seconds < math.inf:
        raise ValueError(f"--seconds is {options.seconds:g}; give a number of more than 0")
    if options.dry_run or not torch.cuda.is_available():
        if not options.dry_run:
            sys.stderr.write(
                "torch sees no GPU: everything runs at tiny sizes on the CPU, and its times mean nothing.\n"
            )
        return TINY
    full = SCALES["full"]
    return replace(full, dtype=options.dtype) if options.dtype else full


def _section(options: argparse.Namespace) -> int:
    emit = RowFile(options.rows, options.name)
    scale = replace(SCALES[options.scale], dtype=options.dtype, jobs=tuple(options.job or ()))
    section_named(options.name).run(scale, emit, Deadline(options.seconds))
    return 0


def _job(options: argparse.Namespace) -> int:
    from framecast.bench.gpu.jobs import COMPILED_LADDERS, DIAGNOSES, JOBS, LADDERS, job_named
    from framecast.bench.gpu.pool import child

    child(
        job_named(options.name, (*JOBS, *DIAGNOSES, *LADDERS, *COMPILED_LADDERS)),
        replace(SCALES[options.scale], dtype=options.dtype),
    )
    return 0


def _suite(options: argparse.Namespace, scale: Scale, output: Path, command: str) -> int:
    from framecast.bench.gpu.jobs import job_named
    from framecast.bench.gpu.suite import SuiteOptions, run_suite

    jobs = tuple(job_named(name).name for name in options.job or ())
    if jobs and options.only and "models" not in options.only:
        raise ValueError("--job names a job of the section models, which --only leaves out")
    record = run_suite(
        SuiteOptions(
            replace(scale, jobs=jobs),
            options.seconds,
            [section_named(name) for name in options.only or ()] or SECTIONS,
            isolate=scale is not TINY and not options.one_process,
            commit=options.commit,
        ),
        output,
        command,
    )
    return _tell(record, output)


def _single(options: argparse.Namespace, scale: Scale, output: Path, command: str) -> int:
    rows = output.with_suffix(".rows.jsonl")
    rows.unlink(missing_ok=True)
    emit, deadline = RowFile(rows, ""), Deadline(options.seconds)
    settings: dict[str, object] = {"scale": scale.name, "dtype": scale.dtype}
    if scale is not TINY:
        from framecast.bench.gpu.environment import facts

        settings |= facts(scale)
    try:
        if options.bench == "kernels":
            from framecast.bench.gpu import kernels

            shapes = options.heaviest or (scale.shapes if scale is TINY else 0)
            kernels.run(replace(scale, shapes=shapes), emit, deadline)
        else:
            from framecast.bench.gpu import ablation

            ablation.run(scale, emit, deadline, compiled=options.compiled)
    finally:  # what was measured is kept, however it ends
        extra = {"commit": options.commit} if options.commit else {}
        found = read_rows(rows)
        record = Record(options.bench, summary(found), found, settings, command=command, **extra)
        save(record, output)
    if options.bench == "ablation" and options.log is not None:
        from framecast.bench.gpu.ablation import append_entry

        append_entry(record, options.log)
    return _tell(record, output)


def _tell(record: Record, output: Path) -> int:
    sys.stderr.write(table_beside(output).read_text(encoding="utf-8"))
    sys.stdout.write(f"{output}\n")
    sections = (state for name, state in record.results.items() if name.startswith("section_"))
    failed = any(not str(state).startswith("done") for state in sections)
    wrong = any(
        key.endswith(("refused", "failed")) and isinstance(row[key], str) for row in record.samples for key in row
    )
    return int(failed or wrong)
