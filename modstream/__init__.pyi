from modstream.broker.client.connection import Connection as Connection
from modstream.broker.wire.contracts import ErrorResponse as ErrorResponse
from modstream.broker.wire.contracts import Prediction as Prediction
from modstream.broker.wire.topics import Topics as Topics
from modstream.producers.client.client import Client as Client

__version__: str
