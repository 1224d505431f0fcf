"""What the options that every command has say, for the run of one command."""
