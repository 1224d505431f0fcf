# Generated from template.yaml, which says why each is as it is, by make docs: change that one.

resource "aws_iam_role" "probe_role" {
  count = local.make_probe_role ? 1 : 0

  name                 = "${var.name_prefix}-${local.id}-probe-role"
  path                 = local.has_role_path ? var.role_path : null
  description          = "The probes. Its permissions on network interfaces are for the Lambda service and denied to the code."
  permissions_boundary = local.has_boundary ? var.permissions_boundary_arn : null
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Principal = {
          Service = "lambda.amazonaws.com"
        }
        Action = "sts:AssumeRole"
      },
    ]
  })
}

resource "aws_iam_role_policy" "probe_role_network_interfaces" {
  count = local.make_probe_role ? 1 : 0

  name = "network-interfaces"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Action = [
          "ec2:CreateNetworkInterface",
          "ec2:DescribeNetworkInterfaces",
          "ec2:DescribeSubnets",
          "ec2:DeleteNetworkInterface",
          "ec2:AssignPrivateIpAddresses",
          "ec2:UnassignPrivateIpAddresses",
        ]
        Resource = "*"
      },
    ]
  })
  role = aws_iam_role.probe_role[0].name
}

resource "aws_iam_role_policy" "probe_role_log" {
  count = local.make_probe_role ? 1 : 0

  name = "log"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [for one in [
      {
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.probe_logs.arn}:*"
      },
      local.traced ? {
        Effect   = "Allow"
        Action   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
        Resource = "*"
      } : null,
    ] : one if one != null]
  })
  role = aws_iam_role.probe_role[0].name
}

resource "aws_iam_role_policy" "probe_deny" {
  count = local.make_probe_role ? 1 : 0

  name = "no-network-interfaces-for-the-code"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Deny"
        Action = [
          "ec2:CreateNetworkInterface",
          "ec2:DescribeNetworkInterfaces",
          "ec2:DescribeSubnets",
          "ec2:DeleteNetworkInterface",
          "ec2:AssignPrivateIpAddresses",
          "ec2:UnassignPrivateIpAddresses",
        ]
        Resource = "*"
        Condition = {
          ArnLike = {
            "lambda:SourceFunctionArn" = "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${var.name_prefix}-${local.id}-probe-*"
          }
        }
      },
    ]
  })
  role = aws_iam_role.probe_role[0].name
}

resource "aws_iam_role" "schedule_role" {
  count = local.make_schedule_role ? 1 : 0

  name                 = "${var.name_prefix}-${local.id}-schedule-role"
  path                 = local.has_role_path ? var.role_path : null
  description          = "Lets the schedules invoke the probes, and nothing else"
  permissions_boundary = local.has_boundary ? var.permissions_boundary_arn : null
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Principal = {
          Service = "scheduler.amazonaws.com"
        }
        Action = "sts:AssumeRole"
        Condition = {
          StringEquals = {
            "aws:SourceAccount" = local.account
            "aws:SourceArn"     = aws_scheduler_schedule_group.schedules.arn
          }
        }
      },
    ]
  })
}

resource "aws_iam_role_policy" "schedule_role_invoke_probes" {
  count = local.make_schedule_role ? 1 : 0

  name = "invoke-probes"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = "lambda:InvokeFunction"
        Resource = "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${var.name_prefix}-${local.id}-probe-*"
      },
    ]
  })
  role = aws_iam_role.schedule_role[0].name
}

resource "aws_iam_role" "planner_role" {
  count = local.make_planner_role ? 1 : 0

  name                 = "${var.name_prefix}-${local.id}-planner-role"
  path                 = local.has_role_path ? var.role_path : null
  description          = "Lets the Planner read the cluster, write the schedules in its group and invoke the probes"
  permissions_boundary = local.has_boundary ? var.permissions_boundary_arn : null
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Principal = {
          Service = "lambda.amazonaws.com"
        }
        Action = "sts:AssumeRole"
      },
    ]
  })
}

