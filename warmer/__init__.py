"""Warmer: cold-start warm-up for ONNX models on AWS Lambda."""
