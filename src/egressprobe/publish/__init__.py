"""What the functions write: metrics in embedded metric format, and responses bounded in size. Decides nothing.

Public: emf.publish, emf.Series, response.response.
"""
