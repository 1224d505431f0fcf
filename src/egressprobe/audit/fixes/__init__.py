"""What fixes a blocked path: candidates for each kind of blocker, tried on the snapshot before a command is printed."""
