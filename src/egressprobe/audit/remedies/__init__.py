"""What is said of a fix beside its commands: the changes that take it back, and what it touches. Pure."""
