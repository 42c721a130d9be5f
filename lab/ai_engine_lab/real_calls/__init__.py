"""Real calls: the unedited engine with the library attached, over real sockets on loopback.

A stand-in for Asterisk places the calls, callers speak recorded prompts and record every frame that
they get with its time, and stand-ins for the providers answer as scripted. What the library said of
each call is laid beside what was heard at the caller's end.
"""
