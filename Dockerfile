# The pipeline as an image, from the lock file alone; for the commented work pools of prefect.yaml.
#   docker build -t autoencoder-pipeline .
#   docker run -v DATA:/data:ro -v ARTIFACTS:/app/artifacts autoencoder-pipeline --data /data
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
ENV DO_NOT_TRACK=1 PREFECT_SERVER_ANALYTICS_ENABLED=false
VOLUME /app/artifacts
ENTRYPOINT ["python", "flows/full.py"]
