# Generated from template.yaml, which says why each is as it is, by make docs: change that one.

resource "aws_cloudwatch_dashboard" "dashboard" {
  count = local.make_dashboard ? 1 : 0

  dashboard_name = "egressprobe-${var.cluster_name}"
  dashboard_body = <<-EOT
    {"start": "-PT3H", "periodOverride": "inherit", "widgets": [
      {"type": "alarm", "x": 0, "y": 0, "width": 15, "height": 3, "properties": {"title": "Pages and their causes", "alarms": [
        "${aws_cloudwatch_composite_alarm.path_broken.arn}", "${aws_cloudwatch_metric_alarm.egress_down.arn}", "${aws_cloudwatch_composite_alarm.probe_broken.arn}", "${aws_cloudwatch_composite_alarm.probe_impaired.arn}", "${aws_cloudwatch_metric_alarm.targets.arn}", "${aws_cloudwatch_metric_alarm.uncounted.arn}", "${aws_cloudwatch_metric_alarm.notices.arn}", ${local.sends_causes ? "\"${aws_cloudwatch_metric_alarm.reported[0].arn}\", \"${aws_cloudwatch_composite_alarm.egress_unreported[0].arn}\", " : ""}"${aws_cloudwatch_metric_alarm.blind.arn}", "${aws_cloudwatch_metric_alarm.certificates.arn}", "${jsondecode(aws_cloudcontrolapi_resource.plan_age.properties)["Arn"]}"]}},
      {"type": "text", "x": 15, "y": 0, "width": 9, "height": 6, "properties": {"markdown": "**path broken**: the API server cannot reach a target. One subnet: its route, network ACL or zone; all subnets: the target, DNS or a shared hop. Cause and fix: `egressprobe invoke --stack ${local.planner}`\n\n**probe broken**: no probe reports, pages about paths are suppressed. Check the probe logs, account concurrency, schedule group, then the Planner.\n\n**probe impaired**: a probe is silent or blind, or the Planner fails. The other probes' results are valid.\n\n**plan is old**: probing continues with the last plan. Check the Planner's logs.\n\n**certificates**: renew them; not a page."}},
      {"type": "log", "x": 0, "y": 3, "width": 15, "height": 3, "properties": {"title": "Mode, version, plan age (seconds)", "region": "${local.region}", "view": "table", "query": "SOURCE '${aws_cloudwatch_log_group.planner_logs.name}' | filter ispresent(mode) | stats latest(mode) as egressMode, latest(kubeVersion) as kubeVersion, latest(targets) as plannedTargets, latest(shards) as schedules, latest(planAge) as planAge, max(@timestamp) as asOf"}},
      {"type": "log", "x": 0, "y": 6, "width": 24, "height": 4, "properties": {"title": "Incidents: open where last is less than 15 minutes ago", "region": "${local.region}", "view": "table", "query": "SOURCE '${aws_cloudwatch_log_group.planner_logs.name}' | filter ispresent(openIncident) | stats earliest(openedAt) as opened, latest(@timestamp) as last, latest(tier) as kind, latest(message) as cause, latest(affected) as impact, latest(reason) as notSentBecause by openIncident | sort last desc | limit 20"}},
      {"type": "metric", "x": 0, "y": 10, "width": 8, "height": 4, "properties": {"title": "Failing targets by subnet (no line: none)", "region": "${local.region}", "view": "timeSeries", "stacked": true, "period": 60, "stat": "Maximum", "yAxis": {"left": {"min": 0}}, "metrics": [[{"expression": "SEARCH('{EgressProbe,ClusterName,SubnetId} ClusterName=\"${var.cluster_name}\" MetricName=\"TargetsFailed\"${local.in_monitoring_account ? " :aws.AccountId = 'LOCAL' " : ""}', 'Maximum', 60)", "id": "failed"}]]}},
      {"type": "metric", "x": 8, "y": 10, "width": 7, "height": 4, "properties": {"title": "Success by target (0 is failing)", "region": "${local.region}", "view": "timeSeries", "period": 60, "yAxis": {"left": {"min": 0, "max": 1}}, "metrics": [[{"expression": "SELECT MIN(ProbeSuccess) FROM SCHEMA(\"EgressProbe\", ${local.per_subnet ? "ClusterName, SubnetId, Target" : "ClusterName, Target"}) WHERE ClusterName = '${var.cluster_name}'${local.in_monitoring_account ? " AND AWS.AccountId = CURRENT_ACCOUNT_ID()" : ""} GROUP BY Target ORDER BY MIN() ASC LIMIT 10", "id": "worst"}]]}},
      {"type": "log", "x": 15, "y": 10, "width": 9, "height": 4, "properties": {"title": "Failing: where, since when, why", "region": "${local.region}", "view": "table", "query": "SOURCE '${aws_cloudwatch_log_group.probe_logs.name}' | filter verdict = 'fail' | stats count(*) as minutes, earliest(@timestamp) as since, latest(@timestamp) as last, latest(code) as why, latest(cause) as cause by Target, SubnetId | sort minutes desc | limit 50"}},
      {"type": "log", "x": 0, "y": 14, "width": 8, "height": 4, "properties": {"title": "Phases, ms, 90th percentile", "region": "${local.region}", "view": "timeSeries", "query": "SOURCE '${aws_cloudwatch_log_group.probe_logs.name}' | filter ispresent(connectMs) | stats pct(connectMs, 90) as connect, pct(tlsMs, 90) as tls, pct(exchangeMs, 90) as exchange by bin(5m)"}},
      {"type": "log", "x": 8, "y": 14, "width": 7, "height": 4, "properties": {"title": "DNS, ms", "region": "${local.region}", "view": "timeSeries", "query": "SOURCE '${aws_cloudwatch_log_group.probe_logs.name}' | filter ispresent(dnsMs) | stats pct(dnsMs, 50) as half, pct(dnsMs, 99) as slowest by bin(5m)"}},
      {"type": "metric", "x": 15, "y": 14, "width": 4, "height": 4, "properties": {"title": "Certificate days left", "region": "${local.region}", "view": "singleValue", "period": 300, "stat": "Minimum", "metrics": [["EgressProbe", "CertificateDaysRemaining", "ClusterName", "${var.cluster_name}", {"label": "least"}]]}},
      {"type": "metric", "x": 19, "y": 14, "width": 5, "height": 4, "properties": {"title": "Plan age, s; audit findings", "region": "${local.region}", "view": "timeSeries", "period": 900, "stat": "Maximum", "metrics": [["EgressProbe", "PlanAge", "ClusterName", "${var.cluster_name}"], ["EgressProbe", "AuditFindings", "ClusterName", "${var.cluster_name}", {"yAxis": "right"}]]}},
      {"type": "metric", "x": 0, "y": 18, "width": 8, "height": 4, "properties": {"title": "Probes: share of the plan measured, by subnet (1 is all)", "region": "${local.region}", "view": "timeSeries", "period": 60, "yAxis": {"left": {"min": 0}}, "metrics": [[{"expression": "SEARCH('{EgressProbe,ClusterName,SubnetId} ClusterName=\"${var.cluster_name}\" MetricName=\"MeasuredShare\"${local.in_monitoring_account ? " :aws.AccountId = 'LOCAL' " : ""}', 'Sum', 60)", "id": "measured"}]]}},
      {"type": "metric", "x": 8, "y": 18, "width": 7, "height": 4, "properties": {"title": "Probes: targets not measured (no line: none)", "region": "${local.region}", "view": "timeSeries", "period": 60, "yAxis": {"left": {"min": 0}}, "metrics": [[{"expression": "SEARCH('{EgressProbe,ClusterName,SubnetId} ClusterName=\"${var.cluster_name}\" MetricName=\"TargetsUnknown\"${local.in_monitoring_account ? " :aws.AccountId = 'LOCAL' " : ""}', 'Maximum', 60)", "id": "unknown"}]]}},
      {"type": "metric", "x": 15, "y": 18, "width": 9, "height": 4, "properties": {"title": "Functions: duration, errors, throttles", "region": "${local.region}", "view": "timeSeries", "period": 60, "metrics": [[{"expression": "SEARCH('{AWS/Lambda,FunctionName} ${var.name_prefix}-${local.id} MetricName=\"Duration\"', 'Maximum', 60)", "id": "duration"}], [{"expression": "SEARCH('{AWS/Lambda,FunctionName} ${var.name_prefix}-${local.id} (MetricName=\"Errors\" OR MetricName=\"Throttles\")', 'Sum', 60)", "id": "trouble", "yAxis": "right"}]]}}
    ]}
  EOT
}

