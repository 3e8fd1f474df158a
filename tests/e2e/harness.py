"""Everything a test file needs, in one import."""

from certificates import CaWorld, Identity, client_context, server_context
from clients import (
    ConnectForwarder,
    Curled,
    connect,
    connect_answer,
    curl,
    dial,
    get,
    h2_through,
    run,
    send_request,
    splice,
    tls_inside,
    tls_through,
)
from gateway import (
    DEADLINE_S,
    REPOSITORY,
    Gateway,
    check_record,
    eventually,
    host_name,
    kill_group,
    read_line,
    schema_fields,
    spawn,
    split_address,
)
from h2peer import CANCEL, HTTP_1_1_REQUIRED, INTERNAL_ERROR, H2Origin, H2Peer, H2Stream, Reset, reply
from nginx import SUB_RESOURCES, Nginx, free_port
from origins import Origin, ScriptedOrigin, Visit, answering, chunked, echo, once, response, unique_name
from streams import (
    TIMEOUT_S,
    End,
    Ended,
    Message,
    Stream,
    TlsStream,
    read_content,
    read_head,
    read_request,
    read_response,
)

__all__ = [name for name in dir() if not name.startswith("_")]
