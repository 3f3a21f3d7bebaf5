//! What has been asked of the process by signal? To stop, to read its configuration again, to report.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::{flag, low_level::pipe};

use crate::poller::{Event, Interest, Poller};

/// The signals of one process, caught. Each wakes the event loop, which then asks with [`Signals::stop`],
/// [`Signals::take_reload`] and [`Signals::take_report`]; these cost no system call.
///
/// SIGPIPE needs nothing: Rust's runtime ignores it.
pub struct Signals {
    poller: Arc<Poller>,
    key: u32,
    wake: UnixStream,
    stop: Arc<AtomicBool>,
    /// Whether the next request to stop ends the process.
    impatient: Arc<AtomicBool>,
    reload: Arc<AtomicBool>,
    report: Arc<AtomicBool>,
}

impl Signals {
    /// Catches SIGTERM, SIGINT, SIGHUP and SIGUSR1 for the rest of the process's life. `key` is the poller's key
    /// for the events that wake the loop; hand them to [`Signals::ready`].
    ///
    /// SIGTERM or SIGINT asks for an orderly end; after [`Signals::end_at_next_stop`], another one ends the process at
    /// once, with status 128 + signal, as a shell reports it.
    ///
    /// # Errors
    /// No file descriptor is left.
    pub fn catch(poller: Arc<Poller>, key: u32) -> io::Result<Signals> {
        let (wake, waker) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        let signals = Signals {
            poller,
            key,
            wake,
            stop: Arc::default(),
            impatient: Arc::default(),
            reload: Arc::default(),
            report: Arc::default(),
        };
        signals.poller.add(&signals.wake, key, Interest::Read)?;
        // A signal's actions run in the order of their registration: so the loop wakes only after the flag is set.
        for signal in [SIGTERM, SIGINT] {
            flag::register_conditional_shutdown(signal, 128 + signal, signals.impatient.clone())?;
            flag::register(signal, signals.stop.clone())?;
        }
        flag::register(SIGHUP, signals.reload.clone())?;
        flag::register(SIGUSR1, signals.report.clone())?;
        for signal in [SIGTERM, SIGINT, SIGHUP, SIGUSR1] {
            pipe::register(signal, waker.try_clone()?)?;
        }
        Ok(signals)
    }

    /// Takes an event of the poller; those of others pass by. Whether there has been a signal: until then, nothing has been asked for.
    pub fn ready(&self, event: Event) -> bool {
        let is_mine = event.key == self.key;
        if is_mine {
            // The bytes carry nothing; only, a full socket would take no more of them.
            while matches!((&self.wake).read(&mut [0; 16]), Ok(1..)) {}
        }
        is_mine
    }

    /// Whether the process is to end. Stays so.
    pub fn stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// From now on, whoever asks to stop once more does not want to wait.
    pub fn end_at_next_stop(&self) {
        self.impatient.store(true, Ordering::Relaxed);
    }

    /// Whether the configuration is to be read again; each request is told once.
    #[must_use]
    pub fn take_reload(&self) -> bool {
        self.reload.swap(false, Ordering::Relaxed)
    }

    /// Whether the counters are to be reported; each request is told once.
    #[must_use]
    pub fn take_report(&self) -> bool {
        self.report.swap(false, Ordering::Relaxed)
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        // It cannot fail: the descriptor is open and registered.
        let _ = self.poller.remove(&self.wake);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::time::Duration;

    use signal_hook::low_level::raise;

    use super::*;
    use crate::poller::Events;
    use crate::testing::{LIMIT, alone};

    /// What the signals ask for after the loop has woken: stop, reload, report.
    fn after_waking(signals: &Signals) -> (bool, bool, bool) {
        let mut events = Events::new();
        signals.poller.wait(&mut events, Some(LIMIT)).unwrap();
        assert_ne!(events.iter().count(), 0, "the loop does not wake");
        assert!(events.iter().all(|event| signals.ready(event)));
        (signals.stop(), signals.take_reload(), signals.take_report())
    }

    #[test]
    fn each_signal_wakes_the_loop_and_is_told_once() {
        let status = alone(
            "signals::tests::each_signal_wakes_the_loop_and_is_told_once",
            || {
                let signals = Signals::catch(Arc::new(Poller::new().unwrap()), 7).unwrap();
                for _ in 0..2 {
                    raise(SIGHUP).unwrap();
                    assert_eq!(after_waking(&signals), (false, true, false));
                    raise(SIGUSR1).unwrap();
                    assert_eq!(after_waking(&signals), (false, false, true));
                }
                raise(SIGTERM).unwrap();
                assert_eq!(after_waking(&signals), (true, false, false));
                assert!(signals.stop(), "it stays so");
            },
        );
        assert!(status.success(), "{status}");
    }

    #[test]
    fn thousands_of_signals_neither_block_nor_stop_waking() {
        let status = alone(
            "signals::tests::thousands_of_signals_neither_block_nor_stop_waking",
            || {
                let signals = Signals::catch(Arc::new(Poller::new().unwrap()), 7).unwrap();
                for _ in 0..2 {
                    for _ in 0..5_000 {
                        raise(SIGUSR1).unwrap();
                    }
                    assert_eq!(after_waking(&signals), (false, false, true));
                }
                let mut events = Events::new();
                signals
                    .poller
                    .wait(&mut events, Some(Duration::ZERO))
                    .unwrap();
                assert_eq!(events.iter().count(), 0, "it wakes without a signal");
            },
        );
        assert!(status.success(), "{status}");
    }

    #[test]
    fn a_repeated_request_to_stop_ends_the_process_at_once_only_when_told_to() {
        let status = alone(
            "signals::tests::a_repeated_request_to_stop_ends_the_process_at_once_only_when_told_to",
            || {
                let signals = Signals::catch(Arc::new(Poller::new().unwrap()), 7).unwrap();
                for signal in [SIGINT, SIGTERM, SIGTERM] {
                    raise(signal).unwrap();
                    assert!(signals.stop());
                }
                signals.end_at_next_stop();
                raise(SIGTERM).unwrap();
                unreachable!("it lives on");
            },
        );
        assert_eq!(
            (status.code(), status.signal()),
            (Some(128 + SIGTERM), None)
        );
    }
}
