//! Builds the types of operations anew where the schema has changed.

fn main() {
    println!("cargo::rerun-if-changed=../../schema.graphql");
    println!("cargo::rerun-if-changed=src/operations");
}
