"""A local cloud: moto as control plane, real execution environments as data plane."""
