/// Entry point.
fn main() {}
