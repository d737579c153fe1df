"""What can be measured of a model on a task; one file a probe."""
