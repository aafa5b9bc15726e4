"""The Open Inference Protocol (version 2, REST), for models that Warmer has loaded.

What inference clients of KServe and Triton speak, over a Function URL or an HTTP API, and as the
event of a direct invoke. Rules are those of "Open Inference Protocol: HTTP/REST" (KServe,
open-inference-protocol/specification/protocol/inference_rest.md), of "V2 Inference Protocol" where
that leaves data types, parameters and platforms open, and of Triton's "Binary Tensor Data
Extension".

It ships in a function: what it imports beyond numpy is loaded there anyway.
"""
