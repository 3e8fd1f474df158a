"""A WebSocket echo (RFC 6455) by python3-websockets, over TLS."""

from __future__ import annotations

import asyncio
import threading

import websockets

from certificates import CaWorld, server_context
from origins import unique_name


class WebSocketOrigin:
    """Sends every message back; `received` keeps them. Use as a context manager."""

    def __init__(self, world: CaWorld, *, tls: bool = True):
        self.name = unique_name("socket")
        self.received: list[str | bytes] = []
        self.close_codes: list[int] = []
        self._context = server_context(world.identity(self.name), alpn=("http/1.1",)) if tls else None
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def authority(self) -> str:
        return f"{self.name}:{self.port}"

    def __enter__(self) -> WebSocketOrigin:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        async with websockets.serve(
            self._echo, "127.0.0.1", 0, ssl=self._context, subprotocols=["chat"], compression=None, close_timeout=2
        ) as server:
            self.port = server.sockets[0].getsockname()[1]
            self._ready.set()
            await self._stop.wait()

    async def _echo(self, socket) -> None:
        try:
            async for message in socket:
                self.received.append(message)
                await socket.send(message)
        except websockets.ConnectionClosed:
            pass
        self.close_codes.append(socket.close_code)
