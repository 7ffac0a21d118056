"""The socket that the server listens at."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from videoannotator.errors import UsageError
from videoannotator.serve.running import address_of, listening
from videoannotator.serve.settings import ServerSettings


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_answers_leave_at_once(tmp_path: Path, host: str) -> None:
    """Nagle's algorithm holds the second part of an answer back until the first is confirmed: 40 ms a request."""
    if host == "::1" and not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    made = listening(ServerSettings(data_dir=tmp_path, host=host, port=0))
    found: list[int] = []

    async def take() -> None:
        def told(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            found.append(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        server = await asyncio.start_server(told, sock=made)
        reader, writer = await asyncio.open_connection(*made.getsockname()[:2])
        await reader.read()
        writer.close()
        server.close()

    asyncio.run(take())
    assert len(found) == 1
    assert found[0]


def test_a_port_that_is_taken_is_said_and_one_that_was_just_left_is_not(tmp_path: Path) -> None:
    first = listening(ServerSettings(data_dir=tmp_path, port=0))
    port = first.getsockname()[1]
    assert address_of(first) == f"http://127.0.0.1:{port}"
    with pytest.raises(UsageError, match=f"port {port}"):
        listening(ServerSettings(data_dir=tmp_path, port=port))
    left = socket.create_connection(("127.0.0.1", port))
    taken, _ = first.accept()
    taken.close()  # its end of the connection waits for a while now
    first.close()
    left.close()
    listening(ServerSettings(data_dir=tmp_path, port=port)).close()
