# Generated from template.yaml, which says why each is as it is, by make docs: change that one.

resource "aws_cloudcontrolapi_resource" "heartbeat" {
  for_each = toset(local.slots)

  type_name = "AWS::CloudWatch::Alarm"
  desired_state = jsonencode({
    AlarmName        = "egressprobe ${var.cluster_name} silent in slot ${each.key}"
    AlarmDescription = "No measurement from ${var.subnets[each.key]} in 3 of 5 minutes: failures there would not be seen. ${local.has_runbook ? "${var.runbook_url}#silent-in-slot-n" : local.dashboard_url}"
    Namespace        = "EgressProbe"
    MetricName       = "MeasuredShare"
    Dimensions = [
      {
        Name  = "ClusterName"
        Value = var.cluster_name
      },
      {
        Name  = "SubnetId"
        Value = split("/", var.subnets[each.key])[0]
      },
    ]
    Statistic          = "SampleCount"
    Period             = 60
    EvaluationPeriods  = 5
    DatapointsToAlarm  = 3
    ComparisonOperator = "LessThanThreshold"
    Threshold          = 1
    TreatMissingData   = "breaching"
    WarmUpConfiguration = {
      WarmUpPeriodDurationInMinutes = 20
    }
  })
}

resource "aws_cloudwatch_metric_alarm" "failing" {
  for_each = toset(local.slots)

  alarm_name          = "egressprobe ${var.cluster_name} failing in slot ${each.key}"
  alarm_description   = "Targets that block requests failed from ${var.subnets[each.key]}; ends only when all of its targets were measured and none fails. ${local.has_runbook ? "${var.runbook_url}#failing-in-slot-n" : local.dashboard_url}"
  evaluation_periods  = 4
  datapoints_to_alarm = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "ignore"

  metric_query {
    id          = "evidence"
    return_data = true
    expression  = "IF((measured > 0.999999 AND measured < 1.000001) OR failures > 0, failures)"
  }

  metric_query {
    id          = "failures"
    return_data = false

    metric {
      stat        = "Maximum"
      period      = 60
      namespace   = "EgressProbe"
      metric_name = "BlockingFailures"
      dimensions = {
        ClusterName = var.cluster_name
        SubnetId    = split("/", var.subnets[each.key])[0]
      }
    }
  }

  metric_query {
    id          = "measured"
    return_data = false

    metric {
      stat        = "Sum"
      period      = 60
      namespace   = "EgressProbe"
      metric_name = "MeasuredShare"
      dimensions = {
        ClusterName = var.cluster_name
        SubnetId    = split("/", var.subnets[each.key])[0]
      }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "gap" {
  for_each = toset(local.slots)

  alarm_name        = "egressprobe ${var.cluster_name} gap in slot ${each.key}"
  alarm_description = "A measurement from ${var.subnets[each.key]} was missing in the last 10 minutes: no all-clear yet. ${local.has_runbook ? "${var.runbook_url}#gap-in-slot-n" : local.dashboard_url}"
  namespace         = "EgressProbe"
  metric_name       = "MeasuredShare"
  dimensions = {
    ClusterName = var.cluster_name
    SubnetId    = split("/", var.subnets[each.key])[0]
  }
  statistic           = "SampleCount"
  period              = 60
  evaluation_periods  = 10
  datapoints_to_alarm = 1
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  for_each = toset(local.slots)

  alarm_name        = "egressprobe ${var.cluster_name} errors in slot ${each.key}"
  alarm_description = "The Probe in ${var.subnets[each.key]} failed or was stopped in 5 of 15 minutes: part of what it probes was not measured. ${local.has_runbook ? "${var.runbook_url}#errors-in-slot-n" : local.dashboard_url}"
  namespace         = "AWS/Lambda"
  metric_name       = "Errors"
  dimensions = {
    FunctionName = "${var.name_prefix}-${local.id}-probe-${each.key}"
  }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 15
  datapoints_to_alarm = 5
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
}

resource "aws_cloudwatch_metric_alarm" "broken" {
  alarm_name          = "egressprobe ${var.cluster_name} broken"
  alarm_description   = "A target that blocks requests failed in 3 of 4 minutes, with any code. ${local.has_runbook ? "${var.runbook_url}#broken" : local.dashboard_url}"
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  evaluation_periods  = 4
  datapoints_to_alarm = 3
  treat_missing_data  = "notBreaching"

  metric_query {
    id          = "broken"
    period      = 60
    return_data = true
    expression  = "SELECT MIN(ProbeSuccess) FROM SCHEMA(\"EgressProbe\", ClusterName, Impact, Target) WHERE ClusterName = '${var.cluster_name}'${local.in_monitoring_account ? " AND AWS.AccountId = CURRENT_ACCOUNT_ID()" : ""} AND Impact = 'blocks' GROUP BY Target ORDER BY MIN() ASC"
  }
}

resource "aws_cloudwatch_metric_alarm" "targets" {
  alarm_name          = "egressprobe ${var.cluster_name} targets"
  alarm_description   = "kube-apiserver of ${var.cluster_name} cannot reach this target, and requests that need it fail (impact blocks): failed in 3 of 4 minutes. Cause and fix: egressprobe invoke --stack ${local.planner} TARGET. ${local.has_runbook ? "${var.runbook_url}#targets" : local.dashboard_url}"
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  evaluation_periods  = 4
  datapoints_to_alarm = 3
  treat_missing_data  = "notBreaching"
  alarm_actions       = compact([local.pages_targets ? local.page_topic : local.notices_targets ? var.notice_topic_arn : null])

  metric_query {
    id          = "targets"
    period      = 60
    return_data = true
    expression  = local.per_subnet ? "SELECT MIN(ProbeSuccess) FROM SCHEMA(\"EgressProbe\", ClusterName, Code, Impact, SubnetId, Target) WHERE ClusterName = '${var.cluster_name}'${local.in_monitoring_account ? " AND AWS.AccountId = CURRENT_ACCOUNT_ID()" : ""} AND Impact = 'blocks' GROUP BY Target, SubnetId, Code, Impact ORDER BY MIN() ASC" : "SELECT MIN(ProbeSuccess) FROM SCHEMA(\"EgressProbe\", ClusterName, Code, Impact, Target) WHERE ClusterName = '${var.cluster_name}'${local.in_monitoring_account ? " AND AWS.AccountId = CURRENT_ACCOUNT_ID()" : ""} AND Impact = 'blocks' GROUP BY Target, Code, Impact ORDER BY MIN() ASC"
  }
}

resource "aws_cloudwatch_metric_alarm" "uncounted" {
  alarm_name          = "egressprobe ${var.cluster_name} not looked up"
  alarm_description   = "kube-apiserver of ${var.cluster_name} cannot reach this target: failed in 4 of 4 minutes at addresses that the Planner did not look up again, or that changed each minute. Cause and fix: egressprobe invoke --stack ${local.planner} TARGET. ${local.has_runbook ? "${var.runbook_url}#not-looked-up" : local.dashboard_url}"
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  evaluation_periods  = 4
  datapoints_to_alarm = 4
  treat_missing_data  = "notBreaching"
  alarm_actions       = compact([local.pages_targets ? local.page_topic : local.notices_targets ? var.notice_topic_arn : null])

  metric_query {
    id          = "uncounted"
    period      = 60
    return_data = true
    expression  = "SELECT MIN(ProbeSuccess) FROM SCHEMA(\"EgressProbe\", ClusterName, Impact, Target) WHERE ClusterName = '${var.cluster_name}'${local.in_monitoring_account ? " AND AWS.AccountId = CURRENT_ACCOUNT_ID()" : ""} AND Impact = 'uncounted' GROUP BY Target ORDER BY MIN() ASC"
  }
}

resource "aws_cloudwatch_metric_alarm" "notices" {
  alarm_name          = "egressprobe ${var.cluster_name} notices"
  alarm_description   = "This target is degraded, fails open or is a kubelet (see Impact) in 8 of 10 minutes: no request is refused. Not a page. ${local.has_runbook ? "${var.runbook_url}#notices" : local.dashboard_url}"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 10
  datapoints_to_alarm = 8
  treat_missing_data  = "notBreaching"
  alarm_actions       = compact([local.sends_causes ? null : local.has_notice_topic ? var.notice_topic_arn : null])

  metric_query {
    id          = "notices"
    period      = 60
    return_data = true
    expression  = local.per_subnet ? "SELECT COUNT(ProbeSuccess) FROM SCHEMA(\"EgressProbe\", ClusterName, Code, Impact, SubnetId, Target) WHERE ClusterName = '${var.cluster_name}'${local.in_monitoring_account ? " AND AWS.AccountId = CURRENT_ACCOUNT_ID()" : ""} AND Impact != 'blocks' GROUP BY Target, SubnetId, Code, Impact ORDER BY COUNT() DESC" : "SELECT COUNT(ProbeSuccess) FROM SCHEMA(\"EgressProbe\", ClusterName, Code, Impact, Target) WHERE ClusterName = '${var.cluster_name}'${local.in_monitoring_account ? " AND AWS.AccountId = CURRENT_ACCOUNT_ID()" : ""} AND Impact != 'blocks' GROUP BY Target, Code, Impact ORDER BY COUNT() DESC"
  }
}

resource "aws_cloudwatch_metric_alarm" "audit_notices" {
  alarm_name        = "egressprobe ${var.cluster_name} audit"
  alarm_description = "The audit of the VPC's configuration has findings, or the real API server disagrees with the probes. Not a page. Which: the saved query 'what the audit found'. ${local.has_runbook ? "${var.runbook_url}#audit" : local.dashboard_url}"
  namespace         = "EgressProbe"
  metric_name       = "AuditFindings"
  dimensions = {
    ClusterName = var.cluster_name
  }
  statistic           = "Maximum"
  period              = 900
  evaluation_periods  = 2
  datapoints_to_alarm = 2
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = compact([local.has_notice_topic ? var.notice_topic_arn : null])
}

resource "aws_cloudwatch_metric_alarm" "egress_down" {
  alarm_name          = "egressprobe ${var.cluster_name} egress path down"
  alarm_description   = "From this subnet nothing outside the VPC can be reached: NAT gateway, firewall, route or DNS. Webhooks by URL and external identity providers depend on this path; webhooks in pods, nodes and IRSA tokens do not. ${local.has_runbook ? "${var.runbook_url}#egress-path-down" : local.dashboard_url}"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 4
  datapoints_to_alarm = 3
  treat_missing_data  = "notBreaching"
  alarm_actions = compact([
    local.sends_causes ? null : local.egress_is_page ? local.page_topic : local.has_notice_topic ? var.notice_topic_arn : null,
  ])

  metric_query {
    id          = "egress"
    period      = 60
    return_data = true
    expression  = "SELECT MAX(EgressDown) FROM SCHEMA(\"EgressProbe\", ClusterName, SubnetId) WHERE ClusterName = '${var.cluster_name}'${local.in_monitoring_account ? " AND AWS.AccountId = CURRENT_ACCOUNT_ID()" : ""} GROUP BY SubnetId ORDER BY MAX() DESC"
  }
}

resource "aws_cloudwatch_metric_alarm" "egress_would_fail" {
  alarm_name          = "egressprobe ${var.cluster_name} egress path would be down"
  alarm_description   = "From this subnet nothing outside the VPC can be reached. Egress is not CUSTOMER_ROUTED today; it would break after the switch. Not a page. ${local.has_runbook ? "${var.runbook_url}#egress-path-would-be-down" : local.dashboard_url}"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 10
  datapoints_to_alarm = 8
  treat_missing_data  = "notBreaching"
  alarm_actions       = compact([local.sends_causes ? null : local.has_notice_topic ? var.notice_topic_arn : null])

  metric_query {
    id          = "egress"
    period      = 60
    return_data = true
    expression  = "SELECT MAX(EgressWouldFail) FROM SCHEMA(\"EgressProbe\", ClusterName, SubnetId) WHERE ClusterName = '${var.cluster_name}'${local.in_monitoring_account ? " AND AWS.AccountId = CURRENT_ACCOUNT_ID()" : ""} GROUP BY SubnetId ORDER BY MAX() DESC"
  }
}

resource "aws_cloudwatch_metric_alarm" "unproven" {
  alarm_name          = "egressprobe ${var.cluster_name} unproven"
  alarm_description   = "Some targets were not measured in the last 10 minutes: no all-clear yet. ${local.has_runbook ? "${var.runbook_url}#unproven" : local.dashboard_url}"
  comparison_operator = "LessThanThreshold"
  threshold           = 0.999999
  evaluation_periods  = 10
  datapoints_to_alarm = 2
  treat_missing_data  = "notBreaching"

  metric_query {
    id          = "measured"
    period      = 60
    return_data = true
    expression  = "SELECT SUM(MeasuredShare) FROM SCHEMA(\"EgressProbe\", ClusterName, SubnetId) WHERE ClusterName = '${var.cluster_name}'${local.in_monitoring_account ? " AND AWS.AccountId = CURRENT_ACCOUNT_ID()" : ""} GROUP BY SubnetId ORDER BY SUM() ASC"
  }
}

resource "aws_cloudwatch_metric_alarm" "unsettled" {
  alarm_name          = "egressprobe ${var.cluster_name} unsettled"
  alarm_description   = "Targets have left the plan within the last hours, or failures do not count yet because the endpoint has not been looked up again: no all-clear. ${local.has_runbook ? "${var.runbook_url}#unsettled" : local.dashboard_url}"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 10
  datapoints_to_alarm = 1
  treat_missing_data  = "notBreaching"

  metric_query {
    id          = "unsettled"
    period      = 60
    return_data = true
    expression  = "SELECT MAX(TargetsUnsettled) FROM SCHEMA(\"EgressProbe\", ClusterName, SubnetId) WHERE ClusterName = '${var.cluster_name}'${local.in_monitoring_account ? " AND AWS.AccountId = CURRENT_ACCOUNT_ID()" : ""} GROUP BY SubnetId ORDER BY MAX() DESC"
  }
}

resource "aws_cloudwatch_metric_alarm" "blind" {
  alarm_name          = "egressprobe ${var.cluster_name} blind"
  alarm_description   = "Some targets were planned and not measured in 3 of 5 minutes: their state is unknown, or the schedule of a shard is lost. ${local.has_runbook ? "${var.runbook_url}#blind" : local.dashboard_url}"
  comparison_operator = "LessThanThreshold"
  threshold           = 0.999999
  evaluation_periods  = 5
  datapoints_to_alarm = 3
  treat_missing_data  = "notBreaching"

  metric_query {
    id          = "measured"
    period      = 60
    return_data = true
    expression  = "SELECT SUM(MeasuredShare) FROM SCHEMA(\"EgressProbe\", ClusterName, SubnetId) WHERE ClusterName = '${var.cluster_name}'${local.in_monitoring_account ? " AND AWS.AccountId = CURRENT_ACCOUNT_ID()" : ""} GROUP BY SubnetId ORDER BY SUM() ASC"
  }
}

resource "aws_cloudwatch_metric_alarm" "certificates" {
  alarm_name        = "egressprobe ${var.cluster_name} certificates"
  alarm_description = "A certificate that a target presents has fewer than ${var.certificate_days} days left. Not a page. ${local.has_runbook ? "${var.runbook_url}#certificates" : local.dashboard_url}"
  namespace         = "EgressProbe"
  metric_name       = "CertificateDaysRemaining"
  dimensions = {
    ClusterName = var.cluster_name
  }
  statistic           = "Minimum"
  period              = 300
  comparison_operator = "LessThanThreshold"
  threshold           = var.certificate_days
  evaluation_periods  = 3
  datapoints_to_alarm = 3
  treat_missing_data  = "notBreaching"
  alarm_actions       = compact([local.has_notice_topic ? var.notice_topic_arn : null])
  ok_actions          = compact([local.has_notice_topic ? var.notice_topic_arn : null])
}

resource "aws_cloudwatch_metric_alarm" "planner_errors" {
  alarm_name        = "egressprobe ${var.cluster_name} planner errors"
  alarm_description = "Runs of the Planner failed, and their repetitions too, in 2 of the last 3 quarters of an hour. Probing continues with the last plan. ${local.has_runbook ? "${var.runbook_url}#planner-errors" : local.dashboard_url}"
  namespace         = "AWS/Lambda"
  metric_name       = "Errors"
  dimensions = {
    FunctionName = aws_lambda_function.planner.function_name
  }
  statistic           = "Sum"
  period              = 900
  evaluation_periods  = 3
  datapoints_to_alarm = 2
  comparison_operator = "GreaterThanThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
}

resource "aws_cloudwatch_metric_alarm" "planner_throttles" {
  alarm_name        = "egressprobe ${var.cluster_name} planner throttled"
  alarm_description = "The Planner was throttled in 2 of the last 3 quarters of an hour: the account has no Lambda concurrency left, the probes may be throttled too. ${local.has_runbook ? "${var.runbook_url}#planner-throttled" : local.dashboard_url}"
  namespace         = "AWS/Lambda"
  metric_name       = "Throttles"
  dimensions = {
    FunctionName = aws_lambda_function.planner.function_name
  }
  statistic           = "Sum"
  period              = 900
  evaluation_periods  = 3
  datapoints_to_alarm = 2
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
}

resource "aws_cloudcontrolapi_resource" "plan_age" {
  type_name = "AWS::CloudWatch::Alarm"
  desired_state = jsonencode({
    AlarmName        = "egressprobe ${var.cluster_name} plan is old"
    AlarmDescription = "The plan was not renewed for an hour. Probing continues; changes since then are not probed. ${local.has_runbook ? "${var.runbook_url}#plan-is-old" : local.dashboard_url}"
    Namespace        = "EgressProbe"
    MetricName       = "PlanAge"
    Dimensions = [
      {
        Name  = "ClusterName"
        Value = var.cluster_name
      },
    ]
    Statistic          = "Maximum"
    Period             = 60
    EvaluationPeriods  = 60
    DatapointsToAlarm  = 60
    ComparisonOperator = "GreaterThanOrEqualToThreshold"
    Threshold          = 60
    TreatMissingData   = "breaching"
    WarmUpConfiguration = {
      WarmUpPeriodDurationInMinutes = 60
    }
  })
}

resource "aws_cloudwatch_composite_alarm" "path_broken" {
  alarm_name        = "egressprobe ${var.cluster_name} path broken"
  alarm_description = "kube-apiserver of ${var.cluster_name} cannot reach a webhook, issuer or aggregated API, and requests that need it fail. Ends only on evidence of recovery. ${local.sends_causes ? "The Planner has sent no message about it for 4 minutes. " : ""}Which and why: egressprobe invoke --stack ${local.planner}. ${local.has_runbook ? "${var.runbook_url}#path-broken" : local.dashboard_url}"
  alarm_rule        = "ALARM(\"${aws_cloudwatch_metric_alarm.broken.alarm_name}\") OR ALARM(\"${aws_cloudwatch_metric_alarm.uncounted.alarm_name}\") OR ((ALARM(\"${aws_cloudwatch_metric_alarm.unproven.alarm_name}\") OR ALARM(\"${aws_cloudwatch_metric_alarm.unsettled.alarm_name}\")) AND (${join(" OR ", [for slot in local.slots : "ALARM(\"${aws_cloudwatch_metric_alarm.failing[slot].alarm_name}\")"])})) OR ${join(" OR ", [for slot in local.slots : "(ALARM(\"${aws_cloudwatch_metric_alarm.gap[slot].alarm_name}\") AND ALARM(\"${aws_cloudwatch_metric_alarm.failing[slot].alarm_name}\"))"])}"
  alarm_actions     = compact([local.pages_targets ? null : local.page_topic])
  ok_actions        = [local.page_topic]

  actions_suppressor {
    alarm            = local.sends_causes ? aws_cloudwatch_composite_alarm.reported_or_unknown[0].arn : aws_cloudwatch_composite_alarm.probe_broken.arn
    wait_period      = local.sends_causes ? 240 : 60
    extension_period = 360
  }
}

