"""What makes a function a cached, kill-safe, explainable Prefect task. It knows no stage."""