resource "aws_iam_role_policy" "planner_role_planner" {
  count = local.make_planner_role ? 1 : 0

  name = "planner"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [for one in [
      {
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.planner_logs.arn}:*"
      },
      {
        Effect   = "Allow"
        Action   = ["eks:DescribeCluster", "eks:ListIdentityProviderConfigs"]
        Resource = "arn:${local.partition}:eks:${local.region}:${local.account}:cluster/${var.cluster_name}"
      },
      {
        Effect   = "Allow"
        Action   = "eks:DescribeIdentityProviderConfig"
        Resource = "arn:${local.partition}:eks:${local.region}:${local.account}:identityproviderconfig/${var.cluster_name}/*"
      },
      {
        Effect   = "Allow"
        Action   = "ec2:DescribeSubnets"
        Resource = "*"
      },
      local.audits ? {
        Effect = "Allow"
        Action = [
          "ec2:DescribeDhcpOptions",
          "ec2:DescribeEgressOnlyInternetGateways",
          "ec2:DescribeInternetGateways",
          "ec2:DescribeNatGateways",
          "ec2:DescribeNetworkAcls",
          "ec2:DescribeNetworkInterfaces",
          "ec2:DescribeRouteTables",
          "ec2:DescribeSecurityGroups",
          "ec2:DescribeTransitGatewayRouteTables",
          "ec2:DescribeTransitGatewayVpcAttachments",
          "ec2:DescribeVpcAttribute",
          "ec2:DescribeVpcBlockPublicAccessExclusions",
          "ec2:DescribeVpcBlockPublicAccessOptions",
          "ec2:DescribeVpcEncryptionControls",
          "ec2:DescribeVpcEndpoints",
          "ec2:DescribeVpcPeeringConnections",
          "ec2:DescribeVpcs",
          "ec2:DescribeVpnGateways",
          "ec2:GetManagedPrefixListEntries",
          "ec2:GetTransitGatewayRouteTableAssociations",
          "ec2:SearchTransitGatewayRoutes",
          "elasticloadbalancing:DescribeListeners",
          "elasticloadbalancing:DescribeLoadBalancerAttributes",
          "elasticloadbalancing:DescribeLoadBalancers",
          "elasticloadbalancing:DescribeTargetGroupAttributes",
          "elasticloadbalancing:DescribeTargetGroups",
          "elasticloadbalancing:DescribeTargetHealth",
          "network-firewall:DescribeFirewall",
          "network-firewall:DescribeFirewallPolicy",
          "network-firewall:DescribeRuleGroup",
          "network-firewall:ListFirewalls",
          "route53:ListHostedZonesByVPC",
          "route53resolver:ListFirewallDomains",
          "route53resolver:ListFirewallRuleGroupAssociations",
          "route53resolver:ListFirewallRules",
          "route53resolver:ListResolverRuleAssociations",
          "route53resolver:ListResolverRules",
          "cloudtrail:LookupEvents",
        ]
        Resource = "*"
      } : null,
      local.audits ? {
        Effect   = "Allow"
        Action   = "iam:SimulatePrincipalPolicy"
        Resource = "arn:${local.partition}:iam::${local.account}:role/*"
      } : null,
      local.corroborates ? {
        Effect   = "Allow"
        Action   = ["cloudwatch:GetMetricData", "cloudwatch:ListMetrics"]
        Resource = "*"
      } : null,
      local.reads_api_server_logs ? {
        Effect   = "Allow"
        Action   = "logs:FilterLogEvents"
        Resource = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/aws/eks/${var.cluster_name}/cluster:*"
      } : null,
      local.planner_in_vpc ? {
        Effect = "Allow"
        Action = [
          "ec2:CreateNetworkInterface",
          "ec2:DescribeNetworkInterfaces",
          "ec2:DeleteNetworkInterface",
          "ec2:AssignPrivateIpAddresses",
          "ec2:UnassignPrivateIpAddresses",
        ]
        Resource = "*"
      } : null,
      local.discovers ? {
        Effect   = "Allow"
        Action   = "lambda:InvokeFunction"
        Resource = aws_lambda_function.discover[0].arn
      } : null,
      {
        Effect   = "Allow"
        Action   = "lambda:InvokeFunction"
        Resource = "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${var.name_prefix}-${local.id}-probe-*"
      },
      {
        Effect = "Allow"
        Action = [
          "scheduler:CreateSchedule",
          "scheduler:GetSchedule",
          "scheduler:UpdateSchedule",
          "scheduler:DeleteSchedule",
        ]
        Resource = "arn:${local.partition}:scheduler:${local.region}:${local.account}:schedule/${aws_scheduler_schedule_group.schedules.name}/*"
      },
      {
        Effect   = "Allow"
        Action   = "scheduler:ListSchedules"
        Resource = "*"
      },
      {
        Effect   = "Allow"
        Action   = "iam:PassRole"
        Resource = local.make_schedule_role ? aws_iam_role.schedule_role[0].arn : var.schedule_role_arn
        Condition = {
          StringEquals = {
            "iam:PassedToService" = "scheduler.amazonaws.com"
          }
        }
      },
      local.sends_causes ? {
        Effect   = "Allow"
        Action   = "cloudwatch:GetAlarmMuteRule"
        Resource = "arn:${local.partition}:cloudwatch:${local.region}:${local.account}:alarm-mute-rule:*"
      } : null,
      local.sends_causes ? {
        Effect = "Allow"
        Action = [
          "cloudwatch:DescribeAlarmContributors",
          "cloudwatch:DescribeAlarms",
          "cloudwatch:GetMetricData",
          "cloudwatch:ListAlarmMuteRules",
        ]
        Resource = "*"
      } : null,
      local.sends_causes ? {
        Effect   = "Allow"
        Action   = "sns:Publish"
        Resource = compact([local.page_topic, local.has_notice_topic ? var.notice_topic_arn : null])
      } : null,
      local.sends_causes ? {
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey*"]
        Resource = "arn:${local.partition}:kms:${local.region}:*:key/*"
        Condition = {
          StringEquals = {
            "kms:EncryptionContext:aws:sns:topicArn" = compact([local.page_topic, local.has_notice_topic ? var.notice_topic_arn : null])
          }
        }
      } : null,
      local.sends_causes ? {
        Effect   = "Allow"
        Action   = "events:PutEvents"
        Resource = "arn:${local.partition}:events:${local.region}:${local.account}:event-bus/default"
        Condition = {
          StringEquals = {
            "events:source" = "egressprobe"
          }
        }
      } : null,
      local.sends_causes ? {
        Effect   = "Allow"
        Action   = "iam:PassRole"
        Resource = local.make_planner_schedule_role ? aws_iam_role.planner_schedule_role[0].arn : var.planner_schedule_role_arn
        Condition = {
          StringEquals = {
            "iam:PassedToService" = "scheduler.amazonaws.com"
          }
        }
      } : null,
      local.traced ? {
        Effect   = "Allow"
        Action   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
        Resource = "*"
      } : null,
    ] : one if one != null]
  })
  role = aws_iam_role.planner_role[0].name
}

