"""``framecast health``: the standard gRPC health check, for probes. Triton answers it too."""

from typing import Annotated, Any

import grpc
import typer

from framecast.client.channel import DEFAULT_ADDRESS, ChannelOptions, require_address
from framecast.client.commands import Address, CaFile, Json, Tls
from framecast.client.errors import from_rpc
from framecast.client.report import fail, one_sentence_errors, print_json


def health_of(address: str, *, service: str = "", channel: ChannelOptions | None = None, timeout: float = 5.0) -> str:
    """The status that a server gives itself (``grpc.health.v1``).

    Args:
        address: host:port.
        service: full name of one of its services; empty asks about the whole server.
        channel: TLS.
        timeout: seconds for connecting and asking.

    Returns:
        ``SERVING``, ``NOT_SERVING``, or ``SERVICE_UNKNOWN`` when it has no such service.

    Raises:
        FramecastClientError: there is no answer.
    """
    from grpc_health.v1 import health_pb2, health_pb2_grpc  # the other commands do not need it

    require_address(address)
    answers = health_pb2.HealthCheckResponse
    with (channel or ChannelOptions()).open(address) as opened:
        ask: Any = health_pb2_grpc.HealthStub(opened).Check  # type: ignore[attr-defined]
        try:
            request = health_pb2.HealthCheckRequest(service=service)
            answer = ask(request, timeout=timeout)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return str(answers.ServingStatus.Name(answers.SERVICE_UNKNOWN))
            raise from_rpc(error, address) from None
    return str(answers.ServingStatus.Name(answer.status))


@one_sentence_errors()
def health(
    address: Address = DEFAULT_ADDRESS,
    service: Annotated[str, typer.Option(help="Full name of a service; empty asks about the whole server.")] = "",
    tls: Tls = False,
    ca_file: CaFile = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds for connecting and asking.")] = 5.0,
    json: Json = False,
) -> None:
    """Ask a server whether it serves: exit code 0 if it does, 1 if not."""
    status = health_of(address, service=service, channel=ChannelOptions.secured(tls, ca_file), timeout=timeout)
    if json:
        print_json("health", address=address, service=service, status=status)
    if status != "SERVING":
        fail(f"{address} is {status}", 1)
    if not json:
        typer.echo(f"{address} is SERVING")
