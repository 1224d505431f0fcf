# One cluster. For a release, source = "git::https://...//deploy/terraform?ref=vX.Y.Z".
terraform {
  required_version = ">= 1.5"
}

provider "aws" {
  region = "eu-west-1"
}

module "egressprobe" {
  source = "../.."

  cluster_name = "prod"

  # aws eks describe-cluster --name prod --query cluster.resourcesVpcConfig
  # A subnet keeps its place; write "-" in the place of one that is removed, and append a new one.
  subnets = [
    "subnet-0a1b2c3d4e5f60718/eu-west-1a",
    "subnet-0b1b2c3d4e5f60718/eu-west-1b",
  ]
  security_group_ids         = ["sg-0a1b2c3d4e5f60718"]
  cluster_security_group_ids = ["sg-0a1b2c3d4e5f60718"]

  # make build ARCH=arm64 TARGETS=targets.yaml
  probe_zip   = "../../../../build/probe.zip"
  planner_zip = "../../../../build/planner.zip"

  alarm_email = "oncall@example.com"
}

output "planner_function" {
  description = "egressprobe invoke --stack takes it"
  value       = module.egressprobe.planner_function
}
