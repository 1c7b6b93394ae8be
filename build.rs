//! Rebuilds the crate when a built-in connector folder or a shared mapping changes: `include_dir!` alone does not tell
//! cargo which files it read.
#![allow(clippy::print_stdout)] // this is how a build script speaks to cargo

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=connectors");
    println!("cargo::rerun-if-changed=mappings");
}
