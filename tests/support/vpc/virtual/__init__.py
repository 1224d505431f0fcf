"""A virtual VPC: network namespaces that behave like a snapshot's VPC, so that the audit's word meets real packets."""
