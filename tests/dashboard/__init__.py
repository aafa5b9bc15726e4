"""The dashboard: its widgets, their figures, the page and who serves it."""
