"""The server: durable jobs, accounts, a REST API and a web page around the same `Annotator` that everybody uses.

Needs the extra ``server``. `settings` and `errors` import nothing of it; everything else does.

==========  ===========================================================================================
``store/``  the database: tables, transactions, and one class for each kind of thing that is kept there
``access/`` who may do what: keys, tokens, roles, how often and how much
``work/``   where jobs are executed: dispatcher, executors, the child process that runs `Annotator`
``api/``    HTTP: routes, errors, events, what old clients get
``page/``   the web page
==========  ===========================================================================================
"""
