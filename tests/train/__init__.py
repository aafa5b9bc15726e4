"""The training of the demo models and what it committed."""
