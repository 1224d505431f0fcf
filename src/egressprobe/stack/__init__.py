"""Operator's tools: expand the template, deploy, destroy, package, price. They run on a person's machine or in CI.

`deployment`: what is deployed, read from its Planner; `access`: policies and roles; `fleet`: the clusters of a file, by
StackSets; `fleet_dashboard`: a row for each of them; `terraform`: the module made of the template.

Public: deployment.{Deployment, deployment_of, deployment_of_cluster}, planner_client.*, aws_answers.failures_as_lines,
drill.run, observing.{flows, history}.
"""
