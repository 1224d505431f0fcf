"""What a cluster really calls: Kubernetes objects become targets. run.py is the story. Pure.

kubernetes/ is the only reader of the Kubernetes API.

Public: run.collect, issuers.with_issuers, kubelets.networks_of, kubernetes.{client, recorded, kubeconfig, eks_token}.
"""
