"""Commands about what a deployed stack recorded, one module each."""
