"""AWS Network Firewall as data, and what its rules do with one connection: what passes, what is dropped and where."""
