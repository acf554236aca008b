"""A process that handles records of one partition under a crash guard, and may die of one.

    python -m tests.broker.loop.crashing_process FOLDER COMMITTED COUNT BATCH POISON WAY

It handles the offsets from COMMITTED to before COUNT in batches, and prints each result as a JSON
line when its batch is done: a batch in which the process dies is delivered by none. WAY is how the
record with the offset POISON ends the process.
"""

import ctypes
import json
import os
import signal
import sys
import threading
from functools import partial
from pathlib import Path

from modstream.broker.loop.crash_guard import CrashGuard
from modstream.broker.loop.crash_journal import CrashJournal
from modstream.broker.wire.records import Record
from modstream.process.native_faults import NativeFaultHandler

TIMEOUT_SECONDS = 2.0


def kill_itself():
    os.kill(os.getpid(), signal.SIGKILL)


def segfault():
    ctypes.string_at(0)


def exit_natively():
    ctypes.CDLL(None)._exit(0)


def abort():
    os.abort()


def hang_with_the_lock():
    """Hang in native code that holds the interpreter's lock: PyDLL does not release it."""
    ctypes.PyDLL(None).sleep(600)


def hang_in_python(journal):
    """Hang, as the watchdog of a worker finds and ends it."""
    threading.Timer(0.3, end_stalled, [journal]).start()
    threading.Event().wait()


def end_stalled(journal):
    journal.note_stall("stalled: nothing was delivered", 0.2)
    os._exit(75)


def killed_while_released(journal):
    """Die with nothing in hand, as between two batches."""
    journal.release()
    kill_itself()


WAYS = {
    "kill": lambda journal: kill_itself(),
    "segfault": lambda journal: segfault(),
    "exit": lambda journal: exit_natively(),
    "abort": lambda journal: abort(),
    "lock": lambda journal: hang_with_the_lock(),
    "hang": hang_in_python,
    "released": killed_while_released,
    "parent": lambda journal: None,
}


def main(folder, committed, count, batch, poison, way):
    poisons = set(map(int, poison.split(","))) if poison else set()

    def work(records, journal, parent):
        for record in records:
            if record.offset in poisons:
                if way == "parent" and os.getpid() == parent:
                    kill_itself()  # Whoever kills a process from outside kills no copy of it.
                WAYS[way](journal)
        return [{"offset": record.offset} for record in records]

    def set_aside(record, error):
        return [{"offset": record.offset, "error": str(error), "code": error.code}]

    with (
        CrashJournal(Path(folder)) as journal,
        NativeFaultHandler(TIMEOUT_SECONDS, journal.report),
    ):
        guard = CrashGuard(journal, "t", lambda _: 0, 5.0)
        for start in range(int(committed), int(count), int(batch)):
            offsets = range(start, min(start + int(batch), int(count)))
            records = [Record("t", 0, at, None, b"value %d" % at, (), at) for at in offsets]
            in_thread = []
            thread = threading.Thread(
                target=lambda records=records, found=in_thread: found.extend(
                    guard.run(
                        partial(work, journal=journal, parent=os.getpid()), records, set_aside
                    )
                )
            )
            thread.start()
            thread.join()
            for results in in_thread:
                for result in results:
                    print(json.dumps(result))  # noqa: T201 - the parent reads it
            print(json.dumps({"committed": offsets.stop}), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
