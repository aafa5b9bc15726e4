"""The demo models: trained, exported to ONNX."""
