"""What the pages and the example configurations say holds."""

from __future__ import annotations

import re
from pathlib import Path

import orjson
import pytest
import yaml

from slastream.gateway.endpoints import load
from slastream.settings import Settings
from slastream.sources import SOURCES, Delivery, read
from slastream.sources.samples import samples

ROOT = Path(__file__).parents[3]
CONNECT = ROOT / "deploy" / "connect"
RAW = Settings().topic("raw.")


def test_endpoints_of_the_page(tmp_path: Path) -> None:
    """The file of endpoints in the documentation is one that loads."""
    page = (ROOT / "docs" / "gateway.md").read_text("utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "secrets").mkdir()
    for name in ("jira", "jira.next", "zendesk", "halo"):
        (tmp_path / "secrets" / name).write_text(f"an-invented-secret-{name}", "utf-8")
    (tmp_path / "endpoints.yaml").write_text(block, "utf-8")
    found = {each.path: each for each in load(tmp_path / "endpoints.yaml")}

    assert set(found) == {
        f"/v1/acme-msp/{n}" for n in ("jira", "zendesk", "connectwise", "halopsa")
    }
    assert len(found["/v1/acme-msp/jira"].secrets) == 2
    assert found["/v1/acme-msp/connectwise"].auth == "key_url"


def test_every_word_of_an_answer_is_on_the_page() -> None:
    """A sender's administrator finds each reason of 401 and 503 in the documentation."""
    page = (ROOT / "docs" / "gateway.md").read_text("utf-8")
    code = "".join(
        path.read_text("utf-8") for path in (ROOT / "slastream" / "gateway").glob("*.py")
    )
    reasons = set(re.findall(r'Refused\(\s*(?:401|503), "(\w+)"', code))
    reasons |= set(re.findall(r'_come_again\("(\w+)"\)', code))

    assert {"wrong_company", "broker_away", "busy", "key_unavailable"} <= reasons
    for reason in reasons - {"bad_challenge"}:
        assert f"`{reason}`" in page, reason


@pytest.mark.parametrize("name", ["debezium-glpi10.json", "http-freshservice.json"])
def test_connectors(name: str) -> None:
    """A connector writes to the raw topic of a source that ships, as a tenant's, with no secret in it."""
    config = orjson.loads((CONNECT / name).read_bytes())["config"]
    topic = config.get("kafka.topic") or config["transforms.route.replacement"]

    assert topic.startswith(RAW)
    assert topic.removeprefix(RAW) in SOURCES
    assert config["transforms.tenant.header"] == "sla-tenant"
    assert config["transforms.tenant.value.literal"]
    assert set(config["transforms"].split(",")) == {
        key.split(".")[1] for key in config if key.startswith("transforms.")
    }
    for key, value in config.items():
        if re.search(r"password|api_key|user$", key) and value not in ("X", "slastream"):
            assert value.startswith("${file:"), key


def test_debezium_route_takes_both_tables() -> None:
    """Both tables go to one topic, and no tombstone of a follow-up can pass for a ticket's."""
    config = orjson.loads((CONNECT / "debezium-glpi10.json").read_bytes())["config"]
    route = re.compile(config["transforms.route.regex"])
    for table in config["table.include.list"].split(","):
        assert route.fullmatch(f"{config['topic.prefix']}.{table}")

    assert config["tombstones.on.delete"] == "false"


def test_what_the_http_source_brings_is_read() -> None:
    """A ticket of the list that the REST API gives, as the connector writes it, is read."""
    sample = next(s for s in samples("freshservice") if "ticket" in s["delivery"]["body"])
    one = orjson.dumps(sample["delivery"]["body"]["ticket"])
    (event,) = read(Delivery("freshservice", "acme-msp", None, one, {}, 1_772_442_131_000))

    assert event.ticket == str(sample["delivery"]["body"]["ticket"]["id"])


def test_servicenow_settings() -> None:
    """The settings of the stream producer name what the source needs."""
    told = yaml.safe_load((CONNECT / "servicenow-stream-producer.yaml").read_text("utf-8"))

    assert told["topic"] == f"{RAW}servicenow"
    assert {"action", "collection_timestamp_ms", "table_name"} == set(told["headers"]["default"])
    assert {"sys_id", "sys_mod_count", "sys_updated_on", "state", "priority"} <= set(told["fields"])
