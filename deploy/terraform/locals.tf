# Generated from template.yaml, which says why each is as it is, by make docs: change that one.

locals {
  # A subnet keeps its slot: its place in the list.
  slots = [for slot, subnet in var.subnets : tostring(slot) if subnet != "-"]

  id            = var.id != "" ? var.id : substr(sha256("${local.account}/${local.region}/${var.cluster_name}"), 0, 8)
  planner       = "${var.name_prefix}-${local.id}-planner"
  from_bucket   = var.artifact_bucket != ""
  console       = local.consoles[local.partition]
  dashboard_url = "https://${local.console}/cloudwatch/home?region=${local.region}#dashboards/dashboard/egressprobe-${var.cluster_name}"
  page_topic    = local.make_topic ? aws_sns_topic.topic[0].arn : var.alarm_topic_arn
  consoles = {
    aws          = "console.aws.amazon.com"
    "aws-cn"     = "console.amazonaws.cn"
    "aws-us-gov" = "console.amazonaws-us-gov.com"
    "aws-eusc"   = "console.amazonaws-eusc.eu"
    "aws-iso"    = "console.c2shome.ic.gov"
    "aws-iso-b"  = "console.sc2shome.sgov.gov"
    "aws-iso-e"  = "console.csphome.adc-e.uk"
    "aws-iso-f"  = "console.csphome.hci.ic.gov"
  }

  dual_stack                 = var.ip_family == "ipv6"
  discovers                  = var.discovery
  make_access_entry          = local.discovers && var.access_entry
  audits                     = var.audit_permissions
  corroborates               = local.audits && var.corroborate_api_server != "false"
  reads_api_server_logs      = local.audits && var.corroborate_api_server == "logs"
  planner_in_vpc             = length(var.planner_subnet_ids) > 0
  make_topic                 = var.alarm_topic_arn == ""
  make_subscription          = local.make_topic && var.alarm_email != ""
  has_notice_topic           = var.notice_topic_arn != ""
  egress_is_page             = var.egress_pages
  sends_causes               = var.target_notifications == "causes"
  pages_targets              = var.target_notifications == "true"
  notices_targets            = local.has_notice_topic && var.target_notifications == "notices"
  has_runbook                = var.runbook_url != ""
  per_subnet                 = var.metric_detail == "subnet"
  make_dashboard             = var.create_dashboard
  in_monitoring_account      = var.monitoring_account
  has_concurrency            = var.probe_concurrency != ""
  traced                     = var.tracing == "Active"
  has_boundary               = var.permissions_boundary_arn != ""
  has_key                    = var.kms_key_arn != ""
  has_role_path              = var.role_path != "/"
  make_probe_role            = var.probe_role_arn == ""
  lacks_discover_role        = var.discover_role_arn == ""
  make_discover_role         = local.discovers && local.lacks_discover_role
  make_planner_role          = var.planner_role_arn == ""
  make_planner_deny          = local.planner_in_vpc && local.make_planner_role
  make_schedule_role         = var.schedule_role_arn == ""
  make_planner_schedule_role = var.planner_schedule_role_arn == ""
}
