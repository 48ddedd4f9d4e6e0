"""What MLflow is told of results, and what is read back from its store."""
