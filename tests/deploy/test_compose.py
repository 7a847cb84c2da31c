"""What deploy/ offers besides the unit: the compose file, the Dockerfile and the dashboard, held to what there is."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from coordinator.adapters.http_api import TURN_FIGURES
from coordinator.cli import app
from tests.support.serving import serve

DEPLOY = Path(__file__).parents[2] / "deploy"
# What the compose specification allows of a service, as far as this file uses it.
OF_A_SERVICE = {
    "build", "command", "depends_on", "environment", "healthcheck", "image", "ports", "read_only", "restart", "stop_grace_period",
    "tmpfs", "volumes",
}  # fmt: skip
OF_A_CHECK = {"test", "interval", "timeout", "retries", "start_period"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    told: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return told


def test_every_service_says_only_what_compose_knows_and_has_what_it_names(compose: dict[str, Any]) -> None:
    assert {name for name in compose if not name.startswith("x-")} == {"name", "services", "volumes"}
    for service in compose["services"].values():
        assert service.keys() <= OF_A_SERVICE
        assert service["healthcheck"].keys() <= OF_A_CHECK
        assert set(service.get("depends_on", {})) <= compose["services"].keys()
        kept = {each.split(":")[0] for each in service["volumes"]}
        assert {each for each in kept if not each.startswith(".")} <= compose["volumes"].keys()
        assert all(each.startswith("127.0.0.1:") for each in service.get("ports", ()))
        assert all(type(value) is str for value in service.get("environment", {}).values())
        if "build" in service:
            assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()


def test_the_broker_is_the_one_that_everything_was_tried_with(compose: dict[str, Any]) -> None:
    [version] = re.findall(r"<artifactId>kafka_2\.13</artifactId>\s*<version>([\d.]+)<", (DEPLOY / "kafka" / "pom.xml").read_text())
    assert compose["services"]["kafka"]["image"] == f"apache/kafka:{version}"


def test_the_coordinators_are_started_with_options_that_there_are(compose: dict[str, Any]) -> None:
    helped = CliRunner().invoke(app, ["serve", "--help"], env={"COLUMNS": "200", "TERM": "dumb"}).output
    commands = [service["command"] for name, service in compose["services"].items() if name != "kafka"]
    [made] = re.findall(r"^CMD (\[.*\])$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    for command in [*commands, json.loads(made)]:
        assert command[0] == "serve"
        assert all(option in helped for option in command if option.startswith("--")), shlex.join(command)


def test_what_is_kept_lies_where_the_user_inside_may_write(compose: dict[str, Any]) -> None:
    """A volume takes over the owner of the folder it is mounted on; where the image has none, that is root, and no service runs as root."""
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    of_the_user = {*re.findall(r"--home-dir (\S+) coordinator", dockerfile), *re.findall(r"--owner=coordinator .*?(/\S+)", dockerfile)}
    for name, service in compose["services"].items():
        mounted = dict(each.split(":") for each in service["volumes"])
        assert mounted.keys() <= compose["volumes"].keys(), f"{name} mounts a file of this machine, whose owner is not the user inside"
        if name == "kafka":  # The image's own Dockerfile gives this folder to its user.
            assert set(mounted.values()) == {"/var/lib/kafka/data"} == {service["environment"]["KAFKA_LOG_DIRS"]}
        else:
            assert set(mounted.values()) == of_the_user
            assert str(Path(service["command"][service["command"].index("--tokens") + 1]).parent) in of_the_user


def test_what_the_image_is_made_of_is_there() -> None:
    words = [line.split() for line in (DEPLOY / "Dockerfile").read_text().splitlines() if line.startswith("COPY ") and "--from" not in line]
    for _, *sources, _target in words:
        assert all(list(DEPLOY.parent.glob(source)) or "*" in source for source in sources), sources


def test_the_dashboard_asks_for_nothing_but_figures_that_there_are(tmp_path: Path) -> None:
    with serve(tmp_path / "log") as server:
        server.wait(2)  # a cycle has run
        told = server.ask("GET", "/metrics").body.decode()
    there = {line.split("{")[0].split(" ")[0] for line in told.splitlines() if not line.startswith("#")}
    there |= {line.split()[2] for line in told.splitlines() if line.startswith("# TYPE")}
    there |= {f"stigmergy_turns_{name}" for name in TURN_FIGURES}
    dashboard = json.loads((DEPLOY / "grafana" / "coordinator.json").read_text())
    asked = {name for panel in dashboard["panels"] for one in panel["targets"] for name in re.findall(r"stigmergy_\w+", one["expr"])}
    assert asked <= there, asked - there
    assert len(asked) >= 15
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    assert all(panel["description"] and panel["title"] for panel in dashboard["panels"])
