"""Put on PYTHONPATH, this folder cuts a Python process and its children off from every network but the loopback."""

import ipaddress
import socket
import sys
from typing import Any

CONNECTING = {"socket.connect", "socket.sendto", "socket.sendmsg"}
LOOKUPS = {"socket.getaddrinfo", "socket.gethostbyname"}


def refuse_network(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook: unlike a patched socket class it also sees what calls the C module."""
    if event in CONNECTING and isinstance(arguments[1], tuple):  # the address of a Unix socket is a str
        host = arguments[1][0]
    elif event in LOOKUPS:
        host = arguments[0]
    else:
        return
    if not is_local(host):
        raise OSError(f"the network is blocked in this test: tried to reach {host!r}")


def is_local(host: str | bytes | None) -> bool:
    """Whether `host` is this machine; a lookup of None or "" is, too."""
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost", socket.gethostname()):
        return True
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


sys.addaudithook(refuse_network)
