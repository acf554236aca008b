"""The commands, put together."""

from modstream.cli.lazy import Entry, lazy_group

RUN, SAY, KEEP, LOOK = "Run", "Send and read", "Models and topics", "Look"

COMMANDS = {
    "demo": Entry(
        "modstream.cli.system:demo", "Replay real flights, live, and report from Kafka.", RUN
    ),
    "up": Entry("modstream.cli.system:up", "Run the whole system until Ctrl-C.", RUN),
    "worker": Entry("modstream.cli.worker:worker", "Answer a stream's requests.", RUN),
    "joiner": Entry("modstream.cli.joiner:joiner", "Join late labels with predictions.", RUN),
    "learner": Entry("modstream.cli.learner:learner", "Learn from labels, publish versions.", RUN),
    "retrainer": Entry(
        "modstream.cli.train:retrainer", "Retrain whenever a model decays or is rolled back.", RUN
    ),
    "train": Entry("modstream.cli.train:train", "Retrain a challenger from feedback.", KEEP),
    "produce": Entry("modstream.cli.produce_consume:produce", "Send requests or labels.", SAY),
    "consume": Entry("modstream.cli.produce_consume:consume", "Print what a topic holds.", SAY),
    "load": Entry("modstream.cli.load:load", "Send an open-loop load, report latencies.", SAY),
    "verify": Entry(
        "modstream.cli.verify:verify", "Prove that every request is answered once.", LOOK
    ),
    "trace": Entry("modstream.cli.trace:trace", "Tell the whole story of one request.", LOOK),
    "replay": Entry(
        "modstream.cli.backtest:replay", "Score recorded requests with any version.", LOOK
    ),
    "fences": Entry(
        "modstream.cli.trace:fences", "List which version answers from which offset on.", LOOK
    ),
    "config": Entry("modstream.cli.diagnostics:config", "Print the settings in force.", LOOK),
    "health": Entry("modstream.cli.diagnostics:health", "Say how the running workers are.", LOOK),
    "doctor": Entry("modstream.cli.diagnostics:doctor", "Check what a run stands on.", LOOK),
}
MODELS = {
    "publish": Entry("modstream.cli.publish:publish", "Publish a model file as a new version."),
    "seed": Entry("modstream.cli.publish:seed", "Train and publish the demo's two models."),
    "list": Entry("modstream.cli.registry:list_", "List models, versions and aliases."),
    "show": Entry("modstream.cli.registry:show", "Show a version's card, or the aliases' history."),
    "promote": Entry("modstream.cli.registry:promote", "Point an alias at a version."),
    "rollback": Entry("modstream.cli.registry:rollback", "Point an alias back."),
    "restore": Entry("modstream.cli.restore:restore", "Put back what Redis has lost."),
}
TOPICS = {
    "create": Entry("modstream.cli.topics:create", "Create a stream's missing topics."),
    "list": Entry("modstream.cli.topics:list_", "List topics, partitions and records."),
    "describe": Entry("modstream.cli.topics:describe", "Say what each topic carries."),
    "lag": Entry("modstream.cli.topics:lag", "Show how far each role is behind."),
}
DLQ = {
    "list": Entry("modstream.cli.dlq:list_", "List a stream's dead letters by cause."),
    "show": Entry("modstream.cli.dlq:show", "Show the letters of a cause, or one of them."),
    "redrive": Entry("modstream.cli.dlq:redrive", "Send letters back, each of them once."),
}
QUARANTINE = {
    "list": Entry("modstream.cli.quarantine:list_", "List rows that the guard refused, by rule."),
    "show": Entry("modstream.cli.quarantine:show", "Show the rows of a rule, or one of them."),
    "release": Entry(
        "modstream.cli.quarantine:release", "Send rows back to be learned, once each."
    ),
}

app = lazy_group(
    COMMANDS,
    name="modstream",
    help="Predictions over Kafka, answered once, by models that learn from late labels.",
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(
    lazy_group(MODELS, help="Publish models and move the aliases that serve."),
    name="models",
    rich_help_panel=KEEP,
)
app.add_typer(
    lazy_group(TOPICS, help="Create a stream's topics and look at them."),
    name="topics",
    rich_help_panel=KEEP,
)
app.add_typer(
    lazy_group(DLQ, help="Look at a stream's dead letters and send them back."),
    name="dlq",
    rich_help_panel=SAY,
)
app.add_typer(
    lazy_group(QUARANTINE, help="Look at rows that were not learned and release them."),
    name="quarantine",
    rich_help_panel=SAY,
)
