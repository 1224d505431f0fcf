# Generated from template.yaml, which says why each is as it is, by make docs: change that one.

resource "aws_cloudwatch_log_group" "probe_logs" {
  name              = "/${var.name_prefix}/${var.cluster_name}/${local.id}/probe"
  retention_in_days = var.log_retention_days
  kms_key_id        = local.has_key ? var.kms_key_arn : null
}

resource "aws_cloudwatch_log_group" "planner_logs" {
  name              = "/${var.name_prefix}/${var.cluster_name}/${local.id}/planner"
  retention_in_days = var.log_retention_days
  kms_key_id        = local.has_key ? var.kms_key_arn : null
}

resource "aws_cloudwatch_log_group" "discover_logs" {
  count = local.discovers ? 1 : 0

  name              = "/${var.name_prefix}/${var.cluster_name}/${local.id}/discover"
  retention_in_days = var.log_retention_days
  kms_key_id        = local.has_key ? var.kms_key_arn : null
}

resource "aws_cloudwatch_log_subscription_filter" "moved_endpoints" {
  count = local.discovers ? 1 : 0

  name            = "${var.name_prefix}-${local.id}-moved-endpoints"
  log_group_name  = aws_cloudwatch_log_group.probe_logs.name
  filter_pattern  = "{ $.verdict = \"fail\" && $.discoveredAddresses IS TRUE }"
  destination_arn = aws_lambda_function.planner.arn

  depends_on = [aws_lambda_permission.moved_endpoints_permission]
}

resource "aws_lambda_permission" "moved_endpoints_permission" {
  count = local.discovers ? 1 : 0

  function_name  = aws_lambda_function.planner.function_name
  action         = "lambda:InvokeFunction"
  principal      = "logs.${local.dns_suffix}"
  source_account = local.account
  source_arn     = "${aws_cloudwatch_log_group.probe_logs.arn}:*"
}

resource "aws_eks_access_entry" "cluster_access" {
  count = local.make_access_entry ? 1 : 0

  cluster_name      = var.cluster_name
  principal_arn     = local.lacks_discover_role ? aws_iam_role.discover_role[0].arn : var.discover_role_arn
  type              = "STANDARD"
  kubernetes_groups = ["egressprobe"]
  tags = {
    "egressprobe:cluster" = var.cluster_name
  }
}

resource "aws_lambda_permission" "alarm_changes_permission" {
  count = local.sends_causes ? 1 : 0

  function_name  = aws_lambda_function.planner.function_name
  action         = "lambda:InvokeFunction"
  principal      = "events.amazonaws.com"
  source_account = local.account
  source_arn     = aws_cloudwatch_event_rule.alarm_changes[0].arn
}

resource "aws_lambda_function" "probe" {
  for_each = toset(local.slots)

  description   = "egressprobe ${var.cluster_name}: probe in ${var.subnets[each.key]}. Invoke the Planner instead"
  function_name = "${var.name_prefix}-${local.id}-probe-${each.key}"
  handler       = "egressprobe.handlers.probe.handler"
  memory_size   = var.probe_memory
  role          = local.make_probe_role ? aws_iam_role.probe_role[0].arn : var.probe_role_arn
  runtime       = "python3.13"
  timeout       = var.probe_timeout
  tags = {
    "egressprobe:cluster" = var.cluster_name
  }
  reserved_concurrent_executions = local.has_concurrency ? var.probe_concurrency : null
  architectures                  = [var.architecture]
  filename                       = local.from_bucket ? null : var.probe_zip
  source_code_hash               = local.from_bucket ? null : filebase64sha256(var.probe_zip)
  s3_bucket                      = local.from_bucket ? var.artifact_bucket : null
  s3_key                         = local.from_bucket ? var.probe_artifact : null

  vpc_config {
    subnet_ids                  = [split("/", var.subnets[each.key])[0]]
    security_group_ids          = var.security_group_ids
    ipv6_allowed_for_dual_stack = local.dual_stack ? true : false
  }

  environment {
    variables = {
      EGRESSPROBE_CLUSTER_NAME      = var.cluster_name
      EGRESSPROBE_SUBNET_ID         = split("/", var.subnets[each.key])[0]
      EGRESSPROBE_AVAILABILITY_ZONE = split("/", join("/", [var.subnets[each.key], "-"]))[1]
      EGRESSPROBE_METRIC_DETAIL     = var.metric_detail
      EGRESSPROBE_MAX_SERIES        = var.max_series
    }
  }

  tracing_config {
    mode = var.tracing
  }

  logging_config {
    log_group  = aws_cloudwatch_log_group.probe_logs.name
    log_format = "Text"
  }

  lifecycle {
    precondition {
      condition     = local.from_bucket ? var.probe_artifact != "" : can(filebase64sha256(var.probe_zip))
      error_message = "Set probe_zip to the file that make build writes, or artifact_bucket and probe_artifact."
    }
  }

  depends_on = [aws_iam_role_policy.probe_role_network_interfaces, aws_iam_role_policy.probe_role_log]
}

