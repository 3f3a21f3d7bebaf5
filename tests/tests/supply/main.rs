//! What comes from others: by which hashes, by whose leave, and whether what is shipped says so.

mod bill;
mod hashes;
