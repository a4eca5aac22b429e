"""The JSON API: everything that the commands do, for programs.

Each endpoint is one call of the function that the command calls. `door` lets a request in: who it is (`callers`), how often they
may (`tokens.take`), for which tenant, what they said (`reading`); what is refused becomes a problem (`problems`). `schema`
writes the OpenAPI document from the same table of endpoints.
"""
