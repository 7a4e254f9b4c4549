"""This worker as a member of its group: Faust's settings and those of its consumer, and why.

Knows Faust; what the topics hold it may not know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from slastream.settings import Settings
from slastream.stream.transport import BatchApp, BatchTransport


def member(
    settings: Settings, client: Mapping[str, Any], on_fetched: Callable[[], None]
) -> BatchApp:
    """Return a Faust app that reads batches; its agents are still to be declared."""
    app = BatchApp(
        settings.app_id,
        broker=[f"kafka://{server}" for server in settings.broker.split(",")],
        datadir=settings.data_dir / "faust",
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        cython_optimizations=True,
        # The transport bounds what is under way; a full queue would stop all partitions at once.
        stream_buffer_maxsize=10_000,
        stream_wait_empty=False,
        broker_session_timeout=settings.session_timeout,
        broker_heartbeat_interval=settings.heartbeat_interval,
        broker_request_timeout=30.0,
        producer_request_timeout=30.0,
    )
    app.transport = BatchTransport(app.conf.broker, app)
    app.journal = settings.topic("tickets")
    app.on_fetched = on_fetched
    app.consumer_options = {
        **client,
        "group_id": settings.app_id,
        # A static member: a restart within the session moves no partition.
        "group_instance_id": settings.instance_id,
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
        "isolation_level": "read_committed",
        "max_partition_fetch_bytes": 1024 * 1024,
        # A partition is level only while a fetch was answered within two seconds.
        "fetch_max_wait_ms": 500,
        "session_timeout_ms": int(settings.session_timeout * 1000),
        "heartbeat_interval_ms": int(settings.heartbeat_interval * 1000),
        # A broker that is frozen takes requests and answers none. Its partitions are led by others
        # soon; who leads is looked up this often, and whoever was asked in vain is given up then,
        # later than the group's coordinator answers a member that has to wait for all others.
        "metadata_max_age_ms": 5_000,
        "request_timeout_ms": 12_000,
        "rebalance_timeout_ms": 10_000,
        "max_poll_interval_ms": 300_000,
    }
    return app
