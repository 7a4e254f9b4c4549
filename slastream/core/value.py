"""What the classes of kept values share."""

from __future__ import annotations

from mypy_extensions import mypyc_attr


@mypyc_attr(acyclic=True)
class Value:
    """Members and nothing else; shown as they are given to the constructor."""

    def __repr__(self) -> str:
        names = getattr(type(self), "__mypyc_attrs__", None) or vars(self)
        members = ", ".join([f"{name}={getattr(self, name)!r}" for name in names])
        return f"{type(self).__name__}({members})"
