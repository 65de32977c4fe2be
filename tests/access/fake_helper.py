"""Stands in for the helper program of a public link, with its command line and its words, and for the share server:
a way in at another port, which adds to each connection's first request what a server of the internet would.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from asyncio import StreamReader, StreamWriter

HOST = "abc123.share.example"
VISITOR = "203.0.113.9"


def main(manner: str) -> None:
    """`manner`: works, refused, silent, dies."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["http"])
    for option in ("-n", "-l", "-i", "--sd", "--server_addr", "--tls_trusted_ca_file"):
        parser.add_argument(option)
    for flag in ("--uc", "--ue", "--disable_log_color", "--tls_enable"):
        parser.add_argument(flag, action="store_true")
    options = parser.parse_args()
    assert (options.i, options.sd, options.uc, options.ue) == ("127.0.0.1", "random", True, True)
    say("[I] login to server success")
    if manner == "dies":
        sys.exit("connection reset by peer")
    if manner == "refused":
        say("[W] [service.go:83] login to server failed: token is wrong")
    if manner in ("refused", "silent"):
        time.sleep(600)
    asyncio.run(serve(int(options.l)))


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def serve(local_port: int) -> None:
    server = await asyncio.start_server(lambda reader, writer: carry(reader, writer, local_port), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    say(f"[I] [{HOST}] start proxy success: http://{HOST}:{port}")
    await asyncio.sleep(600)


async def carry(reader: StreamReader, writer: StreamWriter, local_port: int) -> None:
    there, back = await asyncio.open_connection("127.0.0.1", local_port)
    back.write(await reader.readline())
    back.write(f"X-Forwarded-For: {VISITOR}\r\nX-Forwarded-Proto: https\r\n".encode())
    await asyncio.gather(pump(reader, back), pump(there, writer))


async def pump(reader: StreamReader, writer: StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
