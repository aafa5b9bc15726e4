"""The control plane of the local cloud, in this process."""
