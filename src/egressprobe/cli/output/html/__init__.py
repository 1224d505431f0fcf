"""A `Sheet` as one HTML file without external assets: page.py has the whole, each other module one part of it.

- Every text goes through `markup.tag`, which escapes it: most of them are written by other parties.
- No style attribute, no event attribute, no link to elsewhere: the page's Content-Security-Policy forbids them.
- Without JavaScript all is there and can be opened; report.js adds filter, copy, expand all, and details in place.
- Size: page.py has the bound, and says on the page what was left out for it.
"""
