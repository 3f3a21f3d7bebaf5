//! Does the system have random numbers yet? A gateway without a source of its own may have none for minutes after its start, and until then
//! getrandom(2) waits, with it rustls and ring, and with them everything that the one thread does. Only an ECDSA key that is loaded and the greeting to a
//! broker ask for numbers: both come after this question. (The standard library's hash maps take numbers too, but do not wait for them.)

use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};

/// Asks the system without waiting, until it has some; they never run out again.
pub fn is_there() -> bool {
    static IS_THERE: AtomicBool = AtomicBool::new(false);
    if !IS_THERE.load(Ordering::Relaxed) {
        // Any other error is for whoever needs the numbers.
        let answer = getrandom(&mut [0; 1], GetRandomFlags::NONBLOCK);
        IS_THERE.store(answer != Err(Errno::AGAIN), Ordering::Relaxed);
    }
    IS_THERE.load(Ordering::Relaxed)
}
