"""What tests the library from outside: stand-ins, callers, and the truth at the caller's end."""
