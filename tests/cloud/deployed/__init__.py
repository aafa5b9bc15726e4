"""The local cloud as its users have it: real sam, aws, awslambdaric, sandboxes."""
