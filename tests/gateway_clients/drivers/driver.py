"""What the drivers have in common: calls come in as JSON on stdin, results go out on stdout.

A driver runs in the environment of its client. It is given the addresses of a gateway and calls;
each result has the outputs of a call, or the client's own error as a text.
"""

import json
import sys
import time


def run(infer, describe):
    """Make the calls of stdin and print their results.

    Args:
        infer: makes a call, given the addresses and the call.
        describe: returns what the client tells about the server and a model, given the addresses
            and the model's name.
    """
    task = json.load(sys.stdin)
    results = {"calls": [result_of(infer, task, call) for call in task["calls"]]}
    if task.get("describe"):
        results["description"] = describe(task, task["describe"])
    json.dump(results, sys.stdout)


def result_of(infer, task, call):
    """Return the result of a call."""
    start = time.perf_counter()
    try:
        found = infer(task, call)
    except Exception as error:  # noqa: BLE001 - which one it is, the test decides
        found = {"error": f"{type(error).__name__}: {error}"}
    return found | {"seconds": time.perf_counter() - start}
