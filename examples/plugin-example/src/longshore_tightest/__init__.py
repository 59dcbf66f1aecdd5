"""An assignment strategy for Longshore: each task on the machine that it fills best."""
