"""Making bundles, at build time: nothing here is imported, or shipped, in a function."""
