"""How much the providers take: rates of a project, a device, a topic. Pure: the time is passed in."""
