"""What a pasted error means: `paste` cuts the text into errors, `recognise` finds the rows of error_texts in each.

`meanings` ranks the codes with a reason, `next_steps` has the commands that lead on. Pure; nothing of a text is run.
"""
