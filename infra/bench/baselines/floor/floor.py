"""The floor: `import onnxruntime`, a session that maps its weights, and the first `next`.

No runtime client, no handler; with byte-code and a graph that is optimised ahead. What any function
that answers with ONNX Runtime from Python has to do, before anybody's own code.
"""

import os
import socket

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import onnxruntime

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
if os.environ["GRAPH_OPTIMISED"] == "all":
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
session = onnxruntime.InferenceSession(
    os.environ["MODEL_FILE"], options, providers=["CPUExecutionProvider"]
)

host, _, port = os.environ["AWS_LAMBDA_RUNTIME_API"].partition(":")
with socket.create_connection((host, int(port))) as connection:
    connection.sendall(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: runtime\r\n\r\n")
    connection.recv(1)
