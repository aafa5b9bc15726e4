"""What lives in a clone only: the local cloud, packaging, the demo, training."""
