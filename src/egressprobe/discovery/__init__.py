"""What a cluster really calls: read from EKS and the Kubernetes API, made into targets."""
