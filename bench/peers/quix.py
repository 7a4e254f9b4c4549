"""The job in Quix Streams, as its documentation would write it: `python -m bench.peers.quix`.

Quix has no timers: a deadline is seen by the ticket's own next event, and one without a next event
by nobody. It says on standard output when it reads the first record.
"""

from __future__ import annotations

import argparse
import time
from typing import Any, Literal

from quixstreams import Application, State

from bench.peers.job import Row, step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--broker", required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--guarantee", choices=["at-least-once", "exactly-once"], required=True)
    parser.add_argument("--commit-interval", type=float, default=1.0, help="seconds")
    args = parser.parse_args()
    guarantee: Literal["at-least-once", "exactly-once"] = args.guarantee
    app = Application(
        broker_address=args.broker,
        consumer_group=args.prefix.rstrip("."),
        auto_offset_reset="earliest",
        processing_guarantee=guarantee,
        commit_interval=args.commit_interval,
        state_dir=args.data_dir,
    )
    topic = app.topic
    tickets = topic(f"{args.prefix}tickets.v1", key_deserializer="str", value_deserializer="json")
    clocks = topic(f"{args.prefix}clocks.v1", key_serializer="str", value_serializer="json")
    alerts = topic(f"{args.prefix}alerts.v1", key_serializer="str", value_serializer="json")
    first = True

    def told(event: dict[str, Any] | None, state: State[str, Row]) -> dict[str, Any]:
        nonlocal first
        if first:
            first = False
            print("first", f"{time.time():.3f}", flush=True)
        if event is None:
            return {}
        row, due = step(state.get("row"), event)
        state.set("row", row)
        return {"row": row, "alerts": due}

    frame = app.dataframe(tickets).apply(told, stateful=True).filter(bool)
    frame.apply(lambda each: each["row"]).to_topic(clocks)
    frame.apply(lambda each: each["alerts"], expand=True).to_topic(alerts)
    app.run()


if __name__ == "__main__":
    main()