resource "aws_lambda_function_event_invoke_config" "probe_event_invoke_config" {
  for_each = toset(local.slots)

  function_name                = aws_lambda_function.probe[each.key].function_name
  maximum_event_age_in_seconds = 60
  maximum_retry_attempts       = 0
  qualifier                    = "$LATEST"
}

resource "aws_lambda_function" "planner" {
  description   = "egressprobe ${var.cluster_name}: reconciles the schedules with the plan; probes on demand from every subnet"
  function_name = "${var.name_prefix}-${local.id}-planner"
  handler       = "egressprobe.handlers.planner.handler"
  memory_size   = 512
  role          = local.make_planner_role ? aws_iam_role.planner_role[0].arn : var.planner_role_arn
  runtime       = "python3.13"
  timeout       = 300
  tags = {
    "egressprobe:cluster" = var.cluster_name
    "egressprobe:part"    = "planner"
  }
  architectures    = [var.architecture]
  filename         = local.from_bucket ? null : var.planner_zip
  source_code_hash = local.from_bucket ? null : filebase64sha256(var.planner_zip)
  s3_bucket        = local.from_bucket ? var.artifact_bucket : null
  s3_key           = local.from_bucket ? var.planner_artifact : null

  dynamic "vpc_config" {
    for_each = local.planner_in_vpc ? [true] : []

    content {
      subnet_ids         = var.planner_subnet_ids
      security_group_ids = var.planner_security_group_ids
    }
  }

  environment {
    variables = {
      EGRESSPROBE_CLUSTER_NAME          = var.cluster_name
      EGRESSPROBE_PROBES                = "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${var.name_prefix}-${local.id}-probe-"
      EGRESSPROBE_SUBNETS               = join(",", var.subnets)
      EGRESSPROBE_IP_FAMILY             = var.ip_family
      EGRESSPROBE_CLUSTER_GROUPS        = join(",", var.cluster_security_group_ids)
      EGRESSPROBE_EXCLUDE               = join(",", var.exclude)
      EGRESSPROBE_AUDIT_SKIP            = join(",", var.audit_skip)
      EGRESSPROBE_AUDIT_PERMISSIONS     = var.audit_permissions
      EGRESSPROBE_CORROBORATE           = var.corroborate_api_server
      EGRESSPROBE_DISCOVER              = local.discovers ? aws_lambda_function.discover[0].arn : ""
      EGRESSPROBE_SCHEDULE_GROUP        = aws_scheduler_schedule_group.schedules.name
      EGRESSPROBE_SCHEDULE_ROLE         = local.make_schedule_role ? aws_iam_role.schedule_role[0].arn : var.schedule_role_arn
      EGRESSPROBE_METRIC_DETAIL         = var.metric_detail
      EGRESSPROBE_MAX_SERIES            = var.max_series
      EGRESSPROBE_MESSAGES              = local.sends_causes ? "true" : "false"
      EGRESSPROBE_PAGE_TOPIC            = local.page_topic
      EGRESSPROBE_NOTICE_TOPIC          = var.notice_topic_arn
      EGRESSPROBE_EGRESS_PAGES          = var.egress_pages
      EGRESSPROBE_ALARM_PREFIX          = "egressprobe ${var.cluster_name} "
      EGRESSPROBE_STACK                 = local.planner
      EGRESSPROBE_DASHBOARD_URL         = local.make_dashboard ? local.dashboard_url : ""
      EGRESSPROBE_RUNBOOK_URL           = var.runbook_url
      EGRESSPROBE_PROBE_LOGS            = aws_cloudwatch_log_group.probe_logs.name
      EGRESSPROBE_PLANNER               = "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${var.name_prefix}-${local.id}-planner"
      EGRESSPROBE_PLANNER_SCHEDULE_ROLE = local.make_planner_schedule_role ? aws_iam_role.planner_schedule_role[0].arn : var.planner_schedule_role_arn
    }
  }

  tracing_config {
    mode = var.tracing
  }

  logging_config {
    log_group  = aws_cloudwatch_log_group.planner_logs.name
    log_format = "Text"
  }

  lifecycle {
    precondition {
      condition     = local.from_bucket ? var.planner_artifact != "" : can(filebase64sha256(var.planner_zip))
      error_message = "Set planner_zip to the file that make build writes, or artifact_bucket and planner_artifact."
    }
  }

  depends_on = [aws_iam_role_policy.planner_role_planner]
}

