"""`modstream topics`: create, list, lag."""

from modstream.broker.client.admin import Admin
from modstream.cli.options import AsJson, Stream
from modstream.cli.output import rows, say
from modstream.settings import load_settings


def create(stream: Stream = None) -> None:
    """Create the topics of a stream that are missing, and wait until they are ready."""
    settings = load_settings(stream=stream)
    created = Admin(settings.connection).create(settings.specs())
    say.print(f"created {', '.join(created)}" if created else "all topics were there")


def list_(as_json: AsJson = False) -> None:
    """List the topics of this installation, with partitions and records."""
    settings = load_settings()
    found = [
        {"topic": state.name, "partitions": state.partitions, "records": state.records}
        for state in Admin(settings.connection).topics(settings.prefix)
    ]
    rows(found, as_json=as_json, empty="no topics yet; create them: modstream topics create")


def describe(stream: Stream = None, as_json: AsJson = False) -> None:
    """Say what each topic of a stream carries and how it is set up."""
    specs = load_settings(stream=stream).specs()
    found = [
        {
            "topic": spec.name,
            "carries": spec.meaning,
            "partitions": spec.partitions,
            **({"config": spec.config} if as_json else {"cleanup": spec.config["cleanup.policy"]}),
        }
        for spec in specs
    ]
    rows(found, as_json=as_json, empty="")


def lag(stream: Stream = None, as_json: AsJson = False) -> None:
    """Show how far workers, joiner and learner are behind, by partition."""
    settings = load_settings(stream=stream)
    admin, topics = Admin(settings.connection), settings.topics()
    reads = {
        "worker": [topics.requests],
        "joiner": [topics.predictions, topics.labels],
        "learner": [topics.feedback],
    }
    found = [
        {"role": role, "topic": home.topic, "partition": home.partition, "lag": behind}
        for role, names in reads.items()
        for home, behind in sorted(admin.lag(topics.group(role), names).items())
    ]
    rows(found, as_json=as_json, empty="")
