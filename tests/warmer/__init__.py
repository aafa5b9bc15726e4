"""The core: protocol, environment, middleware, models."""
