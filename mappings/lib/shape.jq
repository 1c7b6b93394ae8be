# Shaping objects.

# The marker for "this payload does not tell": such a key is left out, which keeps what is stored. null means "known to be none".
def absent: {"!absent": true};

# Drops the keys of the input object whose value is `absent`.
def compact_absent: with_entries(select(.value != absent));

# First value of the generator f that is neither null nor false, or null.
def first_of(f): first(f | select(.)) // null;
