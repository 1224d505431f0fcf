# Generated from template.yaml, which says why each is as it is, by make docs: change that one.

variable "cluster_name" {
  type        = string
  nullable    = false
  description = "The EKS cluster. A stack belongs to one cluster."

  validation {
    condition     = can(regex("^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$", var.cluster_name))
    error_message = "It must match ^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$."
  }
}

variable "ip_family" {
  type        = string
  default     = "ipv4"
  nullable    = false
  description = "The cluster's IP family. With ipv6 the probes are dual-stack, and their subnets must be."

  validation {
    condition     = contains(["ipv4", "ipv6"], var.ip_family)
    error_message = "One of ipv4, ipv6."
  }
}

variable "security_group_ids" {
  type        = list(string)
  nullable    = false
  description = "The groups of the control plane's interfaces, the cluster security group and the configured ones."

  validation {
    condition     = can(regex("^sg-[0-9a-f]+(,sg-[0-9a-f]+){0,4}$", join(",", var.security_group_ids)))
    error_message = "One to five security groups, separated by commas; Lambda takes no more."
  }
}

variable "subnets" {
  type        = list(string)
  nullable    = false
  description = "The control-plane subnets with their zones, slot by slot. Keep each at its position; - for a removed one."

  validation {
    condition     = can(regex("^(-,)*subnet-[0-9a-f]+/[a-z0-9-]+(,(-|subnet-[0-9a-f]+/[a-z0-9-]+)){0,15}$", join(",", var.subnets)))
    error_message = "1 to 16 of SUBNET/ZONE, such as subnet-0a1b2c3d/eu-west-1a, separated by commas; - leaves a slot empty."
  }
}

variable "cluster_security_group_ids" {
  type        = list(string)
  default     = []
  nullable    = false
  description = "The control plane's groups at deployment; when they change, verdicts are unknown. Empty - not compared."

  validation {
    condition     = can(regex("^(sg-[0-9a-f]+(,sg-[0-9a-f]+)*)?$", join(",", var.cluster_security_group_ids)))
    error_message = "It must match ^(sg-[0-9a-f]+(,sg-[0-9a-f]+)*)?$."
  }
}

variable "discovery" {
  type        = bool
  default     = true
  nullable    = false
  description = "Find the targets in the cluster - webhooks, aggregated APIs, nodes, issuers - beside those of the targets file."
}

variable "exclude" {
  type        = list(string)
  default     = []
  nullable    = false
  description = "Discovered targets that are not probed, by name, separated by commas; * and ? match. For targets that stay broken."

  validation {
    condition     = can(regex("^[A-Za-z0-9._:/@~*?,-]*$", join(",", var.exclude)))
    error_message = "It must match ^[A-Za-z0-9._:/@~*?,-]*$."
  }
}

variable "audit_skip" {
  type        = list(string)
  default     = []
  nullable    = false
  description = "Codes of findings that the audit of the VPC's configuration does not report, separated by commas."

  validation {
    condition     = can(regex("^[A-Z0-9_,]*$", join(",", var.audit_skip)))
    error_message = "It must match ^[A-Z0-9_,]*$."
  }
}

variable "audit_permissions" {
  type        = bool
  default     = true
  nullable    = false
  description = "Let the Planner read the VPC's configuration - EC2, load balancers, Route 53, Resolver, CloudTrail, IAM simulation. false - neither the audit nor causes; discovery still reads the cluster and its VPC's subnets."
}

variable "corroborate_api_server" {
  type        = string
  default     = "metrics"
  nullable    = false
  description = "Compare the probes with the real API server (docs/corroboration.md). metrics - its metrics in CloudWatch, about $0.03 a month while all is well. logs - its api and audit log too, where they are on. Needs audit_permissions."

  validation {
    condition     = contains(["metrics", "logs", "false"], var.corroborate_api_server)
    error_message = "One of metrics, logs, false."
  }
}

variable "planner_subnet_ids" {
  type        = list(string)
  default     = []
  nullable    = false
  description = "Subnets for the Planner, separated by commas; they need a way to AWS's APIs that does not depend on the paths that are probed. Empty - outside of any VPC."

  validation {
    condition     = can(regex("^(subnet-[0-9a-f]+(,subnet-[0-9a-f]+){0,15})?$", join(",", var.planner_subnet_ids)))
    error_message = "It must match ^(subnet-[0-9a-f]+(,subnet-[0-9a-f]+){0,15})?$."
  }
}

variable "planner_security_group_ids" {
  type        = list(string)
  default     = []
  nullable    = false
  description = "Security groups of the Planner in planner_subnet_ids; outbound 443 only. Not the cluster's."

  validation {
    condition     = can(regex("^(sg-[0-9a-f]+(,sg-[0-9a-f]+){0,4})?$", join(",", var.planner_security_group_ids)))
    error_message = "It must match ^(sg-[0-9a-f]+(,sg-[0-9a-f]+){0,4})?$."
  }
}

