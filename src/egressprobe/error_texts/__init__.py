"""The error texts of kube-apiserver, Go, client-go and kubectl, each in one place.

A row writes its text for the forecast (`of`) and finds it in what a person pasted (`find_all`), so that the two cannot
differ. A row has the codes that it may mean. Nothing here knows where a text was pasted from: catalog/pasted does.

- `template`: the row, and the search for it.
- `network`, `tls`, `http`, `oidc`, `services`: what went wrong. `calls`: who called what; `clients`: errors of a
  client's own connection; `verdicts`: decisions of the API server, which are no network errors.
- `rows`: all of them, in the order of how much they say.
"""