resource "aws_cloudwatch_composite_alarm" "unnamed" {
  count = local.pages_targets ? 1 : 0

  alarm_name        = "egressprobe ${var.cluster_name} path broken, target not named"
  alarm_description = "kube-apiserver of ${var.cluster_name} cannot reach a webhook, issuer or aggregated API, and requests that need it fail; its failure has another code from minute to minute. Which and why: egressprobe invoke --stack ${local.planner}. ${local.has_runbook ? "${var.runbook_url}#path-broken-target-not-named" : local.dashboard_url}"
  alarm_rule        = "ALARM(\"${aws_cloudwatch_metric_alarm.broken.alarm_name}\") AND NOT ALARM(\"${aws_cloudwatch_metric_alarm.targets.alarm_name}\")"
  alarm_actions     = [local.page_topic]

  actions_suppressor {
    alarm            = aws_cloudwatch_metric_alarm.targets.arn
    wait_period      = 120
    extension_period = 180
  }
}

resource "aws_cloudwatch_composite_alarm" "probe_broken" {
  alarm_name        = "egressprobe ${var.cluster_name} probe broken"
  alarm_description = "No probe reports: the paths of ${var.cluster_name} are unknown, and pages about them are suppressed. ${local.has_runbook ? "${var.runbook_url}#probe-broken" : local.dashboard_url}"
  alarm_rule        = join(" AND ", [for slot in local.slots : "ALARM(\"${aws_cloudcontrolapi_resource.heartbeat[slot].id}\")"])
  alarm_actions     = [local.page_topic]
  ok_actions        = [local.page_topic]
}

