"""Pods of the chart as processes of this machine: their commands, variables and probes."""

import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from tests.deploy.chart import of_kind, pods

START_SECONDS = 300.0


@dataclass
class LocalPod:
    """A pod with a folder in the place of its volumes; a container that starts again keeps them."""

    name: str
    folder: Path
    template: dict
    container: dict
    shared: dict
    process: subprocess.Popen | None = field(default=None)

    @property
    def grace(self):
        return self.template["spec"]["terminationGracePeriodSeconds"]

    @property
    def environment(self):
        """The variables of the container; its directories are those of the pod's folder."""
        own = {one["name"]: one.get("value", self.name) for one in self.container["env"]}
        found = {name: value.replace("$(POD_NAME)", self.name) for name, value in own.items()}
        found["HOME"] = str(self.folder)
        found["MODSTREAM_HOME"] = str(self.folder / ".modstream")
        return {"PATH": os.environ["PATH"], **self.shared, **found}

    def start(self):
        self.folder.mkdir(exist_ok=True)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "modstream", *self.container["args"]],
                env=self.environment,
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )

    def is_ready(self):
        """Return the result of the readiness probe."""
        program, *arguments = self.container["readinessProbe"]["exec"]["command"]
        assert program == "modstream"
        command = [sys.executable, "-m", "modstream", *arguments]
        result = subprocess.run(
            command, env=self.environment, cwd=self.folder, capture_output=True, check=False
        )
        return result.returncode == 0

    def wait_ready(self):
        """Probe until the pod is ready; fail if its process ends."""
        deadline = monotonic() + START_SECONDS
        while not self.is_ready():
            assert monotonic() < deadline, self.log
            with suppress(subprocess.TimeoutExpired):
                code = self.process.wait(0.5)
                raise AssertionError(f"{self.name} ended with {code}: {self.log}")

    def stop(self):
        """End the pod as Kubernetes does; return the seconds that it took."""
        started = monotonic()
        self.process.terminate()
        assert self.process.wait(self.grace) == 0, self.log
        return monotonic() - started

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    @property
    def log(self):
        return (self.folder / "log").read_text()[-2000:]


def local_pods(manifests, role, folder):
    """Return the pods of a StatefulSet, in the order of their numbers."""
    shared = of_kind(manifests, "ConfigMap")["demo-modstream"]["data"]
    found = {name: (template, container) for name, template, container in pods(manifests)}
    name = f"demo-modstream-{role}"
    template, container = found[name]
    number = of_kind(manifests, "StatefulSet")[name]["spec"]["replicas"]
    return [
        LocalPod(one, folder / one, template, container, shared)
        for one in (f"{name}-{ordinal}" for ordinal in range(number))
    ]
