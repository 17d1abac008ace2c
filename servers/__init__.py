"""The client-server file host: what is said, how it is decided, who takes part, where it runs."""
