"""``framecast review``: what content review says of a text, without a server."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from framecast.client.report import fail, print_json
from framecast.errors import InvalidRepository
from framecast.review.policy import Policy
from framecast.review.reviewer import Reviewer


def command(
    text: Annotated[str, typer.Argument(help="A story or a prompt; - reads standard input.")],
    policy: Annotated[Path | None, typer.Option(help="JSON file; the built-in policy otherwise.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Review a text as a server does: exit code 0 if it would be filmed, 1 if not."""
    try:
        reviewer = Reviewer(Policy.load(policy))
    except InvalidRepository as error:
        fail(str(error), 2)
    if text == "-" and sys.stdin is None:
        fail("text: standard input is closed; give the text itself", 2)
    try:
        finding = reviewer.review(sys.stdin.buffer.read().decode("utf-8-sig") if text == "-" else text)
    except UnicodeDecodeError:
        fail("standard input is not UTF-8 text", 2)
    action = finding.category.action if finding else "pass"
    if json:
        found = {"category": finding.category.name, "words": finding.words} if finding else {}
        print_json("review", action=action, **found)
    elif finding is None:
        typer.echo("passes")
    else:
        said = "refused" if finding.refused else "filmed and counted"
        typer.echo(f"{said}: {finding.category.name} ({finding.category.about}), for {finding.words!r}")
    if finding is not None and finding.refused:
        raise typer.Exit(1)
