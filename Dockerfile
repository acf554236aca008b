# One image for all services of the application: each is a command of `modstream`.
# `--build-arg REQUIREMENTS=serving` leaves out what only training, seeding and plots need.
# A digest pins the base: `--build-arg PYTHON_IMAGE=python:3.13-slim@sha256:...`.
ARG PYTHON_IMAGE=python:3.13-slim

# The libraries are a layer of their own, which a change of the sources leaves as it is.
FROM ${PYTHON_IMAGE} AS libraries
ARG REQUIREMENTS=full
COPY requirements/${REQUIREMENTS}.txt /tmp/requirements.txt
RUN python -m venv --without-pip /opt/venv \
 && pip --python /opt/venv/bin/python install --no-cache-dir --no-compile --no-deps \
      --require-hashes -r /tmp/requirements.txt \
 && find /opt/venv -type d \( -name tests -o -name test \) -path '*site-packages*' -prune -exec rm -r {} + \
 && /opt/venv/bin/python -m compileall -q -j 0 /opt/venv/lib

FROM ${PYTHON_IMAGE} AS application
WORKDIR /src
COPY requirements/build.txt ./
RUN python -m venv --without-pip /opt/build \
 && pip --python /opt/build/bin/python install --no-cache-dir --require-hashes -r build.txt
COPY pyproject.toml README.md LICENSE ./
COPY broker broker
COPY models models
COPY processors processors
COPY producers producers
COPY modstream modstream
RUN /opt/build/bin/python -c 'from setuptools.build_meta import build_wheel; build_wheel("/tmp")' \
 && pip --python /opt/build/bin/python install --no-cache-dir --no-compile --no-deps --no-index \
      --target /opt/modstream /tmp/modstream-*.whl \
 && sed -i '1s|.*|#!/opt/venv/bin/python|' /opt/modstream/bin/modstream \
 && python -m compileall -q -j 0 /opt/modstream

FROM ${PYTHON_IMAGE}
RUN groupadd --gid 10001 modstream \
 && useradd --uid 10001 --gid 10001 --create-home modstream \
 && install -d -o modstream -g modstream -m 0700 /home/modstream/backups
COPY --from=libraries /opt/venv /opt/venv
COPY --from=application /opt/modstream /opt/modstream
ENV PATH=/opt/modstream/bin:/opt/venv/bin:$PATH PYTHONPATH=/opt/modstream \
    PYTHONDONTWRITEBYTECODE=1 MPLCONFIGDIR=/tmp/matplotlib \
    MODSTREAM_HOME=/home/modstream MODSTREAM_LOG_FORMAT=json
USER 10001:10001
WORKDIR /home/modstream
# Every service writes health reports; those of this container are read.
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s CMD ["modstream", "health"]
ENTRYPOINT ["modstream"]
CMD ["--help"]
