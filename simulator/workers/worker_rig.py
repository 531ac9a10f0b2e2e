"""What a worker begins with: the front's state, without the front's records of what was done. Pure."""

from simulator.rig import Rig


def empty_for_worker(rig: Rig) -> None:
    """Empty, in a process that was just forked, all that each process has of its own: what remains is alike in all.

    In place, since others hold on to the parts: counters are bumped by what was made before. The ledger is not touched.
    """
    rig.journal.clear()
    rig.observations.drop()
    rig.frame_log.drop()
    rig.counters.forget()
    rig.faults.played.clear()
    for active in rig.faults:
        matcher = active.matcher
        matcher.played_elsewhere += matcher.played
        matcher.played = 0
