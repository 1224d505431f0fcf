"""The only reader of the Kubernetes API (live, by kubeconfig, recorded) and the object shapes it needs."""
