"""Lambda's behaviour through the API of a running cloud, with functions that really run."""
