# Generated from template.yaml, which says why each is as it is, by make docs: change that one.

resource "aws_cloudwatch_event_rule" "alarm_changes" {
  count = local.sends_causes ? 1 : 0

  name        = "${var.name_prefix}-${local.id}-alarm-changes"
  description = "egressprobe ${var.cluster_name}: an alarm about a path has changed; the Planner looks for the cause"
  event_pattern = jsonencode({
    source        = ["aws.cloudwatch"]
    "detail-type" = ["CloudWatch Alarm State Change", "CloudWatch Alarm Contributor State Change"]
    detail = {
      alarmName = [
        aws_cloudwatch_metric_alarm.targets.alarm_name,
        aws_cloudwatch_metric_alarm.uncounted.alarm_name,
        aws_cloudwatch_metric_alarm.notices.alarm_name,
        aws_cloudwatch_metric_alarm.egress_down.alarm_name,
        aws_cloudwatch_metric_alarm.egress_would_fail.alarm_name,
        aws_cloudwatch_composite_alarm.path_broken.alarm_name,
      ]
    }
  })
}

resource "aws_cloudwatch_event_target" "alarm_changes_planner" {
  count = local.sends_causes ? 1 : 0

  rule      = aws_cloudwatch_event_rule.alarm_changes[0].name
  target_id = "planner"
  arn       = aws_lambda_function.planner.arn

  retry_policy {
    maximum_retry_attempts       = 20
    maximum_event_age_in_seconds = 600
  }
}

resource "aws_sns_topic" "topic" {
  count = local.make_topic ? 1 : 0

  name              = "${var.name_prefix}-${local.id}-topic"
  display_name      = "egressprobe"
  kms_master_key_id = local.has_key ? var.kms_key_arn : null
  tags = {
    "egressprobe:cluster" = var.cluster_name
  }
}

resource "aws_sns_topic_policy" "topic_policy" {
  count = local.make_topic ? 1 : 0

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Principal = {
          Service = "cloudwatch.amazonaws.com"
        }
        Action   = "sns:Publish"
        Resource = aws_sns_topic.topic[0].arn
        Condition = {
          StringEquals = {
            "aws:SourceAccount" = local.account
          }
        }
      },
    ]
  })
  arn = aws_sns_topic.topic[0].arn
}

resource "aws_sns_topic_subscription" "subscription" {
  count = local.make_subscription ? 1 : 0

  topic_arn = aws_sns_topic.topic[0].arn
  protocol  = "email"
  endpoint  = var.alarm_email
}
