"""The smoke run's measures."""
