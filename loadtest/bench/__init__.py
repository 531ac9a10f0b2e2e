"""`pushrig bench`: how fast sender and simulator are on this machine, beside rulers and what one would build first.

Absolute figures belong to a machine and a minute; the ratios of one run can be compared. Each row is one sender against one
server, each in a process of its own; repeats of all rows take turns, so that a slow minute hits all alike.

    records          what a run finds: rows, bars, costs; the JSON
    figures          medians, spread, which side was the limit: pure
    bars             the ratios and limits to hold, as a table: pure
    compare          what changed since an older report: pure
    rows             the rows as a table: which sender, which server, how many, which tools
    tools            programs and packages that rows need, and the commands that install them
    child            processes that end with this one, each bounded in time
    servers          the servers' processes
    senders          the senders' processes
    run              measures the rows
    cost             cost of a notification and memory, from thousands to millions of devices
    minting          how long tokens take to mint, and what files of them take
    growth_axes, growth                 how cost grows with connections, streams and workers: what, pure; and measured
    growth_plots     pictures of it, with devices beside: pure
    extrapolation    what a billion devices would take: pure
    tables, markdown, screen            reports: cells, for documents, for terminals
    command          the command line

    task             what a sender's process is told, and what it answers
    ruler_sender, ruler_server          the least that a push sender and a push server can do in plain Python
    reference_sender, aioapns_sender, httpx_sender, hypercorn_server, h2_server     run as processes of their own
    profile_step, hot_path              each microsecond of a notification, measured function by function in one process
"""
