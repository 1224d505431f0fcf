"""VPC Flow Logs: their records, counted by place, and what they prove of each target. Entry: `report.flows_report`."""
