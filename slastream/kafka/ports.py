"""Free ports, and whether a Kafka broker answers on one. Plain sockets, no client."""

from __future__ import annotations

import random
import socket
import struct

# Below the range from which systems draw the ports of outgoing connections (32768 on Linux, 49152
# elsewhere): a client that retries a port of that range may connect to itself, and a broker that
# restarts may find its port taken by one.
_RANGE = range(20_000, 32_000)

_given: set[int] = set()


def free() -> int:
    """A port of loopback that nobody listens on at this moment, and that was not given before.

    Whoever got one may not listen yet: a broker draws all of its ports before it starts.
    """
    for _ in range(200):
        port = random.choice(_RANGE)
        if port in _given:
            continue
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise OSError("no free port between 20000 and 32000 on loopback")


def answers(host: str, port: int, timeout: float = 1.0) -> bool:
    """Whether a broker answers an ApiVersions request on a plain listener.

    An open port is not enough: a broker listens before it serves.
    """
    body = struct.pack(">hhih", 18, 0, 1, -1)  # ApiVersions, version 0, correlation 1, no client
    try:
        with socket.create_connection((host, port), timeout) as connection:
            connection.settimeout(timeout)
            connection.sendall(struct.pack(">i", len(body)) + body)
            reply = connection.recv(8)
    except OSError:
        return False
    return len(reply) == 8 and struct.unpack(">ii", reply)[1] == 1
