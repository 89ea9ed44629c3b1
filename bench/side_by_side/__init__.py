"""Servers side by side on one machine.

    servers (how each is set up) ─► ground (files, certificate, cgroups) ─┐
    scenarios (what each has to do, and what must come of it) ────────────┴─► run ─► report
                                     floors (what the machine asks at least) ─┘
"""
