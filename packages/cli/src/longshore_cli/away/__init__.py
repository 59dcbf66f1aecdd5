"""Controllers away from home: on a host or a rented machine, while the computer that began the run may sleep.

Here: `starting` puts a controller there, `forwarding` lets commands about its run be answered there, `attaching` finds
what somebody else began. There: `sitting` answers, `keeping` starts the controller again when it dies.
"""
