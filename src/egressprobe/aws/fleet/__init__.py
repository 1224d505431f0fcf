"""Reading many clusters of one account side by side."""
