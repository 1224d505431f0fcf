# Generated from template.yaml, which says why each is as it is, by make docs: change that one.

output "discover_role_arn" {
  description = "The role that reads the cluster; for clusters without access entries map it in aws-auth (groups - egressprobe)"
  value       = local.discovers ? local.lacks_discover_role ? aws_iam_role.discover_role[0].arn : var.discover_role_arn : null
}

output "planner_function" {
  description = "The function for people to invoke (egressprobe invoke --stack)"
  value       = aws_lambda_function.planner.function_name
}

output "schedule_group" {
  description = "Schedules with the plan"
  value       = aws_scheduler_schedule_group.schedules.name
}

output "page_topic" {
  description = "Topic of the pages"
  value       = local.page_topic
}

output "probe_log_group" {
  description = "Logs of every probe"
  value       = aws_cloudwatch_log_group.probe_logs.name
}

output "dashboard_url" {
  description = "Overview of paths, probes and the plan"
  value       = local.make_dashboard ? local.dashboard_url : null
}