resource "aws_iam_role_policy" "planner_deny" {
  count = local.make_planner_deny ? 1 : 0

  name = "no-network-interfaces-for-the-code"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Deny"
        Action = [
          "ec2:CreateNetworkInterface",
          "ec2:DeleteNetworkInterface",
          "ec2:AssignPrivateIpAddresses",
          "ec2:UnassignPrivateIpAddresses",
        ]
        Resource = "*"
        Condition = {
          ArnLike = {
            "lambda:SourceFunctionArn" = "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${var.name_prefix}-${local.id}-planner"
          }
        }
      },
    ]
  })
  role = aws_iam_role.planner_role[0].name
}

resource "aws_iam_role" "discover_role" {
  count = local.make_discover_role ? 1 : 0

  name                 = "${var.name_prefix}-${local.id}-discover-role"
  path                 = local.has_role_path ? var.role_path : null
  description          = "The Discover function, admitted to the cluster by an access entry. Network interfaces are for the Lambda service."
  permissions_boundary = local.has_boundary ? var.permissions_boundary_arn : null
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Principal = {
          Service = "lambda.amazonaws.com"
        }
        Action = "sts:AssumeRole"
      },
    ]
  })
}

resource "aws_iam_role_policy" "discover_role_network_interfaces" {
  count = local.make_discover_role ? 1 : 0

  name = "network-interfaces"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Action = [
          "ec2:CreateNetworkInterface",
          "ec2:DescribeNetworkInterfaces",
          "ec2:DescribeSubnets",
          "ec2:DeleteNetworkInterface",
          "ec2:AssignPrivateIpAddresses",
          "ec2:UnassignPrivateIpAddresses",
        ]
        Resource = "*"
      },
    ]
  })
  role = aws_iam_role.discover_role[0].name
}

resource "aws_iam_role_policy" "discover_role_log" {
  count = local.make_discover_role ? 1 : 0

  name = "log"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [for one in [
      {
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "${aws_cloudwatch_log_group.discover_logs[0].arn}:*"
      },
      local.traced ? {
        Effect   = "Allow"
        Action   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
        Resource = "*"
      } : null,
    ] : one if one != null]
  })
  role = aws_iam_role.discover_role[0].name
}

resource "aws_iam_role_policy" "discover_deny" {
  count = local.make_discover_role ? 1 : 0

  name = "no-network-interfaces-for-the-code"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Deny"
        Action = [
          "ec2:CreateNetworkInterface",
          "ec2:DescribeNetworkInterfaces",
          "ec2:DescribeSubnets",
          "ec2:DeleteNetworkInterface",
          "ec2:AssignPrivateIpAddresses",
          "ec2:UnassignPrivateIpAddresses",
        ]
        Resource = "*"
        Condition = {
          ArnLike = {
            "lambda:SourceFunctionArn" = "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${var.name_prefix}-${local.id}-discover"
          }
        }
      },
    ]
  })
  role = aws_iam_role.discover_role[0].name
}

resource "aws_iam_role" "planner_schedule_role" {
  count = local.make_planner_schedule_role ? 1 : 0

  name                 = "${var.name_prefix}-${local.id}-planner-schedule-role"
  path                 = local.has_role_path ? var.role_path : null
  permissions_boundary = local.has_boundary ? var.permissions_boundary_arn : null
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        Principal = {
          Service = "scheduler.amazonaws.com"
        }
        Action = "sts:AssumeRole"
        Condition = {
          StringEquals = {
            "aws:SourceAccount" = local.account
            "aws:SourceArn" = compact([
              aws_scheduler_schedule_group.planner_schedule_group.arn,
              local.sends_causes ? aws_scheduler_schedule_group.schedules.arn : null,
            ])
          }
        }
      },
    ]
  })
}

resource "aws_iam_role_policy" "planner_schedule_role_invoke_planner" {
  count = local.make_planner_schedule_role ? 1 : 0

  name = "invoke-planner"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = "lambda:InvokeFunction"
        Resource = "arn:${local.partition}:lambda:${local.region}:${local.account}:function:${var.name_prefix}-${local.id}-planner"
      },
    ]
  })
  role = aws_iam_role.planner_schedule_role[0].name
}
