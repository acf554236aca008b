"""OpenTelemetry traces: spans of calls, of sent records and of processed batches.

`ports` and `open` import no OpenTelemetry library; `provider` imports the others, if traces are on.
"""
