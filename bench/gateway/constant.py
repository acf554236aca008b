"""The limit: the gateway's own HTTP server before an application that answers a constant.

python -m bench.gateway.constant PORT
"""

import sys

import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from modstream.producers.gateway.http.server import HttpServer
from modstream.producers.gateway.settings import GatewaySettings

BODY = (
    b'{"model_name":"logistic","model_version":"1","id":"0123456789",'
    b'"parameters":{"request_id":"0123456789abcdef0123456789abcdef"},"outputs":['
    b'{"name":"label","shape":[1],"datatype":"INT64","data":[1]},'
    b'{"name":"probabilities","shape":[1,2],"datatype":"FP64","data":[[0.25,0.75]]}]}'
)


async def infer(request: Request) -> Response:
    """Read the body, and answer the constant."""
    await request.body()
    return Response(BODY, media_type="application/json")


def main() -> None:
    """Serve until SIGTERM."""
    app = Starlette(routes=[Route("/v2/models/{model}/infer", infer, methods=["POST"])])
    server = HttpServer(app, GatewaySettings(port=int(sys.argv[1])))
    uvloop.run(server.serve())


if __name__ == "__main__":
    main()