resource "aws_cloudwatch_composite_alarm" "probe_impaired" {
  alarm_name        = "egressprobe ${var.cluster_name} probe impaired"
  alarm_description = "Part of the probing of ${var.cluster_name} does not work: a silent or blind probe, or the Planner. The other results are valid. ${local.has_runbook ? "${var.runbook_url}#probe-impaired" : local.dashboard_url}"
  alarm_rule        = "ALARM(\"${aws_cloudwatch_metric_alarm.blind.alarm_name}\") OR ALARM(\"${aws_cloudwatch_metric_alarm.planner_errors.alarm_name}\") OR ALARM(\"${aws_cloudwatch_metric_alarm.planner_throttles.alarm_name}\") OR ALARM(\"${aws_cloudcontrolapi_resource.plan_age.id}\") OR ${join(" OR ", [for slot in local.slots : "ALARM(\"${aws_cloudcontrolapi_resource.heartbeat[slot].id}\")"])} OR ${join(" OR ", [for slot in local.slots : "ALARM(\"${aws_cloudwatch_metric_alarm.errors[slot].alarm_name}\")"])}"
  alarm_actions     = [local.page_topic]
  ok_actions        = [local.page_topic]

  actions_suppressor {
    alarm            = aws_cloudwatch_composite_alarm.probe_broken.arn
    wait_period      = 120
    extension_period = 360
  }
}

