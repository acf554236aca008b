"""The `modstream` command with all its subcommands, their help panels and overview lines."""

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
        "modstream.cli.system:up", "Run the whole system on this machine until Ctrl-C.", RUN
    ),
    "worker": LazyCommand("modstream.cli.worker:worker", "Answer a stream's requests.", RUN),
    "joiner": LazyCommand(
        "modstream.cli.joiner:joiner", "Join late labels with their predictions.", RUN
    ),
    "learner": LazyCommand(
        "modstream.cli.learner:learner", "Learn from labels and publish new model versions.", RUN
    ),
    "retrainer": LazyCommand(
        "modstream.cli.train:retrainer",
        "Retrain a model when its metrics decay or it is rolled back.",
        RUN,
    ),
    "train": LazyCommand(
        "modstream.cli.train:train", "Train a challenger on recent feedback.", MANAGE
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
        "modstream.cli.verify:verify", "Check that every request is answered once.", INSPECT
    ),
    "trace": LazyCommand("modstream.cli.trace:trace", "Show the history of one request.", INSPECT),
    "backtest": LazyCommand(
        "modstream.cli.backtest:backtest",
        "Score recorded requests with another model version.",
        INSPECT,
    ),
    "versions": LazyCommand(
        "modstream.cli.trace:versions",
        "List which model version answers from which offset on.",
        INSPECT,
    ),
    "config": LazyCommand(
        "modstream.cli.diagnostics:config", "Print the effective settings.", INSPECT
    ),
    "health": LazyCommand(
        "modstream.cli.diagnostics:health", "Show the health of the running services.", INSPECT
    ),
    "doctor": LazyCommand(
        "modstream.cli.diagnostics:doctor",
        "Check that this machine has what modstream needs.",
        INSPECT,
    ),
}
MODELS = {
    "publish": LazyCommand(
        "modstream.cli.publish:publish", "Publish a model file as a new version."
    ),
    "seed": LazyCommand(
        "modstream.cli.publish:seed", "Train and publish the two models of the demo."
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
    "restore": LazyCommand(
        "modstream.cli.restore:restore", "Restore lost versions and aliases from backups."
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

app = lazy_group(
    COMMANDS,
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