variable "access_entry" {
  type        = bool
  default     = true
  nullable    = false
  description = "Create an access entry for the Discover function with the Kubernetes group egressprobe (deploy/rbac). Needs an authentication mode with API."
}

variable "alarm_topic_arn" {
  type        = string
  default     = ""
  nullable    = false
  description = "SNS topic for pages. Empty - the stack creates one. Its policy must let cloudwatch.amazonaws.com publish; in another account, also the Planner's role."

  validation {
    condition     = can(regex("^(arn:[^:]+:sns:.+)?$", var.alarm_topic_arn))
    error_message = "It must match ^(arn:[^:]+:sns:.+)?$."
  }
}

variable "alarm_email" {
  type        = string
  default     = ""
  nullable    = false
  description = "Subscribed to the topic that the stack creates; AWS asks it for confirmation."
}

variable "notice_topic_arn" {
  type        = string
  default     = ""
  nullable    = false
  description = "SNS topic for what can wait until the morning, such as certificates. Empty - dashboard only."

  validation {
    condition     = can(regex("^(arn:[^:]+:sns:.+)?$", var.notice_topic_arn))
    error_message = "It must match ^(arn:[^:]+:sns:.+)?$."
  }
}

variable "egress_pages" {
  type        = bool
  default     = true
  nullable    = false
  description = "Page when nothing outside the VPC can be reached and egress is CUSTOMER_ROUTED; false makes it a notice."
}

variable "target_notifications" {
  type        = string
  default     = "causes"
  nullable    = false
  description = "causes - the Planner sends one message for each cause, with the command that corrects it. Without the Planner, by CloudWatch - true - each broken target is a page. notices - one page for each incident, which a pager closes by its all-clear, and the targets go to notice_topic_arn. false - no messages about targets."

  validation {
    condition     = contains(["causes", "true", "notices", "false"], var.target_notifications)
    error_message = "One of causes, true, notices, false."
  }
}

variable "runbook_url" {
  type        = string
  default     = ""
  nullable    = false
  description = "Your runbook. An alarm's description links to its name there -"

  validation {
    condition     = can(regex("^(https://.+)?$", var.runbook_url))
    error_message = "It must match ^(https://.+)?$."
  }
}

variable "certificate_days" {
  type        = number
  default     = 7
  nullable    = false
  description = "Alarm when a certificate that a target presents has fewer days left."

  validation {
    condition     = var.certificate_days >= 0 && var.certificate_days <= 365
    error_message = "From 0 to 365."
  }
}

variable "metric_detail" {
  type        = string
  default     = "target"
  nullable    = false
  description = "ProbeSuccess by target, or by target and subnet (more series, higher cost)."

  validation {
    condition     = contains(["target", "subnet"], var.metric_detail)
    error_message = "One of target, subnet."
  }
}

variable "max_series" {
  type        = number
  default     = 500
  nullable    = false
  description = "A plan with more series of ProbeSuccess gets one for all targets. An alarm evaluates at most 500."

  validation {
    condition     = var.max_series >= 1 && var.max_series <= 500
    error_message = "From 1 to 500."
  }
}

variable "log_retention_days" {
  type     = number
  default  = 30
  nullable = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "One of 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653."
  }
}

variable "create_dashboard" {
  type        = bool
  default     = true
  nullable    = false
  description = "An account's first three dashboards are free, further ones cost $3 a month each."
}

variable "monitoring_account" {
  type        = bool
  default     = false
  nullable    = false
  description = "true where this account is a monitoring account of CloudWatch cross-account observability. Alarms and dashboard then read this account's metrics only, not those of a cluster of the same name in a linked account."
}

variable "architecture" {
  type     = string
  default  = "arm64"
  nullable = false

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "One of arm64, x86_64."
  }
}

variable "probe_memory" {
  type        = number
  default     = 256
  nullable    = false
  description = "MB; CPU is in proportion. Five targets are probed at once below 1769 MB, ten from there on."

  validation {
    condition     = var.probe_memory >= 128 && var.probe_memory <= 3008
    error_message = "From 128 to 3008."
  }
}

variable "probe_timeout" {
  type        = number
  default     = 50
  nullable    = false
  description = "Seconds. Below a minute, so that runs do not overlap."

  validation {
    condition     = var.probe_timeout >= 10 && var.probe_timeout <= 59
    error_message = "From 10 to 59."
  }
}

variable "probe_concurrency" {
  type        = string
  default     = ""
  nullable    = false
  description = "Reserved concurrency of each probe; 2 or more. Empty - none (accounts with a limit of 10 cannot reserve)."

  validation {
    condition     = can(regex("^([1-9][0-9]{0,2})?$", var.probe_concurrency))
    error_message = "It must match ^([1-9][0-9]{0,2})?$."
  }
}

variable "tracing" {
  type     = string
  default  = "PassThrough"
  nullable = false

  validation {
    condition     = contains(["PassThrough", "Active"], var.tracing)
    error_message = "One of PassThrough, Active."
  }
}