resource "aws_cloudwatch_metric_alarm" "reported" {
  count = local.sends_causes ? 1 : 0

  alarm_name        = "egressprobe ${var.cluster_name} reported"
  alarm_description = "The Planner has reported what is broken, within the last 20 minutes: CloudWatch need not. ${local.has_runbook ? "${var.runbook_url}#reported" : local.dashboard_url}"
  namespace         = "EgressProbe"
  metric_name       = "IncidentsReported"
  dimensions = {
    ClusterName = var.cluster_name
  }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 20
  datapoints_to_alarm = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
}

resource "aws_cloudwatch_composite_alarm" "reported_or_unknown" {
  count = local.sends_causes ? 1 : 0

  alarm_name        = "egressprobe ${var.cluster_name} reported or probe broken"
  alarm_description = "Suppresses the pages that CloudWatch sends in the Planner's place: it has reported, or no probe reports. ${local.has_runbook ? "${var.runbook_url}#reported-or-probe-broken" : local.dashboard_url}"
  alarm_rule        = "ALARM(\"${aws_cloudwatch_metric_alarm.reported[0].alarm_name}\") OR ALARM(\"${aws_cloudwatch_composite_alarm.probe_broken.alarm_name}\")"
}

resource "aws_cloudwatch_composite_alarm" "egress_unreported" {
  count = local.sends_causes ? 1 : 0

  alarm_name        = "egressprobe ${var.cluster_name} egress path down, not reported"
  alarm_description = "From a subnet of ${var.cluster_name} nothing outside the VPC can be reached, and the Planner has sent no message about it for 4 minutes. Which and why: egressprobe invoke --stack ${local.planner}. ${local.has_runbook ? "${var.runbook_url}#egress-path-down-not-reported" : local.dashboard_url}"
  alarm_rule        = "ALARM(\"${aws_cloudwatch_metric_alarm.egress_down.alarm_name}\")"
  alarm_actions     = compact([local.egress_is_page ? local.page_topic : local.has_notice_topic ? var.notice_topic_arn : null])

  actions_suppressor {
    alarm            = aws_cloudwatch_composite_alarm.reported_or_unknown[0].arn
    wait_period      = 240
    extension_period = 360
  }
}
