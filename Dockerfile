# The pipeline as an image, built from the lock file alone; for the commented work pools of prefect.yaml.
#   docker build -t autoencoder-pipeline .
#   docker run -v DATA:/data:ro -v ARTIFACTS:/app/artifacts autoencoder-pipeline \
#     python flows/full.py --data /data
# ARTIFACTS must be writable by user 1000; choose another user with --user.
FROM python:3.13-slim
# flows/ops/supervisor.py calls `ps`
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
    HOME=/home/pipeline
RUN useradd --create-home --uid 1000 pipeline \
    && chmod a+rwx /home/pipeline \
    && install -d -o pipeline /app/artifacts
USER pipeline
VOLUME /app/artifacts
# A command rather than an entry point: Prefect's workers replace it with their own
CMD ["python", "flows/full.py"]
