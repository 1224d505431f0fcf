"""What a person or a schedule wrote becomes a Plan, or one line that names the place of the mistake.

Public: plan.{read_plan, sampled, target_from_url}, spec.read_target, file.read_file.
"""
