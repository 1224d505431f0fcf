# What switches a cluster in Terraform: one argument of vpc_config, and nothing else of the cluster in the same apply.
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.52" # the first that knows control_plane_egress_mode
    }
  }
}

variable "role_arn" {
  type = string
}

variable "subnet_ids" {
  type = list(string)
}

resource "aws_eks_cluster" "prod" {
  name     = "prod"
  role_arn = var.role_arn

  vpc_config {
    subnet_ids                = var.subnet_ids
    control_plane_egress_mode = "CUSTOMER_ROUTED"
  }

  lifecycle {
    # A configuration that goes back to AWS_MANAGED replaces the cluster. This refuses such a plan.
    prevent_destroy = true
  }
}
