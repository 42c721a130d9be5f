"""AudioSocket, Asterisk's way to hand a call's audio to a program over TCP."""