resource "aws_cloudwatch_query_definition" "failing_now" {
  name            = "egressprobe/${var.cluster_name}/failing by target and subnet"
  log_group_names = [aws_cloudwatch_log_group.probe_logs.name]
  query_string    = <<-EOT
    filter verdict = "fail" or verdict = "degraded"
    | stats count(*) as minutes, earliest(@timestamp) as since, latest(@timestamp) as last, latest(code) as why, latest(cause) as cause, latest(apiServerError) as apiServerError by Target, SubnetId
    | sort minutes desc
  EOT
}

resource "aws_cloudwatch_query_definition" "incidents" {
  name            = "egressprobe/${var.cluster_name}/incidents"
  log_group_names = [aws_cloudwatch_log_group.planner_logs.name]
  query_string    = <<-EOT
    filter ispresent(openIncident)
    | stats earliest(openedAt) as opened, latest(@timestamp) as last, latest(tier) as kind, latest(code) as why, latest(message) as cause, latest(affected) as impact, latest(owner) as owners, latest(reason) as notSentBecause by openIncident
    | sort last desc
  EOT
}

resource "aws_cloudwatch_query_definition" "one_target" {
  name            = "egressprobe/${var.cluster_name}/one target minute by minute"
  log_group_names = [aws_cloudwatch_log_group.probe_logs.name]
  query_string    = <<-EOT
    filter Target = "NAME"
    | fields @timestamp, SubnetId, verdict, code, dnsMs, connectMs, tlsMs, exchangeMs, callSeconds, share, cause
    | sort @timestamp desc
    | limit 500
  EOT
}

