"""A targets file, an event or a schedule becomes a Plan, or an error of one line that names the place of the mistake.

Public: plan.{read_plan, sampled, target_from_url}, spec.read_target, file.read_file.
"""
