from modstream.broker.client.connection import Connection as Connection
from modstream.broker.wire.contracts import ErrorResponse as ErrorResponse
from modstream.broker.wire.contracts import Prediction as Prediction
from modstream.broker.wire.topics import Topics as Topics
from modstream.local_model import load_model as load_model
from modstream.producers.client.async_client import AsyncClient as AsyncClient
from modstream.producers.client.client import Client as Client
from modstream.settings import load_settings as load_settings

__version__: str
