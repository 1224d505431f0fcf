"""The live measurement and its verdict. run.py has the sequence: measure every target, forecast, diagnose, report.

measure.py is one target by its kind, hop.py one host. transport/ has one file a phase and gives no verdict; diagnosis/
turns measurements into verdicts and opens no socket. The two do not know each other.

Public: run.{run, vantage}, edges.{Edges, Location}, doctor.examine; for discovery: hop.Prober, transport.
"""
