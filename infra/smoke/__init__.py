"""What we only assume of AWS, measured: on an account, or on the local cloud for comparison."""
