"""What many clusters need of AWS's quotas, simulated: `make scale`, docs/scale.md.

counting.py counts what the product does and writes counts.json; quotas.json has AWS's quotas with their sources.
fleet.py makes up fleets, usage.py adds up what they take, rates.py simulates when their Planners call AWS, and
report.py prints what is reached first. Everything but counting.py needs neither AWS nor moto, and takes seconds.
"""
