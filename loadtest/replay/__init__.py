"""Replays a scenario to any sender, and grades it by what the simulator saw.

replay_command ── which scenarios, which command, where the report card goes
  ├ play             one scenario: a simulator, the sender's runs one after another, what was observed (shells: `program`)
  │   ├ scenario     what a scenario says, as far as it is read here
  │   ├ devices      its tokens and what is known of them; the files that the sender gets
  │   └ results      what the sender wrote about them
  ├ grading          the list of expectations, each graded by a pure function of one of the `…_checks`
  │   ├ observed     the simulator's observations, as its control API tells them
  │   ├ history      the same put together: runs, connections, exchanges, devices
  │   ├ answers      what an answer asks of a good sender
  │   └ evidence     observations in words
  └ card             the report card; on the terminal, as JUnit XML, as one HTML page (`card_…`)
"""
