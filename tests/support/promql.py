"""What the dashboard and the alert rules ask Prometheus for."""

import json
from collections.abc import Iterator
from pathlib import Path

import promql_parser
import yaml

DOCKER = Path(__file__).parents[2] / "docker"
_VARIABLES = {"$__rate_interval": "1m", "$gateway": ".*", "$triton": ".*"}


def expressions() -> Iterator[tuple[str, str]]:
    """Where each PromQL expression stands, and the expression, Grafana's variables filled in."""
    dashboard = json.loads((DOCKER / "grafana" / "dashboards" / "framecast.json").read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield f"panel {panel['title']!r}", _filled(target["expr"])
    rules = yaml.safe_load((DOCKER / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))
    for group in rules["groups"]:
        for rule in group["rules"]:
            yield f"alert {rule['alert']}", rule["expr"]


def selectors(expression: str) -> list[promql_parser.VectorSelector]:
    """The series that an expression reads. Raises ValueError when it is no PromQL."""
    found = []

    def visit(node: object) -> None:
        if isinstance(node, promql_parser.MatrixSelector):
            found.append(node.vector_selector)
        elif isinstance(node, promql_parser.VectorSelector):
            found.append(node)

    promql_parser.walk(promql_parser.parse(expression), visit)
    return list({str(selector): selector for selector in found}.values())


def _filled(text: str) -> str:
    for name, value in _VARIABLES.items():
        text = text.replace(name, value)
    return text


def grouping(expression: str) -> set[str]:
    """The labels by which an expression adds up."""
    labels: set[str] = set()

    def visit(node: object) -> None:
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
            labels.update(node.modifier.labels)

    promql_parser.walk(promql_parser.parse(expression), visit)
    return labels
