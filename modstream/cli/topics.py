"""`modstream topics`: create, list and describe topics, show consumer lag."""

from modstream.broker.client.admin import Admin
from modstream.cli.options import JsonOption, StreamArgument
from modstream.cli.output import print_rows, stderr
from modstream.settings import load_settings


def create(stream: StreamArgument = None) -> None:
    """Create the topics of a stream that are missing, and wait until they are ready."""
    settings = load_settings(stream=stream)
    created = Admin(settings.connection).create(settings.topic_specs())
    stderr.print(f"created {', '.join(created)}" if created else "all topics exist already")


def list_(as_json: JsonOption = False) -> None:
    """List the topics of this installation with their partitions and records."""
    settings = load_settings()
    topics = [
        {"topic": state.name, "partitions": state.partitions, "records": state.records}
        for state in Admin(settings.connection).topics(settings.prefix)
    ]
    print_rows(topics, as_json=as_json, empty="no topics yet; create them: modstream topics create")


def describe(stream: StreamArgument = None, as_json: JsonOption = False) -> None:
    """Describe the contents and the configuration of each of a stream's topics."""
    topics = [
        {
            "topic": spec.name,
            "contents": spec.description,
            "partitions": spec.partitions,
            **({"config": spec.config} if as_json else {"cleanup": spec.config["cleanup.policy"]}),
        }
        for spec in load_settings(stream=stream).topic_specs()
    ]
    print_rows(topics, as_json=as_json, empty="")


def lag(stream: StreamArgument = None, as_json: JsonOption = False) -> None:
    """Show the lag of worker, joiner and learner in records, by partition."""
    settings = load_settings(stream=stream)
    admin, topics = Admin(settings.connection), settings.topics()
    inputs = {
        "worker": [topics.requests],
        "joiner": [topics.predictions, topics.labels],
        "learner": [topics.feedback],
    }
    lags = [
        {"service": service, "topic": home.topic, "partition": home.partition, "lag": records}
        for service, names in inputs.items()
        for home, records in sorted(admin.lag(topics.group(service), names).items())
    ]
    print_rows(lags, as_json=as_json, empty="")
