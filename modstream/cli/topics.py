"""`modstream topics`: create, list and describe topics, show consumer lag."""

from modstream.broker.client.admin import Admin
from modstream.cli.options import JsonOption, StreamArgument
from modstream.cli.output import print_rows, stderr
from modstream.cli.servers import require_kafka, require_stream
from modstream.live.lag import input_topics, service_lags
from modstream.settings import load_settings


def create(stream: StreamArgument = None) -> None:
    """Create the topics of a stream that are missing, and wait until they are ready."""
    settings = load_settings(stream=stream)
    require_kafka(settings)
    created = Admin(settings.connection).create(settings.topic_specs())
    stderr.print(f"created {', '.join(created)}" if created else "all topics exist already")


def list_(as_json: JsonOption = False) -> None:
    """List the topics of this installation with their partitions and records."""
    settings = load_settings()
    require_kafka(settings)
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
    """Show the lag of worker, joiner and learner in records, by partition, and whether they run.

    A service that has never read the stream has no lag. It is not listed, but named.
    """
    settings = load_settings(stream=stream)
    require_stream(settings)
    topics = settings.topics()
    services = service_lags(settings.connection, topics)
    lags = [
        {
            "service": one.service,
            "running": one.is_running,
            "topic": partition.topic,
            "partition": partition.partition,
            "lag": records,
        }
        for one in services
        for partition, records in sorted(one.records.items())
    ]
    print_rows(lags, as_json=as_json, empty=f"no service has read {topics.stream} yet")
    absent = set(input_topics(topics)) - {one.service for one in services}
    if absent and services:
        names = " and ".join(sorted(absent))
        stderr.print(f"not listed, has not read {topics.stream} yet: {names}", highlight=False)
