# Generated from template.yaml, which says why each is as it is, by make docs: change that one.

resource "aws_scheduler_schedule_group" "schedules" {
  name = "${var.name_prefix}-${local.id}"
  tags = {
    "egressprobe:cluster" = var.cluster_name
  }
}

resource "aws_scheduler_schedule_group" "planner_schedule_group" {
  name = "${var.name_prefix}-${local.id}-planner"
  tags = {
    "egressprobe:cluster" = var.cluster_name
  }
}

resource "aws_scheduler_schedule" "planner_schedule" {
  name                = "${var.name_prefix}-${local.id}-planner-schedule"
  group_name          = aws_scheduler_schedule_group.planner_schedule_group.name
  description         = "egressprobe ${var.cluster_name}: reconciles the plan"
  schedule_expression = "rate(15 minutes)"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_function.planner.arn
    role_arn = local.make_planner_schedule_role ? aws_iam_role.planner_schedule_role[0].arn : var.planner_schedule_role_arn
    input    = "{\"action\": \"plan\"}"

    retry_policy {
      maximum_retry_attempts       = 0
      maximum_event_age_in_seconds = 60
    }
  }

  depends_on = [aws_iam_role_policy.planner_schedule_role_invoke_planner]
}
