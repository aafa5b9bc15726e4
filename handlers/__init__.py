"""The functions that the template deploys."""
