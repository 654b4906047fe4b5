"""Dockerfile, compose files, Prometheus and Grafana, each held against the others and against what they name."""

import json
import re
from typing import Any

import pytest
import yaml
from dockerfile_parse import DockerfileParser
from tests.support.promql import DOCKER, expressions, selectors

ROOT = DOCKER.parent
OURS = ("export", "triton", "gateway")
WORDS = set(re.findall(r"^#   steps\.sh (\w+)", (DOCKER / "steps.sh").read_text(encoding="utf-8"), re.MULTILINE))


@pytest.fixture(scope="module")
def stages() -> dict[str, list[dict[str, str]]]:
    """The Dockerfile's instructions by stage."""
    parser = DockerfileParser(path=str(DOCKER / "Dockerfile"))
    found: dict[str, list[dict[str, str]]] = {"": []}
    stage = ""
    for instruction in parser.structure:
        if instruction["instruction"] == "FROM":
            stage = instruction["value"].split()[-1]
            found[stage] = []
        if instruction["instruction"] != "COMMENT":
            found[stage].append(instruction)
    return found


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The compose file, its overrides merged into it."""
    merged = read("compose.yaml")
    for name in ("compose.gpu.yaml", "compose.traces.yaml"):
        for service, override in read(name)["services"].items():
            base = merged["services"].setdefault(service, {})
            environment = {**base.get("environment", {}), **override.get("environment", {})}
            base.update({**override, **({"environment": environment} if environment else {})})
    return merged


def read(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DOCKER / name).read_text(encoding="utf-8"))
    return loaded


def values(instructions: list[dict[str, str]], word: str) -> list[str]:
    return [instruction["value"] for instruction in instructions if instruction["instruction"] == word]


def settings(instructions: list[dict[str, str]]) -> dict[str, str]:
    return dict(pair.split("=", 1) for value in values(instructions, "ENV") for pair in value.split())


def test_what_is_copied_is_there_and_not_ignored(stages) -> None:
    rules = (DOCKER / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = [rule[1:] for rule in rules if rule.startswith("!")]
    assert "*" in rules
    for path in allowed:
        assert (ROOT / path).exists(), f"{path} is let into the context and does not exist"
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    wheel = re.findall(r'^    "(\w+/framecast)",$', project, re.MULTILINE)
    assert wheel
    assert {*wheel, "pyproject.toml", "README.md", "LICENSE", "model_repository"} <= set(allowed)
    sources = [source for steps in stages.values() for copy in values(steps, "COPY") for source in copied(copy)]
    assert sources
    for source in sources:
        assert (ROOT / source).exists(), f"COPY {source}"
        assert source in allowed


def copied(value: str) -> list[str]:
    words = [word for word in value.split() if not word.startswith("--")]
    return words[:-1]


def test_every_command_is_a_step_and_every_image_runs_as_nobody_special(stages, compose) -> None:
    for name in OURS:
        steps = stages[name]
        assert values(steps, "USER")[-1] == "1000:1000"
        assert json.loads(values(steps, "CMD")[-1]) == [name]
        assert name in WORDS
        base = stages["base"] if values(steps, "FROM")[0].startswith("base ") else []
        assert json.loads(values([*base, *steps], "ENTRYPOINT")[-1]) == ["/opt/framecast/steps.sh"]
        for run in values(steps, "RUN"):
            assert re.search(r"steps\.sh (\w+)", run)[1] in WORDS
        service = compose["services"][name]
        assert service["build"] == {"context": "..", "dockerfile": "docker/Dockerfile", "target": name}
    for name in ("triton", "gateway"):
        (check,) = values(stages[name], "HEALTHCHECK")
        assert json.loads(check.partition("CMD ")[2]) == ["/opt/framecast/steps.sh", "health"]


def test_every_setting_is_one_that_the_steps_know(stages, compose) -> None:
    script = (DOCKER / "steps.sh").read_text(encoding="utf-8")
    known = set(re.findall(r"\$\{(\w+):-", script)) | {"OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"}
    serve = (ROOT / "server/framecast/gateway/serve.py").read_text(encoding="utf-8")
    known |= set(re.findall(r'envvar="(\w+)"', serve))
    given = {name for steps in stages.values() for name in settings(steps)}
    given |= {name for service in OURS for name in compose["services"][service].get("environment", {})}
    assert {n for n in given if n.startswith(("FRAMECAST_", "TRITON_", "OTEL_"))} <= known
    assert "FRAMECAST_TOKENS" in known


def test_every_service_is_locked_down(compose) -> None:
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not str(service["user"]).startswith("0"), name
        assert "privileged" not in service, name
        assert service["pids_limit"], name
        tag = service["image"].partition(":")[2]
        assert name in OURS if not tag else tag != "latest", name


def test_only_loopback_is_published_and_triton_is_on_an_internal_network_alone(compose) -> None:
    published = {name: service.get("ports", []) for name, service in compose["services"].items()}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    assert published["triton"] == published["export"] == []
    assert compose["services"]["triton"]["networks"] == ["models"]
    assert compose["networks"]["models"] == {"internal": True}
    assert compose["services"]["export"]["network_mode"] == "none"
    assert "models" not in compose["services"]["grafana"]["networks"]


def test_what_may_be_written_is_named(compose) -> None:
    mounts = [mount for service in compose["services"].values() for mount in service.get("volumes", [])]
    named = {mount.partition(":")[0] for mount in mounts if not mount.startswith(".")}
    assert named == set(compose["volumes"])
    for mount in mounts:
        if mount.startswith("."):
            source, _, target = mount.partition(":")
            assert (DOCKER / source).is_dir(), mount
            assert target.endswith(":ro"), mount
    assert "served:/var/lib/framecast:ro" in compose["services"]["triton"]["volumes"]
    assert "served:/var/lib/framecast" in compose["services"]["export"]["volumes"]


def test_ports_agree_from_the_image_to_prometheus(stages, compose) -> None:
    gateway, triton = settings(stages["gateway"]), settings(stages["triton"])
    script = (DOCKER / "steps.sh").read_text(encoding="utf-8")
    default = dict(re.findall(r"\$\{(TRITON_PORT|TRITON_METRICS_PORT):-(\d+)\}", script))
    port, metrics = (gateway[name].rpartition(":")[2] for name in ("FRAMECAST_LISTEN", "FRAMECAST_METRICS"))
    assert values(stages["gateway"], "EXPOSE") == [f"{port} {metrics}"]
    assert values(stages["triton"], "EXPOSE") == [f"{default['TRITON_PORT']} {default['TRITON_METRICS_PORT']}"]
    assert compose["services"]["gateway"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert gateway["TRITON_ADDRESS"] == f"triton:{default['TRITON_PORT']}"
    assert triton["FRAMECAST_ADDRESS"].endswith(f":{default['TRITON_PORT']}")
    scraped = {
        job["job_name"]: job["static_configs"][0]["targets"]
        for job in read("prometheus/prometheus.yml")["scrape_configs"]
    }
    assert scraped == {"gateway": [f"gateway:{metrics}"], "triton": [f"triton:{default['TRITON_METRICS_PORT']}"]}
    for rules in read("prometheus/prometheus.yml")["rule_files"]:
        assert (DOCKER / "prometheus" / rules).is_file()


def test_networks_join_those_who_talk(compose) -> None:
    def shared(one: str, other: str) -> set[str]:
        return set(compose["services"][one]["networks"]) & set(compose["services"][other]["networks"])

    talks = [("gateway", "triton"), ("prometheus", "gateway"), ("prometheus", "triton"), ("grafana", "prometheus")]
    for one, other in [*talks, ("triton", "jaeger"), ("gateway", "jaeger")]:
        assert shared(one, other), f"{one} cannot reach {other}"


def test_grafana_finds_its_files_and_its_data(compose) -> None:
    (source,) = read("grafana/provisioning/datasources/prometheus.yaml")["datasources"]
    (provider,) = read("grafana/provisioning/dashboards/framecast.yaml")["providers"]
    dashboard = json.loads((DOCKER / "grafana/dashboards/framecast.json").read_text(encoding="utf-8"))
    targets = {mount.split(":")[1] for mount in compose["services"]["grafana"]["volumes"]}
    assert provider["options"]["path"] in targets
    home = compose["services"]["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{provider['options']['path']}/framecast.json"
    queried = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    used = {target["datasource"]["uid"] for panel in queried for target in panel["targets"]}
    assert used == {source["uid"]}
    host, _, port = source["url"].removeprefix("http://").partition(":")
    assert compose["services"][host]["ports"] == [f"127.0.0.1:{port}:{port}"]
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))


def test_no_two_panels_overlap() -> None:
    dashboard = json.loads((DOCKER / "grafana/dashboards/framecast.json").read_text(encoding="utf-8"))
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells


@pytest.mark.parametrize(("place", "expression"), list(expressions()))
def test_every_expression_is_promql_and_reads_something(place: str, expression: str) -> None:
    found = selectors(expression)
    assert found, place
    for selector in found:
        assert selector.name.startswith(("framecast_", "nv_")) or selector.name == "up", place
