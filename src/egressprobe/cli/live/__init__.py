"""Commands that go on until they are ended, and the terminal that they draw on."""
