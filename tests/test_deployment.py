"""The compose file says nothing that the code does not know."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped] # it has no types

from cli.server import parts
from settings import Settings
from tests.processes import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")


@pytest.mark.parametrize("name", ["migrate", "api1", "api2"])
def test_every_variable_is_a_setting_with_a_value_that_is_accepted(name: str) -> None:
    given = {key: str(value) for key, value in SERVICES[name]["environment"].items() if key.startswith("SPOTPLAN_")}
    settings = Settings.from_environment(given)
    assert {key.removeprefix("SPOTPLAN_").lower() for key in given} <= set(Settings.__dataclass_fields__)
    assert settings.log == "json"


def test_a_server_has_time_to_stop_before_it_is_killed() -> None:
    settings = Settings.from_environment({key: str(value) for key, value in SERVICES["api1"]["environment"].items()})
    grace = int(SERVICES["api1"]["stop_grace_period"].removesuffix("s"))
    assert settings.shutdown_notice_seconds + settings.shutdown_seconds_max < grace


def test_the_database_is_migrated_before_any_server_starts_and_only_the_proxy_is_published() -> None:
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"proxy"}
    for name in ("api1", "api2"):
        assert SERVICES[name]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    assert SERVICES["migrate"]["command"] == ["spotplan", "migrate"]


def test_the_proxy_looks_at_readiness_more_often_than_a_server_gives_notice() -> None:
    caddyfile = COMPOSE["configs"]["caddy"]["content"]
    assert re.findall(r"reverse_proxy (.*) \{", caddyfile) == ["api1:8000 api2:8000"]
    assert "health_uri /readyz" in caddyfile
    [interval] = re.findall(r"health_interval (\d+)s", caddyfile)
    assert int(interval) < SERVICES["api1"]["environment"]["SPOTPLAN_SHUTDOWN_NOTICE_SECONDS"]


def test_the_proxy_gives_idle_connections_up_before_a_server_does(tmp_path: Path) -> None:
    """It cannot send a mutation again that went into a connection which was just being closed."""
    caddys_own = 120  # seconds; the file does not say otherwise
    assert "keepalive" not in COMPOSE["configs"]["caddy"]["content"]
    config, _ = parts(Settings(database_url=f"sqlite:///{tmp_path / 'spotplan.db'}"), {}, host="127.0.0.1", port=1)
    assert config.timeout_keep_alive > caddys_own


def test_the_image_has_every_package_that_is_installed() -> None:
    let_in = set((ROOT / ".dockerignore").read_text("utf-8").split())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    for package in project["tool"]["setuptools"]["packages"]:
        assert f"!{package.partition('.')[0]}" in let_in
    assert 'CMD ["spotplan", "serve"' in DOCKERFILE
