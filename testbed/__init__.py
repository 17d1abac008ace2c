"""The ground both architectures stand on. Nothing here knows a protocol."""