resource "aws_cloudwatch_query_definition" "slow_phases" {
  name            = "egressprobe/${var.cluster_name}/slow phases"
  log_group_names = [aws_cloudwatch_log_group.probe_logs.name]
  query_string    = <<-EOT
    filter ispresent(callSeconds)
    | stats pct(dnsMs, 99) as dns, pct(connectMs, 99) as connect, pct(tlsMs, 99) as tls, pct(exchangeMs, 99) as exchange, max(callSeconds) as slowestCall by Target
    | sort slowestCall desc
  EOT
}

resource "aws_cloudwatch_query_definition" "certificates_soon" {
  name            = "egressprobe/${var.cluster_name}/certificates that expire first"
  log_group_names = [aws_cloudwatch_log_group.probe_logs.name]
  query_string    = <<-EOT
    filter ispresent(daysRemaining)
    | stats min(daysRemaining) as days by Target
    | sort days asc
  EOT
}

resource "aws_cloudwatch_query_definition" "not_measured" {
  name            = "egressprobe/${var.cluster_name}/not measured and why"
  log_group_names = [aws_cloudwatch_log_group.probe_logs.name]
  query_string    = <<-EOT
    filter verdict = "unknown"
    | stats count(*) as minutes, latest(code) as why, latest(cause) as cause by Target, SubnetId
    | sort minutes desc
  EOT
}

resource "aws_cloudwatch_query_definition" "plan_changes" {
  name            = "egressprobe/${var.cluster_name}/what the Planner changed"
  log_group_names = [aws_cloudwatch_log_group.planner_logs.name]
  query_string    = <<-EOT
    filter ispresent(shards) and (created > 0 or updated > 0 or deleted > 0)
    | fields @timestamp, created, updated, deleted, targets, shards, mode, kubeVersion
    | sort @timestamp desc
  EOT
}

resource "aws_cloudwatch_query_definition" "audit_found" {
  name            = "egressprobe/${var.cluster_name}/what the audit found"
  log_group_names = [aws_cloudwatch_log_group.planner_logs.name]
  query_string    = <<-EOT
    filter ispresent(finding) and ispresent(remedy)
    | stats latest(message) as found, latest(remedy) as fix, earliest(@timestamp) as since, latest(@timestamp) as last by finding
    | sort last desc
  EOT
}
