"""The proxy that gRPC puts between a client and its server, as the environment has it."""

import ipaddress
import os


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`, a name or an address, with or without brackets."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def direct(address: str) -> list[tuple[str, int]]:
    """gRPC channel arguments that keep every proxy from before host:port, where that is of this machine."""
    return [("grpc.enable_http_proxy", 0)] if is_loopback(address.rpartition(":")[0]) else []


def proxy_variable(address: str) -> str:
    """The variable whose proxy gRPC asks for host:port; empty where it asks none."""
    from urllib.request import proxy_bypass  # a twentieth of a second, which a failure can wait for

    if is_loopback(address.rpartition(":")[0]) or proxy_bypass(address):
        return ""
    return next((name for name in ("grpc_proxy", "https_proxy", "http_proxy") if os.environ.get(name)), "")
