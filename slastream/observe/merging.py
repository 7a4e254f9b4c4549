"""The metrics pages of several processes as one: each series gets a label `process`.

Knows the text forms of Prometheus; what a metric says it may not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Metric, exposition
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

LABEL = "process"

ASK_FOR = CONTENT_TYPE_LATEST
"""The form in which pages are to be got: it has exemplars too."""


class _Families(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def merged(pages: Mapping[str, str], accept: str = "") -> tuple[bytes, str]:
    """Return the pages of processes, by their names, as one page, and its content type.

    Raises ValueError for a page that is no OpenMetrics text.
    """
    families: dict[str, Metric] = {}
    for process, page in pages.items():
        for family in text_string_to_metric_families(page):  # type: ignore[no-untyped-call]
            kept = families.setdefault(
                family.name, Metric(family.name, family.documentation, family.type, family.unit)
            )
            kept.samples += (
                sample._replace(labels={**sample.labels, LABEL: process})
                for sample in family.samples
            )
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(families.values()))
    encode, content_type = exposition.choose_encoder(accept)
    return encode(registry), content_type
