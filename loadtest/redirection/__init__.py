"""Runs any program so that the providers' hosts lead it to a simulator, without a change to the program.

run_command ── starts the simulator, asks `pushrig env` for the variables
  └ program        starts the program, passes signals and exit code on
      ├ environment    the variables that the program gets; they name the three ways below
      ├ python_start/sitecustomize.py   what Python runs at its start: names and connections lead to the simulator
      ├ node_start.cjs                  the same for Node.js
      └ connect_proxy  an HTTP CONNECT proxy for the others; `connect_request` reads what they ask of it
"""
