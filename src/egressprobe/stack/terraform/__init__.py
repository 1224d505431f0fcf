"""The Terraform module deploy/terraform, generated from template.yaml so that the two cannot differ."""
