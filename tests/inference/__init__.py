"""The Open Inference Protocol, part by part and with its real clients."""
