"""What the functions write: metrics in embedded metric format, and responses bounded in size. No verdicts here.

Public: emf.publish, emf.Series, response.response, stdout.drop_stdout.
"""
