//! How does a thread begin that works beside the event loop, and wakes it with what it has?

use std::io;
use std::thread::Builder;

/// Starts a thread with a stack of so many bytes, of which only those that are touched cost memory. One function for all, since the standard
/// library's takes 2 KB for each kind of work.
///
/// # Errors
/// The system has no more threads.
pub fn start(stack_size: usize, work: Box<dyn FnOnce() + Send>) -> io::Result<()> {
    Builder::new().stack_size(stack_size).spawn(work)?;
    Ok(())
}
