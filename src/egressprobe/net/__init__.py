"""Text forms of addresses and URLs, and the guard on what may be dialled. Pure.

Public: addresses.{is_address, canonical}, urls.{parse_url, shown, HostPort}, guard.{forbidden, Guard}.
"""