resource "aws_lambda_function_event_invoke_config" "planner_event_invoke_config" {
  function_name                = aws_lambda_function.planner.function_name
  maximum_event_age_in_seconds = 600
  maximum_retry_attempts       = 2
  qualifier                    = "$LATEST"
}

resource "aws_lambda_function" "discover" {
  count = local.discovers ? 1 : 0

  description   = "egressprobe ${var.cluster_name}: reads webhooks, APIServices, Services and nodes for the Planner"
  function_name = "${var.name_prefix}-${local.id}-discover"
  handler       = "egressprobe.handlers.discover.handler"
  memory_size   = 256
  role          = local.lacks_discover_role ? aws_iam_role.discover_role[0].arn : var.discover_role_arn
  runtime       = "python3.13"
  timeout       = 60
  tags = {
    "egressprobe:cluster" = var.cluster_name
  }
  architectures    = [var.architecture]
  filename         = local.from_bucket ? null : var.probe_zip
  source_code_hash = local.from_bucket ? null : filebase64sha256(var.probe_zip)
  s3_bucket        = local.from_bucket ? var.artifact_bucket : null
  s3_key           = local.from_bucket ? var.probe_artifact : null

  vpc_config {
    subnet_ids                  = [for slot in local.slots : split("/", var.subnets[slot])[0]]
    security_group_ids          = var.security_group_ids
    ipv6_allowed_for_dual_stack = local.dual_stack ? true : false
  }

  environment {
    variables = {
      EGRESSPROBE_CLUSTER_NAME = var.cluster_name
    }
  }

  tracing_config {
    mode = var.tracing
  }

  logging_config {
    log_group  = aws_cloudwatch_log_group.discover_logs[0].name
    log_format = "Text"
  }

  lifecycle {
    precondition {
      condition     = local.from_bucket ? var.probe_artifact != "" : can(filebase64sha256(var.probe_zip))
      error_message = "Set probe_zip to the file that make build writes, or artifact_bucket and probe_artifact."
    }
  }

  depends_on = [aws_iam_role_policy.discover_role_network_interfaces, aws_iam_role_policy.discover_role_log]
}

resource "aws_lambda_function_event_invoke_config" "discover_event_invoke_config" {
  count = local.discovers ? 1 : 0

  function_name                = aws_lambda_function.discover[0].function_name
  maximum_event_age_in_seconds = 60
  maximum_retry_attempts       = 0
  qualifier                    = "$LATEST"
}
