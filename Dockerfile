# The pipeline as an image, built from the runtime lock file alone: no tools of tests or checks. It runs
# the main job, the server (docs/operations.md has the commands), or what a worker asks for.
FROM python:3.13-slim
# flows/ops/attached.py calls `ps` to end the runs of a worker
RUN apt-get update \
    && apt-get install --yes --no-install-recommends procps \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY requirements-runtime.lock pyproject.toml README.md LICENSE ./
RUN pip install --no-cache-dir --require-hashes -r requirements-runtime.lock -c requirements-runtime.lock
COPY autoencoders autoencoders
COPY tasks tasks
COPY flows flows
COPY data/sample data/sample
COPY prefect.yaml ./
RUN pip install --no-cache-dir --no-deps --no-build-isolation -e .
ENV DO_NOT_TRACK=1 PREFECT_SERVER_ANALYTICS_ENABLED=false PREFECT_FLOWS_HEARTBEAT_FREQUENCY=30 \
    HOME=/home/pipeline PREFECT_HOME=/home/pipeline/.prefect
RUN useradd --create-home --uid 1000 pipeline \
    && chmod a+rwx /home/pipeline \
    && install -d -o pipeline /app/artifacts /home/pipeline/.prefect
USER pipeline
VOLUME /app/artifacts /home/pipeline/.prefect
EXPOSE 4200
# A command rather than an entry point: Prefect's workers replace it with their own
CMD ["python", "flows/full.py"]
