"""The `modstream` command with all its subcommands, their help panels and overview lines."""

from typing import Annotated

import typer

from modstream import __version__
from modstream.cli.lazy import LazyCommand, lazy_group

RUN = "Run"
PRODUCE_CONSUME = "Produce and consume"
MANAGE = "Manage models and topics"
INSPECT = "Inspect and verify"

COMMANDS = {
    "demo": LazyCommand(
        "modstream.cli.system:demo",
        "Replay real flights through the whole system and report the results.",
        RUN,
    ),
    "up": LazyCommand(
        "modstream.cli.up:up", "Run the whole system on this machine until Ctrl-C.", RUN
    ),
    "worker": LazyCommand("modstream.cli.worker:worker", "Answer a stream's requests.", RUN),
    "gateway": LazyCommand(
        "modstream.cli.gateway:gateway",
        "Answer requests over HTTP and gRPC by a stream's workers.",
        RUN,
    ),
    "dashboard": LazyCommand(
        "modstream.cli.dashboard:dashboard", "Serve the pages of a stream to browsers.", RUN
    ),
    "joiner": LazyCommand(
        "modstream.cli.joiner:joiner", "Join late labels with their predictions.", RUN
    ),
    "learner": LazyCommand(
        "modstream.cli.learner:learner", "Learn from labels and publish new model versions.", RUN
    ),
    "retrainer": LazyCommand(
        "modstream.cli.train:retrainer",
        "Retrain a model when its loss or its inputs have changed, or on a schedule.",
        RUN,
    ),
    "materializer": LazyCommand(
        "modstream.cli.materializer:materializer",
        "Keep the newest prediction of each key in a store.",
        RUN,
    ),
    "calibrator": LazyCommand(
        "modstream.cli.calibrator:calibrator",
        "Learn the thresholds of conformal sets from labels.",
        RUN,
    ),
    "aggregator": LazyCommand(
        "modstream.cli.aggregator:aggregator",
        "Compute the features of a stream from its events.",
        RUN,
    ),
    "train": LazyCommand(
        "modstream.cli.train:train",
        "Train a challenger on recent feedback, a file or a data set.",
        MANAGE,
        checks_servers=True,
    ),
    "package": LazyCommand(
        "modstream.cli.package:package", "Build a serverless function of a version.", MANAGE
    ),
    "predict": LazyCommand(
        "modstream.cli.predict:predict", "Ask for predictions and print them.", PRODUCE_CONSUME
    ),
    "batch-predict": LazyCommand(
        "modstream.cli.batch_predict:batch_predict",
        "Predict all rows of a table in this process, without workers.",
        PRODUCE_CONSUME,
    ),
    "precompute": LazyCommand(
        "modstream.cli.precompute:precompute",
        "Predict all rows of a file, a topic or a query, each once.",
        PRODUCE_CONSUME,
    ),
    "lookup": LazyCommand(
        "modstream.cli.lookup:lookup", "Print the newest prediction of a key.", PRODUCE_CONSUME
    ),
    "label": LazyCommand(
        "modstream.cli.label:label",
        "Send true labels and show whether they were joined.",
        PRODUCE_CONSUME,
        allows_negative_numbers=True,
    ),
    "produce": LazyCommand(
        "modstream.cli.produce_consume:produce", "Send requests or labels.", PRODUCE_CONSUME
    ),
    "consume": LazyCommand(
        "modstream.cli.produce_consume:consume", "Print the records of a topic.", PRODUCE_CONSUME
    ),
    "load": LazyCommand(
        "modstream.cli.load:load",
        "Send an open-loop load and report the latencies.",
        PRODUCE_CONSUME,
    ),
    "verify": LazyCommand(
        "modstream.cli.verify:verify",
        "Check that every request is answered once.",
        INSPECT,
        checks_servers=True,
    ),
    "trace": LazyCommand(
        "modstream.cli.trace:trace",
        "Show the history of one request.",
        INSPECT,
        checks_servers=True,
    ),
    "backtest": LazyCommand(
        "modstream.cli.backtest:backtest",
        "Score recorded requests with another model version.",
        INSPECT,
        checks_servers=True,
    ),
    "versions": LazyCommand(
        "modstream.cli.trace:versions",
        "List which model version answers from which offset on.",
        INSPECT,
    ),
    "watch": LazyCommand(
        "modstream.cli.watch:watch", "Show a running stream: rates, lag, labels, quality.", INSPECT
    ),
    "report": LazyCommand(
        "modstream.cli.report:report",
        "Account for a stream's requests and labels; write a page with plots.",
        INSPECT,
    ),
    "config": LazyCommand(
        "modstream.cli.diagnostics:config", "Print the effective settings.", INSPECT
    ),
    "acls": LazyCommand(
        "modstream.cli.acls:acls", "Print the rights of each role in Kafka and Redis.", INSPECT
    ),
    "asyncapi": LazyCommand(
        "modstream.cli.asyncapi:asyncapi", "Print the AsyncAPI document of the topics.", INSPECT
    ),
    "health": LazyCommand(
        "modstream.cli.diagnostics:health", "Show the health of the running services.", INSPECT
    ),
    "doctor": LazyCommand(
        "modstream.cli.doctor:doctor",
        "Check that this machine has what modstream needs.",
        INSPECT,
    ),
}
MODELS = {
    "publish": LazyCommand(
        "modstream.cli.publish:publish",
        "Publish a model file as a new version.",
        checks_servers=True,
    ),
    "mean": LazyCommand(
        "modstream.cli.mean:mean",
        "Publish the mean of published versions as a new version.",
        checks_servers=True,
    ),
    "seed": LazyCommand(
        "modstream.cli.seed:seed",
        "Train and publish the two models of the demo.",
        checks_servers=True,
    ),
    "list": LazyCommand("modstream.cli.registry:list_", "List models, versions and aliases."),
    "show": LazyCommand(
        "modstream.cli.registry:show",
        "Show a version, the history of the aliases, or the gate's decisions.",
    ),
    "promote": LazyCommand("modstream.cli.registry:promote", "Move an alias to a version."),
    "rollback": LazyCommand(
        "modstream.cli.registry:rollback", "Move an alias back to its previous version."
    ),
    "sign": LazyCommand(
        "modstream.cli.signing:sign",
        "Sign versions and aliases again, as after a change of keys.",
    ),
    "bundle": LazyCommand(
        "modstream.cli.bundle:bundle",
        "Write a version with its bill of materials and a signature.",
    ),
    "generate-key": LazyCommand(
        "modstream.cli.signing:generate_key", "Create a key that signs models."
    ),
    "restore": LazyCommand(
        "modstream.cli.restore:restore",
        "Restore lost versions and aliases from backups.",
        checks_servers=True,
    ),
}
PIPELINES = {
    "list": LazyCommand(
        "modstream.cli.pipelines:list_", "List the definitions, and what is published of them."
    ),
    "check": LazyCommand(
        "modstream.cli.pipelines:check",
        "Check definitions against the models that they ask.",
    ),
    "show": LazyCommand(
        "modstream.cli.pipelines:show", "Show a pipeline as text, or draw it as SVG."
    ),
    "publish": LazyCommand(
        "modstream.cli.pipelines:publish",
        "Check a definition and publish it as a new version.",
        checks_servers=True,
    ),
}
DATA = {
    "list": LazyCommand("modstream.cli.data_catalogue:list_", "List the data sets."),
    "show": LazyCommand(
        "modstream.cli.data_catalogue:show", "Show a data set: origin, columns, files, openings."
    ),
    "ingest": LazyCommand(
        "modstream.cli.data_ingest:ingest_",
        "Add the rows of a file, a database, a topic or a schema.",
    ),
    "explore": LazyCommand(
        "modstream.cli.data_explore:explore", "Write a page with the columns of a data set."
    ),
    "validate": LazyCommand(
        "modstream.cli.data_validate:validate", "Name the cells that are not as expected."
    ),
    "split": LazyCommand(
        "modstream.cli.data_split:split", "Divide into a training set and a sealed test set."
    ),
    "wrangle": LazyCommand(
        "modstream.cli.data_wrangle:wrangle", "Make a new data set by named steps."
    ),
    "open": LazyCommand(
        "modstream.cli.data_catalogue:open_", "Open a sealed test set, which is recorded."
    ),
}
EXPERIMENTS = {
    "list": LazyCommand("modstream.cli.experiments:list_", "List the experiments of `train`."),
    "show": LazyCommand(
        "modstream.cli.experiments:show", "Show the data, trials and figures of an experiment."
    ),
    "compare": LazyCommand(
        "modstream.cli.experiments:compare", "Compare experiments, and how they differ."
    ),
    "sync": LazyCommand(
        "modstream.cli.experiments:sync", "Send to MLflow the experiments that it does not have."
    ),
}
RETRAININGS = {
    "list": LazyCommand(
        "modstream.cli.retrainings:list_", "List the retrainings: why, and with which result."
    ),
    "status": LazyCommand(
        "modstream.cli.retrainings:status", "Show what each retrainer has compared last."
    ),
}
TOPICS = {
    "create": LazyCommand("modstream.cli.topics:create", "Create a stream's missing topics."),
    "list": LazyCommand("modstream.cli.topics:list_", "List topics, partitions and records."),
    "describe": LazyCommand(
        "modstream.cli.topics:describe", "Describe the contents and the setup of each topic."
    ),
    "lag": LazyCommand("modstream.cli.topics:lag", "Show the consumer lag of each service."),
}
DLQ = {
    "list": LazyCommand("modstream.cli.dlq:list_", "List a stream's dead letters by cause."),
    "show": LazyCommand("modstream.cli.dlq:show", "Show the dead letters of a cause, or one."),
    "redrive": LazyCommand(
        "modstream.cli.dlq:redrive", "Send dead letters back to their topic, each once."
    ),
}
QUARANTINE = {
    "list": LazyCommand(
        "modstream.cli.quarantine:list_", "List the rows that the guard rejected, by rule."
    ),
    "show": LazyCommand(
        "modstream.cli.quarantine:show", "Show the rows that a rule rejected, or one row."
    ),
    "release": LazyCommand(
        "modstream.cli.quarantine:release", "Send rows back to be learned, each once."
    ),
}
LOG = {
    "export": LazyCommand(
        "modstream.cli.inference_log:export",
        "Write the inference log to Parquet files, each record once.",
    ),
    "query": LazyCommand("modstream.cli.inference_log:query", "Query the exported log by SQL."),
    "erase": LazyCommand(
        "modstream.cli.inference_log:erase_", "Erase the rows of some keys or requests."
    ),
    "expire": LazyCommand(
        "modstream.cli.inference_log:expire_", "Remove the files of the days before a date."
    ),
}
FEATURES = {
    "publish": LazyCommand(
        "modstream.cli.features:publish", "Publish the definitions of a stream's features."
    ),
    "list": LazyCommand("modstream.cli.features:list_", "List the features of a stream."),
    "show": LazyCommand(
        "modstream.cli.features:show", "Show a feature, and its value for a group."
    ),
    "lag": LazyCommand(
        "modstream.cli.features:lag", "Show the events that are not yet counted, by partition."
    ),
    "backfill": LazyCommand(
        "modstream.cli.features:backfill", "Count the events from before a feature was added."
    ),
    "verify": LazyCommand(
        "modstream.cli.features:verify",
        "Compare the features of predictions with the recorded events, bit by bit.",
    ),
}
VIEWS = {
    "build": LazyCommand(
        "modstream.cli.views:build", "Compute a view of the exported log, with its offsets."
    ),
    "show": LazyCommand(
        "modstream.cli.views:show", "Print a view with the records that came since."
    ),
    "list": LazyCommand("modstream.cli.views:list_", "List the views of a stream."),
}
PRIVACY = {
    "scan": LazyCommand(
        "modstream.cli.privacy:scan_", "Find personal data in files and topics by its form."
    ),
    "find": LazyCommand(
        "modstream.cli.privacy:find", "Search a person in topics, files and the store."
    ),
    "protect": LazyCommand(
        "modstream.cli.privacy_protect:protect",
        "Drop, pseudonymise or generalise the columns of a table.",
    ),
    "erase": LazyCommand(
        "modstream.cli.privacy:erase_", "Erase a person, and prove it by a search."
    ),
}
KEYS = {
    "create": LazyCommand("modstream.cli.keys:create", "Create an API key, which is shown once."),
    "list": LazyCommand("modstream.cli.keys:list_", "List the API keys and what they permit."),
    "revoke": LazyCommand("modstream.cli.keys:revoke", "Revoke an API key."),
}


