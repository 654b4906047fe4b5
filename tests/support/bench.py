"""The bench commands, as a user runs them."""

import json
from typing import Any

from typer.testing import CliRunner

from framecast.bench.cli import app

SCENE = ["--scene", "a kitten", "--seconds", "2", "--warmup-requests", "0"]


def run(*arguments: str, code: int = 0) -> dict[str, Any]:
    """The record that a command prints."""
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == code, result.output
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found


def refused(*arguments: str) -> str:
    """What a command says of bad input, in one line."""
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 2
    return " ".join(result.stderr.replace("│", " ").split())
