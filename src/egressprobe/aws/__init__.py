"""The only readers of AWS: EKS, EC2, Route 53, IAM, CloudTrail; responses become frozen structs.

A list that cannot be read is None, never empty, and nothing here raises botocore's exceptions.

Public: session.{by_name, by_profile}, cluster, eks.Cluster, vpc_snapshot.{read_snapshot, readers}.
"""
