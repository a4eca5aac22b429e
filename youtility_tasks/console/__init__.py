"""The pages below `/tasks/`: server-made, one module a page. They ask the house what the CLI and the API ask, and show it.

`table` lists the pages, `door` lets a request in (who, for which tenant) and sends the page out, `acting` is the one way to change
anything: each act says what it will touch (GET), then does it (POST). `visit` is what a page knows of its visitor; `words` reads
what stands behind the question mark; `tags` are the templates' words.
"""
