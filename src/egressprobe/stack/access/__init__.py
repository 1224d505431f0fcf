"""What the stack lets others do, and what its roles may: policy documents."""
