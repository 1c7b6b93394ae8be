# People and addresses, shared by all mappings.

# "Maria", "Ozola" → "Maria Ozola"; blank parts are left out; null when both are blank.
def join_name($first; $last): join_text([$first, $last]; " ");

# The shipping address, or the billing address when the shipping one is all empty, or null.
def address_or($other): if blank then (if ($other | blank) then null else $other end) else . end;
