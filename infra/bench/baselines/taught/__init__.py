"""The baseline "taught"."""