def print_version(is_asked: bool) -> None:  # noqa: FBT001 - the signature is typer's
    """Print the version and exit, if the option is given."""
    if is_asked:
        typer.echo(f"modstream {__version__}")
        raise typer.Exit


def accept_options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Accept the options that precede the name of a command."""


app = lazy_group(
    COMMANDS,
    callback=accept_options,
    name="modstream",
    help="Serve predictions over Kafka, each request answered once, by models that learn from"
    " late labels.",
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(
    lazy_group(MODELS, help="Publish models and move the aliases that are served."),
    name="models",
    rich_help_panel=MANAGE,
)
app.add_typer(
    lazy_group(PIPELINES, help="Check, show and publish pipelines of several models."),
    name="pipelines",
    rich_help_panel=MANAGE,
)
app.add_typer(
    lazy_group(DATA, help="Ingest, explore, validate, split and wrangle data sets."),
    name="data",
    rich_help_panel=MANAGE,
)
app.add_typer(
    lazy_group(EXPERIMENTS, help="List and compare what `train` has tried."),
    name="experiments",
    rich_help_panel=MANAGE,
)
app.add_typer(
    lazy_group(RETRAININGS, help="Show what retrainers have trained, and why."),
    name="retrainings",
    rich_help_panel=MANAGE,
)
app.add_typer(
    lazy_group(TOPICS, help="Create and inspect a stream's topics."),
    name="topics",
    rich_help_panel=MANAGE,
)
app.add_typer(
    lazy_group(DLQ, help="Inspect a stream's dead letters and redrive them."),
    name="dlq",
    rich_help_panel=MANAGE,
)
app.add_typer(
    lazy_group(QUARANTINE, help="Inspect the rows that the guard rejected and release them."),
    name="quarantine",
    rich_help_panel=MANAGE,
)
app.add_typer(
    lazy_group(LOG, help="Export, query and erase the log of a stream's requests."),
    name="log",
    rich_help_panel=INSPECT,
)
app.add_typer(
    lazy_group(FEATURES, help="Publish and inspect the features that a stream computes."),
    name="features",
    rich_help_panel=MANAGE,
)
app.add_typer(
    lazy_group(VIEWS, help="Batch views of a stream's log, merged with its newest records."),
    name="views",
    rich_help_panel=INSPECT,
)
app.add_typer(
    lazy_group(PRIVACY, help="Find personal data in files and topics, and erase a person."),
    name="privacy",
    rich_help_panel=INSPECT,
)
app.add_typer(
    lazy_group(KEYS, help="Create and revoke the API keys of the gateway."),
    name="keys",
    rich_help_panel=MANAGE,
)