variable "permissions_boundary_arn" {
  type        = string
  default     = ""
  nullable    = false
  description = "Permissions boundary of every role that the stack creates."

  validation {
    condition     = can(regex("^(arn:[^:]+:iam::.+:policy/.+)?$", var.permissions_boundary_arn))
    error_message = "It must match ^(arn:[^:]+:iam::.+:policy/.+)?$."
  }
}

variable "name_prefix" {
  type        = string
  default     = "egressprobe"
  nullable    = false
  description = "First part of the names of functions, schedule groups and log groups, and, where it is not egressprobe, of roles, topic and rule. Alarms and dashboard keep their names. Choose it before the first deployment - another one replaces the functions."

  validation {
    condition     = can(regex("^[A-Za-z0-9]([A-Za-z0-9_-]{0,30}[A-Za-z0-9])?$", var.name_prefix))
    error_message = "At most 32 of A-Z, a-z, 0-9, - and _; the first and the last is a letter or digit."
  }
}

variable "role_path" {
  type        = string
  default     = "/"
  nullable    = false
  description = "IAM path of every role that the stack creates."

  validation {
    condition     = can(regex("^/([A-Za-z0-9._+=,@-]+/)*$", var.role_path))
    error_message = "/ or /PART/ or /PART/PART/, and so on."
  }
}

variable "probe_role_arn" {
  type        = string
  default     = ""
  nullable    = false
  description = "A role of your own for the probes, with the policies that make roles prints. Empty - the stack creates one."

  validation {
    condition     = can(regex("^(arn:[^:]+:iam::[0-9]{12}:role/.+)?$", var.probe_role_arn))
    error_message = "It must match ^(arn:[^:]+:iam::[0-9]{12}:role/.+)?$."
  }
}

variable "discover_role_arn" {
  type        = string
  default     = ""
  nullable    = false
  description = "A role of your own for the Discover function, with the policies that make roles prints. Empty - the stack creates one."

  validation {
    condition     = can(regex("^(arn:[^:]+:iam::[0-9]{12}:role/.+)?$", var.discover_role_arn))
    error_message = "It must match ^(arn:[^:]+:iam::[0-9]{12}:role/.+)?$."
  }
}

variable "planner_role_arn" {
  type        = string
  default     = ""
  nullable    = false
  description = "A role of your own for the Planner, with the policies that make roles prints. Empty - the stack creates one."

  validation {
    condition     = can(regex("^(arn:[^:]+:iam::[0-9]{12}:role/.+)?$", var.planner_role_arn))
    error_message = "It must match ^(arn:[^:]+:iam::[0-9]{12}:role/.+)?$."
  }
}

variable "schedule_role_arn" {
  type        = string
  default     = ""
  nullable    = false
  description = "A role of your own for the schedules that invoke the probes, with the policies that make roles prints. Empty - the stack creates one."

  validation {
    condition     = can(regex("^(arn:[^:]+:iam::[0-9]{12}:role/.+)?$", var.schedule_role_arn))
    error_message = "It must match ^(arn:[^:]+:iam::[0-9]{12}:role/.+)?$."
  }
}

variable "planner_schedule_role_arn" {
  type        = string
  default     = ""
  nullable    = false
  description = "A role of your own for the schedules that invoke the Planner, with the policies that make roles prints. Empty - the stack creates one."

  validation {
    condition     = can(regex("^(arn:[^:]+:iam::[0-9]{12}:role/.+)?$", var.planner_schedule_role_arn))
    error_message = "It must match ^(arn:[^:]+:iam::[0-9]{12}:role/.+)?$."
  }
}

variable "kms_key_arn" {
  type        = string
  default     = ""
  nullable    = false
  description = "Key for the logs and the stack's topic. Its policy must let Logs, CloudWatch and SNS use it."

  validation {
    condition     = can(regex("^(arn:[^:]+:kms:.+)?$", var.kms_key_arn))
    error_message = "It must match ^(arn:[^:]+:kms:.+)?$."
  }
}

variable "id" {
  type        = string
  default     = ""
  nullable    = false
  description = "Part of every name, 8 of 0-9 and a-f. Empty - derived from account, region and cluster."

  validation {
    condition     = can(regex("^([0-9a-f]{8})?$", var.id))
    error_message = "8 characters of 0-9 and a-f, or empty."
  }
}

variable "probe_zip" {
  type        = string
  default     = ""
  nullable    = false
  description = "Path of build/probe.zip, which make build writes. Or set artifact_bucket."
}

variable "planner_zip" {
  type        = string
  default     = ""
  nullable    = false
  description = "Path of build/planner.zip, which make build writes; it has the targets file. Or set artifact_bucket."
}

variable "artifact_bucket" {
  type        = string
  default     = ""
  nullable    = false
  description = "Bucket of this region with the code, in place of the two paths; make package uploads it."
}

variable "probe_artifact" {
  type        = string
  default     = ""
  nullable    = false
  description = "Key of the Probe's zip in artifact_bucket. It is derived from the content, so new code has a new key."
}

variable "planner_artifact" {
  type        = string
  default     = ""
  nullable    = false
  description = "Key of the Planner's zip in artifact_bucket."
}
