"""The peer: messages in, decisions out. Only `peer` calls the other modules: a star, not a web."""
