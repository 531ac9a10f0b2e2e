"""Any sender under load: `pushrig load --sender COMMAND`, measured from the simulator's side.

sender_options what `pushrig load` has for it, checked and printed
command_text   what stands for what in a command
handout        which devices each sender gets, and the files that tell it
sender_group   the senders, running
control_view   what is asked of the simulator while they send
watching       looks on while they send
requests_seen  every request and connection, from observations
senders_seen   the same for each of several senders
seconds_seen   notifications and connections by the second
measuring      a simulator, the senders, and the figures: the shell around the others
figures        what comes of it, and what does not add up
screen         the figures as a table
results        the same as a results directory has it
"""
