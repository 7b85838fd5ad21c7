"""What users rely on, with real components."""
