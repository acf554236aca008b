# One image for the application; worker, joiner, learner and load generator are its commands.
FROM python:3.13-slim

WORKDIR /app
COPY pyproject.toml README.md LICENSE ./
COPY broker broker
COPY models models
COPY processors processors
COPY producers producers
COPY modstream modstream
RUN pip install --no-cache-dir --no-compile . && useradd --create-home modstream

USER modstream
ENV MODSTREAM_HOME=/home/modstream MODSTREAM_LOG_FORMAT=json
ENTRYPOINT ["modstream"]
CMD ["--help"]
