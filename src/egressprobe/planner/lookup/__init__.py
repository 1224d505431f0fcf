"""Looking up again where a discovered target is that fails: before its failure counts, and less often while it lasts.

failing.py decides what a look has shown, claim.py who looks, note.py stores both. No AWS calls of its own.
"""
