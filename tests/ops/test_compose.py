"""`docker-compose.yml` and the Dockerfile, as far as they can be judged without a Docker engine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from streams.cli import COMMANDS
from tests.support.run_directory import CHECKOUT
from tests.support.settings_page import own_fields, settings_classes

COMPOSE: dict[str, Any] = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONE_SHOTS = {name for name, service in SERVICES.items() if service.get("restart") == "no"}
OURS = {name for name, service in SERVICES.items() if service["image"].startswith("segue:")}
DOCKERFILE = (CHECKOUT / "Dockerfile").read_text()


def test_the_compose_file_is_valid_by_the_compose_specification() -> None:
    outcome = subprocess.run(
        [
            *(sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"),
            str(CHECKOUT / "docker-compose.yml"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_everything_that_belongs_to_segue_is_there() -> None:
    assert {
        "kafka",
        "redis",
        "topics",
        "apply",
        "collector",
        "worker",
        "detector",
        "webhooks",
        "prometheus",
        "grafana",
    } <= set(SERVICES)
    assert SERVICES["worker"]["deploy"]["replicas"] == 2
    assert {"topics", "apply"} == ONE_SHOTS


@pytest.mark.parametrize("name", sorted(set(SERVICES) - ONE_SHOTS))
def test_a_service_that_stays_says_whether_it_is_well(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_ports_are_published_on_the_loopback_interface_only(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_an_image_is_pinned_to_a_version(name: str) -> None:
    image, _, tag = SERVICES[name]["image"].partition(":")
    assert tag, image
    assert tag != "latest"


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_what_a_service_waits_for_exists_and_can_be_waited_for(name: str) -> None:
    for other, wait in SERVICES[name].get("depends_on", {}).items():
        expected = "service_completed_successfully" if other in ONE_SHOTS else "service_healthy"
        assert wait["condition"] == expected


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_files_that_are_mounted_exist(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        source = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", volume).split(":")[0]
        if source.startswith("."):
            assert (CHECKOUT / source).exists(), source
        else:
            assert source in COMPOSE["volumes"]


@pytest.mark.parametrize("name", sorted(OURS))
def test_our_own_services_have_no_more_rights_than_they_need(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"] is True
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert "user" not in service, "the image's own user is not root"


@pytest.mark.parametrize("name", sorted(OURS))
def test_our_own_services_call_commands_that_exist_with_settings_that_exist(name: str) -> None:
    service = SERVICES[name]
    if "entrypoint" not in service:
        assert service["command"][0] in COMMANDS
    known = {f"SEGUE_{field.upper()}" for kind in settings_classes() for field in own_fields(kind)}
    assert set(service["environment"]) <= known


def test_redis_keeps_an_append_only_file_and_evicts_nothing() -> None:
    command = " ".join(SERVICES["redis"]["command"])
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command


def test_a_collector_s_keys_may_be_set_without_breaking_the_json_around_them() -> None:
    for variable in ("SEGUE_WRITE_KEYS", "SEGUE_LINK_KEYS"):
        text = SERVICES["collector"]["environment"][variable]
        plain = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)
        assert list(yaml.safe_load(plain)) == ["local"]


def test_a_collector_s_spool_lies_on_a_volume_that_its_user_may_write_to() -> None:
    collector = SERVICES["collector"]
    spool = Path(collector["environment"]["SEGUE_COLLECTOR_SPOOL_DIR"])
    (volume,) = collector["volumes"]
    source, target = volume.split(":")
    assert source in COMPOSE["volumes"]
    assert spool.is_relative_to(target)
    user = re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)[-1]
    uid, gid = user.split(":")
    # Docker gives an empty volume the owner of the directory of the image that it is mounted over.
    assert f"install -d -o {uid} -g {gid} -m 0700 {target}\n" in DOCKERFILE
    assert "deploy" not in collector, "several collectors would need a directory each"


def test_prometheus_scrapes_the_ports_that_the_programs_listen_on() -> None:
    config = yaml.safe_load((CHECKOUT / "ops" / "prometheus" / "prometheus.yml").read_text())
    targets = set()
    for job in config["scrape_configs"]:
        for group in job.get("static_configs", []):
            targets |= set(group["targets"])
        for lookup in job.get("dns_sd_configs", []):
            targets |= {f"{name}:{lookup['port']}" for name in lookup["names"]}
    ports = {
        "collector": SERVICES["collector"]["environment"]["SEGUE_COLLECTOR_PORT"],
        "worker": SERVICES["worker"]["environment"]["SEGUE_METRICS_PORT"],
        "detector": SERVICES["detector"]["environment"]["SEGUE_METRICS_PORT"],
        "webhooks": SERVICES["webhooks"]["environment"]["SEGUE_CONSUMER_PORT"],
    }
    assert targets == {f"{name}:{port}" for name, port in ports.items()}


def copied_paths() -> list[Path]:
    lines = re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
    return [CHECKOUT / source for line in lines for source in line.split()[:-1]]


def test_the_dockerfile_copies_what_exists_and_docker_is_given_it() -> None:
    assert copied_paths()
    admitted = {
        line.removeprefix("!") for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if line.startswith("!")
    }
    for path in copied_paths():
        assert path.exists(), path
    assert {path.name for path in copied_paths()} == admitted


def test_the_image_runs_as_a_user_that_is_not_root_from_locked_packages() -> None:
    user = re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)[-1]
    assert user.split(":")[0] not in ("0", "root")
    assert "pip install --require-hashes -r requirements.lock" in DOCKERFILE
    # The build compiles, and its image is left behind.
    assert re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE) == ["python:3.11", "python:3.11-slim"]
