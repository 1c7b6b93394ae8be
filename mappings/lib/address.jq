# People and addresses, shared by all mappings.

# Non-blank texts joined by $separator; null when there are none.
def join_text($texts; $separator): [$texts[] | nonblank | values] | if length == 0 then null else join($separator) end;

# "Maria", "Ozola" → "Maria Ozola"; blank parts are left out; null when both are blank.
def join_name($first; $last): join_text([$first, $last]; " ");

# An address object none of whose values says anything (null, "", blank) counts as empty.
def is_empty_address: . == null or . == "" or ([.. | scalars | select(nonblank != null)] | length == 0);

# The shipping address, or the billing address when the shipping one is all empty, or null.
def address_or($other): if is_empty_address then $other | if is_empty_address then null else . end else . end;
