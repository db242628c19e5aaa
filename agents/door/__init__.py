"""The door: messages that come in over HTTP, and what people did with them in their own tools."""
