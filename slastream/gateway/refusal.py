"""Why a request is not accepted: a status, a bounded word, and when to come again."""

from __future__ import annotations


class Refused(Exception):
    """A request that is answered with something other than success.

    `reason` is a bounded word, fit for a metric label and for the sender's eyes. `detail` is for
    our log alone. `retry_after` is in whole seconds; `close` ends the connection.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        detail: str = "",
        *,
        retry_after: int | None = None,
        close: bool = False,
    ) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason
        self.detail = detail
        self.retry_after = retry_after
        self.close = close
