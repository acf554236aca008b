"""The commands, put together."""

import typer

from modstream.cli import look, messages, registry, roles, system, topics

app = typer.Typer(
    name="modstream",
    help="Predictions over Kafka, answered once, by models that learn from late labels.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

RUN, SAY, KEEP, LOOK = "Run", "Send and read", "Models and topics", "Look"

app.command(rich_help_panel=RUN)(system.demo)
app.command(rich_help_panel=RUN)(system.up)
app.command(rich_help_panel=RUN)(roles.worker)
app.command(rich_help_panel=RUN)(roles.joiner)
app.command(rich_help_panel=RUN)(roles.learner)
app.command(rich_help_panel=SAY)(messages.produce)
app.command(rich_help_panel=SAY)(messages.consume)
app.command(rich_help_panel=SAY)(messages.load)
app.add_typer(registry.app, name="models", rich_help_panel=KEEP)
app.add_typer(topics.app, name="topics", rich_help_panel=KEEP)
app.command(rich_help_panel=LOOK)(look.config)
app.command(rich_help_panel=LOOK)(look.doctor)
