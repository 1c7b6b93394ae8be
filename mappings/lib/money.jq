# Money text. Arithmetic is native (money_add, money_mul, …); these only put it together.

# {amount, currency}, or null when the amount is null.
def money($amount; $currency): if $amount == null then null else {amount: ($amount | dec), currency: $currency} end;

# Gross of a net amount and its tax.
def gross($net; $tax): money_add($net; $tax // "0");

# Net + percent, rounded half up to the currency's minor unit.
def with_tax($net; $percent; $currency):
  money_round(money_add($net; money_div(money_mul($net; $percent); "100")); currency_digits($currency));

# Is the amount zero?
def is_zero_amount: money_cmp(.; "0") == 0;
