# The pipeline as an image, from the lock file alone; for the commented work pools of prefect.yaml.
#   docker build -t autoencoder-pipeline .
#   docker run -v DATA:/data:ro -v ARTIFACTS:/app/artifacts autoencoder-pipeline \
#     python flows/full.py --data /data
# ARTIFACTS must be writable for user 1000, or give another one with --user.
FROM python:3.13-slim
WORKDIR /app
COPY requirements.lock pyproject.toml README.md LICENSE ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock -c requirements.lock
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
# A command, not an entry point: Prefect's workers put their own in its place
CMD ["python", "flows/full.py"]
