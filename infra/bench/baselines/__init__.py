"""What the benchmark of the start compares with."""
