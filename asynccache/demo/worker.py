"""One worker: uvicorn in a process of its own, which ends when its parent does."""

from __future__ import annotations

import os
import socket
import sys
import threading

import uvicorn

from asynccache.demo.locate import Shop


def main(package: str, host: str, port: str) -> None:
    """Serve the shop until told to stop.

    Args:
        package: The shop's package.
        host: The address to listen on.
        port: The port to listen on; 0 for a free one.
    """
    socket_ = listener(host, int(port))
    app = Shop(package).module("app").app
    server = uvicorn.Server(
        uvicorn.Config(
            app, lifespan="on", access_log=False, log_level="warning", timeout_graceful_shutdown=3
        )
    )
    threading.Thread(target=_follow_parent, args=(server,), daemon=True).start()
    # Bound here and told to the parent: a port looked up beforehand may be taken meanwhile.
    sys.stdout.write(f"{socket_.getsockname()[1]}\n")
    sys.stdout.flush()
    server.run(sockets=[socket_])


def listener(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        OSError: The address is not ours, or the port is taken.
    """
    # asyncio turns Nagle's algorithm off only where the protocol is named; with it on, each answer
    # would wait 40 ms for the visitor's kernel to acknowledge its headers.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # elsewhere it would let two processes share the port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(1_024)
    except OSError:
        listening.close()
        raise
    return listening


def _follow_parent(server: uvicorn.Server) -> None:
    # The parent holds the other end of stdin and never writes: the end of the file is its end,
    # even when it was killed and could tell nobody.
    while os.read(0, 1):
        pass
    server.should_exit = True


if __name__ == "__main__":
    main(*sys.argv[1:])
